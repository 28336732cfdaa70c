"""What is to run on a GPU runs at toy size on the processor, on Keras' JAX backend, with TensorFlow out of reach."""

import argparse
import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.recipes import recipes

FOLDER = Path(__file__).parents[2] / "benchmarks"
ABSENT = """
import sys
from importlib.machinery import PathFinder
class WithoutTensorFlow(PathFinder):
    @classmethod
    def find_spec(cls, name, *rest):
        known = name.partition(".")[0] not in ("tensorflow", "tf_keras", "tensorflow_datasets")
        return super().find_spec(name, *rest) if known else None
sys.meta_path[sys.meta_path.index(PathFinder)] = WithoutTensorFlow
"""
SAME_AS_KERAS = """
import keras, jax, numpy as np
import keras_resnet as kr
from gpu_data import PREPROCESSING
from gpu_program import Program, Rule, one_cycle

random = np.random.default_rng(0)
images = random.integers(0, 256, (8, 8, 8, 3)).astype("uint8")
labels = random.integers(0, 10, 8).astype("int32")
pixels = PREPROCESSING.normalize(images)
spec = kr.Spec((1, 1), (8, 16), "basic", 1, stem="conv3", stem_width=8, pool=None, shortcut="A", classes=10,
               input_shape=(8, 8, 3))
for rule, scope in ((Rule(8), ("kernel", "bias", "gamma", "beta")), (Rule(8, nesterov=True, decay=0.1, decay_all=False,
                    smoothing=0.2), ("kernel",))):
    model = kr.build(spec, classifier_activation=None, weight_decay=rule.decay / 2, decay_scope=scope)
    program = Program(model, rule, PREPROCESSING)
    state, rates = program.state(), [0.1, 0.05, 0.02]
    for number, rate in enumerate(rates):
        state, _ = jax.jit(program.step)(state, pixels, labels, rate, number)
    schedule = keras.optimizers.schedules.PiecewiseConstantDecay([0, 1], rates)
    model.compile(keras.optimizers.SGD(schedule, rule.momentum, rule.nesterov), keras.losses.CategoricalCrossentropy(
        from_logits=True, label_smoothing=rule.smoothing))
    for _ in rates:
        model.train_on_batch(pixels, np.eye(10)[labels])
    expected = [*model.trainable_variables, *model.non_trainable_variables]
    for variable, value in zip(expected, (*state.trainable, *state.others), strict=True):
        np.testing.assert_allclose(variable, value, rtol=2e-4, atol=2e-5, err_msg=variable.path)

white = np.full((64, 32, 32, 3), 255, "uint8")
shown = np.asarray(program.shown(white, 0, 0))
border = (shown == 0).all(axis=-1)
np.testing.assert_array_equal(shown[~border], PREPROCESSING.normalize(white).reshape(-1, 3)[: (~border).sum()])
assert 0 < border.mean() < 1 - (28 / 32) ** 2
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a toy CIFAR-10 in two pieces, and the environment of a machine without TensorFlow."""
    if importlib.util.find_spec("jax") is None:
        pytest.skip("JAX is not installed: the measurements on a GPU run on it")
    folder = tmp_path_factory.mktemp("gpu")
    (folder / "sitecustomize.py").write_text(ABSENT)
    random = np.random.default_rng(0)
    for number in (1, 2):
        arrays = {}
        for split in ("train", "test"):
            arrays[f"{split}_images"] = random.integers(0, 256, (20, 32, 32, 3)).astype("uint8")
            arrays[f"{split}_labels"] = random.integers(0, 10, 20).astype("int32")
        np.savez(folder / f"toy-{number}-of-2.npz", **arrays)
    return folder


def run(place, *command):
    """(exit status, output, error)"""
    paths = [str(place), str(FOLDER.parent), str(FOLDER)]
    environment = {**os.environ, "KERAS_BACKEND": "jax", "PYTHONPATH": os.pathsep.join(paths)}
    done = subprocess.run(
        [sys.executable, *map(str, command)], capture_output=True, text=True, env=environment, timeout=600, check=False
    )
    return done.returncode, done.stdout, done.stderr


def gpu(place, part, *flags):
    status, output, error = run(
        place, FOLDER / "gpu.py", part, "--data", place / "toy.npz", "--out", place / "results", *flags
    )
    assert status == 0, error[-3000:]
    return output


@pytest.mark.slow
def test_tensorflow_is_out_of_reach(place):
    status, _, error = run(place, "-c", "import tensorflow")
    assert status == 1 and "No module named 'tensorflow'" in error


@pytest.mark.slow
def test_a_step_is_that_of_keras(place):
    status, _, error = run(place, "-c", SAME_AS_KERAS)
    assert status == 0, error[-3000:]


