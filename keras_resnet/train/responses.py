"""How strongly layers and residual branches respond: section 4.2 of arXiv:1512.03385, figure 7."""

import math
import re
from typing import Any

import keras
from keras import ops


def layer_responses(network: keras.Model, images: Any) -> dict[str, float]:
    """Standard deviation of each layer's response: after its norm, before the activation or the addition.

    Args:
        network: A network of this package in order "post".
        images: `(batch, *sizes, channels)`, as the network is given them; inference statistics are used.

    Returns:
        The deviation over images, positions and channels by the norm's name, in the order of the layers; the norms of
        shortcuts are left out.

    Example:

    >>> from keras_resnet.models import create_model
    >>> network = create_model("cifar_resnet20", depths=(1, 1), widths=(8, 16), stem_width=8, input_shape=(8, 8, 1))
    >>> list(layer_responses(network, ops.ones((2, 8, 8, 1))))[:3]
    ['stem_norm', 'stage1_block1_norm1', 'stage1_block1_norm2']
    """
    norms = [layer for layer in network.layers if re.search(r"_norm\d*$", layer.name) and "shortcut" not in layer.name]
    outputs = keras.Model(network.input, [norm.output for norm in norms])(images, training=False)
    return {norm.name: float(ops.std(ops.cast(output, "float32"))) for norm, output in zip(norms, outputs, strict=True)}


def branch_probe(network: keras.Model, unit: str) -> keras.Model:
    """A model of a residual unit's input x and of its branch F(x), before they are added; it shares the layers.

    Args:
        network: A residual network of this package in order "post".
        unit: The unit's name, e.g. "stage1_block2".
    """
    return keras.Model(network.input, network.get_layer(f"{unit}_add").input)


def branch_ratio(probe: keras.Model, images: Any) -> float | None:
    """Norm of F(x) / norm of x, the mean over images; None where it is not finite.

    Args:
        probe: What `branch_probe` made.
        images: `(batch, *sizes, channels)`; inference statistics are used.
    """
    x, branch = (ops.reshape(ops.cast(y, "float32"), (len(y), -1)) for y in probe(images, training=False))
    ratio = float(ops.mean(ops.norm(branch, axis=1) / ops.norm(x, axis=1)))
    return ratio if math.isfinite(ratio) else None
