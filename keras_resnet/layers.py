"""How the layers of one network are made: stock Keras layers, and the one layer that Keras lacks."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any

import keras
from keras import layers, ops

from keras_resnet.spec import GROUP_NORM_GROUPS

Tensor = Any  # a keras.KerasTensor while a network is built
INITIALIZERS = {"he_uniform": "uniform", "he_normal": "untruncated_normal"}
DECAYED = ("kernel", "bias", "gamma", "beta")


@keras.saving.register_keras_serializable(package="keras_resnet")
class StdConv2D(layers.Conv2D):
    """Conv2D whose kernel is standardised over height, width and input channels at every use (arXiv:1903.10520).

    Args:
        standardize_epsilon: Added to each filter's variance; 1e-10 as BiT (arXiv:1912.11370) was trained.
        *args, **kwargs: As of `keras.layers.Conv2D`.

    Input shape: `(batch, height, width, channels)`. Output shape: `(batch, new_height, new_width, filters)`.

    Example:

    >>> import numpy as np
    >>> layer = StdConv2D(4, 3, use_bias=False)
    >>> layer(np.ones((1, 8, 8, 2), "float32")).shape[-1]
    4
    """

    def __init__(self, *args: Any, standardize_epsilon: float = 1e-10, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.standardize_epsilon = standardize_epsilon

    def convolution_op(self, inputs: Tensor, kernel: Tensor) -> Tensor:
        """Convolve with the standardised kernel; mean and variance are taken in float32 whatever the compute dtype."""
        return super().convolution_op(inputs, self.standardized(kernel))

    def standardized(self, kernel: Tensor) -> Tensor:
        """The kernel with zero mean and unit variance in each filter, in the kernel's dtype."""
        mean, variance = ops.moments(ops.cast(kernel, "float32"), axes=(0, 1, 2), keepdims=True)
        return ops.cast(
            (ops.cast(kernel, "float32") - mean) * ops.rsqrt(variance + self.standardize_epsilon), kernel.dtype
        )

    def get_config(self) -> dict[str, Any]:
        """The layer's arguments."""
        return {**super().get_config(), "standardize_epsilon": self.standardize_epsilon}


