"""The benchmarks themselves: that they run, and that what they write is a result."""

import json
import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def run(script, *options):
    command = [sys.executable, str(BENCHMARKS / script), *map(str, options)]
    return subprocess.run(command, capture_output=True, text=True, env={**os.environ, "KERAS_BACKEND": "tensorflow"})


def make_run(folder, seed, accuracy, options="", cores=2):
    folder.mkdir()
    card = {
        "network": "cifar_resnet20",
        "recipe": "cifar10.py he2015",
        "command": f"python /somewhere/recipes/cifar10.py he2015 --seed {seed} --data-dir /data{options}",
        "seed": seed,
        "accuracy": accuracy,
        "train_seconds": 600.0,
        "machine": {"processor": "A", "cores": cores},
        "versions": {"python": "3.11.7", "keras": "3.15.1"},
    }
    (folder / "card.json").write_text(json.dumps(card))
    metrics = ["step,val_accuracy,seconds", "1,0.5,60", f"2,{accuracy},{120 + 60 * seed}", f"3,{accuracy},600"]
    (folder / "metrics.csv").write_text("\n".join(metrics))
    (folder / "config.json").write_text(json.dumps({"started": f"2026-11-2{seed}T10:00:00"}))
    return folder


@pytest.fixture
def recipes(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return runpy.run_path(str(BENCHMARKS / "recipes.py"))


def test_runs_of_a_recipe_become_rows_over_seeds(tmp_path, recipes):
    runs = [make_run(tmp_path / "b", 1, 0.91), make_run(tmp_path / "a", 0, 0.92)]
    runs += [make_run(tmp_path / "c", 0, 0.95, " --shortcut B")]
    result = recipes["summary"]([recipes["read"](run) for run in runs])
    first, second = result["rows"]
    assert first[:3] == ["cifar_resnet20", "", "0, 1"] and first[5:] == ["8.00, 9.00 %", 8.75, 10, 2.5, None]
    assert first[3:5] == pytest.approx([8.5, 0.5**0.5])
    assert second[:3] == ["cifar_resnet20", "--shortcut B", "0"] and second[4] is None and second[6] is None
    assert second[8:] == [2.0, 2.0]  # both levels at the same test
    assert result["date"] == "2026-11-21"
    assert result["command"] == ("python recipes/cifar10.py he2015\npython recipes/cifar10.py he2015 --shortcut B")


@pytest.mark.parametrize(
    ("seed", "cores", "message"), [(0, 2, "every seed counts once"), (1, 4, "must share their machine")]
)
def test_runs_that_cannot_be_one_row_are_refused(tmp_path, seed, cores, message):
    runs = [make_run(tmp_path / "a", 0, 0.9), make_run(tmp_path / "b", seed, 0.9, cores=cores)]
    refused = run("recipes.py", "never_written", "A title", *runs)
    assert refused.returncode == 2 and message in refused.stderr and "Traceback" not in refused.stderr


def test_a_grid_becomes_rows_over_seeds(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    config = {
        "machine": {},
        "versions": {},
        "started": "2026-11-21T10:00:00",
        "command": ["/a/degradation.py", "--s=2"],
    }
    (tmp_path / "config.json").write_text(json.dumps(config))
    lines = ["plain,8,0,100,20,1.0,2.0,", "plain,8,1,100,20,3.0,6.0,", "plain,56,0,900,20,,,NaN at step 3"]
    header = "network,depth,seed,parameters,steps,train_error,test_error,diverged"
    (tmp_path / "results.csv").write_text("\n".join([header, *lines]))
    result = runpy.run_path(str(BENCHMARKS / "grid.py"))["summary"](tmp_path)
    shallow, deep = result["rows"]
    assert shallow[:5] == ["plain", 8, 100, 2, 0] and deep == ["plain", 56, 900, 1, 1, *[None] * 6]
    assert shallow[5:] == pytest.approx([2, 2**0.5, "1.00 to 3.00 %", 4, 8**0.5, "2.00 to 6.00 %"])
    assert (result["command"], result["date"]) == ("python recipes/degradation.py --s=2", "2026-11-21")


def test_a_folder_without_a_grid_is_refused(tmp_path):
    refused = run("grid.py", "never_written", "A title", tmp_path)
    assert refused.returncode == 2 and "config.json" in refused.stderr and "Traceback" not in refused.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("script", "options", "rows"),
    [
        ("scaling.py", ["batch", "--batches", "4", "8", "--rounds", "1", "--images", "8"], 2),
        ("onednn.py", ["--networks", "cifar_resnet20", "--rounds", "1"], 2),
        ("evaluation.py", ["--images", "10", "--rounds", "1"], 3),
        ("build.py", ["--networks", "resnet18", "--batch", "1", "--rounds", "1"], 1),
    ],
)
def test_a_benchmark_writes_a_result(tmp_path, script, options, rows):
    done = run(script, *options, "--out", tmp_path / "result")
    assert done.returncode == 0, done.stderr
    result = json.loads((tmp_path / "result.json").read_text())
    assert result["command"] == f"KERAS_BACKEND=tensorflow python benchmarks/{script} {' '.join(options)} --out result"
    assert len(result["rows"]) == rows and all(cell > 0 for row in result["rows"] for cell in row[1:])
    assert {"tensorflow", "keras"} <= result["versions"].keys() and result["machine"]["cores"]


@pytest.mark.slow
def test_two_processes_train_together(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    contender = runpy.run_path(str(BENCHMARKS / "contender.py"))["Contender"]("cifar_resnet20", "--batch", 4, workers=2)
    assert contender.ask("build") > 0 and contender.ask("train 1") > 0
    with pytest.raises(RuntimeError, match=r"(?s)a worker ended.*no_such_request"):
        contender.ask("no_such_request")
