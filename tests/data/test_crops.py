"""Crops: the fused decoding against decoding and slicing, resizing against Pillow, the boxes against torchvision."""

import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from keras_resnet.data.augment import compose, normalized, random_erasing, random_flip
from keras_resnet.data.crops import crop_box, pad_and_crop, random_resized_crop
from keras_resnet.data.preprocess import CAFFE, Preprocessing
from tests.data.tfds_imagenet import jpeg, photograph

SCALE, RATIO = (0.08, 1.0), (3 / 4, 4 / 3)


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize("size", [32, 160])
def test_resizes_a_crop_as_pillow_does(interpolation, size):
    pixels = photograph(0, 0, (150, 200))
    content = jpeg(pixels)
    decoded = Image.open(io.BytesIO(content))
    crop = random_resized_crop(size, interpolation=interpolation)
    for number in range(6):
        top, left, height, width = crop_box(tf.constant([150, 200]), (number, 1), SCALE, RATIO).numpy()
        box = (left, top, left + width, top + height)
        resample = getattr(Image.Resampling, interpolation.upper())
        expected = np.asarray(decoded.crop(box).resize((size, size), resample), np.float32)
        for image in (content, np.asarray(decoded)):
            ours = crop(tf.constant(image), (number, 1)).numpy().clip(0, 255)
            assert np.abs(ours - expected).max() <= 4  # Pillow rounds after each direction


def test_png_and_jpeg_alike():
    pixels = photograph(1, 1, (90, 70))
    png = tf.io.encode_png(pixels)
    crop = random_resized_crop(24)
    np.testing.assert_array_equal(crop(png, (1, 2)), crop(tf.constant(pixels), (1, 2)))


def test_area_averages_what_shrinks_and_interpolates_what_grows():
    """A crop of the whole: halved, the mean of four; doubled along one side only, linear along that side."""
    whole = {"scale": (1.0, 1.0), "ratio": (1.0, 1.0)}
    pixels = photograph(0, 2, (64, 64))
    halved = random_resized_crop(32, **whole)(tf.constant(pixels), (0, 1))
    np.testing.assert_allclose(halved, pixels.reshape(32, 2, 32, 2, 3).mean((1, 3)), atol=1e-3)
    doubled = random_resized_crop(128, **whole)(tf.constant(pixels), (0, 1))
    np.testing.assert_allclose(doubled, np.asarray(tf.image.resize(pixels, (128, 128), antialias=True)), atol=1e-3)
    tall = photograph(0, 2, (64, 16))
    mixed = random_resized_crop(32, (1.0, 1.0), (0.25, 0.25))(tf.constant(tall), (0, 1))
    half = tall.reshape(32, 2, 16, 3).mean(1)
    np.testing.assert_allclose(mixed, tf.image.resize(half, (32, 32)), atol=1e-3)


@pytest.mark.parametrize("size", [(448, 448), (460, 500), (901, 930), (1790, 1800)])
def test_decoding_at_a_fraction_keeps_the_picture(size):
    """Against Pillow's averaging of the whole: decoding a half or a quarter, as happens from twice the size on."""
    pixels = np.asarray(Image.fromarray(photograph(2, 3, (60, 60))).resize(size[::-1], Image.Resampling.BICUBIC))
    content = jpeg(pixels, 95)
    crop = random_resized_crop(224, scale=(0.9, 1.0))
    for number in range(3):
        box = crop_box(tf.constant(size), (number, 2), (0.9, 1.0), RATIO).numpy()
        top, left, height, width = box
        picture = Image.open(io.BytesIO(content)).crop((left, top, left + width, top + height))
        expected = np.asarray(picture.resize((224, 224), Image.Resampling.BOX), np.float32)
        ours = crop(tf.constant(content), (number, 2)).numpy()
        assert np.abs(ours - expected).mean() <= 2.0


