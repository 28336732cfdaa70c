"""One file for a runtime that is not TensorFlow: ONNX, LiteRT or OpenVINO, verified before it is kept."""

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import keras
import numpy as np

from keras_resnet.data.preprocess import Preprocessing
from keras_resnet.export import card as cards
from keras_resnet.export import litert, onnx_file, openvino_file
from keras_resnet.export.classifier import Classifier, classifier
from keras_resnet.export.compare import ExportError, Limit
from keras_resnet.export.frozen import serving_network
from keras_resnet.export.opened import pixels
from keras_resnet.export.verify import verified_card

Inputs = Literal["pixels", "tensor"]
_EXACT, _HALF, _INT8 = Limit(1e-4), Limit(0.02), Limit(1.0, agreement=0.8)


class Kind(NamedTuple):
    """A form of file: its suffix, what it may differ by, who writes it, and whether that takes calibration images."""

    suffix: str
    limit: Limit
    write: Any
    calibrated: bool = False


KINDS = {
    "onnx": Kind(".onnx", _EXACT, onnx_file.write),
    "onnx-int8": Kind(".onnx", _INT8, onnx_file.write_int8, calibrated=True),
    "litert": Kind(".tflite", _EXACT, litert.write),
    "litert-float16": Kind(".tflite", _HALF, litert.write_float16),
    "litert-int8": Kind(".tflite", _INT8, litert.write_int8, calibrated=True),
    "openvino": Kind(".xml", _EXACT, openvino_file.write),
}


def export_file(
    model: keras.Model,
    path: str | Path,
    kind: str,
    *,
    preprocessing: Preprocessing | str | None = None,
    labels: Sequence[str] | None = None,
    inputs: Inputs = "pixels",
    calibration: Sequence[bytes] = (),
    images: Sequence[bytes] = (),
) -> Path:
    """Write a model for another runtime, and its card, which holds the labels, beside it.

    The file's input is called as `inputs` says, its output `scores`, float32 `(batch, classes)`; in litert-int8, whose
    every number is whole, uint8 to be scaled back as the file says. The batch is 1 in LiteRT and any elsewhere. Batch
    norms are folded into the convolutions.

    Args:
        model: A classifier that gives probabilities.
        path: Where to; in `.onnx`, `.tflite` or `.xml` (OpenVINO, whose weights go to a `.bin` beside it), as the kind
            has it. The folder must exist.
        kind: "onnx", "onnx-int8", "litert", "litert-float16", "litert-int8" or "openvino".
        preprocessing: As of `export_saved_model`.
        labels: As of `export_saved_model`.
        inputs: "pixels", uint8 `(batch, height, width, channels)`, resized and cropped to the network's size, the
            normalisation being inside; or "tensor", float32, preprocessed altogether ("pixels").
        calibration: Image files, as bytes, that show the int8 kinds which values occur: a hundred or more of what the
            network will see, none of them from a test set.
        images: Image files, as bytes, that the export is compared on with the model, besides two drawn pictures.

    Returns:
        The path.

    Raises:
        ValueError: for an unknown kind, a path of another suffix, int8 without calibration images, or what does not fit
            the model.
        ExportError: a ValueError, where the file does not answer as the model does, or a package is missing; nothing is
            kept.
    """
    path = Path(path)
    _check(path, kind, inputs, calibration)
    chosen = KINDS[kind]
    deployed = classifier(model, preprocessing, labels)
    network = taking(inputs, deployed, "float32" if kind == "litert-int8" else "uint8")
    samples = [pixels(content, deployed.preprocessing) for content in calibration]
    prepared = samples if inputs == "pixels" else [deployed.preprocessing.normalize(np.float32(s)) for s in samples]
    with tempfile.TemporaryDirectory(prefix=f".{path.stem}.", dir=path.parent) as folder:
        staged = Path(folder) / path.name
        try:
            chosen.write(network, staged, *([prepared] if chosen.calibrated else []))
        except ImportError as error:
            extra = kind.partition("-")[0]
            raise ExportError(f"{kind}: {error.name or error} is missing; the extra [{extra}] installs it.") from None
        card = verified_card(staged, deployed, f"{kind} {inputs}", chosen.limit, images)
        cards.write_card(cards.card_path(path), card)
        for file in Path(folder).iterdir():
            shutil.move(file, path.parent / file.name)
    return path


def taking(inputs: Inputs, deployed: Classifier, dtype: str) -> keras.Model:
    """The network behind its normalisation, or as it is, with the one output `scores`.

    Args:
        inputs: "pixels" or "tensor", which becomes the input's name.
        deployed: The network and its preprocessing.
        dtype: Of pixels: "uint8", or "float32" for a converter that makes whole numbers of them itself.
    """
    network = serving_network(deployed.model)
    shape = (*deployed.preprocessing.size, deployed.preprocessing.channels)
    given = keras.Input(shape, dtype=dtype if inputs == "pixels" else "float32", name=inputs)
    images = deployed.preprocessing.normalize(keras.ops.cast(given, "float32")) if inputs == "pixels" else given
    return keras.Model(given, {"scores": network(images)["scores"]}, name=deployed.model.name)


def _check(path: Path, kind: str, inputs: str, calibration: Sequence[bytes]) -> None:
    if kind not in KINDS:
        raise ValueError(f"kind must be one of {', '.join(KINDS)}; received {kind!r}.")
    if inputs not in ("pixels", "tensor"):
        raise ValueError(f"inputs must be 'pixels' or 'tensor'; received {inputs!r}.")
    if kind == "litert-int8" and inputs == "tensor":
        raise ValueError("litert-int8 takes pixels, whole numbers as it computes in; received inputs='tensor'.")
    if path.suffix != KINDS[kind].suffix:
        raise ValueError(f"{kind} is written to {KINDS[kind].suffix}; received {path}.")
    if not path.parent.is_dir():
        raise ValueError(f"{path}: there is no folder {path.parent}.")
    if KINDS[kind].calibrated and not calibration:
        raise ValueError(f"{kind} needs calibration images: a hundred or so of what the network will see.")
