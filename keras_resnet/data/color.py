"""Pillow's operations on the colours of an image, in a graph: uint8 to uint8."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from keras_resnet.data.crops import Function
from keras_resnet.data.decode import luma


def brightness(image: Any, factor: Any) -> Any:
    """Blend with black: 0 is black, 1 the image."""
    return blend(tf.zeros_like(image), image, factor)


def contrast(image: Any, factor: Any) -> Any:
    """Blend with the mean of the image's grey."""
    mean = tf.floor(tf.reduce_mean(tf.cast(luma(image), tf.float32)) + 0.5)
    return blend(tf.cast(tf.fill(tf.shape(image), mean), tf.uint8), image, factor)


def saturation(image: Any, factor: Any) -> Any:
    """Blend with the grey image: 0 is grey, 1 the image; Pillow's `Color`."""
    return blend(tf.broadcast_to(luma(image), tf.shape(image)), image, factor)


def sharpness(image: Any, factor: Any) -> Any:
    """Blend with the smoothed image, whose border stays as it is."""
    channels = image.shape[-1]
    kernel = tf.constant([[1, 1, 1], [1, 5, 1], [1, 1, 1]], tf.float32) / 13.0
    kernel = tf.tile(kernel[:, :, None, None], [1, 1, channels, 1])
    pixels = tf.cast(image, tf.float32)
    inner = tf.nn.depthwise_conv2d(pixels[None], kernel, [1, 1, 1, 1], "VALID")[0]
    inner = tf.cast(tf.floor(inner + 0.5), tf.uint8)
    height, width = tf.shape(image)[0], tf.shape(image)[1]
    inside = tf.pad(tf.ones((height - 2, width - 2, 1), tf.bool), [[1, 1], [1, 1], [0, 0]])
    return blend(tf.where(inside, tf.pad(inner, [[1, 1], [1, 1], [0, 0]]), image), image, factor)


def autocontrast(image: Any) -> Any:
    """Stretch every channel from 0 to 255."""
    low = tf.cast(tf.reduce_min(image, axis=[0, 1]), tf.float64)  # as precise as Pillow: levels are rounded down
    high = tf.cast(tf.reduce_max(image, axis=[0, 1]), tf.float64)
    scale = 255.0 / tf.maximum(high - low, 1.0)
    levels = tf.range(256, dtype=tf.float64)[:, None]
    stretched = tf.clip_by_value(tf.floor(levels * scale - low * scale), 0.0, 255.0)
    return _look_up(image, tf.cast(tf.where(high > low, stretched, levels), tf.uint8))


def equalize(image: Any) -> Any:
    """Make every channel's histogram flat."""
    channels = image.shape[-1]
    flat = tf.cast(tf.reshape(image, [-1, channels]), tf.int32)
    counts = tf.math.bincount(tf.transpose(flat), minlength=256, maxlength=256, axis=-1)  # (channels, 256)
    total = tf.shape(flat)[0]
    step = (total - tf.gather(counts, tf.reduce_max(flat, axis=0), batch_dims=1)) // 255  # without the highest level
    before = tf.cumsum(counts, axis=1, exclusive=True)
    levels = (before + step[:, None] // 2) // tf.maximum(step[:, None], 1)
    levels = tf.where(step[:, None] > 0, tf.minimum(levels, 255), tf.range(256)[None])
    return _look_up(image, tf.cast(tf.transpose(levels), tf.uint8))


def invert(image: Any) -> Any:
    """Negative."""
    return 255 - image


def posterize(image: Any, bits: Any) -> Any:
    """Keep so many of the highest bits."""
    return tf.bitwise.bitwise_and(image, tf.cast(256 - 2 ** (8 - bits), tf.uint8))


def solarize(image: Any, threshold: Any) -> Any:
    """Invert the pixels from this level on; 256 leaves all as they are."""
    return tf.where(tf.cast(image, tf.int32) >= threshold, 255 - image, image)


def solarize_add(image: Any, addend: Any) -> Any:
    """Add to the pixels below 128."""
    levels = tf.cast(image, tf.int32)
    return tf.where(levels < 128, tf.cast(tf.minimum(levels + addend, 255), tf.uint8), image)


def blend(other: Any, image: Any, factor: Any) -> Any:
    """From `other` (0) to the image (1) and beyond, cut off at 0 and 255."""
    base = tf.cast(other, tf.float32)
    mixed = base + factor * (tf.cast(image, tf.float32) - base)
    return tf.cast(tf.clip_by_value(mixed, 0.0, 255.0), tf.uint8)


def to_uint8(image: Any) -> Any:
    """Pixels 0 to 255 of any kind, rounded."""
    if image.dtype == tf.uint8:
        return image
    return tf.cast(tf.clip_by_value(tf.floor(tf.cast(image, tf.float32) + 0.5), 0.0, 255.0), tf.uint8)


def color_jitter(brightness_by: float = 0.0, contrast_by: float = 0.0, saturation_by: float = 0.0) -> Function:
    """Brightness, contrast and saturation by factors in [1 - x, 1 + x], in random order, as torchvision's ColorJitter.

    Args:
        brightness_by: x of the brightness.
        contrast_by: Of the contrast.
        saturation_by: Of the saturation.

    Example:

    >>> image = tf.fill((8, 8, 3), tf.constant(100, tf.uint8))
    >>> color_jitter(0.4, 0.4, 0.4)(image, (0, 1)).dtype
    tf.uint8
    """
    operations: list[tuple[Callable[[Any, Any], Any], float]] = [
        (brightness, brightness_by),
        (contrast, contrast_by),
        (saturation, saturation_by),
    ]
    operations = [(operation, by) for operation, by in operations if by]
    count = len(operations)

    def function(image: Any, seed: Any) -> Any:
        random = tf.random.stateless_uniform([2 * count], seed)
        image, order = to_uint8(image), tf.argsort(random[:count])
        for turn in range(count):
            image = tf.switch_case(
                order[turn], [_jittered(image, one, random[count:], k) for k, one in enumerate(operations)]
            )
        return image

    return function


def _jittered(
    image: Any, operation: tuple[Callable[[Any, Any], Any], float], random: Any, number: int
) -> Callable[[], Any]:
    function, by = operation
    return lambda: function(image, tf.maximum(0.0, 1.0 + by * (2.0 * random[number] - 1.0)))


def pca_lighting(deviation: float = 0.1) -> Function:
    """Add multiples of the principal components of ImageNet's RGB values (Krizhevsky 2012), as fb.resnet.torch does.

    Args:
        deviation: Standard deviation of the multiples of (eigenvalue x eigenvector).
    """
    values = tf.constant([0.2175, 0.0188, 0.0045])
    vectors = tf.constant([[-0.5675, 0.7192, 0.4009], [-0.5808, -0.0045, -0.8140], [-0.5836, -0.6948, 0.4203]])

    def function(image: Any, seed: Any) -> Any:
        amounts = tf.random.stateless_normal([3], seed, stddev=deviation)
        return tf.cast(image, tf.float32) + 255.0 * tf.linalg.matvec(vectors, amounts * values)

    return function


def _look_up(image: Any, levels: Any) -> Any:
    """Replace every level by that of a table `(256, channels)`."""
    channels = image.shape[-1]
    rows = tf.cast(image, tf.int32) * channels + tf.range(channels)
    return tf.gather(tf.reshape(levels, [-1]), rows)
