"""Published weights and real images, where `../shared/data` lies beside the project."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import keras_resnet as kr
from keras_resnet import cli
from keras_resnet.data.evaluation import read_image
from keras_resnet.data.imagenet import class_names
from keras_resnet.data.preprocess import Preprocessing

pytestmark = pytest.mark.slow
DATA = Path(__file__).parents[3] / "shared" / "data"
CIFAR = {"cifar_resnet20": ("resnet20-12fca82f", 9173), "cifar_resnet32": ("resnet32-d509ac18", 9263)}
IMAGENET = Preprocessing((224, 224), crop_pct=0.875)


def data(path: str) -> Path:
    if not (DATA / path).exists():
        pytest.skip(f"real data are not here: {DATA / path}")
    return DATA / path


def needs_torch() -> None:
    pytest.importorskip("torch", reason="torch is not installed: it reads .th files")


@pytest.mark.parametrize("name", CIFAR)
def test_cifar_accuracy_by_command(name: str, capsys: Any) -> None:
    needs_torch()
    file, right = CIFAR[name]
    weights = data(f"weights/cifar10/{file}.th")
    arguments = ["evaluate", name, "--weights", str(weights), "--data", "cifar10", "--data-dir", str(data("tfds"))]
    assert cli.main(arguments) == 0
    assert f"top-1: {right} of 10000" in capsys.readouterr().out


@pytest.mark.parametrize("name", CIFAR)
def test_cifar_logits(name: str) -> None:
    """The first 500 test images against torch's stored logits."""
    needs_torch()
    import tensorflow_datasets as tfds

    folder = data("weights/cifar10")
    expected = np.load(folder / f"{CIFAR[name][0]}.test_logits.npy")[:500]
    records = tfds.load("cifar10", split="test", data_dir=str(data("tfds")), download=False)
    found = {int(record["id"].decode().split("_")[1]): record["image"] for record in tfds.as_numpy(records)}
    images = np.stack([found[index] for index in range(500)])
    model = kr.create_model(name, weights=str(folder / f"{CIFAR[name][0]}.th"), classifier_activation=None)
    logits = model.predict(Preprocessing((32, 32)).normalize(images.astype("float32")), verbose=0)
    difference = np.abs(logits - expected).max()
    print(f"\n{name}: largest difference of logits {difference:.1e}, largest logit {np.abs(expected).max():.1f}")
    assert difference <= 1e-3


def test_imagenet_resnet18(tmp_path: Path, capsys: Any) -> None:
    """By command, from the PNG files: 77 and 93 of 100; and the logits themselves, by both ways of preprocessing."""
    weights, folder = data("weights/imagenet/resnet18.safetensors"), data("images/imagenet_compatible")
    rows = [line.split(",") for line in (folder / "labels.csv").read_text("utf-8").splitlines()]
    label = rows[0].index("class_index")
    paths = [folder / row[0] for row in rows[1:]]
    for path, row in zip(paths, rows[1:], strict=True):
        (tmp_path / class_names()[int(row[label])][0]).mkdir(exist_ok=True)
        (tmp_path / class_names()[int(row[label])][0] / path.name).symlink_to(path)
    for identifier, _ in class_names():
        (tmp_path / identifier).mkdir(exist_ok=True)
    assert cli.main(["evaluate", "resnet18", "--weights", str(weights), "--data", str(tmp_path)]) == 0
    output = capsys.readouterr().out
    assert "top-1: 77 of 100" in output
    assert "top-5: 93 of 100" in output

    expected = np.load(folder / "reference_logits_resnet18.npy")
    model = kr.create_model("resnet18", weights=str(weights), classifier_activation=None)
    for way, prepare, tolerance in (("Pillow", IMAGENET.numpy, 1e-3), ("tf.data", IMAGENET, 0.3)):
        batch = np.stack([np.asarray(prepare(read_image(path))) for path in paths])
        difference = np.abs(model.predict(batch, verbose=0) - expected)
        print(f"\nresnet18, {way}: logits differ by at most {difference.max():.1e}, {difference.mean():.1e} on average")
        assert difference.max() <= tolerance
