"""Names: finding, refusing, and functions of keras.applications' signature."""

import inspect

import keras
import pytest

import keras_resnet as kr
from keras_resnet.zoo import ZOO


def test_list_models():
    assert kr.list_models() == sorted(ZOO)
    assert kr.list_models("resnext*_32x4d") == ["resnext101_32x4d", "resnext50_32x4d"]
    assert kr.list_models("nothing*") == []


@pytest.mark.parametrize(
    ("name", "near"),
    [("resnet51", "resnet50"), ("ResNet50", "resnet50"), ("resnext", "resnext101_32x8d"), ("resnetv250", "v2_50")],
)
def test_a_wrong_name_suggests_the_nearest(name, near):
    with pytest.raises(ValueError, match=rf"unknown network '{name}'; did you mean .*{near}") as caught:
        kr.create_model(name)
    assert "\n" not in str(caught.value)


def test_a_wrong_option_suggests_the_nearest():
    with pytest.raises(TypeError, match=r"weight_decy=0\.1; did you mean weight_decay"):
        kr.create_model("resnet18", weight_decy=0.1)
    with pytest.raises(TypeError, match="unknown option output_stride"):
        kr.create_model("vgg19", output_stride=8)
    with pytest.raises(TypeError, match="unknown option shortcut"):
        kr.build(kr.get_spec("resnet18"), shortcut="A")  # a field of Spec: replaced there, not here


@pytest.mark.slow
def test_functions_have_the_signature_of_keras_applications():
    theirs = list(inspect.signature(keras.applications.ResNet50).parameters)
    functions = [name for name in dir(kr) if name[0].isupper() and not inspect.isclass(getattr(kr, name))]
    assert len(functions) == 28
    for name in functions:
        assert list(inspect.signature(getattr(kr, name)).parameters) == [*theirs, "options"]
    with kr.weightless():
        for name in functions:
            model = getattr(kr, name)()
            assert model.name in ZOO
    assert kr.ResNet18(True, None, None, (32, 32, 3), None, 10, None, "mine").name == "mine"


def test_weights_of_a_file_are_loaded(tmp_path):
    model = kr.create_model("cifar_resnet20")
    model.save_weights(tmp_path / "x.weights.h5")
    again = kr.create_model("cifar_resnet20", weights=tmp_path / "x.weights.h5")
    for a, b in zip(model.get_weights(), again.get_weights(), strict=True):
        assert (a == b).all()
