"""What all tests share: quiet logs and the backend's gradient."""

import functools
import gc
import os
from dataclasses import replace

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import pytest

from keras_resnet import Spec, VGGSpec, profile
from keras_resnet.zoo import ZOO

gc.freeze()  # what TensorFlow and Keras made at import stays; walking it again and again takes minutes
collect_ignore_glob = ["oracles/*"]  # scripts that need what the tests do not


def images(*shape, seed=0):
    """Normal noise as float32."""
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def small(spec):
    """The same kind of network with few channels, two units in the first stage and one in the others."""
    if isinstance(spec, VGGSpec):
        return replace(spec, widths=tuple(range(8, 8 + len(spec.widths))), hidden=16, input_shape=(32, 32, 3))
    base = 32 if spec.norm == "group" else max(spec.groups, 8)
    stages = range(1, 1 + len(spec.depths))
    return replace(
        spec,
        depths=(2,) + (1,) * (len(spec.depths) - 1),
        widths=tuple(round(base * stage / spec.ratio) for stage in stages),
        stem_width=base,
        input_shape=(*((36,) * spec.rank), *spec.input_shape[-1:]),
    )


def lively(model):
    """The model with norms that are far from what they start as, and a head that prefers no class."""
    random = np.random.default_rng(0)
    for variable in model.weights:
        if variable.name in ("gamma", "moving_variance"):
            variable.assign(random.uniform(0.5, 1.5, variable.shape).astype("float32"))
        elif variable.name in ("beta", "moving_mean", "bias"):
            variable.assign(random.normal(0, 0.3, variable.shape).astype("float32"))
    return model


# Small forms of every network of the table: 18 and 34 differ in depth alone, and are one kind.
KINDS = {small(spec): name for name, spec in reversed(ZOO.items())}


@functools.cache
def counted_by_name(name):
    """The profile of a named network, counted once in a session."""
    return profile(name)


def is_plain_keras(spec):
    """Whether the network is made of stock Keras layers alone."""
    return not (isinstance(spec, Spec) and spec.standardize)


def gradients(model, x):
    """{path: gradient} of a random projection of the outputs in training mode, by the backend's own differentiation."""
    weights = images(*model.output_shape[1:], seed=1)
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(model(x, training=True) * weights)
        values = tape.gradient(loss, [variable.value for variable in model.trainable_variables])
    elif backend == "jax":
        import jax

        def loss(trainable):
            others = [variable.value for variable in model.non_trainable_variables]
            return (model.stateless_call(trainable, others, x, training=True)[0] * weights).sum()

        values = jax.grad(loss)([variable.value for variable in model.trainable_variables])
    else:
        import torch

        (model(x, training=True) * torch.as_tensor(weights)).sum().backward()
        values = [variable.value.grad for variable in model.trainable_variables]
    return {
        variable.path: None if value is None else keras.ops.convert_to_numpy(value)
        for variable, value in zip(model.trainable_variables, values, strict=True)
    }


@pytest.fixture(autouse=True)
def _seed():
    keras.utils.set_random_seed(0)
