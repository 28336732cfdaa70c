"""VGG: 3x3 convolutions with biases, max-pooling, three fully connected layers. The network that residual ones were
compared with."""

from collections.abc import Collection
from dataclasses import replace
from typing import Any

import keras
from keras import layers

from keras_resnet.ends import as_input, check_options, classifier, finish
from keras_resnet.layers import LayerFactory, Tensor
from keras_resnet.spec import VGGSpec


def build_vgg(
    spec: VGGSpec,
    *,
    include_top: bool = True,
    input_tensor: Tensor | None = None,
    input_shape: tuple[int | None, ...] | None = None,
    pooling: str | None = None,
    classes: int | None = None,
    classifier_activation: str | None = "softmax",
    name: str | None = None,
    weight_decay: float = 0.0,
    decay_scope: Collection[str] = ("kernel",),
    dropout: float = 0.5,
    kernel_initializer: str = "he_uniform",
    dtype: Any = None,
) -> keras.Model:
    """Build a VGG network (arXiv:1409.1556, table 1; dropout 0.5 as in its section 3.1); `keras_resnet.build` documents
    the arguments."""
    classes = spec.classes if classes is None else classes
    check_options(
        classes=classes,
        include_top=include_top,
        pooling=pooling,
        rates={"dropout": dropout},
        kernel_initializer=kernel_initializer,
        weight_decay=weight_decay,
        decay_scope=decay_scope,
    )
    make = LayerFactory(
        kernel_initializer=kernel_initializer, weight_decay=weight_decay, decay_scope=tuple(decay_scope), dtype=dtype
    )
    inputs = x = as_input(input_tensor, input_shape, spec.input_shape, rank=2)
    if include_top and None in inputs.shape[1:]:
        raise ValueError(
            "VGG's fully connected layers need known sizes: give an input_shape without None, or include_top=False; "
            f"received {inputs.shape[1:]}."
        )
    _check_size(inputs.shape[1:-1], 2 ** len(spec.depths))
    for stage, (depth, width) in enumerate(zip(spec.depths, spec.widths, strict=True), 1):
        for index in range(1, depth + 1):
            x = make.conv(x, width, 3, use_bias=True, activation="relu", name=f"stage{stage}_conv{index}")
        x = layers.MaxPooling2D(2, data_format="channels_last", dtype=dtype, name=f"stage{stage}_pool")(x)
    if include_top:
        x = layers.Flatten(data_format="channels_last", dtype=dtype, name="head_flatten")(x)
        fully_connected = replace(make, rank=0)
        x = fully_connected.conv(x, spec.hidden, 1, use_bias=True, activation="relu", name="head_dense1")
        x = make.dropout(x, dropout, name="head_dropout1")
        x = fully_connected.conv(x, spec.hidden, 1, use_bias=True, activation="relu", name="head_dense2")
        x = classifier(x, classes, classifier_activation, dropout, make)
    elif pooling:
        x = make.global_pool(x, pooling, name="head_pool")
    return finish(x, inputs, name)


def _check_size(sizes: tuple[int | None, ...], least: int) -> None:
    if any(size is not None and size < least for size in sizes):
        raise ValueError(
            f"VGG halves its input {least.bit_length() - 1} times: input_shape must be at least {least}x{least}; "
            f"received {sizes}."
        )
