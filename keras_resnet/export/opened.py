"""Any export as one function, from image files to scores: what a consumer of it does, in Python.

Only the runtime that an export needs is imported, and that when it is opened: a SavedModel needs TensorFlow alone, a
file of ONNX, LiteRT or OpenVINO its own runtime and Pillow.
"""

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from keras_resnet.data.preprocess import Preprocessing
from keras_resnet.export.compare import ExportError

_BATCH = 16
Scores = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Export:
    """An export that can be asked.

    Args:
        inputs: From image files, as bytes, to what the export takes.
        run: From that to scores `(images, classes)`.
        prepare: From the files to what the Keras model takes `(images, height, width, channels)`, float32, by the same
            steps.
    """

    inputs: Callable[[Sequence[bytes]], Any]
    run: Callable[[Any], np.ndarray]
    prepare: Callable[[Sequence[bytes]], np.ndarray]

    def scores(self, contents: Sequence[bytes]) -> np.ndarray:
        """From image files to scores."""
        return self.run(self.inputs(contents))


def open_export(path: Path, preprocessing: Preprocessing) -> Export:
    """Open a SavedModel's version folder, an `.onnx`, a `.tflite` or an OpenVINO `.xml` file.

    Args:
        path: The export.
        preprocessing: That of its card.

    Raises:
        ExportError: for what is none of these, or cannot be opened.
    """
    if (path / "saved_model.pb").is_file():
        return _saved_model(path, preprocessing)
    openers = {".onnx": _onnx, ".tflite": _litert, ".xml": _openvino}
    if path.suffix not in openers or not path.is_file():
        raise ExportError(f"{path}: neither a SavedModel's version folder nor a file in {', '.join(openers)}.")
    try:
        kind, run = openers[path.suffix](path)
    except ImportError as error:
        raise ExportError(f"{path}: {error.name} is not installed, which runs {path.suffix} files.") from None
    except Exception as error:  # of three runtimes
        raise ExportError(f"{path}: cannot be opened ({' '.join(str(error).split())[:200]}).") from error

    def shown(contents: Sequence[bytes]) -> np.ndarray:
        return np.stack([pixels(content, preprocessing) for content in contents])

    def prepare(contents: Sequence[bytes]) -> np.ndarray:
        return np.asarray(preprocessing.normalize(shown(contents).astype(np.float32)), np.float32)

    return Export(shown if kind == np.uint8 else prepare, run, prepare)


def pixels(content: bytes, preprocessing: Preprocessing) -> np.ndarray:
    """An image file resized and cropped but not normalised, uint8 `(*preprocessing.size, channels)`, through Pillow.

    Raises:
        ExportError: for a file that cannot be decoded.
    """
    from PIL import Image

    channels = preprocessing.channels
    unchanged = replace(preprocessing, mean=(0.0,) * channels, std=(1 / 255,) * channels, channel_order="rgb")
    try:
        with Image.open(io.BytesIO(content)) as image:
            array = np.asarray(image.convert("L" if channels == 1 else "RGB"))
    except Exception as error:  # Pillow's decoders raise many kinds
        raise ExportError(f"an image cannot be decoded ({type(error).__name__}).") from None
    return np.rint(unchanged.numpy(array.reshape(*array.shape[:2], channels))).astype(np.uint8)


def _saved_model(path: Path, preprocessing: Preprocessing) -> Export:
    import tensorflow as tf

    loaded = tf.saved_model.load(str(path))  # which must live as long as its functions
    step = _preparing(preprocessing)

    def scores(contents: Sequence[bytes]) -> np.ndarray:
        answers = [
            loaded.signatures["serving_default"](image_bytes=tf.constant(list(part))) for part in _parts(contents)
        ]
        _refuse_invalid(np.concatenate([answer["valid"].numpy() for answer in answers]))
        return np.concatenate([answer["scores"].numpy() for answer in answers])

    def prepare(contents: Sequence[bytes]) -> np.ndarray:
        images = []
        for content in contents:
            try:
                images.append(step(content).numpy())
            except tf.errors.InvalidArgumentError:
                _refuse_invalid(np.arange(len(contents)) != len(images))
        return np.stack(images)

    return Export(list, scores, prepare)


@cache
def _preparing(preprocessing: Preprocessing) -> Any:
    """What stands before the network in the graph, as a function of its own; traced once."""
    import tensorflow as tf

    from keras_resnet.export.decode import prepare

    return tf.function(lambda file: prepare(file, preprocessing), input_signature=[tf.TensorSpec([], tf.string)])


def _refuse_invalid(valid: np.ndarray) -> None:
    if not valid.all():
        raise ExportError(f"image {valid.argmin() + 1} of {len(valid)} cannot be decoded.")


def _parts(images: Sequence[Any]) -> list[Sequence[Any]]:
    return [images[start : start + _BATCH] for start in range(0, len(images), _BATCH)]


def _onnx(path: Path) -> tuple[Any, Scores]:
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (given,) = session.get_inputs()
    kind = np.uint8 if given.type == "tensor(uint8)" else np.float32
    return kind, lambda images: np.concatenate(
        [session.run(["scores"], {given.name: part})[0] for part in _parts(images)]
    )


def _litert(path: Path) -> tuple[Any, Scores]:
    """One image at a time: the file has a batch of 1. An int8 file's answers are whole numbers, and are scaled back."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(path))
    run = interpreter.get_signature_runner()
    ((name, given),) = run.get_input_details().items()
    scale, zero = run.get_output_details()["scores"]["quantization"]

    def scores(images: np.ndarray) -> np.ndarray:
        found = np.concatenate([run(**{name: image[None]})["scores"] for image in images])
        return (found.astype(np.float32) - zero) * np.float32(scale) if scale else found

    return given["dtype"], scores


def _openvino(path: Path) -> tuple[Any, Scores]:
    """In float32: left alone, OpenVINO computes in bfloat16 where the processor can."""
    import openvino

    compiled = openvino.Core().compile_model(str(path), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    kind = compiled.input(0).element_type.to_dtype()
    return kind, lambda images: np.concatenate([compiled(part)["scores"] for part in _parts(images)])
