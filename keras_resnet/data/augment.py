"""Augmentation as pure functions of (image, seed): the same seed gives the same pixels, in whatever process.

A transform for training is made of them by `compose`, from a file's content or uint8 pixels to what the network wants:

    compose(random_resized_crop(224), random_flip, normalized(preprocessing))
    compose(pad_and_crop(4), random_flip, normalized(preprocessing))  # on a black border
    compose(normalized(preprocessing), pad_and_crop(4), random_flip)  # on a border of the mean colour, which is 0 then
"""

import math
from typing import Any

import numpy as np
import tensorflow as tf

from keras_resnet.data.crops import Function, crop_box
from keras_resnet.data.decode import decode
from keras_resnet.data.preprocess import Preprocessing


def compose(*functions: Function) -> Function:
    """One function after the other, each with a seed of its own.

    Example:

    >>> flip_twice = compose(random_flip, random_flip)
    >>> flip_twice(tf.zeros((8, 8, 3)), (0, 1)).shape
    TensorShape([8, 8, 3])
    """

    def transform(image: Any, seed: Any) -> Any:
        seeds = tf.random.split(seed, len(functions))
        for number, function in enumerate(functions):
            image = function(image, seeds[number])
        return image

    return transform


def random_flip(image: Any, seed: Any) -> Any:
    """Left and right change places, in one of two images."""
    turned = tf.random.stateless_uniform([], seed) < 0.5
    return tf.cond(turned, lambda: tf.reverse(image, [1]), lambda: image)


def normalized(preprocessing: Preprocessing) -> Function:
    """A file, or pixels from 0 to 255, to what a network wants; the size must be right already."""
    shape = (*preprocessing.size, preprocessing.channels)
    # Constants of the full size: TensorFlow broadcasts along three channels five times as slowly.
    scale, offset = np.broadcast_to(preprocessing.scale, shape), np.broadcast_to(preprocessing.offset, shape)

    def function(image: Any, seed: Any) -> Any:
        pixels = decode(image, preprocessing.channels)
        pixels = pixels if preprocessing.channel_order == "rgb" else tf.reverse(pixels, [-1])
        return tf.ensure_shape(tf.cast(pixels, tf.float32), shape) * scale - offset

    return function


def random_erasing(probability: float, scale: tuple[float, float] = (0.02, 1 / 3), ratio: float = 0.3) -> Function:
    """Set a random rectangle to zero (arXiv:1708.04896); after `normalized`, that is the mean colour.

    Args:
        probability: That an image is touched.
        scale: Bounds of the rectangle's share of the area.
        ratio: Least width / height; the most is its inverse. The logarithm is uniform between them.

    Example:

    >>> erased = random_erasing(1.0)(tf.ones((32, 32, 3)), (0, 1))
    >>> bool(tf.reduce_any(erased == 0)), bool(tf.reduce_any(erased == 1))
    (True, True)
    """

    def function(image: Any, seed: Any) -> Any:
        seeds = tf.random.split(seed, 2)
        touched = tf.random.stateless_uniform([], seeds[0]) < probability
        top, left, height, width = tf.unstack(crop_box(tf.shape(image)[:2], seeds[1], scale, (ratio, 1 / ratio)))
        rows, columns = tf.range(tf.shape(image)[0])[:, None, None], tf.range(tf.shape(image)[1])[:, None]
        inside = (top <= rows) & (rows < top + height) & (left <= columns) & (columns < left + width)
        return tf.where(touched & inside, tf.zeros_like(image), image)

    return function


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
