"""`keras-resnet export` and `verify`."""

import json

import numpy as np
import pytest
import tensorflow as tf

import keras_resnet as kr
from keras_resnet import cli
from keras_resnet.export.card import read_card
from tests.export.conftest import ask, encoded, lively, picture

NET = "cifar_resnet20"


@pytest.fixture(scope="module")
def run_folder(model, tmp_path_factory):
    """What a recipe leaves: the model and its card."""
    folder = tmp_path_factory.mktemp("run")
    model.save(folder / "model.keras")
    card = {"preprocessing": {"size": [16, 16], "crop_pct": 0.8}, "labels": ["cat", "dog", "newt", "owl"]}
    (folder / "card.json").write_text(json.dumps(card))
    return folder


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "weights.safetensors"
    kr.save_weights(lively(kr.create_model(NET)), path)
    return path


@pytest.fixture
def images(tmp_path):
    (tmp_path / "images").mkdir()
    for seed in range(4):
        (tmp_path / "images" / f"{seed}.png").write_bytes(encoded(picture(seed)))
    return tmp_path / "images"


def run(capsys, *arguments):
    status = cli.main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


@pytest.mark.slow
def test_a_trained_run_becomes_a_served_folder_in_one_command(capsys, run_folder, images, tmp_path, model):
    status, out, _ = run(capsys, "export", run_folder, tmp_path / "served", "--images", images, "--top-k", 2)
    assert status == 0
    assert "6 of 6" in out
    served = tmp_path / "served" / "1"
    assert (served / "assets.extra" / "tf_serving_warmup_requests").is_file()
    card = read_card(served)
    assert card["preprocessing"]["crop_pct"] == 0.8
    answer = ask(tf.saved_model.load(str(served)).signatures["serving_default"], [encoded(picture(0))])
    assert answer["classes"].shape == (1, 2)
    assert answer["classes"][0, 0].decode() in ("cat", "dog", "newt", "owl")

    status, out, _ = run(capsys, "verify", served)
    assert (status, "top-1 the same for 2 of 2" in out) == (0, True)
    status, out, _ = run(capsys, "verify", served, "--against", run_folder, images)
    assert (status, "top-1 the same for 4 of 4" in out) == (0, True)
    other = lively(kr.create_model(NET, depths=(1, 1, 1), classes=4, input_shape=(16, 16, 3)))
    other.get_layer("predictions").bias.assign([3, 0, 0, 0])
    other.save(tmp_path / "other.keras")
    status, out, _ = run(capsys, "verify", served, images, "--against", tmp_path / "other.keras")
    assert status == 1
    assert "largest difference" in out


@pytest.mark.slow
def test_named_weights_with_overrides(capsys, weights, images, tmp_path):
    (tmp_path / "names.txt").write_text("".join(f"kind {number}\n" for number in range(10)))
    flags = ["--weights", weights, "--size", 24, "--mean", "0.5,0.5,0.5", "--labels", tmp_path / "names.txt"]
    output = tmp_path / "served"
    status, _, _ = run(capsys, "export", NET, output, *flags, "--version", 7, "--no-warmup", "--std", "0.2,0.2,0.2")
    assert status == 0
    card = read_card(output / "7")
    assert card["preprocessing"]["size"] == [24, 24]
    assert card["preprocessing"]["mean"] == [0.5] * 3
    assert card["preprocessing"]["std"] == [0.2] * 3
    assert card["labels"][3] == "kind 3"
    assert not (output / "7" / "assets.extra").exists()
    status, out, _ = run(capsys, "verify", output / "7", images / "0.png")
    assert (status, ": kind " in out) == (0, True)


@pytest.mark.slow
def test_several_formats_at_once(capsys, run_folder, images, tmp_path):
    for package in ("ai_edge_litert", "onnxruntime", "tf2onnx"):
        pytest.importorskip(package)
    formats = ["saved_model-bfloat16", "litert-int8", "onnx"]
    flags = ["--format", *formats, "--calibration", images, "--images", images]
    status, out, _ = run(capsys, "export", run_folder, tmp_path / "out", *flags)
    assert status == 0
    found = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert found == sorted(
        [
            "1",
            f"{NET}-float32.onnx",
            f"{NET}-float32.onnx.card.json",
            f"{NET}-int8.tflite",
            f"{NET}-int8.tflite.card.json",
        ]
    )
    assert "of 6" in out
    exports = [tmp_path / "out" / name for name in found if not name.endswith(".json")]
    for export in exports:
        assert run(capsys, "verify", export)[0] == 0
    status, out, _ = run(capsys, "verify", exports[1], "--against", exports[2], images)
    assert "of 4 images" in out
    assert np.isfinite(float(out.rsplit("largest difference ", 1)[1].split(",")[0]))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["export", NET, "OUT"], "--weights is missing"),
        (["export", "RUN", "OUT", "--weights", "imagenet"], "has its own weights"),
        (["export", "RUN", "OUT", "--size", "8"], "the model takes (16, 16, 3)"),
        (["export", "RUN", "OUT", "--top-k", "0"], "received 0"),
        (["export", "RUN", "OUT", "--labels", "NOTHING"], "No such file"),
        (["export", "RUN", "OUT", "--format", "litert-int8"], "needs calibration images"),
        (["export", "RUN", "OUT", "--images", "EMPTY"], "no images"),
        (["export", "absent.keras", "OUT"], "there is no such file"),
        (["export", "BROKEN", "OUT"], "not a model that Keras can open"),
        (["export", "resnet51", "OUT", "--weights", "imagenet"], "resnet51"),
        (["verify", "EMPTY"], "not the card of an export"),
        (["verify", "RUN"], "not the card of an export"),
    ],
)
def test_a_mistake_is_one_line(arguments, message, capsys, run_folder, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken.keras").write_bytes(b"PK\x03\x04 nothing")
    places = {
        "OUT": tmp_path / "out",
        "RUN": run_folder,
        "EMPTY": tmp_path / "empty",
        "BROKEN": tmp_path / "broken.keras",
        "NOTHING": tmp_path / "nothing.txt",
    }
    status, _, err = run(capsys, *[places.get(argument, argument) for argument in arguments])
    assert status == 2
    assert message in err
    assert err.count("\n") == 1
    assert not (tmp_path / "out").exists() or list((tmp_path / "out").iterdir()) == []


def test_unknown_flags_are_refused(capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main(["verify", "a", "b.png", "--bogus", "c"])
    assert caught.value.code == 2
    with pytest.raises(SystemExit):
        cli.main(["list", "a", "b"])
