"""Fused batch norms compute what Keras' do."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_resnet as kr
from keras_resnet.train.fused import FusedNorm, can_be_fused, with_fused_norms
from keras_resnet.train.model import training_model
from tests.conftest import images, lively

SPEC = kr.Spec(depths=(1, 1), widths=(8, 16), stem="conv3", stem_width=8, pool=None, shortcut="A")


def network(**options):
    keras.utils.set_random_seed(0)
    return lively(kr.build(SPEC, input_shape=(16, 16, 3), classes=4, classifier_activation=None, **options))


def step(model, x, training=True):
    """Outputs, gradients and moving averages after one step."""
    with tf.GradientTape() as tape:
        outputs = model(x, training=training)
        loss = tf.reduce_sum(tf.cast(outputs, tf.float32) ** 2) + sum(model.losses)
    gradients = tape.gradient(loss, [variable.value for variable in model.trainable_variables])
    return [np.asarray(each, "float32") for each in (outputs, *gradients, *model.non_trainable_variables)]


@pytest.mark.parametrize("dtype, limit", [("float32", 1e-4), ("mixed_float16", 0.01), ("mixed_bfloat16", 0.03)])
def test_outputs_gradients_and_moving_averages_are_those_of_stock_keras(dtype, limit):
    stock, fused = network(dtype=dtype, weight_decay=1e-3), with_fused_norms(network(dtype=dtype, weight_decay=1e-3))
    assert sum(isinstance(layer, FusedNorm) for layer in fused.layers) == 7
    x = images(8, 16, 16, 3)
    for theirs, mine in zip(step(stock, x), step(fused, x), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=0, atol=limit * np.abs(theirs).max())


def test_a_frozen_norm_keeps_its_statistics():
    model = network()
    for layer in model.layers:
        layer.trainable = "norm" not in layer.name
    fused, x = with_fused_norms(model), images(8, 16, 16, 3)
    before = [np.asarray(each) for each in model.non_trainable_variables]
    np.testing.assert_array_equal(fused(x, training=True), model(x))
    for old, new in zip(before, model.non_trainable_variables, strict=True):
        np.testing.assert_array_equal(old, new)


def test_what_tensorflow_cannot_fuse_stays():
    inputs = keras.Input((8, 8, 3))
    for options in ({"synchronized": True}, {"axis": 1}, {"scale": False}, {"center": False}, {"dtype": "float64"}):
        layer = keras.layers.BatchNormalization(**options)
        layer(inputs)
        assert not can_be_fused(layer), options
    for rank in (1, 2, 4):
        layer = keras.layers.BatchNormalization()
        layer(keras.Input((*[4] * (rank - 1), 3)))
        assert not can_be_fused(layer), rank


def test_the_network_that_was_trained_is_stock_keras(tmp_path):
    model = network()
    trained = training_model(model, optimizer=keras.optimizers.SGD(0.01), loss="mse")
    trained.fit(images(8, 16, 16, 3), np.eye(4)[[0, 1, 2, 3] * 2], verbose=0)
    model.save(tmp_path / "model.keras")
    reopened = keras.models.load_model(tmp_path / "model.keras")
    assert not any(isinstance(layer, FusedNorm) for layer in reopened.layers)
    x = images(3, 16, 16, 3)
    np.testing.assert_allclose(reopened(x), trained(x), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(kr.fold_batchnorm(model)(x), trained(x), rtol=1e-4, atol=1e-4)
