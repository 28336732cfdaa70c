"""Evaluation preprocessing as a value: what turns an image into the numbers that a set of weights was trained on."""

from dataclasses import asdict, dataclass
from typing import Any, Literal


@dataclass(frozen=True)
class Preprocessing:
    """Resize the shorter side, crop the centre, scale to [0, 1], subtract the mean, divide by the deviation.

    Args:
        size: (height, width) that the network is given.
        mean: Mean of each channel of pixels in [0, 1]; its length is the number of channels (1 or 3).
        std: Standard deviation of each channel likewise.
        crop_pct: Share of the resized image's side that is kept: 0.875 resizes to 256 for a crop of 224.
        interpolation: "bilinear" or "bicubic", both antialiased.

    Raises:
        ValueError: for values that cannot be.

    Example:

    >>> import numpy as np
    >>> eight = Preprocessing(size=(8, 8), mean=(0.5,), std=(0.5,))
    >>> eight(np.full((16, 20, 1), 255, "uint8")).numpy().mean().round(3)
    np.float32(1.0)
    """

    size: tuple[int, int]
    mean: tuple[float, ...] = (0.485, 0.456, 0.406)  # ImageNet, as torchvision states it
    std: tuple[float, ...] = (0.229, 0.224, 0.225)
    crop_pct: float = 1.0
    interpolation: Literal["bilinear", "bicubic"] = "bilinear"

    def __post_init__(self) -> None:
        if len(self.mean) != len(self.std) or len(self.mean) not in (1, 3) or min(self.std) <= 0:
            raise ValueError(
                f"mean and std must have 1 or 3 entries, those of std positive; received {self.mean}, {self.std}."
            )
        if not 0 < self.crop_pct <= 1 or min(self.size) < 1:
            raise ValueError(
                f"crop_pct must lie in (0, 1] and size be positive; received {self.crop_pct}, {self.size}."
            )

    @property
    def channels(self) -> int:
        """Channels of the images: 1 (grey) or 3 (RGB)."""
        return len(self.mean)

    def __call__(self, image: Any) -> Any:
        """One image `(height, width, channels)`, any size, values 0 to 255, to a float32 tensor `(*size, channels)`."""
        import tensorflow as tf

        image = tf.cast(image, tf.float32)
        shape = tf.cast(tf.shape(image)[:2], tf.float32)
        target = tf.constant(self.size, tf.float32) / self.crop_pct
        resized = tf.cast(tf.round(shape * tf.reduce_max(target / shape)), tf.int32)
        image = tf.image.resize(image, resized, method=self.interpolation, antialias=True)
        top, left = tf.unstack((resized - self.size) // 2)
        image = image[top : top + self.size[0], left : left + self.size[1]]
        return (tf.ensure_shape(image, (*self.size, self.channels)) / 255.0 - self.mean) / self.std

    def config(self) -> dict[str, Any]:
        """The fields, ready for JSON."""
        return asdict(self)
