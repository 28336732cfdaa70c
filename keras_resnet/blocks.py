"""One residual unit: (pre-activation?), shortcut, branch, join. Both orders, every block and every rank share this one
path."""

from dataclasses import dataclass
from typing import NamedTuple

from keras import ops

from keras_resnet.layers import LayerFactory, Tensor
from keras_resnet.spec import Spec


@dataclass(frozen=True)
class Unit:
    """What distinguishes one residual unit of a network from the next."""

    name: str
    width: int
    inner_width: int
    strides: int = 1
    dilation: int = 1
    first_dilation: int = 1  # of the strided convolution: that of the stage before, as in torchvision and timm
    dropout: float = 0.0
    drop_path: float = 0.0
    zero_init: bool = False


class Conv(NamedTuple):
    """One convolution of a branch."""

    filters: int
    size: int
    strides: int = 1
    dilation: int = 1
    groups: int = 1


def residual_unit(x: Tensor, spec: Spec, unit: Unit, make: LayerFactory) -> Tensor:
    """One unit: `act(F(x) + x)` for order "post" (arXiv:1512.03385), `F(act(norm(x))) + x` for "pre"
    (arXiv:1603.05027); F alone where shortcut is "none".

    Args:
        x: `(batch, *positions, channels)`.
        spec: The network's data.
        unit: This unit's name and sizes.
        make: Makes the layers.

    Returns:
        `(batch, *positions / unit.strides rounded up, unit.width)`.
    """
    pre = spec.order == "pre"
    shared = make.norm_act(x, prefix=unit.name, suffix="1") if pre else x
    y = _branch(shared, spec, unit, make)
    if spec.se:
        y = make.squeeze_excite(y, spec.se, prefix=unit.name)
    y = make.drop_path(y, unit.drop_path, name=f"{unit.name}_drop_path")
    if spec.shortcut != "none":
        y = make.add([_shortcut(x, shared, spec, unit, make), y], name=f"{unit.name}_add")
    return y if pre else make.act(y, name=f"{unit.name}_out")


def _branch(x: Tensor, spec: Spec, unit: Unit, make: LayerFactory) -> Tensor:
    """F: convolutions with norm and activation between them, and a norm after the last in order "post"."""
    pre = spec.order == "pre"
    convs = _convolutions(spec, unit)
    for index, conv in enumerate(convs):
        last = index == len(convs) - 1
        if index:
            x = make.norm_act(x, prefix=unit.name, suffix=str(index + pre))
            if spec.blur and convs[index - 1].strides > 1:
                x = make.blur_pool(x, prefix=unit.name)
        if last:
            x = make.dropout(x, unit.dropout, name=f"{unit.name}_dropout")
        x = make.conv(
            x,
            conv.filters,
            conv.size,
            strides=1 if spec.blur else conv.strides,
            dilation=conv.dilation,
            groups=conv.groups,
            use_bias=last and spec.bias,
            zero_init=last and pre and unit.zero_init,
            name=f"{unit.name}_conv{index + 1}",
        )
    return x if pre else make.norm(x, zero_init=unit.zero_init, name=f"{unit.name}_norm{len(convs)}")


def _convolutions(spec: Spec, unit: Unit) -> list[Conv]:
    if spec.block == "basic":
        return [Conv(unit.inner_width, 3, unit.strides, unit.first_dilation), Conv(unit.width, 3, 1, unit.dilation)]
    at_1x1 = spec.stride_at == "1x1"
    return [
        Conv(unit.inner_width, 1, unit.strides if at_1x1 else 1),
        Conv(unit.inner_width, 3, 1 if at_1x1 else unit.strides, unit.first_dilation, spec.groups),
        Conv(unit.width, 1),
    ]


def _shortcut(x: Tensor, shared: Tensor, spec: Spec, unit: Unit, make: LayerFactory) -> Tensor:
    """The identity where shapes allow, else option A, B, C (arXiv:1512.03385, section 3.3) or D's average pooling."""
    changes = unit.strides > 1 or unit.dilation != unit.first_dilation or x.shape[-1] != unit.width
    if spec.shortcut == "A":
        return _pad_channels(x, unit, make)
    if not changes and spec.shortcut != "C":
        return x
    strides = unit.strides
    if spec.stride_in == "last" and x.shape[-1] == unit.width:
        return make.average_pool(x, 1, strides, name=f"{unit.name}_shortcut_pool") if strides > 1 else x
    if spec.shortcut == "avg" and (strides > 1 or unit.dilation > 1):
        shared = make.average_pool(shared, 2, strides, name=f"{unit.name}_shortcut_pool")
        strides = 1
    shared = make.conv(shared, unit.width, 1, strides=strides, use_bias=spec.bias, name=f"{unit.name}_shortcut_conv")
    return shared if spec.order == "pre" else make.norm(shared, name=f"{unit.name}_shortcut_norm")


def _pad_channels(x: Tensor, unit: Unit, make: LayerFactory) -> Tensor:
    """Option A: every second position, and new channels of zeros, half of them on each side."""
    if unit.strides > 1 and make.rank:
        x = make.average_pool(x, 1, unit.strides, name=f"{unit.name}_shortcut_pool")
    side = (unit.width - x.shape[-1]) // 2
    return ops.pad(x, [[0, 0]] * (len(x.shape) - 1) + [[side, side]]) if side else x
