"""ONNX, checked by `onnx.checker`; and its 8-bit form by ONNX Runtime's own tool."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

_OPSET = 18


def write(network: keras.Model, path: Path) -> None:
    """In float32, for a batch of any size.

    Args:
        network: One input, one output `scores`.
        path: The `.onnx` file.
    """
    import onnx
    import tensorflow as tf

    (given,) = network.inputs
    signature = [tf.TensorSpec(given.shape, given.dtype, name=given.name)]
    network.export(str(path), format="onnx", verbose=False, input_signature=signature, opset_version=_OPSET)
    model = onnx.load(path)
    graph = model.graph
    old = graph.output[0].name
    for node in graph.node:
        node.output[:] = ["scores" if name == old else name for name in node.output]
    graph.output[0].name = "scores"
    for value in (*graph.input, *graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "batch"
    del graph.value_info[:]
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)


def write_int8(network: keras.Model, path: Path, samples: Sequence[np.ndarray]) -> None:
    """Weights in int8 by output channel, activations in uint8 by the ranges that the samples show."""
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    with tempfile.TemporaryDirectory() as folder:
        whole, ready = Path(folder) / "whole.onnx", Path(folder) / "ready.onnx"
        write(network, whole)
        quant_pre_process(whole, ready, skip_symbolic_shape=True)
        quantize_static(
            ready,
            path,
            _reader(network.inputs[0].name, samples),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )


def _reader(name: str, samples: Sequence[np.ndarray]) -> Any:
    from onnxruntime.quantization import CalibrationDataReader

    class Reader(CalibrationDataReader):  # its form of an iterator
        def __init__(self) -> None:
            self.left = iter(samples)

        def get_next(self) -> dict[str, np.ndarray] | None:
            sample = next(self.left, None)
            return None if sample is None else {name: sample[None]}

    return Reader()
