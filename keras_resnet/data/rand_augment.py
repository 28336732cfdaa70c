"""RandAugment (arXiv:1909.13719) as timm trains with it, and TrivialAugment (arXiv:2103.10158) as torchvision does."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from keras_resnet.data import color
from keras_resnet.data.crops import Function

Operation = Callable[[Any, Any, Any], Any]  # (uint8 image, strength from 0 to 1, sign -1 or 1) -> uint8 image


def rand_augment(
    magnitude: float = 7.0,
    deviation: float = 0.5,
    layers: int = 2,
    probability: float = 0.5,
    fill: Sequence[float] = (124.0, 116.0, 104.0),
) -> Function:
    """timm's `rand-m<magnitude>-mstd<deviation>-inc1`: some operations drawn with replacement, each applied by chance.

    The fifteen operations are stronger the larger the magnitude, 0 to 10, which is drawn for each from a normal
    distribution. Geometry is interpolated linearly; timm draws linear or cubic.

    Args:
        magnitude: Mean, 0 to 10 (7, as RSB A1 and A2 do; A3 takes 6).
        deviation: Standard deviation (0.5).
        layers: Operations drawn (2).
        probability: That a drawn operation is applied (0.5).
        fill: What comes in from outside, by channel (ImageNet's mean).

    Returns:
        A function to uint8 of the same size; pixels 0 to 255 of another kind are rounded first.

    Example:

    >>> rand_augment()(tf.zeros((16, 16, 3), tf.uint8), (0, 1)).shape
    TensorShape([16, 16, 3])
    """
    operations = _timm(fill)

    def function(image: Any, seed: Any) -> Any:
        image, count = color.to_uint8(image), len(operations)
        seeds = tf.random.split(seed, 2)
        random = tf.random.stateless_uniform([layers, 3], seeds[0])
        noise = tf.random.stateless_normal([layers], seeds[1], magnitude, deviation)
        for layer in range(layers):
            strength = tf.clip_by_value(noise[layer], 0.0, 10.0) / 10.0
            sign = tf.where(random[layer, 0] < 0.5, -1.0, 1.0)
            chosen = tf.where(
                random[layer, 1] < probability, tf.cast(random[layer, 2] * float(count), tf.int32), count
            )  # `count`: none of them
            image = _apply(operations, chosen, image, strength, sign)
        return image

    return function


def trivial_augment(fill: Sequence[float] = (0.0, 0.0, 0.0), bins: int = 31) -> Function:
    """torchvision's TrivialAugmentWide: one of fourteen operations, nothing among them, with a strength out of `bins`.

    Args:
        fill: What comes in from outside, by channel (black, as in torchvision's recipe).
        bins: Strengths to draw from (31).

    Returns:
        A function to uint8 of the same size; pixels 0 to 255 of another kind are rounded first.
    """
    operations = _torchvision(fill)

    def function(image: Any, seed: Any) -> Any:
        random = tf.random.stateless_uniform([3], seed)
        strength = tf.floor(random[0] * bins) / (bins - 1)
        sign = tf.where(random[1] < 0.5, -1.0, 1.0)
        chosen = tf.cast(random[2] * (len(operations) + 1.0), tf.int32)  # the last: none of them
        return _apply(operations, chosen, color.to_uint8(image), strength, sign)

    return function


def _apply(operations: dict[str, Operation], chosen: Any, image: Any, strength: Any, sign: Any) -> Any:
    def branch(operation: Operation) -> Callable[[], Any]:
        return lambda: tf.ensure_shape(operation(image, strength, sign), image.shape)

    branches = [branch(operation) for operation in operations.values()]
    return tf.switch_case(chosen, [*branches, lambda: image])


def _timm(fill: Sequence[float]) -> dict[str, Operation]:
    """timm's increasing set, at strength = magnitude / 10."""

    def factor(strength: Any, sign: Any) -> Any:
        return tf.maximum(0.1, 1.0 + sign * 0.9 * strength)

    def whole(strength: Any, most: int) -> Any:
        return tf.cast(strength * float(most), tf.int32)

    return {
        "AutoContrast": lambda image, strength, sign: color.autocontrast(image),
        "Equalize": lambda image, strength, sign: color.equalize(image),
        "Invert": lambda image, strength, sign: color.invert(image),
        "Rotate": lambda image, strength, sign: rotate(image, sign * 30.0 * strength, fill),
        "Posterize": lambda image, strength, sign: color.posterize(image, 4 - whole(strength, 4)),
        "Solarize": lambda image, strength, sign: color.solarize(image, 256 - whole(strength, 256)),
        "SolarizeAdd": lambda image, strength, sign: color.solarize_add(image, whole(strength, 110)),
        "Color": lambda image, strength, sign: color.saturation(image, factor(strength, sign)),
        "Contrast": lambda image, strength, sign: color.contrast(image, factor(strength, sign)),
        "Brightness": lambda image, strength, sign: color.brightness(image, factor(strength, sign)),
        "Sharpness": lambda image, strength, sign: color.sharpness(image, factor(strength, sign)),
        "ShearX": lambda image, strength, sign: affine(image, (1, sign * 0.3 * strength, 0, 0, 1, 0), fill),
        "ShearY": lambda image, strength, sign: affine(image, (1, 0, 0, sign * 0.3 * strength, 1, 0), fill),
        "TranslateX": lambda image, strength, sign: affine(
            image, (1, 0, sign * 0.45 * strength * _side(image, 1), 0, 1, 0), fill
        ),
        "TranslateY": lambda image, strength, sign: affine(
            image, (1, 0, 0, 0, 1, sign * 0.45 * strength * _side(image, 0)), fill
        ),
    }


def _torchvision(fill: Sequence[float]) -> dict[str, Operation]:
    """torchvision's wide set, without the identity."""

    def factor(strength: Any, sign: Any) -> Any:
        return 1.0 + sign * 0.99 * strength

    def shift(strength: Any, sign: Any) -> Any:
        return -sign * tf.floor(32.0 * strength + 1e-4)  # of bins, some fall a rounding error short of a whole number

    return {
        "ShearX": lambda image, strength, sign: affine(image, (1, sign * 0.99 * strength, 0, 0, 1, 0), fill),
        "ShearY": lambda image, strength, sign: affine(image, (1, 0, 0, sign * 0.99 * strength, 1, 0), fill),
        "TranslateX": lambda image, strength, sign: affine(image, (1, 0, shift(strength, sign), 0, 1, 0), fill),
        "TranslateY": lambda image, strength, sign: affine(image, (1, 0, 0, 0, 1, shift(strength, sign)), fill),
        "Rotate": lambda image, strength, sign: rotate(image, sign * 135.0 * strength, fill),
        "Brightness": lambda image, strength, sign: color.brightness(image, factor(strength, sign)),
        "Color": lambda image, strength, sign: color.saturation(image, factor(strength, sign)),
        "Contrast": lambda image, strength, sign: color.contrast(image, factor(strength, sign)),
        "Sharpness": lambda image, strength, sign: color.sharpness(image, factor(strength, sign)),
        "Posterize": lambda image, strength, sign: color.posterize(
            image, 8 - tf.cast(tf.round(strength * 6.0), tf.int32)
        ),
        "Solarize": lambda image, strength, sign: color.solarize(
            image, tf.cast(tf.math.ceil(255.0 * (1.0 - strength) - 1e-3), tf.int32)
        ),
        "AutoContrast": lambda image, strength, sign: color.autocontrast(image),
        "Equalize": lambda image, strength, sign: color.equalize(image),
    }


def rotate(image: Any, degrees: Any, fill: Sequence[float]) -> Any:
    """Counter-clockwise about the centre, linearly interpolated."""
    angle = -degrees * (math.pi / 180.0)
    cos, sin = tf.cos(angle), tf.sin(angle)
    x, y = _side(image, 1) / 2.0, _side(image, 0) / 2.0
    return affine(image, (cos, sin, x - cos * x - sin * y, -sin, cos, y + sin * x - cos * y), fill)


def affine(image: Any, matrix: Sequence[Any], fill: Sequence[float]) -> Any:
    """Pillow's `Image.transform(size, AFFINE, matrix, BILINEAR)`: output (x, y) reads (a x + b y + c, d x + e y + f).

    Coordinates are those of the pixels' corners. At the border of the image the fill is blended in over one pixel,
    where Pillow cuts it off.
    """
    a, b, c, d, e, f = (tf.cast(value, tf.float32) for value in matrix)
    c, f = c + (a + b - 1.0) / 2.0, f + (d + e - 1.0) / 2.0  # of the pixels' centres
    outside = tf.cast(fill[: image.shape[-1]], tf.float32)
    moved = tf.raw_ops.ImageProjectiveTransformV3(
        images=(tf.cast(image, tf.float32) - outside)[None],
        transforms=tf.stack([a, b, c, d, e, f, 0.0, 0.0])[None],
        output_shape=tf.shape(image)[:2],
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode="CONSTANT",
    )[0]
    return color.to_uint8(moved + outside)


def _side(image: Any, axis: int) -> Any:
    return tf.cast(tf.shape(image)[axis], tf.float32)
