"""Every kind of set through one function, and a clear word where it is none."""

import shutil

import numpy as np
import pytest
import tensorflow_datasets as tfds

from keras_resnet.data.decode import decode
from keras_resnet.data.sources import check_same_classes, load_source
from keras_resnet.data.tfds_sources import Streamed
from tests.data.tfds_imagenet import WNIDS


def contents(source):
    """(image as bytes, label) of all, in order."""
    images = ((source.read(one.image).numpy(), int(one.label)) for one in source.evaluation())
    return [(image if isinstance(image, bytes) else image.tobytes(), label) for image, label in images]


def test_arrays():
    images = np.random.default_rng(0).integers(0, 256, (5, 4, 6, 3), dtype=np.uint8)
    source = load_source((images, [0, 2, 1, 1, 0], ["a", "b", "c"]))
    assert (source.size, source.classes, source.channels, source.encoded) == (5, ("a", "b", "c"), 3, False)
    assert contents(source) == [(image.tobytes(), label) for image, label in zip(images, [0, 2, 1, 1, 0], strict=True)]


def test_folder_takes_the_split_s_sub_folder(folder):
    train, held_out = load_source(folder, "train"), load_source(str(folder), "validation")
    assert (train.size, held_out.size) == (21, 6)
    assert train.classes == held_out.classes == ("apple", "birch", "cloud")
    check_same_classes(train, held_out)
    names = [bytes.decode(one.name.numpy()) for one in held_out.evaluation()]
    assert names == [str(folder / "val" / name / f"{k}.jpg") for name in train.classes for k in range(2)]
    assert contents(held_out)[3][0] == (folder / "val/birch/1.jpg").read_bytes()
    assert [label for _, label in contents(held_out)] == [0, 0, 1, 1, 2, 2]


def test_folder_without_splits(folder):
    assert contents(load_source(folder / "val", "train")) == contents(load_source(folder, "val"))


def test_a_tfds_set_in_memory_and_streamed_is_the_same(imagenet):
    memory, streamed = (load_source("imagenet2012", "val", imagenet, memory_limit=limit) for limit in (2**31, 0))
    assert isinstance(streamed, Streamed)
    assert not isinstance(memory, Streamed)
    raw = tfds.load(
        "imagenet2012", split="validation", data_dir=imagenet, decoders={"image": tfds.decode.SkipDecoding()}
    )
    expected = sorted((one["image"], int(one["label"])) for one in tfds.as_numpy(raw))
    for source in (memory, streamed):
        assert (source.size, len(source.classes), source.encoded) == (12, 1000, True)
        assert sorted(contents(source)) == expected
        assert {source.classes[label] for _, label in contents(source)} == set(WNIDS)


def test_slices_of_a_streamed_set(imagenet):
    whole = contents(load_source("imagenet2012", "train", imagenet, memory_limit=0))
    parts = [load_source("imagenet2012", f"train[{part}]", imagenet, memory_limit=0) for part in (":40%", "40%:")]
    assert [part.size for part in parts] == [14, 22]
    assert contents(parts[0]) + contents(parts[1]) == whole


@pytest.mark.slow
def test_small_images_of_one_size_are_kept_as_pixels(tmp_path):
    tfds.disable_progress_bar()
    source = load_source("uci_digits", "test", tmp_path)
    assert (source.size, source.channels, source.encoded, len(source.classes)) == (360, 1, False, 10)
    expected = tfds.as_numpy(tfds.load("uci_digits", split="test", data_dir=tmp_path, batch_size=-1))
    np.testing.assert_array_equal(source.images, expected["image"])
    np.testing.assert_array_equal(source.labels, expected["label"])
    encoded = load_source("uci_digits", "test", tmp_path, memory_limit=360 * 64 - 1)  # fits encoded only
    assert encoded.encoded or isinstance(encoded, Streamed)
    pixels = [decode(one.image, 1).numpy() for one in encoded.evaluation()]
    np.testing.assert_array_equal(np.sort(np.stack(pixels), axis=0), np.sort(expected["image"], axis=0))


UINT8 = np.zeros((2, 4, 4, 3), np.uint8)


@pytest.mark.parametrize(
    ("data", "split", "message"),
    [
        ("no_such_set", "train", "'no_such_set' is neither"),
        ("/no/such/folder", "train", "'/no/such/folder' is neither"),
        ((UINT8, [0]), "train", "2 whole numbers"),
        ((UINT8, [0.0, 1.0]), "train", "whole numbers"),
        ((UINT8, [0, -1]), "train", "negative"),
        ((UINT8, [0, 2], ["a", "b"]), "train", "2 classes, but a label is 2"),
        ((UINT8.astype("float32"), [0, 1]), "train", "uint8"),
        ((UINT8[..., :2], [0, 1]), "train", "1 or 3 channels"),
    ],
)
def test_refusals(data, split, message):
    with pytest.raises(ValueError, match=message):
        load_source(data, split)


def test_refusals_of_folders(folder, tmp_path):
    with pytest.raises(ValueError, match="has no split 'test'; it has train, val"):
        load_source(folder, "test")
    with pytest.raises(ValueError, match="split must be one of"):
        load_source(folder, "train[:50%]")
    with pytest.raises(ValueError, match="no sub-folders"):
        load_source(folder / "val" / "apple", "train")
    for file in (folder / "val" / "birch").iterdir():
        file.unlink()
    with pytest.raises(ValueError, match=r"no images .*val/birch"):
        load_source(folder, "val")
    shutil.rmtree(folder / "val" / "birch")
    with pytest.raises(ValueError, match="'birch' only in one"):
        check_same_classes(load_source(folder, "train"), load_source(folder, "val"))


def test_refusals_of_tfds(imagenet):
    with pytest.raises(ValueError, match="has no split 'nothing'; it has train, validation"):
        load_source("imagenet2012", "nothing", imagenet)
    with pytest.raises(ValueError, match="imagenet2012 cannot be had"):
        load_source("imagenet2012", "train", imagenet / "elsewhere")
