"""The network as it is served: batch norms folded, weights constants of the graph, in float32 or bfloat16."""

from typing import Any, Literal

import keras
import numpy as np
import tensorflow as tf

from keras_resnet.surgery import fold_batchnorm
from keras_resnet.surgery.graph import rebuild

Precision = Literal["float32", "bfloat16"]
LARGEST_CONSTANTS = 1_900_000_000  # bytes; a protobuf holds less than 2**31, and the graph is one


def serving_network(model: keras.Model, precision: Precision = "float32") -> keras.Model:
    """The same function with fewer layers, or nearly the same in bfloat16; its outputs are `features` and `scores`.

    In bfloat16 the classifier, the last layer, stays float32.

    Raises:
        ValueError: for another precision, or what is not a functional model.

    Example:

    >>> from keras_resnet.models import create_model
    >>> outputs = serving_network(create_model("cifar_resnet20"), "bfloat16").output
    >>> {name: (output.shape, output.dtype) for name, output in outputs.items()}
    {'features': ((None, 64), 'bfloat16'), 'scores': ((None, 10), 'float32')}
    """
    if precision not in ("float32", "bfloat16"):
        raise ValueError(f"precision must be 'float32' or 'bfloat16'; received {precision!r}.")
    folded = _computing_in(precision, fold_batchnorm(model))
    return keras.Model(folded.input, {"features": folded.layers[-1].input, "scores": folded.output}, name=model.name)


def frozen(network: keras.Model, spec: tf.TensorSpec) -> Any:
    """The network as a function of a graph whose weights are constants, so that kernels lay them out once, not at each
    call; one copy, however many signatures call it. Weights of 1.9 GB and more stay variables.

    Args:
        network: A model with a dictionary of outputs, as `serving_network` makes it.
        spec: Its input.

    Returns:
        A `tf.function` from images to the network's outputs, float32.
    """
    weights = [
        [keras.ops.convert_to_numpy(variable) for variable in variables]
        for variables in (network.trainable_variables, network.non_trainable_variables)
    ]
    constant = is_frozen(network)

    def outputs(images: Any) -> dict[str, Any]:
        if constant:
            found, _ = network.stateless_call(*tf.nest.map_structure(tf.constant, weights), images, training=False)
        else:
            found = network(images, training=False)
        return {name: tf.cast(value, tf.float32) for name, value in found.items()}

    return tf.function(outputs, input_signature=[spec], autograph=False)


def is_frozen(network: keras.Model) -> bool:
    """Whether the weights are few enough to be constants."""
    sizes = [int(np.prod(variable.shape)) * tf.as_dtype(variable.dtype).size for variable in network.variables]
    return sum(sizes) < LARGEST_CONSTANTS


def _computing_in(precision: Precision, model: keras.Model) -> keras.Model:
    """The model with every layer but the last in this precision, whatever policy it was built with."""
    config = model.get_config()
    *others, last = (entry["config"] for entry in config["layers"])
    for settings in others:
        if "dtype" in settings:
            settings["dtype"] = precision
    last["dtype"] = "float32"
    converted = rebuild(model, config)
    converted.set_weights(model.get_weights())
    return converted
