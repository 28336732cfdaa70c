"""Files that cannot be read, and files that can although they look odd."""

import io
import logging
import struct
import zlib

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from keras_resnet.data.bad import BadImages
from keras_resnet.data.crops import random_resized_crop
from keras_resnet.data.decode import decode
from keras_resnet.data.headers import claimed_shape
from keras_resnet.data.pipeline import evaluation_batches, training_batches
from keras_resnet.data.preprocess import Preprocessing
from keras_resnet.data.sources import load_source
from tests.data.tfds_imagenet import jpeg, photograph

PIXELS = photograph(0, 0, (30, 44))


def bomb():
    """A PNG of some bytes that claims 30,000 x 30,000 pixels."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 30_000, 30_000, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def saved(kind, mode="RGB", **options):
    file = io.BytesIO()
    Image.fromarray(PIXELS).convert(mode).save(file, kind, **options)
    return file.getvalue()


def sixteen_bits():
    return tf.io.encode_png(tf.cast(PIXELS, tf.uint16) * 257).numpy()


BAD = {
    "truncated.jpg": (jpeg(photograph(1, 0, (90, 90)))[:900], "truncated"),
    "text.jpg": (b"this is no image", "not an image"),
    "empty.jpg": (b"", "an empty file"),
    "short.jpg": (b"\xff\xd8\xff", "not an image"),
    "bomb.png": (bomb(), "more pixels than"),
    "truncated.png": (saved("PNG")[:300], "not an image|truncated"),
    "header.webp": (saved("WEBP")[:25], "not an image|truncated"),
}
GOOD = {
    "colour.jpg": jpeg(PIXELS),
    "grey.jpg": saved("JPEG", "L"),
    "cmyk.jpg": saved("JPEG", "CMYK"),
    "progressive.jpg": saved("JPEG", progressive=True),
    "colour.png": saved("PNG"),
    "palette.png": saved("PNG", "P"),
    "alpha.png": saved("PNG", "RGBA"),
    "grey.png": saved("PNG", "L"),
    "sixteen.png": sixteen_bits(),
    "colour.bmp": saved("BMP"),
    "palette.gif": saved("GIF", "P"),
    "lossy.webp": saved("WEBP"),
    "lossless.webp": saved("WEBP", lossless=True),
    "alpha.webp": saved("WEBP", "RGBA"),
}


@pytest.mark.parametrize("name", GOOD)
def test_odd_files_are_read_as_pillow_reads_them(name):
    assert claimed_shape(tf.constant(GOOD[name])).numpy().tolist() == [30, 44]
    ours = decode(tf.constant(GOOD[name])).numpy()
    theirs = np.asarray(Image.open(io.BytesIO(GOOD[name])).convert("RGB"))
    assert ours.shape == theirs.shape
    difference = np.abs(ours.astype(int) - theirs)
    if name in ("colour.jpg", "grey.jpg", "progressive.jpg", "colour.png", "grey.png", "colour.bmp"):
        assert not difference.any()
    else:
        assert difference.mean() <= 2.0
    assert random_resized_crop(16)(tf.constant(GOOD[name]), (0, 1)).shape == (16, 16, 3)
    grey = np.asarray(Image.fromarray(ours).convert("L"))
    np.testing.assert_array_equal(decode(tf.constant(GOOD[name]), 1)[..., 0], grey)
    assert random_resized_crop(16, channels=1)(tf.constant(GOOD[name]), (0, 1)).shape == (16, 16, 1)


@pytest.mark.parametrize("name", BAD)
def test_bad_files_are_refused(name):
    with pytest.raises(tf.errors.InvalidArgumentError):
        decode(tf.constant(BAD[name][0]))


def test_a_file_too_large_is_refused(monkeypatch):
    monkeypatch.setattr("keras_resnet.data.decode.MAX_BYTES", 100)
    with pytest.raises(tf.errors.InvalidArgumentError, match="beyond"):
        decode(tf.constant(GOOD["colour.jpg"]))


@pytest.fixture
def mixed(tmp_path):
    """A folder of 14 good files and 7 bad ones."""
    for place, files in (("a", {name: content for name, (content, _) in BAD.items()}), ("b", GOOD)):
        (tmp_path / place).mkdir()
        for name, content in files.items():
            (tmp_path / place / name).write_bytes(content)
    return load_source(tmp_path)


def transform(image, seed):
    return tf.ensure_shape(tf.image.resize(decode(image), (8, 8)), (8, 8, 3)) + 1.0


def test_bad_files_are_replaced_counted_and_named(mixed, caplog):
    bad = BadImages(limit=7)
    with caplog.at_level(logging.WARNING, "keras_resnet.data"):
        batches = list(training_batches(mixed, transform, batch_size=7, steps=6, seed=0, bad=bad))  # two epochs
    images, labels = (np.concatenate(column) for column in zip(*batches, strict=True))
    assert images.shape == (42, 8, 8, 3)
    grey = (images == 0).all(axis=(1, 2, 3))
    assert grey.sum() == 14
    np.testing.assert_array_equal(labels[grey], 0)
    np.testing.assert_array_equal(labels[~grey], np.tile([0.0, 1.0], (28, 1)))
    assert {name.rpartition("/")[2] for name in bad.names} == set(BAD)
    for name, reason in bad.names.items():
        assert any(part in reason for part in BAD[name.rpartition("/")[2]][1].split("|")), (name, reason)
    assert len(caplog.records) == 7  # once each, not once an epoch
    assert not bad.failure


def test_the_good_ones_are_as_without_the_bad(mixed):
    images = np.concatenate([x for x, _ in training_batches(mixed, transform, batch_size=7, steps=3, seed=0)])
    good = {transform(tf.constant(content), None).numpy().tobytes() for content in GOOD.values()}
    assert {image.tobytes() for image in images if image.any()} == good


def test_too_many_end_the_run_and_name_files(mixed):
    bad = BadImages(limit=3)
    with pytest.raises(tf.errors.InvalidArgumentError, match="4 images cannot be read, more than the 3 borne"):
        list(training_batches(mixed, transform, batch_size=7, steps=3, seed=0, bad=bad))
    assert sum(name in bad.failure for name in BAD) == 4


def test_a_missing_file_is_bad_and_evaluation_keeps_its_count(mixed, tmp_path):
    (tmp_path / "b" / "colour.jpg").unlink()
    bad = BadImages.of(mixed)
    assert bad.limit == 10
    batches = list(evaluation_batches(mixed, Preprocessing((8, 8)), batch_size=8, bad=bad))
    labels = np.concatenate([labels for _, labels in batches])
    assert labels.sum(axis=1).tolist() == [0.0] * 7 + [float(name != "colour.jpg") for name in sorted(GOOD)]
    assert "cannot be opened (No such file" in bad.names[str(tmp_path / "b" / "colour.jpg")]


def test_a_transform_without_a_size_is_refused(mixed):
    with pytest.raises(ValueError, match="must all have one known size"):
        training_batches(mixed, lambda image, seed: decode(image), batch_size=2, steps=1, seed=0)


def test_a_broken_transform_is_not_blamed_on_the_files(mixed):
    bad = BadImages(0)

    def broken(image, seed):
        return tf.ensure_shape(tf.cast(decode(image), tf.float32), (8, 8, 3))

    with pytest.raises(tf.errors.InvalidArgumentError):
        list(evaluation_batches(load_source(mixed_good(mixed)), lambda x: broken(x, 0), batch_size=2, bad=bad))
    assert "that Pillow can read" in bad.failure


def mixed_good(mixed):
    from pathlib import Path

    folder = Path(mixed.images[0].numpy().decode()).parents[1]
    for file in (folder / "a").iterdir():
        file.unlink()
    (folder / "a" / "one.jpg").write_bytes(GOOD["colour.jpg"])
    return folder
