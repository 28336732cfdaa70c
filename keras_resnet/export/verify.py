"""Every export is asked what its Keras model is asked, before it is kept and whenever somebody wants to know."""

import base64
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from keras_resnet.data.preprocess import Preprocessing
from keras_resnet.export import card as cards
from keras_resnet.export.classifier import Classifier
from keras_resnet.export.compare import Comparison, ExportError, Limit, compare
from keras_resnet.export.opened import Export, open_export
from keras_resnet.export.reference import reference_images


def verified_card(
    export: Path, deployed: Classifier, kind: str, limit: Limit, images: Sequence[bytes] = ()
) -> dict[str, Any]:
    """The card of an export that answers as its Keras model does.

    Args:
        export: A SavedModel's version folder, or a file.
        deployed: The network that it was made from.
        kind: The export's form, such as "saved_model float32".
        limit: What it may differ by.
        images: Image files, besides the two reference images.

    Raises:
        ExportError: where it differs by more.
    """
    references = reference_images(deployed.preprocessing.channels)
    opened = open_export(export, deployed.preprocessing)
    asked = [*references, *images]
    expected = deployed.scores(opened.prepare(asked))
    comparison = compare(expected, opened.scores(asked))
    if not comparison.within(limit):
        raise ExportError(f"{kind} is not kept: {comparison}; allowed are {limit}.")
    card = cards.card_of(deployed, kind, limit, references, expected[: len(references)])
    return cards.with_verification(card, comparison, size_of(export))


def verify(export: Path) -> Comparison:
    """Whether an export answers the two reference images of its card as the card says.

    Only the best classes stand in the card, so only their scores are compared.

    Raises:
        ExportError: where it has no card, cannot be opened, or differs by more than its card allows.
    """
    card = cards.read_card(export)
    contents = [base64.b64decode(reference["png"]) for reference in card["reference"]]
    found = open_with_card(export, card).scores(contents)
    listed = [reference["class_ids"] for reference in card["reference"]]
    expected = np.array([reference["top_scores"] for reference in card["reference"]])
    comparison = compare(expected, np.take_along_axis(found, np.array(listed), axis=-1))
    limit = Limit(**card["limit"])
    if not comparison.within(limit):
        raise ExportError(f"{export}: does not answer as its card says: {comparison}; allowed are {limit}.")
    return comparison


def open_with_card(export: Path, card: dict[str, Any]) -> Export:
    """An export behind the preprocessing that its card states."""
    return open_export(export, preprocessing_of(card))


def preprocessing_of(card: dict[str, Any]) -> Preprocessing:
    """The preprocessing that a card states.

    Raises:
        ExportError: where it states none that can be.
    """
    try:
        return Preprocessing.from_config(card["preprocessing"])
    except (KeyError, AttributeError, TypeError, ValueError) as error:
        raise ExportError(f"the card states no preprocessing that can be read: {error}") from None


def size_of(export: Path) -> int:
    """Bytes of a folder's files, or of a file with the weights that lie beside an OpenVINO one."""
    if export.is_dir():
        return sum(path.stat().st_size for path in export.rglob("*") if path.is_file())
    weights = export.with_suffix(".bin")
    return export.stat().st_size + (weights.stat().st_size if export.suffix == ".xml" and weights.exists() else 0)
