"""The recipes, end to end and small, on real files; their settings against what was published."""

import csv
import json
import shutil

import keras
import numpy as np
import pytest
from PIL import Image

from tests.recipes import recipes


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Three classes of 32 x 32 pictures that colours tell apart: train/, val/ and test/."""
    root, generator = tmp_path_factory.mktemp("pictures"), np.random.default_rng(0)
    for split, count in (("train", 20), ("val", 7), ("test", 7)):
        for label, name in enumerate(("blue", "green", "red")):
            (root / split / name).mkdir(parents=True)
            for index in range(count):
                pixels = generator.integers(0, 120, (32, 32, 3)).astype("uint8")
                pixels[..., 2 - label] += 120
                Image.fromarray(pixels).save(root / split / name / f"{index}.png")
    return root


@pytest.mark.parametrize("path", sorted(recipes.FOLDER.glob("*.py")), ids=lambda path: path.stem)
def test_onednn_is_asked_for_before_tensorflow_reads_the_variable(path):
    lines = [line.partition("  #")[0] for line in path.read_text(encoding="utf-8").splitlines()]
    asked = lines.index('os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")')
    assert asked < lines.index("import keras")


LEFT = {"batch.png", "best.safetensors", "card.json", "card.md", "checkpoints", "config.json", "confusion.png"}
LEFT |= {"curves.png", "metrics.csv", "model.keras", "tensorboard"}
FLOAT32, BFLOAT16 = ["--precision", "float32"], ["--precision", "mixed_bfloat16"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("cifar10", ["fast", "--steps", 12, "--interval", 6, "--batch", 12, "--average", 0.5, *BFLOAT16]),
        ("cifar10", ["speed", "--steps", 4, "--interval", 4, "--batch", 12, "--virtual-devices", 2, *FLOAT32]),
        ("cifar10", ["he2015", "--steps", 4, "--interval", 4, "--batch", 12, "--virtual-devices", 2, "--clip-norm", 1]),
        (
            "imagenet",
            ["rsb-a2", "--network", "cifar_resnet20", "--epochs", 2, "--batch", 12, "--train-size", 32, *FLOAT32],
        ),
        ("finetune", ["--train-norms", "--freeze", "none", "--size", 32, "--epochs", 2, *FLOAT32]),
    ],
)  # fmt: skip
def test_it_leaves_a_whole_run(name, options, folder, tmp_path):
    data = ["--data", folder, "--run", tmp_path / "run"]
    status, output, error = recipes.run(name, *options, *data)
    assert status == 0, error
    assert {path.name for path in (tmp_path / "run").iterdir()} == LEFT
    card = json.loads((tmp_path / "run/card.json").read_text())
    rows = list(csv.DictReader((tmp_path / "run/metrics.csv").open()))
    assert card["test_images"] == 21
    assert card["labels"] == ["blue", "green", "red"]
    close = 2 / 21 if "mixed_bfloat16" in options else 1e-6  # the file computes in float32
    assert card["accuracy"] == pytest.approx(float(rows[-1]["val_accuracy"]), abs=close)
    assert f"{100 * card['accuracy']:.2f} %" in output
    model = keras.models.load_model(tmp_path / "run/model.keras")
    assert {layer.compute_dtype for layer in model.layers} == {"float32"}
    scores = model.predict(np.zeros((1, *card["input_shape"]), "float32"), verbose=0)
    assert scores.sum() == pytest.approx(1, abs=1e-5)


@pytest.mark.slow
def test_too_many_images_that_cannot_be_read_are_named(folder, tmp_path):
    data = shutil.copytree(folder, tmp_path / "data")
    for index in range(11):
        (data / f"train/red/{index}.png").write_text("no image")
    flags = ("fast", "--steps", 8, "--interval", 8, "--batch", 30, "--data", data, "--run", tmp_path / "run")
    status, _, error = recipes.run("cifar10", *flags)
    assert status == 2
    assert "cifar10: 11 images cannot be read, more than the 10 borne." in error
    assert "train/red/" in error
    assert "Traceback" not in error


@pytest.mark.slow
def test_pretrained_weights_are_kept_but_for_the_head(folder, tmp_path):
    import keras_resnet as kr

    finetune = recipes.module("finetune")
    kr.save_weights(kr.create_model("resnet18"), tmp_path / "w.safetensors")
    config = finetune.Config(data=str(folder), weights=str(tmp_path / "w.safetensors"), size=32, freeze="stage2")
    network = finetune.build(config, "resnet18", 3)
    reference = kr.create_model("resnet18", weights=str(tmp_path / "w.safetensors"))
    frozen = {layer.name for layer in network.layers if layer.weights and not layer.trainable}
    for layer in network.layers:
        if layer.name != "predictions":
            for ours, theirs in zip(layer.get_weights(), reference.get_layer(layer.name).get_weights(), strict=True):
                np.testing.assert_array_equal(ours, theirs)
        if isinstance(layer, keras.layers.BatchNormalization) or layer.name.startswith(("stem", "stage1", "stage2")):
            assert layer.name in frozen or not layer.weights
    assert {"stage3_block1_conv1", "predictions"}.isdisjoint(frozen)
    before = [weight.copy() for weight in network.get_layer("stage4_block1_norm1").get_weights()]
    network(np.random.default_rng(0).normal(size=(4, 32, 32, 3)).astype("float32"), training=True)
    for ours, theirs in zip(network.get_layer("stage4_block1_norm1").get_weights(), before, strict=True):
        np.testing.assert_array_equal(ours, theirs)  # inference statistics, even in training


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("cifar10", ["fast", "--lr", "1"], "Unrecognized options"),
        ("cifar10", ["slow"], "slow"),
        ("cifar10", ["fast", "--network", "cifar_plain20", "--shortcut", "A"], "shortcut is for a cifar_resnet*"),
        ("cifar10", ["fast", "--data", "nowhere"], "'nowhere' is neither a data set of TFDS nor a folder"),
        ("finetune", ["--data", "x"], "without --weights nothing is known yet"),
    ],
)  # fmt: skip
def test_a_mistake_is_said(name, options, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    status, output, error = recipes.run(name, *options)
    assert status == 2
    assert "Traceback" not in error + output
    assert said.lower() in " ".join((error + output).lower().split())


# What arXiv:2110.00476 (table 2), fb.resnet.torch and torchvision's references print.
PUBLISHED = {
    "classic90": {"epochs": 90, "batch": 256, "learning_rate": 0.1, "weight_decay": 1e-4, "schedule": "steps"},
    "rsb-a1": {"epochs": 600, "learning_rate": 5e-3, "weight_decay": 0.01, "label_smoothing": 0.1, "drop_path": 0.05,
               "repeats": 3, "magnitude": 7, "mixup": 0.2, "cutmix": 1.0, "train_size": 224, "crop_pct": 0.95},
    "rsb-a2": {"epochs": 300, "learning_rate": 5e-3, "weight_decay": 0.02, "label_smoothing": 0, "drop_path": 0.05,
               "repeats": 3, "magnitude": 7, "mixup": 0.1, "cutmix": 1.0, "train_size": 224, "crop_pct": 0.95},
    "rsb-a3": {"epochs": 100, "learning_rate": 8e-3, "weight_decay": 0.02, "label_smoothing": 0, "drop_path": 0,
               "repeats": 1, "magnitude": 6, "mixup": 0.1, "cutmix": 1.0, "train_size": 160, "crop_pct": 0.95},
    "torchvision-v2": {"epochs": 600, "batch": 1024, "learning_rate": 0.5, "weight_decay": 2e-5, "train_size": 176,
                       "label_smoothing": 0.1, "mixup": 0.2, "cutmix": 1.0, "erasing": 0.1, "repeats": 4},
}  # fmt: skip
EVERY_RSB = {"batch": 2048, "optimizer": "lamb", "schedule": "cosine", "warm_up": 5, "loss": "multi-label"}


def test_presets_are_the_published_ones():
    imagenet = recipes.module("imagenet")
    presets = (imagenet.CLASSIC90, imagenet.RSB_A1, imagenet.RSB_A2, imagenet.RSB_A3, imagenet.TORCHVISION_V2)
    assert [preset.preset for preset in presets] == list(PUBLISHED)
    for preset in presets:
        expected = PUBLISHED[preset.preset] | (EVERY_RSB if preset.preset.startswith("rsb") else {})
        assert {name: getattr(preset, name) for name in expected} == expected
    assert round(224 / imagenet.TORCHVISION_V2.crop_pct) == 232


def test_he2015_is_the_papers():
    """arXiv:1512.03385, section 4.2."""
    cifar10 = recipes.module("cifar10")
    optimizer = cifar10.optimizer(cifar10.HE2015)
    rates = {step: round(float(optimizer._learning_rate(step)), 6) for step in (0, 31_999, 32_001, 47_999, 48_001)}
    assert rates == {0: 0.1, 31_999: 0.1, 32_001: 0.01, 47_999: 0.01, 48_001: 0.001}
    deep = cifar10.optimizer(cifar10.Config(network="cifar_resnet110"))
    assert round(float(deep._learning_rate(399)), 6) == 0.01
    assert round(float(deep._learning_rate(401)), 6) == 0.1
    assert (cifar10.HE2015.batch, cifar10.HE2015.steps, cifar10.HE2015.weight_decay) == (128, 64_000, 1e-4)
    shown = cifar10.augmentation(cifar10.HE2015)(np.full((32, 32, 3), 255, "uint8"), (0, 0)).numpy()
    border = (shown == 0).all(axis=-1)  # padded after the mean was removed
    assert border.any() and (shown[~border] > 1).all()
    network = cifar10.build(cifar10.HE2015, 10, 1)
    kernel = network.get_layer("stage1_block1_conv1").kernel
    assert float(kernel.regularizer(kernel)) == pytest.approx(0.5e-4 * float((kernel.numpy() ** 2).sum()), rel=1e-5)
