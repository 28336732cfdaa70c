"""Augmentation as pure functions of (images, seed): the same seed gives the same pixels, in whatever process."""

import math
from typing import Any

import tensorflow as tf


def random_affine(
    images: Any, seed: Any, *, rotation: float = 0.0, shift: float = 0.0, zoom: float = 0.0, shear: float = 0.0
) -> Any:
    """Rotate, zoom, shear and shift each image by its own random amounts, in one bilinear resampling; the border is 0.

    Args:
        images: `(batch, height, width, channels)`.
        seed: Two whole numbers, e.g. (run's seed, step).
        rotation: Largest angle either way, in degrees.
        shift: Largest shift either way, in pixels, along each axis.
        zoom: Largest change of scale either way: 0.1 is 0.9 to 1.1.
        shear: Largest horizontal shear either way, in degrees.

    Returns:
        float32 of the same shape.

    Example:

    >>> x = tf.ones((2, 8, 8, 1))
    >>> bool(tf.reduce_all(random_affine(x, (0, 1)) == x))
    True
    """
    batch, height, width = tf.shape(images)[0], images.shape[1], images.shape[2]
    random = tf.random.stateless_uniform((5, batch), seed, -1.0, 1.0)
    angle, slant = random[0] * math.radians(rotation), tf.tan(random[1] * math.radians(shear))
    scale = 1.0 / (1.0 + random[2] * zoom)
    # Rows of the matrix that takes a position of the output, from the centre, to one of the input.
    a, b = scale * tf.cos(angle), scale * (slant * tf.cos(angle) - tf.sin(angle))
    c, d = scale * tf.sin(angle), scale * (slant * tf.sin(angle) + tf.cos(angle))
    centre_x, centre_y = (width - 1) / 2, (height - 1) / 2
    dx = centre_x - a * centre_x - b * centre_y + random[3] * shift
    dy = centre_y - c * centre_x - d * centre_y + random[4] * shift
    zeros = tf.zeros(batch)
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=tf.cast(images, tf.float32),
        transforms=tf.stack([a, b, dx, c, d, dy, zeros, zeros], axis=1),
        output_shape=(height, width),
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode="CONSTANT",
    )
