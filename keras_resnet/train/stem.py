"""A stem that begins with what it would learn first."""

from typing import Any

import keras
import numpy as np


def begin_with_patterns(network: keras.Model, images: Any) -> None:
    """Let the first filters of the stem be the principal patterns of the images' patches, the strongest first, then the
    same with the opposite sign.

    What the norm behind them gives to the next layer is hardly correlated, and of one size: the whitening that makes
    small networks learn CIFAR-10 in few epochs (Page 2019, How to train your ResNet 8; arXiv:2404.00498), here in
    layers that any ResNet has, and trained on like all others. Filters beyond two for each pattern stay as they are.

    Args:
        network: Whose first layer with weights is a convolution without bias, a norm behind it; changed in place.
        images: As the network is given them, `(count, height, width, channels)`; a thousand suffice.

    Raises:
        ValueError: where the first layer with weights is no convolution of images, or the images are not what it takes.

    Example:

    >>> from keras_resnet.models import create_model
    >>> network = create_model("cifar_resnet10_w32")
    >>> begin_with_patterns(network, np.random.default_rng(0).normal(size=(8, 32, 32, 3)))
    >>> kernel = network.layers[1].get_weights()[0].reshape(27, 32)
    >>> bool(np.allclose(kernel[:, 0], -kernel[:, 27]))
    True
    """
    layer = next((layer for layer in network.layers if layer.weights), None)
    if not isinstance(layer, keras.layers.Conv2D):
        raise ValueError(f"begin_with_patterns: a stem of convolutions is needed; received {layer!r}.")
    kernel = np.array(keras.ops.convert_to_numpy(layer.kernel))
    height, width, channels, filters = kernel.shape
    pixels = np.asarray(images, "float32")
    if pixels.ndim != 4 or pixels.shape[3] != channels or min(pixels.shape[1:3]) < max(height, width):
        raise ValueError(
            f"begin_with_patterns: images must be (count, height, width, {channels}), of at least {height} x {width} "
            f"pixels; received {pixels.shape}."
        )
    windows = np.lib.stride_tricks.sliding_window_view(pixels, (height, width), axis=(1, 2))
    patches = np.moveaxis(windows, 3, -1).reshape(-1, height * width * channels)
    _, patterns = np.linalg.eigh(patches.T @ patches / len(patches))  # in columns, the strongest last
    strongest = patterns[:, ::-1]
    begun = np.concatenate([strongest, -strongest], axis=1)[:, :filters]
    # As long as the filters that were drawn: the norm hides the length, which sets how fast they change.
    lengths = np.linalg.norm(kernel.reshape(-1, filters), axis=0)
    kernel[..., : begun.shape[1]] = (begun * lengths.mean()).reshape(height, width, channels, -1)
    layer.kernel.assign(kernel)
