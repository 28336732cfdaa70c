"""OpenVINO's own form: an `.xml` with the network and a `.bin` with the weights beside it."""

from pathlib import Path

import keras

from keras_resnet.export.frozen import frozen


def write(network: keras.Model, path: Path) -> None:
    """In float32, for a batch of any size. The runtime chooses its precision by itself; `INFERENCE_PRECISION_HINT` sets
    it.

    Args:
        network: One input, one output `scores`.
        path: The `.xml` file.
    """
    import openvino
    import tensorflow as tf

    (given,) = network.inputs
    function = frozen(network, tf.TensorSpec(given.shape, given.dtype, name=given.name))
    converted = openvino.convert_model(function.get_concrete_function())
    openvino.save_model(converted, path, compress_to_fp16=False)