def test_boxes_are_drawn_as_torchvision_s(torchvision):
    """Mean and spread of area, proportions and place, of 4,000 each; within five standard errors."""
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    picture = Image.new("RGB", (500, 375))
    draw = torchvision.transforms.RandomResizedCrop.get_params
    theirs = np.array([draw(picture, SCALE, RATIO) for _ in range(4000)], float)
    boxes = tf.data.Dataset.range(4000).map(
        lambda number: crop_box(tf.constant([375, 500]), tf.stack([number, 3]), SCALE, RATIO)
    )
    ours = np.array(list(boxes.as_numpy_iterator()), float)
    for feature in (
        lambda b: b[:, 2] * b[:, 3],
        lambda b: np.log(b[:, 3] / b[:, 2]),
        lambda b: b[:, 0] / (376 - b[:, 2]),
        lambda b: b[:, 1] / (501 - b[:, 3]),
        lambda b: (b[:, 2] * b[:, 3]) ** 2,
        lambda b: np.log(b[:, 3] / b[:, 2]) ** 2,
    ):
        a, b = feature(ours), feature(theirs)
        assert abs(a.mean() - b.mean()) <= 5 * np.sqrt((a.var() + b.var()) / 4000)
    assert (ours[:, 0] + ours[:, 2]).max() <= 375
    assert (ours[:, 1] + ours[:, 3]).max() <= 500


def test_where_no_attempt_fits_the_widest_crop_in_the_middle():
    """As torchvision: of 20 x 600 pixels, the whole height, and 4/3 of it in width."""
    box = crop_box(tf.constant([20, 600]), (0, 1), (0.9, 1.0), RATIO)
    assert box.numpy().tolist() == [0, 286, 20, 27]


def test_pad_and_crop_takes_every_place_alike():
    pixels = photograph(0, 1, (6, 5))
    padded = np.pad(pixels, [(2, 2), (2, 2), (0, 0)])
    windows = {padded[y : y + 6, x : x + 5].tobytes(): 5 * y + x for y in range(5) for x in range(5)}
    crop = pad_and_crop(2)
    crops = tf.data.Dataset.range(1500).map(lambda number: crop(tf.constant(pixels), tf.stack([number, 1])))
    counts = np.bincount([windows[one.tobytes()] for one in crops.as_numpy_iterator()], minlength=25)
    assert ((counts - 60) ** 2 / 60).sum() < 52  # chi-squared with 24 free: once in a thousand


def test_what_is_normalised_first_has_a_border_of_the_mean_colour():
    white, preprocessing = np.full((6, 5, 3), 255, "uint8"), Preprocessing((6, 5))
    transform = compose(normalized(preprocessing), pad_and_crop(3), random_flip)
    file = tf.io.encode_png(white)
    for number in range(20):
        shown = transform(file, (number, 1)).numpy()
        border = (shown == 0).all(axis=-1)
        pixels = preprocessing.normalize(white.astype("float32"))
        np.testing.assert_array_equal(shown[~border], pixels.reshape(-1, 3)[: (~border).sum()])
        np.testing.assert_array_equal(shown, transform(tf.constant(white), (number, 1)))


def test_flip_and_normalise():
    pixels = tf.constant(photograph(0, 1, (6, 5)))
    flips = [random_flip(pixels, (number, 1)).numpy() for number in range(100)]
    turned = sum((one == pixels.numpy()[:, ::-1]).all() for one in flips)
    assert 30 <= turned <= 70
    assert turned + sum((one == pixels.numpy()).all() for one in flips) == 100
    for preprocessing in (Preprocessing((6, 5)), Preprocessing((6, 5), **CAFFE)):
        expected = preprocessing.normalize(pixels.numpy().astype("float32"))
        np.testing.assert_array_equal(normalized(preprocessing)(pixels, None), expected)


def test_erasing_is_drawn_as_torchvision_s(torchvision):
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    erase = torchvision.transforms.RandomErasing(p=0.5, scale=(0.02, 0.33))
    theirs = np.array([float((erase(torch.ones(1, 50, 40)) == 0).float().mean()) for _ in range(1500)])
    function = random_erasing(0.5, (0.02, 0.33))
    shares = tf.data.Dataset.range(1500).map(
        lambda number: 1 - tf.reduce_mean(function(tf.ones((50, 40, 1)), tf.stack([number, 1])))
    )
    ours = np.array(list(shares.as_numpy_iterator()))
    assert abs((ours > 0).mean() - 0.5) < 0.06
    assert abs(ours.mean() - theirs.mean()) <= 5 * np.sqrt((ours.var() + theirs.var()) / 1500)
    assert 0.3 < ours.max() <= 0.36
