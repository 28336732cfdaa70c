"""fold_batchnorm: the same function in inference, fewer layers."""

import keras
import numpy as np
import pytest

import keras_resnet as kr
from tests.conftest import KINDS, images, lively, small


def numpy(x):
    return keras.ops.convert_to_numpy(x)


def norms(model):
    return [layer.name for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]


@pytest.mark.parametrize("spec", KINDS, ids=KINDS.values())
def test_every_kind_of_network_keeps_its_function(spec):
    model = lively(kr.build(spec, classifier_activation=None))
    folded = kr.fold_batchnorm(model)
    x = images(3, *spec.input_shape)
    before, after = numpy(model(x)), numpy(folded(x))
    assert np.abs(after - before).max() <= 2e-5 * np.abs(before).max()
    assert {type(layer).__module__.split(".")[0] for layer in folded.layers} == {"keras"}
    left = norms(folded)
    if isinstance(spec, kr.Spec) and spec.order == "pre":
        assert all(name == "head_norm" or name.endswith("_norm1") for name in left)  # these follow sums
    else:
        assert left == []


def test_the_folded_network_is_saved_and_opened(tmp_path):
    model = lively(kr.build(small(kr.get_spec("resnetv2_50x1_bit")), weight_decay=1e-4, name="bit"))
    kr.fold_batchnorm(model, name="plain").save(tmp_path / "plain.keras")
    reopened = keras.models.load_model(tmp_path / "plain.keras")
    x = images(2, 36, 36, 3)
    np.testing.assert_allclose(numpy(reopened(x)), numpy(model(x)), atol=1e-5)
    assert reopened.name == "plain"


def test_feature_pyramids_keep_their_names():
    model = lively(kr.build(small(kr.get_spec("resnet18")), features_only=True))
    x = images(2, 36, 36, 3)
    before, after = model(x), kr.fold_batchnorm(model)(x)
    assert before.keys() == after.keys()
    for name in before:
        np.testing.assert_allclose(numpy(after[name]), numpy(before[name]), atol=1e-4)


@pytest.mark.slow
def test_foreign_models_fold_too():
    """keras.applications' own, whose convolutions have biases."""
    model = lively(
        keras.applications.ResNet50(weights=None, input_shape=(64, 64, 3), classes=10, classifier_activation=None)
    )
    folded = kr.fold_batchnorm(model)
    x = images(2, 64, 64, 3)
    before = numpy(model(x))
    assert np.abs(numpy(folded(x)) - before).max() <= 1e-4 * np.abs(before).max()
    assert norms(folded) == []


def test_what_cannot_be_folded_stays():
    layers = keras.layers
    inputs = keras.Input((8, 8, 3))
    shared = layers.Conv2D(4, 3, name="read_twice")(inputs)
    active = layers.Conv2D(4, 3, activation="relu", name="active")(inputs)
    depthwise = layers.DepthwiseConv2D(3, depth_multiplier=2, name="depthwise")(inputs)
    outputs = [
        shared,
        layers.BatchNormalization(name="of_a_tensor_read_twice")(shared),
        layers.BatchNormalization(name="of_an_activation")(active),
        layers.BatchNormalization(name="of_a_depthwise", scale=False)(depthwise),
        layers.BatchNormalization(name="of_the_input", center=False)(inputs),
    ]
    model = lively(keras.Model(inputs, outputs))
    folded = kr.fold_batchnorm(model)
    assert norms(folded) == ["of_a_tensor_read_twice", "of_an_activation", "of_the_input"]
    x = images(2, 8, 8, 3)
    for before, after in zip(model(x), folded(x), strict=True):
        np.testing.assert_allclose(numpy(after), numpy(before), atol=1e-5)


def test_refuses():
    with pytest.raises(ValueError, match="functional"):
        kr.fold_batchnorm("resnet50")
