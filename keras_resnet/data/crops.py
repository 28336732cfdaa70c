"""Random crops that begin a transform, from pixels or from a file, of which no more is decoded than the crop."""

import math
from collections.abc import Callable
from typing import Any, Literal

import tensorflow as tf

from keras_resnet.data.decode import checked_shape, decode, is_jpeg, luma

Function = Callable[[Any, Any], Any]  # (image, seed) -> image; the seed is two whole numbers
ATTEMPTS = 10


def pad_and_crop(padding: int, channels: int = 3) -> Function:
    """A border of zeros, then a crop of the image's own size at a random place (arXiv:1512.03385, section 4.2).

    Zeros are black in pixels, and the mean colour after `keras_resnet.data.augment.normalized`.

    Args:
        padding: Pixels on every side.
        channels: To decode files to (3); pixels keep theirs.

    Example:

    >>> pad_and_crop(4)(tf.zeros((32, 32, 3), tf.uint8), (0, 1)).shape
    TensorShape([32, 32, 3])
    """

    def function(image: Any, seed: Any) -> Any:
        pixels = decode(image, channels)
        padded = tf.pad(pixels, [[padding, padding], [padding, padding], [0, 0]])
        top, left = tf.unstack(tf.random.stateless_uniform([2], seed, 0, 2 * padding + 1, tf.int32))
        crop = tf.slice(padded, [top, left, 0], tf.shape(pixels))
        return tf.ensure_shape(crop, pixels.shape)

    return function


def random_resized_crop(
    size: int,
    scale: tuple[float, float] = (0.08, 1.0),
    ratio: tuple[float, float] = (3 / 4, 4 / 3),
    interpolation: Literal["area", "bilinear", "bicubic"] = "area",
    channels: int = 3,
) -> Function:
    """A crop of random area and proportions, resized to a square (arXiv:1409.4842), drawn as torchvision draws it.

    Resizing is antialiased. "bilinear" and "bicubic" are Pillow's, as torchvision and timm train with. "area", the
    default, takes a third of their time: where the image shrinks, pixels are averaged by the area that they cover, as
    in FFCV, a JPEG file being decoded at 1/2, 1/4 or 1/8 of its size where that is enough; where it grows, it is
    interpolated linearly.

    Args:
        size: Height and width of the result.
        scale: Bounds of the crop's share of the image's area.
        ratio: Bounds of its width / height.
        interpolation: See above.
        channels: To decode files to (3); pixels keep theirs.

    Returns:
        A function to float32 `(size, size, channels)`, 0 to 255 (bicubic overshoots a little).

    Raises:
        ValueError: for an unknown interpolation.

    Example:

    >>> random_resized_crop(8)(tf.zeros((40, 30, 3), tf.uint8), (0, 1)).shape
    TensorShape([8, 8, 3])
    """
    if interpolation not in ("area", "bilinear", "bicubic"):
        raise ValueError(f"interpolation must be 'area', 'bilinear' or 'bicubic'; received {interpolation!r}.")
    coarse = interpolation == "area"

    def function(image: Any, seed: Any) -> Any:
        encoded = image.dtype == tf.string
        shape = checked_shape(image) if encoded else tf.shape(image)[:2]
        box = crop_box(shape, seed, scale, ratio)
        pixels = _decoded_crop(image, box, size if coarse else None, channels) if encoded else _crop(image, box)
        if coarse:
            return _resize_by_area(pixels, size)
        return tf.image.resize(pixels, (size, size), interpolation, antialias=True)

    return function


def crop_box(shape: Any, seed: Any, scale: tuple[float, float], ratio: tuple[float, float]) -> Any:
    """(top, left, height, width), int32, of a crop of random area and proportions inside (height, width).

    Ten attempts, of which the first that fits is taken; where none does, the largest crop in the middle whose
    proportions are allowed. The logarithm of the proportions is uniform, as in torchvision.
    """
    whole = tf.cast(shape, tf.float32)
    height, width = whole[0], whole[1]
    random = tf.random.stateless_uniform([2 * ATTEMPTS + 2], seed)
    area = height * width * (scale[0] + (scale[1] - scale[0]) * random[:ATTEMPTS])
    low, high = math.log(ratio[0]), math.log(ratio[1])
    root = tf.exp((low + (high - low) * random[ATTEMPTS : 2 * ATTEMPTS]) / 2)
    side = tf.sqrt(area)
    tried = tf.round(tf.stack([side / root, side * root], axis=1))
    fits = tf.reduce_all((tried >= 1.0) & (tried <= whole), axis=1)
    widest = tf.round(tf.stack([tf.minimum(height, width / ratio[0]), tf.minimum(width, height * ratio[1])]))
    # The widest stands behind the attempts, for argmax to find where none of them fits.
    found = tf.argmax(tf.concat([fits, [True]], axis=0))
    chosen = tf.concat([tried, widest[None]], axis=0)[found]
    free = whole - chosen
    anywhere = tf.floor(random[2 * ATTEMPTS :] * (free + 1.0))
    corner = tf.where(found < ATTEMPTS, tf.minimum(anywhere, free), tf.floor(free / 2.0))
    return tf.cast(tf.concat([corner, chosen], axis=0), tf.int32)


def _crop(pixels: Any, box: Any) -> Any:
    return tf.slice(pixels, [box[0], box[1], 0], [box[2], box[3], pixels.shape[-1]])


def _decoded_crop(content: Any, box: Any, enough: int | None, channels: int) -> Any:
    """The pixels of a crop; of a JPEG at a half, a quarter or an eighth where its sides stay `enough` nevertheless."""

    def at(ratio: int) -> Callable[[], Any]:
        # Pillow's and torchvision's libjpeg computes this transform; the fast one saves nothing measurable.
        return lambda: tf.raw_ops.DecodeAndCropJpeg(
            contents=content, crop_window=box // ratio, channels=3, ratio=ratio, dct_method="INTEGER_ACCURATE"
        )

    def jpeg() -> Any:
        if enough is None:
            return at(1)()
        spare = tf.reduce_min(box[2:]) // enough
        return tf.switch_case(tf.cast(spare >= 2, tf.int32) + tf.cast(spare >= 4, tf.int32), [at(1), at(2), at(4)])

    pixels = tf.cond(is_jpeg(content), jpeg, lambda: _crop(decode(content), box))
    pixels = tf.ensure_shape(pixels, (None, None, 3))
    return pixels if channels == 3 else luma(pixels)


def _resize_by_area(pixels: Any, size: int) -> Any:
    """To a square: averaged by area along the sides that shrink, then linear along those that grow."""
    shape = tf.shape(pixels)[:2]
    smaller = tf.minimum(shape, size)
    pixels = tf.cond(
        tf.reduce_any(smaller < shape),
        lambda: tf.image.resize(pixels, smaller, "area"),
        lambda: tf.cast(pixels, tf.float32),
    )
    grown = tf.cond(tf.reduce_any(smaller < size), lambda: tf.image.resize(pixels, (size, size)), lambda: pixels)
    return tf.ensure_shape(grown, (size, size, pixels.shape[-1]))
