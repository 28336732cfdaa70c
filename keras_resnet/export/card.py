"""The card that lies with an export: what it is, whose weights it holds, and what it must answer to two pictures."""

import base64
import hashlib
import json
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_resnet import __version__
from keras_resnet.atomic import replacing
from keras_resnet.export.classifier import Classifier
from keras_resnet.export.compare import Comparison, ExportError, Limit

FILE = "model_card.json"


def card_of(
    deployed: Classifier,
    kind: str,
    limit: Limit,
    references: Sequence[bytes],
    scores: np.ndarray,
    top_k: int = 5,
) -> dict[str, Any]:
    """What is to be known of an export, ready for JSON.

    Args:
        deployed: The network with its preprocessing and labels.
        kind: The export's form, such as "saved_model float32".
        limit: What it may differ by from the Keras model.
        references: The reference images, as files.
        scores: The Keras model's answers to them, `(images, classes)`.
        top_k: How many of the best classes to write down (5).
    """
    best = np.argsort(-scores, axis=-1, kind="stable")[:, :top_k]
    return {
        "network": deployed.model.name,
        "format": kind,
        "parameters": deployed.model.count_params(),
        "weights_sha256": weights_digest(deployed.model),
        "preprocessing": deployed.preprocessing.config(),
        "versions": {"keras_resnet": __version__, "keras": keras.__version__, "tensorflow": version("tensorflow")},
        "limit": {"difference": limit.difference, "agreement": limit.agreement},
        "reference": [
            {
                "png": base64.b64encode(content).decode(),
                "class_ids": ids.tolist(),
                "classes": [deployed.labels[number] for number in ids],
                "top_scores": [float(value) for value in row[ids]],
            }
            for content, ids, row in zip(references, best, scores, strict=True)
        ],
        "labels": list(deployed.labels),
    }


def with_verification(card: dict[str, Any], comparison: Comparison, size: int) -> dict[str, Any]:
    """The card with the outcome of the comparison and the export's size in bytes, before the long list of labels."""
    labels = card.pop("labels")
    return {**card, "verification": {**comparison.config(), "bytes": size}, "labels": labels}


def weights_digest(model: keras.Model) -> str:
    """SHA-256 over paths, types, shapes and values of all weights, in the model's order."""
    digest = hashlib.sha256()
    for variable in model.weights:
        array = np.ascontiguousarray(keras.ops.convert_to_numpy(variable))
        digest.update(f"{variable.path} {array.dtype} {array.shape}\n".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def card_path(export: Path) -> Path:
    """Where the card of an export lies: in its folder, or beside its file.

    Example:

    >>> card_path(Path("served/resnet18.onnx")).name
    'resnet18.onnx.card.json'
    """
    return export / FILE if export.is_dir() else export.with_name(f"{export.name}.card.json")


def write_card(path: Path, card: dict[str, Any]) -> None:
    """Write a card whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(card, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def verification(export: Path) -> Comparison:
    """How far an export was from its Keras model when it was made, as its card says.

    Raises:
        ExportError: where it has no card.
    """
    found = read_card(export)["verification"]
    return Comparison(found["images"], found["difference"], found["same"])


def read_card(export: Path) -> dict[str, Any]:
    """The card of an export.

    Raises:
        ExportError: where there is none, or it is not one.
    """
    path = card_path(export)
    try:
        card = json.loads(path.read_text("utf-8"))
        if not {"network", "preprocessing", "labels", "reference", "limit"} <= card.keys():
            raise ValueError("fields are missing")
    except (OSError, ValueError, AttributeError) as error:
        raise ExportError(f"{path}: not the card of an export ({error}).") from None
    return card
