"""stem -> stages -> head: a Spec becomes an ordinary Keras functional model."""

from collections.abc import Collection, Iterator
from typing import Any

import keras

from keras_resnet.blocks import Unit, residual_unit
from keras_resnet.ends import as_input, check_options, classifier, finish
from keras_resnet.layers import LayerFactory, Tensor
from keras_resnet.spec import Spec, check_number


def build_resnet(
    spec: Spec,
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
    zero_init_residual: bool = False,
    drop_path_rate: float = 0.0,
    dropout: float = 0.0,
    block_dropout: float = 0.0,
    output_stride: int | None = None,
    kernel_initializer: str = "he_uniform",
    norm_momentum: float = 0.9,
    norm_epsilon: float = 1e-5,
    synchronized: bool = False,
    features_only: bool = False,
    dtype: Any = None,
) -> keras.Model:
    """Build the network of a Spec; `keras_resnet.build` documents the arguments."""
    classes = spec.classes if classes is None else classes
    check_options(
        classes=classes,
        include_top=include_top and not features_only,
        pooling=pooling,
        rates={"dropout": dropout, "block_dropout": block_dropout, "drop_path_rate": drop_path_rate},
        kernel_initializer=kernel_initializer,
        weight_decay=weight_decay,
        decay_scope=decay_scope,
    )
    check_number("norm_momentum", norm_momentum, 0, 1)
    check_number("norm_epsilon", norm_epsilon, 1e-12, 1)
    _check_unit_options(spec, zero_init_residual, drop_path_rate, features_only, pooling)
    make = LayerFactory(
        rank=spec.rank,
        norm_kind=spec.norm,
        standardize=spec.standardize,
        activation=spec.activation,
        norm_momentum=norm_momentum,
        norm_epsilon=norm_epsilon,
        synchronized=synchronized,
        kernel_initializer=kernel_initializer,
        weight_decay=weight_decay,
        decay_scope=tuple(decay_scope),
        dtype=dtype,
    )
    strides = _stage_strides(spec, output_stride)
    inputs = as_input(input_tensor, input_shape, spec.input_shape, spec.rank)
    x = _stem(inputs, spec, make)
    features = {}
    for stage, units in enumerate(_units(spec, strides, block_dropout, drop_path_rate, zero_init_residual), 1):
        for unit in units:
            x = residual_unit(x, spec, unit, make)
        features[f"C{stage + 1}"] = x
    if spec.order == "pre":
        x = features[f"C{len(spec.depths) + 1}"] = make.norm_act(x, prefix="head")
    if features_only:
        return finish(features, inputs, name)
    if include_top or pooling:
        x = make.global_pool(x, pooling or "avg", name="head_pool")
    if include_top:
        x = classifier(x, classes, classifier_activation, dropout, make)
    return finish(x, inputs, name)


def _check_unit_options(
    spec: Spec, zero_init_residual: bool, drop_path_rate: float, features_only: bool, pooling: str | None
) -> None:
    if spec.shortcut == "none" and (zero_init_residual or drop_path_rate):
        raise ValueError(
            "a plain network (shortcut='none') has no branch to drop or to start at zero; "
            f"received zero_init_residual={zero_init_residual}, drop_path_rate={drop_path_rate}."
        )
    if features_only and pooling:
        raise ValueError(f"features_only=True returns feature maps; received pooling={pooling!r} with it.")


def _stage_strides(spec: Spec, output_stride: int | None) -> list[tuple[int, int]]:
    """(stride, dilation) of each stage: past `output_stride`, dilation takes the place of strides
    (arXiv:1606.00915)."""
    if spec.rank == 0:
        if output_stride is not None:
            raise ValueError(f"output_stride is for convolutional networks; received {output_stride}.")
        return [(1, 1)] * len(spec.depths)
    reached = (1 if spec.stem == "conv3" else 2) * (2 if spec.pool else 1)
    possible = [reached * 2**stage for stage in range(len(spec.depths))]
    if output_stride is not None and output_stride not in possible:
        raise ValueError(f"output_stride must be one of {possible} here, or None; received {output_stride!r}.")
    strides, dilation = [(1, 1)], 1
    for _ in spec.depths[1:]:
        if output_stride is not None and reached >= output_stride:
            dilation *= 2
            strides.append((1, dilation))
        else:
            reached *= 2
            strides.append((2, dilation))
    return strides


def _stem(x: Tensor, spec: Spec, make: LayerFactory) -> Tensor:
    """Everything before the first unit. In order "pre" the last convolution is bare: the first unit begins with the
    norm."""
    width = spec.stem_width
    if spec.stem == "dense":
        if len(x.shape) > 2:
            x = keras.layers.Flatten(data_format="channels_last", dtype=make.dtype, name="stem_flatten")(x)
        x = make.conv(x, width, 1, name="stem_conv")
    elif spec.stem == "deep":
        for index, (filters, strides) in enumerate([(width // 2, 2), (width // 2, 1), (width, 1)], 1):
            x = make.norm_act(x, prefix="stem", suffix=str(index - 1)) if index > 1 else x
            x = make.conv(x, filters, 3, strides=strides, name=f"stem_conv{index}")
    else:
        size, strides = (7, 2) if spec.stem == "conv7" else (3, 1)
        x = make.conv(x, width, size, strides=strides, use_bias=spec.bias, name="stem_conv")
    if spec.order == "post":
        x = make.norm_act(x, prefix="stem", suffix="3" if spec.stem == "deep" else "")
    return _stem_pool(x, spec, make)


def _stem_pool(x: Tensor, spec: Spec, make: LayerFactory) -> Tensor:
    if spec.pool is None:
        return x
    if spec.pool == "conv":
        x = make.conv(x, spec.stem_width, 3, strides=2, name="stem_pool_conv")
        return make.norm_act(x, prefix="stem_pool") if spec.order == "post" else x
    if spec.blur:
        return make.blur_pool(make.max_pool(x, strides=1, name="stem_pool"), prefix="stem_pool")
    # After a ReLU zeros pad like -inf, and keep infinities out of quantised exports.
    non_negative = spec.order == "post" and spec.activation == "relu"
    return make.max_pool(x, pad_with_zeros=non_negative or spec.pool == "max_zero", name="stem_pool")


def _units(
    spec: Spec, strides: list[tuple[int, int]], dropout: float, drop_path_rate: float, zero_init: bool
) -> Iterator[list[Unit]]:
    """The units of each stage; the drop-path rate grows linearly with depth (arXiv:1603.09382, equation 4, from 0)."""
    total, before, dilation_before = sum(spec.depths), 0, 1
    for stage, depth in enumerate(spec.depths):
        stride, dilation = strides[stage]
        if spec.stride_in == "last":
            stride = strides[stage + 1][0] if stage + 1 < len(strides) else 1
            dilation_before = dilation
        strided = 0 if spec.stride_in == "first" else depth - 1
        yield [
            Unit(
                name=f"stage{stage + 1}_block{index + 1}",
                width=spec.widths[stage],
                inner_width=spec.inner_widths[stage],
                strides=stride if index == strided else 1,
                dilation=dilation,
                first_dilation=dilation if index else dilation_before,
                dropout=dropout,
                drop_path=drop_path_rate * (before + index) / max(total - 1, 1),
                zero_init=zero_init,
            )
            for index in range(depth)
        ]
        before, dilation_before = before + depth, dilation
