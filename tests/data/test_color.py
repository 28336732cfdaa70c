"""Colours against Pillow, geometry against Pillow, distributions against what timm and torchvision say they draw."""

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageEnhance, ImageOps

from keras_resnet.data import color
from keras_resnet.data.rand_augment import _timm, _torchvision, affine, rand_augment, rotate, trivial_augment
from tests.data.tfds_imagenet import photograph

FACTORS = (0.0, 0.1, 0.55, 1.0, 1.3, 1.9)
FILL = (124, 116, 104)
GEOMETRY = ("Rotate", "ShearX", "ShearY", "TranslateX", "TranslateY")


def pictures():
    noise = np.random.default_rng(0).integers(0, 256, (21, 34, 3), dtype=np.uint8)
    flat = np.full((9, 9, 3), 77, np.uint8)
    few = np.random.default_rng(1).integers(60, 64, (40, 30, 3), dtype=np.uint8) * 3
    return [noise, flat, few, photograph(0, 1, (64, 48)), photograph(2, 5, (300, 260))]


def levels_apart(ours, theirs):
    """The most, and the share of pixels that differ at all."""
    difference = np.abs(np.asarray(ours).astype(int) - np.asarray(theirs).astype(int))
    return difference.max(), (difference > 0).mean()


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (color.brightness, ImageEnhance.Brightness),
        (color.contrast, ImageEnhance.Contrast),
        (color.saturation, ImageEnhance.Color),
        (color.sharpness, ImageEnhance.Sharpness),
    ],
)
def test_enhancements_are_pillow_s(ours, theirs):
    for pixels in pictures():
        for factor in FACTORS:
            most, share = levels_apart(
                ours(tf.constant(pixels), factor), theirs(Image.fromarray(pixels)).enhance(factor)
            )
            assert most <= 1  # a level where float32 falls on the other side of a whole number
            assert share <= 0.01


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (color.autocontrast, ImageOps.autocontrast),
        (color.equalize, ImageOps.equalize),
        (color.invert, ImageOps.invert),
        *(
            (lambda x, k=bits: color.posterize(x, k), lambda x, k=bits: ImageOps.posterize(x, k))
            for bits in range(1, 9)
        ),
        *(
            (lambda x, k=at: color.solarize(x, k), lambda x, k=at: ImageOps.solarize(x, k))
            for at in (0, 1, 77, 128, 256)
        ),
    ],
)
def test_tables_are_pillow_s_exactly(ours, theirs):
    for pixels in pictures():
        np.testing.assert_array_equal(ours(tf.constant(pixels)), np.asarray(theirs(Image.fromarray(pixels))))


def test_grey_images_go_through_all_of_it():
    pixels = np.random.default_rng(0).integers(0, 256, (16, 16, 1), dtype=np.uint8)
    for operations in (_timm(FILL), _torchvision(FILL)):
        for operation in operations.values():
            assert operation(tf.constant(pixels), tf.constant(0.7), tf.constant(-1.0)).shape == (16, 16, 1)
    picture = Image.fromarray(pixels[..., 0])
    np.testing.assert_array_equal(color.equalize(tf.constant(pixels))[..., 0], np.asarray(ImageOps.equalize(picture)))
    assert levels_apart(color.contrast(pixels, 0.5)[..., 0], ImageEnhance.Contrast(picture).enhance(0.5))[0] <= 1


def inside(ours, theirs, pixels, transform):
    """Both where nothing of the outside comes near."""
    from scipy import ndimage

    moved = np.asarray(transform(Image.fromarray(np.full(pixels.shape[:2], 255, np.uint8)), 0)) == 255
    kept = ndimage.binary_erosion(moved, iterations=2)
    assert kept.mean() > 0.2
    return np.asarray(ours)[kept], np.asarray(theirs)[kept]


@pytest.mark.parametrize(
    "matrix", [(1, 0.2, 0, 0, 1, 0), (1, 0, 0, -0.3, 1, 0), (1, 0, 11.25, 0, 1, 0), (1, 0, 0, 0, 1, -7)]
)
def test_affine_is_pillow_s(matrix):
    pixels = photograph(2, 5, (100, 120))

    def theirs(picture, fill):
        return picture.transform(
            picture.size, Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR, fillcolor=fill
        )

    moved, expected = affine(tf.constant(pixels), matrix, FILL), theirs(Image.fromarray(pixels), FILL)
    assert levels_apart(*inside(moved, expected, pixels, theirs))[0] <= 1
    black = np.asarray(theirs(Image.fromarray(np.zeros_like(pixels)), (255, 255, 255)))
    outside = np.roll(black, 3, (0, 1)).all(-1) & np.roll(black, -3, (0, 1)).all(-1) & black.all(-1)
    assert (np.asarray(moved)[outside] == FILL).all()


@pytest.mark.parametrize("degrees", [30.0, -21.0, 135.0])
def test_rotation_is_pillow_s(degrees):
    pixels = photograph(1, 5, (100, 121))

    def theirs(picture, fill):
        return picture.rotate(degrees, Image.Resampling.BILINEAR, fillcolor=fill)

    moved, expected = rotate(tf.constant(pixels), degrees, FILL), theirs(Image.fromarray(pixels), FILL)
    assert levels_apart(*inside(moved, expected, pixels, theirs))[0] <= 1


