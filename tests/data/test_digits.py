"""The digits as a TensorFlow data set."""

import numpy as np
import pytest
import tensorflow_datasets as tfds
from sklearn.datasets import load_digits

from keras_resnet.data.digits import UciDigits


@pytest.fixture(scope="module")
def splits(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tfds")
    tfds.disable_progress_bar()
    UciDigits(data_dir=folder).download_and_prepare()
    return tfds.as_numpy(tfds.load("uci_digits", data_dir=folder, batch_size=-1))


def test_a_fifth_is_held_out_and_nothing_is_in_both(splits):
    train, test = set(splits["train"]["id"].tolist()), set(splits["test"]["id"].tolist())
    assert (len(train), len(test)) == (1437, 360)
    assert train | test == set(range(1797))
    assert not train & test


def test_every_digit_is_held_out_alike(splits):
    assert np.bincount(splits["test"]["label"]).tolist() == pytest.approx([36] * 10, abs=1)


def test_pixels_and_labels_are_the_source_s(splits):
    source = load_digits()
    for split in splits.values():
        assert split["image"].shape[1:] == (8, 8, 1)
        assert split["image"].dtype == np.uint8
        np.testing.assert_array_equal(split["label"], source.target[split["id"]])
        np.testing.assert_allclose(split["image"][..., 0] * (16 / 255), source.images[split["id"]], atol=0.04)
