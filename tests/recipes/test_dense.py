"""The dense recipe as a process, in short settings: killed, diverging, on two devices, and refused."""

import csv
import json
import re
import time

import pytest
from PIL import Image

from tests.recipes import recipes

SHORT = ("--depths", "4", "6", "--seeds", "2", "--steps", "20", "--batch", "32", "--width", "16")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return "--data-dir", tmp_path_factory.mktemp("data")


@pytest.fixture(scope="module")
def finished(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("dense") / "run"
    status, output, error = recipes.run("dense", *SHORT, *data, "--run", folder)
    assert status == 0, error[-3000:]
    return folder, output


@pytest.mark.slow
def test_leaves_a_table_a_picture_and_a_verdict(finished):
    folder, output = finished
    with (folder / "results.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["network"], row["depth"], row["seed"]) for row in rows] == [
        (network, depth, seed) for network in ("plain", "residual") for depth in ("4", "6") for seed in ("0", "1")
    ]
    # 64 x 16 kernel and norm in front, two such of 16 x 16 a unit, and a classifier of 16 x 10 with its bias
    assert {row["depth"]: int(row["parameters"]) for row in rows} == {
        "4": 64 * 16 + 32 + 2 * (16 * 16 + 32) + 170,
        "6": 64 * 16 + 32 + 4 * (16 * 16 + 32) + 170,
    }
    assert all(0 <= float(row["train_error"]) <= 100 and not row["diverged"] for row in rows)
    with Image.open(folder / "depth.png") as image:
        assert min(image.size) > 400
    page = recipes.Page(folder / "report.html")
    assert page.pictures == 1
    assert not page.fetched
    for kind in ("plain", "residual"):
        (sentence,) = [line for line in output.splitlines() if line.startswith(f"The {kind} networks")]
        assert sentence in page.text
    assert sorted(path.name for path in (folder / "trials").iterdir()) == sorted(
        f"{row['network']}-{row['depth']}-seed{row['seed']}.json" for row in rows
    )


@pytest.mark.slow
def test_a_killed_run_goes_on_and_gives_the_same_numbers(finished, data, tmp_path):
    folder = tmp_path / "run"
    process = recipes.start("dense", *SHORT, *data, "--run", folder)
    while not (folder / "trials" / "plain-6-seed0" / "metrics.csv").exists():  # in the middle of the third
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    process.kill()
    process.communicate()
    assert not (folder / "results.csv").exists()
    kept = {path: path.stat().st_mtime_ns for path in (folder / "trials").glob("*.json")}
    assert len(kept) in (2, 3)
    lost = folder / "trials" / "plain-4-seed1.json"  # trained first of its network now, where it was second before
    lost.unlink()
    del kept[lost]
    status, _, error = recipes.run("dense", *SHORT, *data, "--run", folder)
    assert status == 0, error[-3000:]
    assert all(path.stat().st_mtime_ns == written for path, written in kept.items())
    assert (folder / "results.csv").read_bytes() == (finished[0] / "results.csv").read_bytes()


@pytest.mark.slow
def test_a_folder_of_other_settings_is_refused_in_one_line(finished, data):
    before = (finished[0] / "config.json").read_bytes()
    status, _, error = recipes.run("dense", *SHORT, "--learning-rate", "0.01", *data, "--run", finished[0])
    assert status == 2
    (line,) = [line for line in error.splitlines() if line.startswith("dense:")]
    assert "holds a run of other settings (learning_rate: 0.03 before, 0.01 now)" in line
    assert "Traceback" not in error
    assert (finished[0] / "config.json").read_bytes() == before


@pytest.mark.slow
def test_what_diverges_is_reported_and_the_next_begins(data, tmp_path):
    flags = ("--learning-rate", "1e30", "--virtual-devices", "2", "--seeds", "1")
    status, output, error = recipes.run("dense", *SHORT, *flags, *data, "--run", tmp_path)
    assert status == 0, error[-3000:]
    assert "MirroredStrategy: the CPU stands in for 2 devices, as asked" in output
    with (tmp_path / "results.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 4
    assert all(
        re.fullmatch(r"(the loss is (nan|inf)|weights are not finite) at step \d+", row["diverged"]) for row in rows
    )
    assert not any(row["train_error"] or row["test_error"] for row in rows)
    assert "fewer than two seeds of each came to their end" in output
    assert "1 of 1 seeds diverged" in recipes.Page(tmp_path / "report.html").text
    assert json.loads((tmp_path / "trials" / "plain-4-seed0.json").read_text())["curve"]["step"] == []


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"depths": (4,)}, r"two or more of 4, 6, 8, .*received \(4,\)"),
        ({"depths": (4, 7)}, r"received \(4, 7\)"),
        ({"steps": 15}, "multiple of 10"),
        ({"seeds": 0}, "at least 1"),
        ({"learning_rate": float("nan")}, "must be positive"),
    ],
)
def test_wrong_values_are_refused(wrong, said):
    with pytest.raises(ValueError, match=said):
        recipes.module("dense").Config(**wrong)
