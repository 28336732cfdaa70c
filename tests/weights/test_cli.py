"""The command line: what it prints, what it writes, and how it refuses."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from PIL import Image

import keras_resnet as kr
from keras_resnet import cli
from keras_resnet.data.evaluation import mirrored

NET = "cifar_resnet20"


@pytest.fixture(scope="module")
def model() -> keras.Model:
    """Tells red from the rest by class 3: its head looks at nothing, its answer is a bias."""
    model = kr.create_model(NET)
    model.get_layer("predictions").bias.assign(np.eye(10)[3] * 100)
    return model


@pytest.fixture
def weights(model: keras.Model, tmp_path: Path) -> Path:
    kr.save_weights(model, tmp_path / "weights.safetensors")
    return tmp_path / "weights.safetensors"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Ten classes of two images each."""
    for label in range(10):
        (tmp_path / "data" / f"class{label}").mkdir(parents=True)
        for index in range(2):
            pixels = np.random.default_rng(index).integers(0, 256, (40, 50, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "data" / f"class{label}" / f"{index}.png")
    return tmp_path / "data"


def run(capsys: Any, *arguments: Any) -> tuple[int, str, str]:
    status = cli.main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def test_list(capsys: Any) -> None:
    status, out, _ = run(capsys, "list", "resnet18*", "--tags")
    assert status == 0
    assert "resnet18.tv_in1k" in out
    assert "cc-by-nc-4.0" in out
    assert "resnet50" not in out


def test_info(capsys: Any, tmp_path: Path) -> None:
    status, out, _ = run(capsys, "info", "resnet18", "--input-size", 64, "--csv", tmp_path / "rows.csv")
    assert status == 0
    assert "11,689,512" in out
    rows = (tmp_path / "rows.csv").read_text().splitlines()
    assert rows[0].startswith("layer,")
    assert any(row.startswith("stem_conv,") and "32x32x64" in row for row in rows)


@pytest.mark.parametrize(("layout", "suffix"), [("akamaster", "safetensors"), ("keras_applications", "h5")])
def test_convert(layout: str, suffix: str, capsys: Any, model: keras.Model, weights: Path, tmp_path: Path) -> None:
    there, back = tmp_path / f"there.{suffix}", tmp_path / "back.safetensors"
    status, out, err = run(capsys, "convert", weights, there, "--model", NET, "--layout", layout)
    if layout == "keras_applications":  # it has no network of that form
        assert status == 2
        assert "no network of this model's form" in err
        return
    assert status == 0
    assert str(there) in out
    assert run(capsys, "convert", there, back, "--model", NET)[0] == 0
    again = kr.create_model(NET, weights=str(back))
    assert all(np.array_equal(one, two) for one, two in zip(model.weights, again.weights, strict=True))


def test_evaluate_a_folder(capsys: Any, weights: Path, folder: Path) -> None:
    status, out, err = run(capsys, "evaluate", NET, "--weights", weights, "--data", folder, "--batch-size", 3)
    assert (status, err) == (0, "")
    assert "top-1: 2 of 20 (10.00 %)" in out
    assert "class3" in out


def test_evaluate_says_with_which_preprocessing(capsys: Any, weights: Path, folder: Path) -> None:
    given = ("evaluate", NET, "--weights", weights, "--data", folder)
    _, usual, _ = run(capsys, *given)
    _, own, _ = run(capsys, *given, "--mean", "0.4914,0.4822,0.4465", "--std", "0.2470,0.2435,0.2616")
    assert usual.startswith("preprocessing: mean (0.485, 0.456, 0.406), std (0.229, 0.224, 0.225), crop 1\n")
    assert own.startswith("preprocessing: mean (0.4914, 0.4822, 0.4465), std (0.247, 0.2435, 0.2616), crop 1\n")


def test_evaluate_with_mirror_images(capsys: Any, weights: Path, folder: Path) -> None:
    status, out, err = run(capsys, "evaluate", NET, "--weights", weights, "--data", folder, "--mirrored")
    assert (status, err) == (0, "")
    assert "top-1: 2 of 20 (10.00 %)" in out


def test_mirrored_scores_are_the_mean_of_both() -> None:
    model = kr.create_model(NET, classifier_activation=None)
    images = np.random.default_rng(0).normal(size=(3, 32, 32, 3)).astype("float32")
    expected = (model.predict_on_batch(images) + model.predict_on_batch(images[:, :, ::-1])) / 2
    np.testing.assert_allclose(mirrored(model).predict_on_batch(images), expected, rtol=1e-4, atol=1e-4)


def test_evaluate_another_number_of_classes(capsys: Any, weights: Path, folder: Path) -> None:
    (folder / "class10").mkdir()
    status, _, err = run(capsys, "evaluate", NET, "--weights", weights, "--data", folder)
    assert status == 2
    assert "has 11 classes, cifar_resnet20 10" in err


def test_evaluate_counts_broken_images_nowhere(capsys: Any, weights: Path, folder: Path) -> None:
    image = folder / "class3" / "0.png"
    image.write_bytes(image.read_bytes()[:200])
    (folder / "class4" / "9.jpg").write_bytes(b"")
    status, out, err = run(capsys, "evaluate", NET, "--weights", weights, "--data", folder)
    assert status == 1
    assert "top-1: 1 of 19" in out
    assert str(image) in err
    assert "9.jpg" in err


def test_predict(capsys: Any, weights: Path, folder: Path, tmp_path: Path) -> None:
    good, broken = folder / "class0", tmp_path / "broken.png"
    broken.write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    status, out, err = run(
        capsys, "predict", NET, "--weights", weights, good, broken, tmp_path / "none.png", "--top", 2
    )
    assert status == 1
    assert [line.split(": ")[1].startswith("class 3 1.000, ") for line in out.splitlines()] == [True, True]
    assert err.count("skipped") == 2
    assert "broken.png" in err
    assert "none.png" in err


def test_grey_palette_and_alpha_images(capsys: Any, weights: Path, tmp_path: Path) -> None:
    for mode in ("L", "P", "RGBA", "CMYK", "I;16"):
        suffix = "jpg" if mode == "CMYK" else "png"
        Image.new(mode, (40, 40)).save(tmp_path / f"{mode.replace(';', '')}.{suffix}")
    files = [path for path in tmp_path.iterdir() if path.suffix in (".png", ".jpg")]
    status, out, _ = run(capsys, "predict", NET, "--weights", weights, *files)
    assert status == 0
    assert len(out.splitlines()) == 5


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["info", "resnet51"], "did you mean resnet50"),
        (["info", "resnet18", "--input-size", "0"], "input_shape"),
        (["predict", "dense_resnet", "--weights", "WEIGHTS", "a.png"], "not for images"),
        (["predict", NET, "--weights", "WEIGHTS", "a.png", "--input-size", "-1"], "size"),
        (["predict", NET, "--weights", "WEIGHTS", "EMPTY"], "no images"),
        (["evaluate", NET, "--weights", "WEIGHTS", "--data", "cifar10", "--classes", "9"], "skip_head"),
        (["evaluate", NET, "--weights", "WEIGHTS", "--data", "imagenet2012", "--data-dir", "EMPTY"], "cannot be had"),
        (["list", "alexnet*"], "no network matches"),
        (["convert", "absent.pth", "out.safetensors", "--model", "resnet18"], "no such file"),
        (["evaluate", NET, "--weights", "absent.h5", "--data", "."], "no such file"),
        (["evaluate", NET, "--weights", "WEIGHTS", "--data", "nowhere"], "neither a folder nor one of"),
        (["evaluate", NET, "--weights", "WEIGHTS", "--data", "EMPTY"], "holds no images"),
        (["predict", NET, "--weights", "WEIGHTS", "a.png", "--crop-pct", "2"], "crop_pct"),
        (["predict", NET, "--weights", "resnet50.tv9_in1k", "a.png"], "did you mean"),
        (["predict", "resnet18", "--weights", "resnet50.tv2_in1k", "a.png"], "resnet50"),
        (["evaluate", NET, "--weights", "WEIGHTS", "--data", "EMPTY", "--classes", "0"], "classes"),
    ],
)
def test_a_mistake_is_one_line(arguments: list[str], message: str, capsys: Any, weights: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    places = {"WEIGHTS": str(weights), "EMPTY": str(tmp_path / "empty")}
    status, _, err = run(capsys, *[places.get(argument, argument) for argument in arguments])
    assert status == 2
    assert message in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("arguments", [[], ["train"], ["info"], ["predict", NET, "a.png"]])
def test_a_wrong_call_ends_with_status_2(arguments: list[str], capsys: Any) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(arguments)
    assert caught.value.code == 2