@dataclass(frozen=True)
class LayerFactory:
    """Makes the layers of one network, so that blocks need to know neither rank nor norm nor regularisation.

    Every method applies one named layer (or a short run of them) to a symbolic tensor. Tensors are channels-last,
    whatever Keras' global setting.
    Padding is torch's: `(kernel - 1) // 2` on both sides, because `padding="same"` pads one side only where a stride
    meets an even size.
    """

    rank: int = 2
    norm_kind: str = "batch"
    standardize: bool = False
    activation: str = "relu"
    norm_momentum: float = 0.9
    norm_epsilon: float = 1e-5
    synchronized: bool = False
    kernel_initializer: str = "he_uniform"
    weight_decay: float = 0.0
    decay_scope: Collection[str] = ("kernel",)
    dtype: Any = None

    def conv(
        self,
        x: Tensor,
        filters: int,
        size: int,
        *,
        name: str,
        strides: int = 1,
        dilation: int = 1,
        groups: int = 1,
        use_bias: bool = False,
        zero_init: bool = False,
        activation: str | None = None,
    ) -> Tensor:
        """Convolution; a fully connected layer at rank 0, where size, strides, dilation and groups mean nothing."""
        common: dict[str, Any] = {
            "use_bias": use_bias,
            "activation": activation,
            "kernel_initializer": "zeros" if zero_init else self.he(),
            "kernel_regularizer": self.decay("kernel"),
            "bias_regularizer": self.decay("bias") if use_bias else None,
            "dtype": self.dtype,
            "name": name,
        }
        if self.rank == 0:
            return layers.Dense(filters, **common)(x)
        padding = "same"
        if strides > 1 and size > 1:
            x = self._ranked("ZeroPadding")(
                dilation * (size - 1) // 2, data_format="channels_last", dtype=self.dtype, name=f"{name}_pad"
            )(x)
            padding = "valid"
        make = StdConv2D if self.standardize else self._ranked("Conv")
        shape: dict[str, Any] = {
            "strides": strides,
            "dilation_rate": dilation,
            "groups": groups,
            "padding": padding,
            "data_format": "channels_last",
        }
        return make(filters, size, **shape, **common)(x)

    def norm(self, x: Tensor, *, name: str, zero_init: bool = False) -> Tensor:
        """Batch or group normalisation; `zero_init` starts its scale at zero."""
        common = {
            "epsilon": self.norm_epsilon,
            "gamma_initializer": "zeros" if zero_init else "ones",
            "gamma_regularizer": self.decay("gamma"),
            "beta_regularizer": self.decay("beta"),
            "dtype": self.dtype,
            "name": name,
        }
        if self.norm_kind == "group":
            return layers.GroupNormalization(GROUP_NORM_GROUPS, axis=-1, **common)(x)
        return layers.BatchNormalization(
            axis=-1, momentum=self.norm_momentum, synchronized=self.synchronized, **common
        )(x)

    def act(self, x: Tensor, *, name: str) -> Tensor:
        """The network's activation."""
        return layers.Activation(self.activation, dtype=self.dtype, name=name)(x)

    def norm_act(self, x: Tensor, *, prefix: str, suffix: str = "") -> Tensor:
        """Norm and activation, named `{prefix}_norm{suffix}` and `{prefix}_act{suffix}`."""
        return self.act(self.norm(x, name=f"{prefix}_norm{suffix}"), name=f"{prefix}_act{suffix}")

    def max_pool(self, x: Tensor, *, name: str, strides: int = 2, pad_with_zeros: bool = False) -> Tensor:
        """3-wide max-pooling; the border counts as -inf (torch), or as zero (BiT, and wherever inputs cannot be
        negative: the same result)."""
        if strides == 1:
            return self._ranked("MaxPooling")(
                3, 1, padding="same", data_format="channels_last", dtype=self.dtype, name=name
            )(x)
        if pad_with_zeros:
            x = self._ranked("ZeroPadding")(1, data_format="channels_last", dtype=self.dtype, name=f"{name}_pad")(x)
        else:
            x = ops.pad(x, [[0, 0], *[[1, 1]] * self.rank, [0, 0]], constant_values=float("-inf"))
        return self._ranked("MaxPooling")(3, strides, data_format="channels_last", dtype=self.dtype, name=name)(x)

    def average_pool(self, x: Tensor, size: int, strides: int, *, name: str, padding: str = "same") -> Tensor:
        """Average pooling; with `padding="same"` the border does not count."""
        return self._ranked("AveragePooling")(
            size, strides, padding=padding, data_format="channels_last", dtype=self.dtype, name=name
        )(x)

    def global_pool(self, x: Tensor, kind: str, *, name: str, keepdims: bool = False) -> Tensor:
        """Mean (`kind="avg"`) or maximum (`"max"`) over all positions; at rank 0 there are none, and x is returned."""
        if self.rank == 0:
            return x
        make = self._ranked("GlobalAveragePooling" if kind == "avg" else "GlobalMaxPooling")
        return make(data_format="channels_last", keepdims=keepdims, dtype=self.dtype, name=name)(x)

    def blur_pool(self, x: Tensor, *, prefix: str) -> Tensor:
        """Binomial [1 2 1] filter with stride 2 over a reflected border (arXiv:1904.11486), as two 2-wide averages: [1
        1] * [1 1] = [1 2 1]."""
        if any(size is not None and size < 2 for size in x.shape[1:-1]):
            raise ValueError(
                f"blur: nothing to reflect at the border of a {tuple(x.shape[1:-1])} feature map; "
                "give a larger input_shape."
            )
        x = ops.pad(x, [[0, 0], *[[1, 1]] * self.rank, [0, 0]], mode="reflect")
        x = self.average_pool(x, 2, 1, padding="valid", name=f"{prefix}_blur1")
        return self.average_pool(x, 2, 2, padding="valid", name=f"{prefix}_blur2")

    def squeeze_excite(self, x: Tensor, ratio: float, *, prefix: str) -> Tensor:
        """Scale each channel by a gate computed from all channels' means (arXiv:1709.01507, section 3)."""
        channels = x.shape[-1]
        inner = max(8, int(channels * ratio + 4) // 8 * 8)  # the nearest multiple of 8, as timm rounds
        gate = self.global_pool(x, "avg", keepdims=True, name=f"{prefix}_se_pool")
        gate = self._plain().conv(gate, inner, 1, use_bias=True, activation="relu", name=f"{prefix}_se_reduce")
        gate = self._plain().conv(gate, channels, 1, use_bias=True, activation="sigmoid", name=f"{prefix}_se_expand")
        return layers.Multiply(dtype=self.dtype, name=f"{prefix}_se_scale")([x, gate])

    def add(self, tensors: list[Tensor], *, name: str) -> Tensor:
        """Sum."""
        return layers.Add(dtype=self.dtype, name=name)(tensors)

    def dropout(self, x: Tensor, rate: float, *, name: str) -> Tensor:
        """Dropout; at rate 0 no layer is made."""
        return layers.Dropout(rate, dtype=self.dtype, name=name)(x) if rate else x

    def drop_path(self, x: Tensor, rate: float, *, name: str) -> Tensor:
        """Stochastic depth (arXiv:1603.09382): drops x for whole samples and rescales the kept ones; at rate 0 no layer
        is made."""
        noise_shape = (None,) + (1,) * (len(x.shape) - 1)
        return layers.Dropout(rate, noise_shape=noise_shape, dtype=self.dtype, name=name)(x) if rate else x

    def decay(self, kind: str) -> keras.Regularizer | None:
        """The L2 penalty of one kind of weight, or None."""
        return keras.regularizers.L2(self.weight_decay) if self.weight_decay and kind in self.decay_scope else None

    def he(self) -> keras.Initializer:
        """Variance 2 / fan-out (arXiv:1502.01852, equation 14), uniform or normal; each call draws anew."""
        distribution = INITIALIZERS[self.kernel_initializer]
        return keras.initializers.VarianceScaling(2.0, mode="fan_out", distribution=distribution)

    def _ranked(self, kind: str) -> Any:
        return getattr(layers, f"{kind}{self.rank}D")

    def _plain(self) -> "LayerFactory":
        """The same without weight standardisation, which is for the convolutions of the trunk."""
        return replace(self, standardize=False)
