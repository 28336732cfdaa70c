"""Where a model to deploy comes from: a network of the zoo with weights, a `.keras` file, or a trained run's folder."""

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras

from keras_resnet.cli.common import add_preprocessing, build, changed, preprocessing_of
from keras_resnet.export.classifier import Classifier, classifier
from keras_resnet.export.verify import preprocessing_of as preprocessing_in

CARD, MODEL = "card.json", "model.keras"


def add_source(parser: argparse.ArgumentParser) -> None:
    """The flags that say what is deployed."""
    parser.add_argument("--weights", help="file, pretrained tag, or 'imagenet', where a network is named")
    parser.add_argument("--classes", type=int, help="number of classes (the network's or tag's own)")
    parser.add_argument(
        "--labels", metavar="FILE", help="names of the classes, one a line (the weights', else numbers)"
    )
    add_preprocessing(parser)


def load_source(given: str, options: argparse.Namespace) -> Classifier:
    """The classifier that is named on the command line.

    A `.keras` file is a program: only your own should be opened. Keras' safe mode is on, and layers of this package are
    the only ones that Keras does not have itself.

    Raises:
        ValueError: for what is none, or cannot be read.
    """
    path = Path(given)
    if path.is_dir() or path.suffix in (".keras", ".h5"):
        if options.weights or options.classes:
            raise ValueError(
                f"{path} has its own weights and classes; --weights and --classes are for a named network."
            )
        return _from_file(path / MODEL if path.is_dir() else path, options)
    if not options.weights:
        raise ValueError(f"{given}: --weights is missing: a file, a pretrained tag, or 'imagenet'.")
    options.name = given
    preprocessing = preprocessing_of(options)
    model = build(options, options.weights, preprocessing)
    return classifier(model, preprocessing, _labels(options, model.output_shape[-1]))


def _from_file(path: Path, options: argparse.Namespace) -> Classifier:
    import keras_resnet.layers  # noqa: F401, registers the layer that Keras lacks

    if not path.is_file():
        raise ValueError(f"{path}: there is no such file.")
    try:
        model = keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # of zip, HDF5, JSON and Keras
        raise ValueError(f"{path}: not a model that Keras can open ({' '.join(str(error).split())[:200]}).") from error
    card = _card(path.with_name(CARD))
    found = classifier(model, preprocessing_in(card) if "preprocessing" in card else None, card.get("labels"))
    labels = _labels(options, model.output_shape[-1]) or found.labels
    return replace(found, preprocessing=changed(found.preprocessing, options), labels=tuple(labels))


def _card(path: Path) -> dict[str, Any]:
    """What a recipe wrote beside its model, or nothing."""
    try:
        card = json.loads(path.read_text("utf-8")) if path.is_file() else {}
    except ValueError as error:
        raise ValueError(f"{path}: not JSON ({error}).") from None
    return card if isinstance(card, dict) else {}


def _labels(options: argparse.Namespace, classes: int) -> list[str] | None:
    """Those of the file; for 1000 classes of a named network ImageNet's, as `predict` has it; else the weights' own."""
    from keras_resnet.data.imagenet import class_names

    if options.labels:
        return Path(options.labels).read_text("utf-8").splitlines()
    if options.weights and classes == len(class_names()):
        return [name for _, name in class_names()]
    return None