@pytest.mark.slow
def test_training_measures_both_sides(place):
    if importlib.util.find_spec("timm") is None:
        pytest.skip("timm, the peer, is not installed")
    flags = "--networks resnet18 --batches 2 --precisions float32 --size 32 --rounds 2 --steps 1 --side 64"
    gpu(place, "training", *flags.split())
    (row,) = json.loads((place / "results/gpu_training.json").read_text())["details"]
    assert row["ratio"] > 0 and row["ours"]["memory"] > 1e6
    assert len(row["timm"]["all_seconds"]) == len(row["product"]["all_seconds"]) == 2


@pytest.mark.slow
def test_cifar_trains_keeps_and_goes_on(place):
    from keras_resnet.weights.files import read_arrays

    flags = ["--nets", "cifar_plain20", "--seeds", 0, 1, "--steps", 2, "--interval", 1]
    assert "left out, no time" in gpu(place, "cifar", *flags, "--minutes", 0)
    gpu(place, "cifar", *flags)
    found = json.loads((place / "results/gpu_cifar.json").read_text())
    assert [run["seed"] for run in found["details"]] == [0, 1] and found["rows"][0][:2] == ["cifar_plain20", 2]
    for each in found["details"]:
        assert 0 <= each["test_error"] <= 100 and each["test_images"] == 40
        read_arrays(place / "results/cifar" / each["weights"], sha256=each["sha256"])
    curve = (place / "results/cifar/cifar_plain20-seed1.csv").read_text().splitlines()
    assert curve[0] == "step,seconds,loss,train_error,test_error" and len(curve) == 3
    begun = (place / "results/gpu_cifar.json").stat().st_mtime_ns
    gpu(place, "cifar", *flags)  # all is there: nothing is done again
    assert (place / "results/gpu_cifar.json").stat().st_mtime_ns == begun


@pytest.mark.slow
def test_speed_has_a_row_for_every_length(place):
    network = "--networks cifar_resnet10_w32 --depths 1 1 --widths 8 16 --precision float32"
    gpu(place, "speed", *f"{network} --batch 8 --steps 2 --epochs 1 2 --runs 2".split())
    report = json.loads((place / "results/gpu_speed.json").read_text())
    rows = report["details"]["rows"]
    assert [row["epochs"] for row in rows] == [1, 2] and len(report["rows"]) == 2
    assert report["rows"][0][0] == "cifar_resnet10_w32, 1 epochs at 0.2" and report["rows"][0][2] > 0
    assert all(run["seconds"] > 0 and 0 <= run["accuracy"] <= 100 for row in rows for run in row["runs"])
    assert report["date"] and "gpu.py speed" in report["command"]


def test_speed_learns_as_the_recipe_does(monkeypatch, place):
    monkeypatch.syspath_prepend(str(FOLDER))
    import gpu_speed

    parser = argparse.ArgumentParser()
    gpu_speed.add_arguments(parser)
    ours, recipe = parser.parse_args([]), recipes.module("cifar10").SPEED
    for name in ("batch", "weight_decay", "average", "stem"):
        assert getattr(ours, name) == getattr(recipe, name)
    assert (ours.learning_rate, ours.smoothing) == ([recipe.learning_rate], recipe.label_smoothing)
    assert (ours.networks[0], ours.epochs[0]) == (recipe.network, round(recipe.steps * recipe.batch / 50_000))


@pytest.mark.slow
def test_what_is_missing_is_named(place):
    (place / "half-1-of-2.npz").write_bytes(b"")
    for name, expected in (("none.npz", "there is no such file"), ("half.npz", "half-2-of-2.npz are missing")):
        status, _, error = run(place, FOLDER / "gpu.py", "cifar", "--data", place / name, "--out", place / "results")
        assert status == 2 and expected in error and "Traceback" not in error


def test_the_record_holders_table_is_read(monkeypatch, place):
    monkeypatch.syspath_prepend(str(FOLDER))
    from gpu_speed import finished_runs

    printed = """
---------------------------------------------------------------------------
|  run     |  epoch  |  train_acc  |  val_acc  |  tta_val_acc  |  time_seconds  |
---------------------------------------------------------------------------
|  warmup  |      0  |     0.1000  |   0.1000  |               |        9.0000  |
|          |   eval  |     0.1000  |   0.1000  |       0.1000  |        9.1000  |
|       0  |      0  |     0.5000  |   0.6000  |               |        0.4000  |
|          |   eval  |     0.9800  |   0.9350  |       0.9402  |        2.5900  |
|       1  |      0  |     0.5000  |   0.6000  |               |        0.4000  |
"""
    (found,) = finished_runs(printed)
    assert found == pytest.approx({"seconds_with_test": 2.59, "accuracy": 93.5, "accuracy_mirrored": 94.02})
    assert finished_runs("") == []
