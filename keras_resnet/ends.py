"""What every network begins and ends with, and the options they share: input, classifier, checks."""

import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any

import keras
from keras import layers

from keras_resnet.layers import DECAYED, INITIALIZERS, LayerFactory, Tensor
from keras_resnet.spec import check_counts, check_number


def as_input(
    input_tensor: Tensor | None, input_shape: tuple[int | None, ...] | None, default: tuple[int | None, ...], rank: int
) -> Tensor:
    """The symbolic input of a network.

    Args:
        input_tensor: A Keras tensor to build upon, or None.
        input_shape: Sizes and channels without the batch; a size may be None, the channels may not.
        default: The shape taken where neither is given.
        rank: Spatial dimensions; 0 accepts any number of them, all known.

    Raises:
        ValueError: for a shape of another rank, for sizes below 1, for both arguments at once with different shapes.
    """
    if input_tensor is not None:
        if not keras.backend.is_keras_tensor(input_tensor):
            raise ValueError(
                "input_tensor must be a Keras tensor (keras.Input(...) or what a layer made of one); "
                f"received {type(input_tensor).__name__}."
            )
        given = tuple(input_tensor.shape[1:])
        if input_shape is not None and tuple(input_shape) != given:
            raise ValueError(
                f"input_shape and input_tensor disagree; received {tuple(input_shape)} and a tensor of {given}."
            )
        input_shape = given
    shape = default if input_shape is None else input_shape
    _check_shape(shape, rank)
    sizes = tuple(None if size is None else int(size) for size in shape)
    return keras.Input(sizes, name="input") if input_tensor is None else input_tensor


def _check_shape(shape: Any, rank: int) -> None:
    if not isinstance(shape, tuple | list):
        raise ValueError(f"input_shape must be a tuple such as (224, 224, 3); received {shape!r}.")
    if rank and len(shape) != rank + 1:
        raise ValueError(
            f"input_shape must have {rank + 1} entries, {rank} size(s) and the channels last; received {tuple(shape)}."
        )
    known = [size for size in shape[:-1] if size is not None] if rank else list(shape)
    if not shape or shape[-1] is None or any(size is None for size in known):
        raise ValueError(
            f"input_shape: the channels{'' if rank else ' and all sizes'} must be known; received {tuple(shape)}."
        )
    check_counts("input_shape", (*known, shape[-1]))


def classifier(x: Tensor, classes: int, activation: str | None, dropout: float, make: LayerFactory) -> Tensor:
    """Dropout and the fully connected classifier; its softmax is computed in float32 under a mixed policy."""
    policy = keras.dtype_policies.get(make.dtype or keras.config.dtype_policy())
    x = make.dropout(x, dropout, name="head_dropout")
    return layers.Dense(
        int(classes),
        activation=activation,
        kernel_initializer=keras.initializers.VarianceScaling(1.0, mode="fan_in", distribution="uniform"),
        kernel_regularizer=make.decay("kernel"),
        bias_regularizer=make.decay("bias"),
        dtype="float32" if policy.name.startswith("mixed_") else make.dtype,
        name="predictions",
    )(x)


def finish(x: Tensor, inputs: Tensor, name: str | None) -> keras.Model:
    """The model from all that `inputs` was made of to `x`."""
    sources = keras.utils.get_source_inputs(inputs)
    with deep_recursion():
        return keras.Model(sources[0] if len(sources) == 1 else sources, x, name=name)


@contextmanager
def deep_recursion() -> Iterator[None]:
    """Let Keras, which walks a graph by recursion, walk a network of a thousand layers; Python's default limit is 1000
    calls."""
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(max(limit, 20_000))
    try:
        yield
    finally:
        sys.setrecursionlimit(limit)


def check_options(
    *,
    classes: int,
    include_top: bool,
    pooling: str | None,
    rates: dict[str, float],
    kernel_initializer: str,
    weight_decay: float,
    decay_scope: Collection[str],
) -> None:
    """Refuse what is wrong whatever the network.

    Raises:
        ValueError: naming the option, what was received and what is expected.
    """
    check_counts("classes", (classes,))
    if pooling not in (None, "avg", "max"):
        raise ValueError(f"pooling must be None, 'avg' or 'max'; received {pooling!r}.")
    if include_top and pooling is not None:
        raise ValueError(f"pooling is for include_top=False; received pooling={pooling!r} with include_top=True.")
    for name, rate in rates.items():
        check_number(name, rate, 0, 0.99)
    if kernel_initializer not in INITIALIZERS:
        raise ValueError(f"kernel_initializer must be one of {tuple(INITIALIZERS)}; received {kernel_initializer!r}.")
    check_number("weight_decay", weight_decay, 0, 1)
    if isinstance(decay_scope, str) or not set(decay_scope) <= set(DECAYED):
        raise ValueError(f"decay_scope must be a tuple of some of {DECAYED}; received {decay_scope!r}.")
