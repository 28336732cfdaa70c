"""Names of the 1000 ImageNet classes, and predictions in words."""

from functools import cache
from importlib.resources import files
from typing import Any

import keras
import numpy as np


@cache
def class_names() -> tuple[tuple[str, str], ...]:
    """(WordNet identifier, name) of the 1000 classes of ILSVRC 2012, in the order of every usual head.

    Example:

    >>> class_names()[0]
    ('n01440764', 'tench')
    """
    lines = files("keras_resnet.data").joinpath("imagenet_classes.txt").read_text("utf-8").splitlines()
    return tuple((line.split(" ")[0], line.split(" ")[1]) for line in lines)


def decode_predictions(predictions: Any, top: int = 5) -> list[list[tuple[str, str, float]]]:
    """The likeliest classes of each image, in keras.applications' form and without a download.

    Args:
        predictions: `(batch, 1000)`, probabilities or logits.
        top: How many to name.

    Returns:
        For each image a list of (WordNet identifier, name, score), the highest score first.

    Raises:
        ValueError: for predictions of another shape.

    Example:

    >>> import numpy as np
    >>> decode_predictions(np.eye(1000)[[1]], top=1)
    [[('n01443537', 'goldfish', 1.0)]]
    """
    scores = np.asarray(keras.ops.convert_to_numpy(predictions))
    if scores.ndim != 2 or scores.shape[1] != len(class_names()):
        raise ValueError(f"predictions must have the shape (batch, 1000); received {scores.shape}.")
    if not 1 <= top <= scores.shape[1]:
        raise ValueError(f"top must lie in [1, 1000]; received {top}.")
    order = np.argsort(-scores, axis=1)[:, :top]
    return [
        [(*class_names()[index], float(row[index])) for index in indices]
        for row, indices in zip(scores, order, strict=True)
    ]
