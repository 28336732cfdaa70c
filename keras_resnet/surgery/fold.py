"""Batch norms folded into the convolutions before them: fewer layers, the same function in inference."""

from collections import Counter
from typing import Any

import keras
import numpy as np
from keras import layers

from keras_resnet.layers import StdConv2D
from keras_resnet.surgery.graph import rebuild, renamed, sources

_FOLDABLE = (
    layers.Conv1D,
    layers.Conv2D,
    layers.Conv3D,
    layers.DepthwiseConv1D,
    layers.DepthwiseConv2D,
    layers.Dense,
)


def fold_batchnorm(model: keras.Model, name: str | None = None) -> keras.Model:
    """The same function in inference with fewer layers, of stock Keras layers alone.

    A batch norm that alone reads a convolution (or fully connected layer) becomes a part of that layer's kernel and
    bias: kernel x s and (bias - mean) x s + beta, with s = gamma / sqrt(variance + epsilon). One that follows a sum, as
    the first of each pre-activation unit, stays. Weight-standardised convolutions become plain ones with the
    standardised kernel. Works on any functional model, keras.applications' among them. The result is for inference:
    there are no batch statistics left to train.

    Args:
        model: A built functional model.
        name: The new model's name (the old one's).

    Returns:
        A new `keras.Model`; in float32 its outputs differ from the old one's by rounding, about 1e-6 of their size.

    Raises:
        ValueError: for what is not a functional model.

    Example:

    >>> from keras_resnet.models import create_model
    >>> model = create_model("cifar_resnet20")
    >>> folded = fold_batchnorm(model)
    >>> [sum(isinstance(layer, layers.BatchNormalization) for layer in each.layers) for each in (model, folded)]
    [19, 0]
    """
    if not isinstance(model, keras.Model) or not hasattr(model, "operations"):
        raise ValueError(f"fold_batchnorm takes a functional keras.Model; received {type(model).__name__}.")
    config = model.get_config()
    pairs = _pairs(model, config)
    kept = [_plain(renamed(entry, pairs), pairs) for entry in config["layers"] if entry["name"] not in pairs]
    rest = {key: renamed(value, pairs) for key, value in config.items() if key not in ("layers", "name")}
    folded = rebuild(model, {**rest, "layers": kept, "name": name or model.name})
    norms = {conv: model.get_layer(norm) for norm, conv in pairs.items()}
    for layer in folded.layers:
        old = model.get_layer(layer.name)
        weights = old.get_weights()
        if isinstance(old, StdConv2D):
            weights[0] = keras.ops.convert_to_numpy(old.standardized(old.kernel))
        layer.set_weights(_folded(old, weights, norms[layer.name]) if layer.name in norms else weights)
    return folded


def _pairs(model: keras.Model, config: dict[str, Any]) -> dict[str, str]:
    """{norm: convolution} for each norm that is the only reader of a convolution called once."""
    readers = Counter(sources([entry["inbound_nodes"] for entry in config["layers"]] + [config["output_layers"]]))
    pairs = {}
    for entry in config["layers"]:
        norm = model.get_layer(entry["name"]) if entry["class_name"] == "BatchNormalization" else None
        if norm is None or len(entry["inbound_nodes"]) != 1:
            continue
        (source,) = sources(entry["inbound_nodes"])
        before = next((layer for layer in model.layers if layer.name == source), None)
        if not isinstance(before, _FOLDABLE) or before.activation is not keras.activations.linear:
            continue
        if readers[source] == 1 and norm.axis in (-1, len(before.output.shape) - 1):
            pairs[entry["name"]] = source
    return pairs


def _plain(entry: dict[str, Any], pairs: dict[str, str]) -> dict[str, Any]:
    """A layer with a bias if a norm is folded into it, without weight standardisation."""
    if entry["name"] in pairs.values():
        entry["config"]["use_bias"] = True
    if entry["class_name"] == "StdConv2D":
        settings = {key: value for key, value in entry["config"].items() if key != "standardize_epsilon"}
        entry.update(module="keras.layers", class_name="Conv2D", registered_name=None, config=settings)
    return entry


def _folded(layer: Any, weights: list[np.ndarray], norm: layers.BatchNormalization) -> list[np.ndarray]:
    """Kernel and bias that do the norm's work too; computed in float64."""
    variables = {weight.name: keras.ops.convert_to_numpy(weight).astype("float64") for weight in norm.weights}
    scale = variables.get("gamma", 1.0) / np.sqrt(variables["moving_variance"] + norm.epsilon)
    kernel, bias = weights[0], weights[1] if len(weights) > 1 else 0.0
    shape = kernel.shape[-2:] if isinstance(layer, layers.DepthwiseConv1D | layers.DepthwiseConv2D) else (-1,)
    shifted = (bias - variables["moving_mean"]) * scale + variables.get("beta", 0.0)
    return [(kernel * scale.reshape(shape)).astype(kernel.dtype), shifted.astype(kernel.dtype)]