@pytest.mark.parametrize("level", [0.0, 3.3, 7.0, 9.9])  # at 10, Pillow refuses to posterize to no bits
def test_strengths_are_timm_s(level, timm, monkeypatch):
    """Each of timm's own operations at a level, with either sign, against ours by the same name."""
    from timm.data import auto_augment

    pixels = photograph(1, 3, (120, 100))
    names = {"Posterize": "PosterizeIncreasing", "Solarize": "SolarizeIncreasing", "TranslateX": "TranslateXRel"}
    names |= {"TranslateY": "TranslateYRel"}
    names |= {name: f"{name}Increasing" for name in ("Color", "Contrast", "Brightness", "Sharpness")}
    operations = _timm(FILL)
    assert {names.get(name, name) for name in operations} == set(auto_augment._RAND_INCREASING_TRANSFORMS)
    for sign in (-1.0, 1.0):
        monkeypatch.setattr(auto_augment, "_randomly_negate", lambda value, sign=sign: sign * value)
        for name, operation in operations.items():
            options = {"img_mean": FILL, "interpolation": Image.Resampling.BILINEAR}
            theirs = auto_augment.AugmentOp(names.get(name, name), 1.0, level, options)(Image.fromarray(pixels))
            ours = operation(tf.constant(pixels), tf.constant(level / 10), tf.constant(sign))
            most, _ = levels_apart(ours, theirs)
            difference = np.abs(np.asarray(ours).astype(int) - np.asarray(theirs)).mean()
            assert difference <= 0.7, name  # of 255; the border of what is moved differs by its blending
            assert most <= 1 or name in GEOMETRY, name


def test_strengths_are_torchvision_s(torchvision):
    from torchvision.transforms import InterpolationMode
    from torchvision.transforms.autoaugment import TrivialAugmentWide, _apply_op

    pixels = photograph(1, 3, (120, 100))
    space, operations = TrivialAugmentWide()._augmentation_space(31), _torchvision((0, 0, 0))
    assert set(space) == {"Identity", *operations}
    for name, operation in operations.items():
        magnitudes, signed = space[name]
        for place in (0, 1, 14, 29, 30):
            for sign in (-1.0, 1.0) if signed else (1.0,):
                size = sign * float(magnitudes[place]) if magnitudes.ndim else 0.0
                theirs = _apply_op(Image.fromarray(pixels), name, size, InterpolationMode.BILINEAR, [0, 0, 0])
                ours = operation(tf.constant(pixels), tf.constant(place / 30, tf.float32), tf.constant(sign))
                difference = np.abs(np.asarray(ours).astype(int) - np.asarray(theirs)).mean()
                assert difference <= 1.5, (name, place, sign)


@pytest.mark.slow
@pytest.mark.parametrize("augment", [rand_augment(), trivial_augment()])
def test_many_operations_and_the_same_by_seed(augment):
    pixels = tf.constant(photograph(0, 3, (40, 40)))
    seeds = tf.data.Dataset.range(60).map(lambda number: augment(pixels, tf.stack([number, 7])))
    first, again = (np.stack(list(seeds.as_numpy_iterator())) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    kinds = len({one.tobytes() for one in first})
    unchanged = (first == pixels.numpy()).all(axis=(1, 2, 3)).sum()
    assert kinds >= 30
    assert 0 < unchanged <= 30  # RandAugment leaves one in four, TrivialAugment one in fourteen and the weakest


def test_jitter_is_torchvision_s(torchvision):
    """The same factors in the same order; and the factors' bounds."""
    pixels = photograph(2, 4, (40, 50))
    functional = torchvision.transforms.functional
    adjust = [functional.adjust_brightness, functional.adjust_contrast, functional.adjust_saturation]
    jitter = color.color_jitter(0.4, 0.3, 0.2)
    for number in range(8):
        random = tf.random.stateless_uniform([6], (number, 1)).numpy()
        picture = Image.fromarray(pixels)
        for operation in np.argsort(random[:3]):
            picture = adjust[operation](picture, 1 + (0.4, 0.3, 0.2)[operation] * (2 * random[3 + operation] - 1))
        assert levels_apart(jitter(tf.constant(pixels), (number, 1)), picture)[0] <= 2


def test_lighting_by_hand():
    grey = tf.fill((2, 2, 3), 100.0)
    alpha = tf.random.stateless_normal([3], (3, 4), stddev=0.1).numpy()
    vectors = np.array([[-0.5675, 0.7192, 0.4009], [-0.5808, -0.0045, -0.8140], [-0.5836, -0.6948, 0.4203]])
    expected = 100 + 255 * vectors @ (alpha * [0.2175, 0.0188, 0.0045])
    np.testing.assert_allclose(color.pca_lighting(0.1)(grey, (3, 4))[0, 0], expected, rtol=1e-5)
    np.testing.assert_allclose(vectors.T @ vectors, np.eye(3), atol=1e-3)
