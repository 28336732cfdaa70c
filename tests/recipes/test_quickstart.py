"""The first line a newcomer runs, as a process, in a short setting."""

import csv
import json

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tests.recipes import recipes

pytestmark = pytest.mark.slow  # whole processes, a few seconds each before they begin


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """Two virtual devices, a few epochs."""
    cwd = tmp_path_factory.mktemp("quickstart")
    flags = ("--epochs", "6", "--virtual-devices", "2", "--seed", "3")
    status, output, error = recipes.run("quickstart", *flags, cwd=cwd)
    assert status == 0, error[-3000:]
    (folder,) = (cwd / "runs" / "quickstart").iterdir()
    return output, folder


def test_says_what_it_does_and_ends_with_a_deployed_prediction(finished):
    said, _ = finished
    assert "MirroredStrategy: the CPU stands in for 2 devices, as asked" in said
    assert "172,218 parameters" in said
    assert "test accuracy" in said
    assert "top-1 the same for 362 of 362 images" in " ".join(said.split())  # the test images, and the card's two
    assert "the exported model says that example.png is a" in said


def test_learns(finished):
    with (finished[1] / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 6
    assert float(rows[-1]["val_accuracy"]) > 0.85  # after six epochs; the README states the forty


def test_leaves_a_whole_run(finished):
    folder = finished[1]
    record = json.loads((folder / "config.json").read_text())
    assert record["config"]["seed"] == 3
    assert record["config"]["virtual_devices"] == 2
    assert "MirroredStrategy" in record["strategy"]
    assert list((folder / "tensorboard").rglob("events.out.tfevents.*"))
    for picture in ("curves.png", "predictions.png"):
        with Image.open(folder / picture) as image:
            assert min(image.size) > 400
            assert len(np.unique(np.asarray(image.convert("L")))) > 50
    assert not [path.name for path in folder.iterdir() if path.name.startswith(".")]


def test_keras_and_saved_model_agree_on_bytes(finished):
    folder = finished[1]
    model = keras.models.load_model(folder / "model.keras")
    serve = tf.saved_model.load(str(folder / "export" / "1")).signatures["serving_default"]
    png = (folder / "example.png").read_bytes()
    pixels = tf.io.decode_png(png)
    jpeg = tf.io.encode_jpeg(pixels, quality=100).numpy()
    answer = serve(image_bytes=tf.constant([png, jpeg]))
    expected = model(((tf.cast(pixels, tf.float32) / 255 - 0.31) / 0.38)[None]).numpy()[0]
    np.testing.assert_allclose(answer["scores"][0], expected, atol=1e-5)
    assert answer["class_ids"][0, 0] == expected.argmax()
    assert answer["classes"][0, 0].numpy().decode() == str(expected.argmax())
    assert answer["valid"].numpy().all()


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--epochs", "0"], "epochs must be at least 1"),
        (["--epoch", "3"], "Perhaps you meant"),
        (["--virtual-devices", "1"], "received 1"),
        (["--out", "/dev/null/runs"], "cannot make the run's folder"),
    ],
)
def test_a_user_s_mistake_is_one_clear_line(flags, said, tmp_path):
    status, _, error = recipes.run("quickstart", *flags, cwd=tmp_path)
    assert status == 2
    assert said in " ".join(error.split())
    assert "Traceback" not in error
    assert list(tmp_path.iterdir()) == []
