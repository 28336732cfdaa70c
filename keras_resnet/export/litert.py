"""LiteRT (once TensorFlow Lite): float32, float16 weights, or whole numbers of 8 bits throughout."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_resnet.export.frozen import frozen


def write(network: keras.Model, path: Path) -> None:
    """In float32.

    Args:
        network: One input, one output `scores`.
        path: The `.tflite` file.
    """
    _write(network, path)


def write_float16(network: keras.Model, path: Path) -> None:
    """With weights in float16: half the size; a phone's GPU computes in it, a CPU widens it again."""
    import tensorflow as tf

    _write(network, path, optimizations=[tf.lite.Optimize.DEFAULT], types=[tf.float16])


def write_int8(network: keras.Model, path: Path, samples: Sequence[np.ndarray]) -> None:
    """In whole numbers, uint8 in and out: weights by output channel, activations by ranges that the samples show.

    Args:
        network: Its input is float32 pixels, 0 to 255.
        path: The `.tflite` file.
        samples: Pixels `(height, width, channels)`.
    """
    import tensorflow as tf

    def representative() -> Any:
        """The samples, with one black and one white pixel: a range of less than 0 to 255 would rescale the input."""
        for sample in samples:
            shown = np.array(sample, np.float32)[None]
            shown[:, 0, 0], shown[:, -1, -1] = 0, 255
            yield [shown]

    settings = {
        "representative_dataset": representative,
        "inference_input_type": tf.uint8,
        "inference_output_type": tf.uint8,
    }
    operations = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    _write(network, path, optimizations=[tf.lite.Optimize.DEFAULT], operations=operations, **settings)


def _write(
    network: keras.Model,
    path: Path,
    optimizations: Sequence[Any] = (),
    types: Sequence[Any] = (),
    operations: Sequence[Any] = (),
    **settings: Any,
) -> None:
    import tensorflow as tf

    (given,) = network.inputs
    module = tf.Module()
    module.scores = frozen(network, tf.TensorSpec((1, *given.shape[1:]), given.dtype, name=given.name))
    with tempfile.TemporaryDirectory() as folder:
        tf.saved_model.save(module, folder, signatures=module.scores)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        converter.optimizations = list(optimizations)
        converter.target_spec.supported_types = list(types)
        if operations:
            converter.target_spec.supported_ops = list(operations)
        for name, value in settings.items():
            setattr(converter, name, value)
        path.write_bytes(converter.convert())
