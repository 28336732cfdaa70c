"""Sets of images of every kind that a source takes, made once."""

import pytest

from tests.data.tfds_imagenet import jpeg, make_imagenet, photograph
from tests.peers import timm, torch, torchvision  # noqa: F401


@pytest.fixture(scope="session")
def imagenet(tmp_path_factory):
    """A folder with imagenet2012 as TFDS has it: 36 and 12 images in three shards each."""
    return make_imagenet(tmp_path_factory.mktemp("tfds") / "sets")


@pytest.fixture
def folder(tmp_path):
    """Class folders of JPEGs in train/ (7 + 7 + 7) and val/ (2 + 2 + 2)."""
    for split, count in (("train", 7), ("val", 2)):
        for label, name in enumerate(("apple", "birch", "cloud")):
            place = tmp_path / "photographs" / split / name
            place.mkdir(parents=True)
            for number in range(count):
                (place / f"{number}.jpg").write_bytes(jpeg(photograph(label, number + 100 * (split == "val"))))
    return tmp_path / "photographs"
