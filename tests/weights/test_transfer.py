"""All or nothing, and what the error says."""

from pathlib import Path

import keras
import numpy as np
import pytest

import keras_resnet as kr
from keras_resnet.weights import files
from keras_resnet.weights.layouts import FAMILIES

OPTIONS = {"input_shape": (8, 8, 3), "classifier_activation": None}


def model_and_file(folder: Path, layout: str = "akamaster", name: str = "cifar_resnet20") -> tuple[keras.Model, Path]:
    model = kr.create_model(name, **OPTIONS)
    for weight in [weight for weight in model.weights if len(weight.shape) == 1]:
        weight.assign(np.random.default_rng(0).uniform(0.5, 1.5, weight.shape))
    path = folder / "weights.safetensors"
    kr.save_weights(model, path, layout=layout)
    return model, path


def untouched(model: keras.Model, path: Path, *messages: str, **options: bool) -> None:
    before = [np.array(weight) for weight in model.weights]
    with pytest.raises(kr.WeightsError) as caught:
        kr.load_weights(model, path, **options)
    for message in messages:
        assert message in str(caught.value)
    assert all(np.array_equal(old, new) for old, new in zip(before, model.weights, strict=True))


def test_everything_that_does_not_fit_is_named(tmp_path: Path) -> None:
    _, path = model_and_file(tmp_path)
    arrays = files.read_arrays(path)
    arrays["layer9.weight"] = arrays.pop("bn1.bias")
    arrays["layer2.1.conv1.weight"] = arrays["layer2.1.conv1.weight"][:5]
    files.write_safetensors(path, arrays)
    untouched(
        kr.create_model("cifar_resnet20", **OPTIONS),
        path,
        "1 missing: bn1.bias",
        "1 left over: layer9.weight",
        "layer2.1.conv1.weight is float32 (5, 32, 3, 3), the model needs (32, 32, 3, 3)",
    )


def test_integers_are_not_weights(tmp_path: Path) -> None:
    _, path = model_and_file(tmp_path)
    arrays = files.read_arrays(path)
    arrays["linear.bias"] = arrays["linear.bias"].astype("int64")
    files.write_safetensors(path, arrays)
    untouched(kr.create_model("cifar_resnet20", **OPTIONS), path, "linear.bias is int64")


@pytest.mark.parametrize(
    ("other", "message"),
    [("cifar_resnet32", "60 missing: layer1.3.conv1.weight"), ("resnetv2_50", "the model is of another form")],
)
def test_another_network(other: str, message: str, tmp_path: Path) -> None:
    _, path = model_and_file(tmp_path)
    untouched(kr.create_model(other, input_shape=(64, 64, 3)), path, message)


def test_no_layout_fits(tmp_path: Path) -> None:
    files.write_safetensors(tmp_path / "bert.safetensors", {"encoder.layer.0.query": np.zeros((2, 2), "float32")})
    untouched(
        kr.create_model("cifar_resnet20", **OPTIONS), tmp_path / "bert.safetensors", "encoder.layer.0", "torchvision"
    )


def test_stride_elsewhere_is_another_function(tmp_path: Path) -> None:
    """The same names and shapes, yet not the same network."""
    v1 = kr.create_model("resnet50_v1", input_shape=(32, 32, 3))
    kr.save_weights(v1, tmp_path / "v1.safetensors", layout="keras_applications")
    untouched(
        kr.create_model("resnet50", input_shape=(32, 32, 3)), tmp_path / "v1.safetensors", "resnet50_v1", "stride"
    )
    with pytest.raises(kr.WeightsError, match="stride"):
        kr.save_weights(v1, tmp_path / "no.safetensors", layout="torchvision")


