"""Mixup and CutMix on pairs of neighbouring positions (2k, 2k + 1), so that mixing knows nothing of shards."""

from dataclasses import dataclass
from typing import Any

import tensorflow as tf


@dataclass(frozen=True)
class Mix:
    """Mixup (arXiv:1710.09412) and CutMix (arXiv:1905.04899), one or the other for each pair of images.

    Both images of a pair are mixed with each other, by the same share, as in timm's mode "pair". (timm's own default
    draws once for a whole batch.) Labels are mixed by the share of the pixels. Smoothing of labels is left to the loss:
    it is linear, so smoothing mixed labels gives what mixing smoothed ones gives.

    Args:
        mixup: Alpha of mixup, whose share is drawn from Beta(alpha, alpha); 0: no mixup.
        cutmix: Alpha of CutMix; the rectangle's centre is uniform, its area 1 - share before the border cuts it.
        probability: Of mixing a pair at all (1.0).
        switch_probability: Of CutMix, where both are on (0.5).

    Raises:
        ValueError: for values that cannot be.
    """

    mixup: float = 0.0
    cutmix: float = 0.0
    probability: float = 1.0
    switch_probability: float = 0.5

    def __post_init__(self) -> None:
        if min(self.mixup, self.cutmix) < 0 or self.mixup == self.cutmix == 0:
            raise ValueError(
                f"mixup and cutmix must be 0 or positive, not both 0; received {self.mixup}, {self.cutmix}."
            )
        if not (0 <= self.probability <= 1 and 0 <= self.switch_probability <= 1):
            raise ValueError(
                f"probabilities must lie in [0, 1]; received {self.probability}, {self.switch_probability}."
            )

    def draw(self, seed: Any, height: int, width: int) -> tuple[Any, Any]:
        """What happens to a pair: the share that an image keeps outside the box, and the box, where it keeps nothing.

        Args:
            seed: Two whole numbers, the same for both images.
            height: Of the images.
            width: Of the images.

        Returns:
            float32 scalar, 1 for CutMix; and int32 (top, left, bottom, right), empty for mixup.
        """
        seeds = tf.unstack(tf.random.split(seed, 3))
        mixed, cut = tf.unstack(tf.random.stateless_uniform([2], seeds[0]))
        cut_chance = self.switch_probability if self.mixup and self.cutmix else float(self.mixup == 0)
        cut = cut < cut_chance
        alpha = tf.where(cut, tf.constant(self.cutmix or 1.0, tf.float64), self.mixup or 1.0)
        # In float64: of two small numbers in float32 both may come out as 0.
        gamma = tf.random.stateless_gamma([2], seeds[1], alpha, dtype=tf.float64)
        share = tf.cast(gamma[0] / tf.reduce_sum(gamma), tf.float32)
        share = tf.where(mixed < self.probability, share, 1.0)

        size = tf.constant([height, width], tf.float32)
        sides = tf.cast(size * tf.sqrt(1.0 - share), tf.int32)
        centre = tf.cast(size * tf.random.stateless_uniform([2], seeds[2]), tf.int32)
        first, last = tf.maximum(centre - sides // 2, 0), tf.minimum(centre + (sides + 1) // 2, [height, width])
        box = tf.concat([first, tf.maximum(first, last)], axis=0)
        return tf.where(cut, 1.0, share), tf.where(cut, box, tf.zeros(4, tf.int32))

    def __call__(self, images: Any, labels: Any, shares: Any, boxes: Any) -> tuple[Any, Any]:
        """Mix the pairs of a batch.

        Args:
            images: float32 `(batch, height, width, channels)`, the batch even.
            labels: float32 `(batch, classes)`.
            shares: Of every image, what `draw` gave its pair, `(batch,)`.
            boxes: Likewise, `(batch, 4)`.

        Returns:
            Images and labels, mixed.

        Example: a pair mixed 3 to 1.

        >>> pair = tf.reshape([0.0, 4.0], (2, 1, 1, 1))
        >>> images, labels = Mix(mixup=1.0)(pair, tf.eye(2), tf.fill([2], 0.75), tf.zeros((2, 4), tf.int32))
        >>> images.numpy().ravel().tolist(), labels.numpy().tolist()
        ([1.0, 3.0], [[0.75, 0.25], [0.25, 0.75]])
        """
        height, width = images.shape[1], images.shape[2]
        top, left, bottom, right = (boxes[:, side, None] for side in range(4))
        rows, columns = tf.range(height)[None], tf.range(width)[None]
        inside = (top <= rows) & (rows < bottom)
        inside = inside[:, :, None] & ((left <= columns) & (columns < right))[:, None]
        kept = tf.where(inside[..., None], 0.0, shares[:, None, None, None])
        covered = tf.cast((bottom - top) * (right - left), tf.float32) / (height * width)
        label_kept = shares[:, None] * (1.0 - covered)
        return (
            kept * images + (1.0 - kept) * _partner(images),
            label_kept * labels + (1.0 - label_kept) * _partner(labels),
        )


def _partner(batch: Any) -> Any:
    """Neighbours change places: 1, 0, 3, 2, ..."""
    shape = tf.shape(batch)
    pairs = tf.reshape(batch, tf.concat([[shape[0] // 2, 2], shape[1:]], axis=0))
    return tf.reshape(tf.reverse(pairs, axis=[1]), shape)
