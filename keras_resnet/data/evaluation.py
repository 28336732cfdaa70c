"""Measuring a classifier: images from a folder or from TFDS, each through the weights' own preprocessing."""

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np

from keras_resnet.data.imagenet import class_names
from keras_resnet.data.preprocess import Preprocessing

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp")
TFDS_SPLITS = {"cifar10": "test", "cifar100": "test", "imagenet2012": "validation"}  # that accuracy is reported on


class Example(NamedTuple):
    """One image, still in its file or already an array `(height, width, channels)` of uint8."""

    name: str
    image: Path | np.ndarray
    label: int = -1


@dataclass
class Report:
    """What an evaluation found.

    Args:
        classes: Names of the classes, by label.
        images: Images measured.
        top1: How many of them had the right class first.
        top5: How many had it among the first five.
        by_class: Images and right answers of each label.
        broken: Name and fault of every image that could not be read; they count nowhere.
    """

    classes: tuple[str, ...]
    images: int = 0
    top1: int = 0
    top5: int = 0
    by_class: dict[int, list[int]] = field(default_factory=dict)
    broken: list[tuple[str, str]] = field(default_factory=list)

    def add(self, label: int, ranking: np.ndarray) -> None:
        """Count one image: its label, and the classes from the likeliest on."""
        right = int(ranking[0] == label)
        self.images += 1
        self.top1 += right
        self.top5 += int(label in ranking[:5])
        counts = self.by_class.setdefault(label, [0, 0])
        counts[0] += 1
        counts[1] += right


def read_image(path: Path, channels: int = 3) -> np.ndarray:
    """An image file as `(height, width, channels)`, uint8; grey, palette, alpha and CMYK are converted by Pillow.

    Raises:
        ValueError: for a file that is no image, is damaged, or unpacks beyond Pillow's limit.
    """
    from PIL import Image

    try:
        with Image.open(path) as image:
            converted = np.asarray(image.convert("L" if channels == 1 else "RGB"))
    except Exception as error:  # Pillow's decoders raise many kinds
        raise ValueError(f"{path}: not an image that can be read ({type(error).__name__}).") from None
    return converted[..., None] if channels == 1 else converted


def evaluate(
    model: keras.Model,
    examples: Iterable[Example],
    preprocessing: Preprocessing,
    classes: tuple[str, ...],
    batch_size: int = 64,
) -> Report:
    """Top-1, top-5 and accuracy by class of a model on labelled images.

    Args:
        model: `(batch, *preprocessing.size, channels)` to `(batch, classes)`.
        examples: The images; each is read and preprocessed when its turn comes.
        preprocessing: That of the model's weights.
        classes: Names, by label.
        batch_size: Images at a time (64).
    """
    report = Report(classes)
    for batch, scores in predict(model, examples, preprocessing, report.broken, batch_size):
        rankings = np.argsort(-scores, axis=1, kind="stable")[:, :5]
        for example, ranking in zip(batch, rankings, strict=True):
            report.add(example.label, ranking)
    return report


def mirrored(model: keras.Model) -> keras.Model:
    """The mean of a model's scores for an image and for its mirror image: a test with flips (arXiv:1409.1556, 3.2).

    Args:
        model: `(batch, height, width, channels)` to `(batch, classes)`.
    """
    images = keras.Input(model.input_shape[1:])
    return keras.Model(images, keras.layers.average([model(images), model(images[:, :, ::-1])]), name=model.name)


def predict(
    model: keras.Model,
    examples: Iterable[Example],
    preprocessing: Preprocessing,
    broken: list[tuple[str, str]],
    batch_size: int = 64,
) -> Iterator[tuple[list[Example], np.ndarray]]:
    """Batches of examples with the model's outputs `(batch, classes)`; what cannot be read is added to `broken`."""

    def prepare(example: Example) -> np.ndarray | str:
        try:
            image = example.image
            array = read_image(image, preprocessing.channels) if isinstance(image, Path) else image
            return preprocessing.numpy(array)
        except ValueError as error:
            return str(error)

    remaining = iter(examples)
    with ThreadPoolExecutor() as pool:
        while batch := list(islice(remaining, batch_size)):
            prepared = list(pool.map(prepare, batch))
            broken += [(one.name, fault) for one, fault in zip(batch, prepared, strict=True) if isinstance(fault, str)]
            good = [(one, array) for one, array in zip(batch, prepared, strict=True) if not isinstance(array, str)]
            if good:
                yield [one for one, _ in good], model.predict_on_batch(np.stack([array for _, array in good]))


def folder_examples(folder: Path, outputs: int) -> tuple[list[Example], tuple[str, ...]]:
    """The images of a folder with one sub-folder a class, and the names of the classes.

    Sub-folders are labels in the order of their names, except that WordNet identifiers before a model of 1000 classes
    are ImageNet's.

    Raises:
        ValueError: for a folder that holds no such thing.
    """
    names = sorted(path.name for path in folder.iterdir() if path.is_dir())
    wordnet = {identifier: label for label, (identifier, _) in enumerate(class_names())}
    if outputs == len(wordnet) and names and all(name in wordnet for name in names):
        labels, classes = wordnet, tuple(name for _, name in class_names())
    else:
        labels, classes = {name: label for label, name in enumerate(names)}, tuple(names)
    examples = [
        Example(str(path), path, labels[name])
        for name in names
        for path in sorted((folder / name).rglob("*"))
        if path.suffix.lower() in SUFFIXES
    ]
    if not examples:
        raise ValueError(f"{folder} holds no images ({', '.join(SUFFIXES)}) in its class folders.")
    return examples, classes


def tfds_examples(name: str, split: str | None, data_dir: str | None) -> tuple[Iterator[Example], tuple[str, ...], int]:
    """A data set of TFDS with its class names and size; downloaded where it is not there yet.

    Raises:
        ValueError: where it cannot be had, or has no such split.
    """
    import tensorflow_datasets as tfds

    split = split or TFDS_SPLITS[name]
    try:
        dataset, info = tfds.load(name, split=split, data_dir=data_dir, as_supervised=True, with_info=True)
    except Exception as error:  # of a download, of a missing manual download, of an unknown split
        raise ValueError(f"{name} ({split}) cannot be had: {type(error).__name__}: {str(error)[:200]}") from error
    examples = (
        Example(f"{name} {split} {index}", image, int(label))
        for index, (image, label) in enumerate(tfds.as_numpy(dataset))
    )
    return examples, tuple(info.features["label"].names), info.splits[split].num_examples