def test_another_number_of_classes(tmp_path: Path) -> None:
    source, path = model_and_file(tmp_path)
    model = kr.create_model("cifar_resnet20", classes=7, **OPTIONS)
    untouched(model, path, "linear.weight is float32 (10, 64), the model needs (7, 64)", "skip_head=True")
    head = np.array(model.get_layer("predictions").kernel)
    loaded = kr.load_weights(model, path, skip_head=True)
    assert "linear.weight" in loaded.skipped
    assert np.array_equal(head, model.get_layer("predictions").kernel)
    assert np.array_equal(model.get_layer("stem_conv").kernel, source.get_layer("stem_conv").kernel)


@pytest.mark.parametrize("top", [{"include_top": False}, {"features_only": True}])
def test_without_a_head(top: dict[str, bool], tmp_path: Path) -> None:
    _, path = model_and_file(tmp_path)
    kr.load_weights(kr.create_model("cifar_resnet20", **OPTIONS, **top), path)


def test_other_input_channels(tmp_path: Path) -> None:
    """A grey image gives what it gave as three equal channels; with six, twice the three halved."""
    source, path = model_and_file(tmp_path)
    grey = kr.create_model("cifar_resnet20", input_shape=(8, 8, 1), classifier_activation=None)
    assert kr.load_weights(grey, path).adapted == "conv1.weight"
    image = np.random.default_rng(1).normal(size=(2, 8, 8, 1)).astype("float32")
    np.testing.assert_allclose(grey(image), source(np.repeat(image, 3, -1)), rtol=1e-5, atol=1e-6)
    six = kr.create_model("cifar_resnet20", input_shape=(8, 8, 6), classifier_activation=None)
    kr.load_weights(six, path)
    colour = np.random.default_rng(2).normal(size=(2, 8, 8, 3)).astype("float32")
    np.testing.assert_allclose(six(np.concatenate([colour, colour], -1)), source(colour), rtol=1e-5, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("layout", FAMILIES)
@pytest.mark.parametrize("name", ["resnet18", "resnetv2_50_keras", "resnet50_v1", "resnet18d", "resnetv2_50x1_bit"])
def test_every_layout_comes_back_to_the_bit_or_is_refused(name: str, layout: str, tmp_path: Path) -> None:
    model = kr.create_model(name, input_shape=(32, 32, 3), norm_epsilon=1.001e-5, classes=3)
    try:
        kr.save_weights(model, tmp_path / "there.safetensors", layout=layout)
    except kr.WeightsError:
        assert layout != "keras_resnet"
        return
    back = kr.create_model(name, input_shape=(32, 32, 3), norm_epsilon=1.001e-5, classes=3)
    kr.load_weights(back, tmp_path / "there.safetensors")
    for one, two in zip(model.weights, back.weights, strict=True):
        assert np.array_equal(one, two), one.path


@pytest.mark.slow
@pytest.mark.parametrize("name", ["cifar_resnet20", "cifar_wrn16_8", "resnetrs50", "dense_resnet", "resnet1d18"])
def test_own_files_and_keras_files(name: str, tmp_path: Path) -> None:
    one, two = kr.create_model(name), kr.create_model(name)
    one.save_weights(tmp_path / "keras.weights.h5")
    assert kr.load_weights(two, tmp_path / "keras.weights.h5").layout == "keras_resnet"
    kr.save_weights(one, tmp_path / "own.h5")
    three = kr.create_model(name, weights=str(tmp_path / "own.h5"))
    for first, second, third in zip(one.weights, two.weights, three.weights, strict=True):
        assert np.array_equal(first, second)
        assert np.array_equal(first, third)


def test_where_saving_is_refused(tmp_path: Path) -> None:
    model = kr.create_model("cifar_resnet20", **OPTIONS)
    for path, layout, message in [
        ("a.safetensors", "caffe", "unknown layout 'caffe'"),
        ("a.h5", "akamaster", "safetensors"),
        ("a.weights.h5", "keras_resnet", "safetensors"),
        ("no/a.safetensors", "keras_resnet", "there is no folder"),
        ("a.safetensors", "bit", "has no network of this model's form"),
    ]:
        with pytest.raises(kr.WeightsError, match=message):
            kr.save_weights(model, tmp_path / path, layout=layout)
    assert not list(tmp_path.iterdir())
