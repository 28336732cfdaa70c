"""CIFAR-10 as arrays in a file, or in pieces of one: for machines without TensorFlow, behind narrow links."""

import re
from pathlib import Path
from typing import NamedTuple

import numpy as np
from gpu_place import UserError

from keras_resnet.atomic import replacing
from keras_resnet.data.preprocess import Preprocessing

# Of the training images, of each channel: as in recipes/cifar10.py.
PREPROCESSING = Preprocessing(size=(32, 32), mean=(0.4914, 0.4822, 0.4465), std=(0.2470, 0.2435, 0.2616))
CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


class Data(NamedTuple):
    """Images uint8 `(size, 32, 32, 3)`, labels int32 `(size,)`."""

    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray

    def first(self, images: int | None) -> "Data":
        """So many of the training and of the test images; None: all."""
        return Data(*(array[:images] for array in self))


def write(data_dir: Path | None, out: Path, pieces: int) -> list[Path]:
    """From TFDS, through TensorFlow, to `out`; with several pieces to `out-1-of-4.npz` and so on, of like sizes."""
    from keras_resnet.data.sources import load_source

    arrays: list[np.ndarray] = []
    for split in ("train", "test"):
        source = load_source("cifar10", split, data_dir)
        arrays += [np.asarray(source.images), np.asarray(source.labels, np.int32)]
    out.parent.mkdir(parents=True, exist_ok=True)
    paths = [out] if pieces == 1 else [_piece(out, number, pieces) for number in range(1, pieces + 1)]
    parts = zip(*(np.array_split(array, pieces) for array in arrays), strict=True)
    for path, part in zip(paths, parts, strict=True):
        with replacing(path) as temporary:
            np.savez_compressed(temporary, **Data(*part)._asdict())
    return paths


def read(path: Path) -> Data:
    """What `write` wrote, in one piece or in several."""
    paths = [path] if path.is_file() else sorted(path.parent.glob(f"{path.stem}-*-of-*{path.suffix}"))
    if not paths:
        raise UserError(f"{path}: there is no such file, and no pieces of it; `gpu.py data` writes them.")
    if paths != [path]:
        count = int(re.findall(r"\d+", paths[0].stem)[-1])
        expected = [_piece(path, number, count) for number in range(1, count + 1)]
        if missing := [each.name for each in expected if not each.is_file()]:
            raise UserError(f"{path}: of its {count} pieces, {', '.join(missing)} are missing.")
        paths = expected
    parts = [np.load(each) for each in paths]
    return Data(*(np.concatenate([part[name] for part in parts]) for name in Data._fields))


def _piece(path: Path, number: int, count: int) -> Path:
    return path.with_name(f"{path.stem}-{number}-of-{count}{path.suffix}")
