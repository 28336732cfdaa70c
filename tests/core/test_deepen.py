"""deepen: the existence argument of arXiv:1512.03385, section 1, on networks that were really trained."""

import keras
import numpy as np
import pytest

import keras_resnet as kr
from tests.conftest import gradients, images, small


def numpy(x):
    return keras.ops.convert_to_numpy(x)


def digits():
    from sklearn.datasets import load_digits

    data = load_digits()
    return data.images[..., None].astype("float32") / 16, data.target


def trained(name, **options):
    model = kr.create_model(name, **options)
    x, y = digits()
    model.compile(keras.optimizers.SGD(0.05, momentum=0.9), "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(x[:1024], y[:1024], batch_size=64, epochs=2, verbose=0)
    return model


CIFAR = {"depths": (2, 2, 2), "widths": (8, 16, 32), "stem_width": 8, "input_shape": (8, 8, 1)}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "options", "stages"),
    [
        ("cifar_resnet20", CIFAR, [1, 2, 3]),
        ("cifar_resnet20", {**CIFAR, "shortcut": "B", "weight_decay": 1e-4, "drop_path_rate": 0.1}, [2]),
        ("cifar_resnetv2_110", CIFAR, [2]),
        ("dense_resnet", {"depths": (2,), "widths": (32,), "stem_width": 32, "input_shape": (8, 8, 1)}, [1]),
    ],
    ids=["A", "B", "pre", "dense"],
)
def test_a_trained_network_grows_without_changing_its_function(name, options, stages, tmp_path):
    shallow = trained(name, **options)
    x, y = digits()
    accuracy = (numpy(shallow(x)).argmax(axis=-1) == y).mean()
    assert accuracy > 0.5  # it did learn something that could be lost
    deep = shallow
    for stage in stages:
        deep = kr.deepen(deep, stage=stage, blocks=2)
    np.testing.assert_array_equal(numpy(deep(x)), numpy(shallow(x)))
    added = [layer for layer in deep.layers if layer.name.endswith("_add")]
    assert len(added) == len([layer for layer in shallow.layers if layer.name.endswith("_add")]) + 2 * len(stages)
    shallow.save(tmp_path / "shallow.keras")
    again = kr.deepen(keras.models.load_model(tmp_path / "shallow.keras"), stage=stages[0])
    np.testing.assert_array_equal(numpy(again(x)), numpy(shallow(x)))


@pytest.mark.slow
def test_the_deeper_network_trains_on():
    shallow = trained("cifar_resnet20", **CIFAR)
    deep = kr.deepen(shallow, stage=2, blocks=1)
    before = [weight.copy() for weight in shallow.get_weights()]
    reaching = [path for path, gradient in gradients(deep, digits()[0][:64]).items() if gradient.any()]
    assert any("stage2_block3_norm2/gamma" in path for path in reaching)
    x, y = digits()
    deep.compile(keras.optimizers.SGD(0.05, momentum=0.9), "sparse_categorical_crossentropy", metrics=["accuracy"])
    deep.fit(x[:1024], y[:1024], batch_size=64, epochs=1, verbose=0)
    assert numpy(deep.get_layer("stage2_block3_norm2").gamma).any()
    for old, weight in zip(before, shallow.get_weights(), strict=True):
        np.testing.assert_array_equal(weight, old)  # the shallow model keeps its own weights


@pytest.mark.parametrize("name", ["seresnet50", "resnet50d", "resnetv2_50x1_bit", "resnext50_32x4d", "resnet1d18"])
def test_other_kinds_and_feature_pyramids(name):
    spec = small(kr.get_spec(name))
    for options in ({}, {"features_only": True}):
        model = kr.build(spec, **options)
        deep = kr.deepen(model, stage=1, blocks=3, name="deeper")
        x = images(2, *spec.input_shape)
        equal = keras.tree.map_structure(lambda a, b: bool((numpy(a) == numpy(b)).all()), deep(x), model(x))
        assert all(keras.tree.flatten(equal))
        assert deep.name == "deeper"


@pytest.mark.parametrize(
    ("name", "options", "stage", "said"),
    [
        ("cifar_plain20", {}, 1, "no shortcuts"),
        ("vgg19", {"input_shape": (32, 32, 3)}, 1, "not a residual network"),
        ("cifar_resnet20", {"activation": "silu"}, 1, "only with ReLU"),
        ("cifar_resnet20", {"shortcut": "C"}, 1, "projects its shortcut"),
        ("cifar_resnet20", {"shortcut": "B", "depths": (1, 1, 1)}, 2, "projects its shortcut"),
        ("cifar_resnet20", {}, 4, r"no stage 4: it has stages \[1, 2, 3\]"),
    ],
)
def test_refuses(name, options, stage, said):
    with pytest.raises(ValueError, match=said):
        kr.deepen(kr.create_model(name, **options), stage=stage)


@pytest.mark.parametrize("blocks", [0, -1, 1.5, True])
def test_refuses_a_wrong_number_of_blocks(blocks):
    with pytest.raises(ValueError, match="received"):
        kr.deepen(kr.create_model("cifar_resnet20"), stage=1, blocks=blocks)
