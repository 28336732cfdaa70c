"""What a run leaves, and where it computes."""

import json
import os
import subprocess
import sys

import pytest

from keras_resnet.atomic import replacing
from keras_resnet.train.run import start_run
from keras_resnet.train.strategy import choose_strategy


def test_a_run_s_folder_says_how_it_was_made(tmp_path):
    folder = start_run(tmp_path / "runs", {"epochs": 3}, strategy="none")
    record = json.loads((folder / "config.json").read_text())
    assert record["config"] == {"epochs": 3}
    assert record["strategy"] == "none"
    assert set(record["versions"]) == {"python", "keras", "tensorflow", "numpy"}
    assert record["machine"]["cores"] >= 1


def test_a_folder_that_cannot_be_made_is_one_clear_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match=r"cannot make the run's folder .*: Not a directory"):
        start_run(tmp_path / "file" / "run", {})


def test_a_failed_write_keeps_the_old_file(tmp_path):
    path = tmp_path / "kept.txt"
    path.write_text("old")

    def write():
        with replacing(path) as temporary:
            temporary.write_text("half of the n")
            raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        write()
    assert [file.name for file in tmp_path.iterdir()] == ["kept.txt"]
    assert path.read_text() == "old"


MIRRORED = """
from keras_resnet.train.strategy import choose_strategy
strategy, reason = choose_strategy(3)
print(strategy.num_replicas_in_sync, "|", reason)
"""


@pytest.mark.slow
def test_virtual_devices_are_mirrored():
    run = subprocess.run([sys.executable, "-c", MIRRORED], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "3 | MirroredStrategy: the CPU stands in for 3 devices, as asked"


@pytest.mark.parametrize("count", [-1, 1])
def test_refuses_a_number_of_devices_that_mirrors_nothing(count):
    with pytest.raises(ValueError, match=f"received {count}"):
        choose_strategy(count)


def test_refuses_too_late_a_choice():
    import tensorflow as tf

    tf.zeros(1)
    with pytest.raises(ValueError, match="before TensorFlow is first used"):
        choose_strategy(2)


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        "worker 0",
        '{"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "worker", "index": 2}}',
        '{"cluster": {"worker": ["a:1"], "ps": ["b:1"]}, "task": {"type": "worker", "index": 0}}',
    ],
)
def test_refuses_a_cluster_that_would_hang(monkeypatch, text):
    monkeypatch.setenv("TF_CONFIG", text)
    with pytest.raises(ValueError, match=r"TF_CONFIG must name the workers .* received"):
        choose_strategy()


def test_refuses_virtual_devices_on_several_machines(monkeypatch):
    monkeypatch.setenv("TF_CONFIG", '{"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "worker", "index": 0}}')
    with pytest.raises(ValueError, match="is for one machine, but TF_CONFIG asks for several"):
        choose_strategy(2)


SLURM = """
from keras_resnet.train.strategy import choose_strategy, workers
strategy, reason = choose_strategy()
print(reason, workers(strategy))
"""


@pytest.mark.slow
def test_the_tasks_of_a_slurm_step_are_workers():
    environment = {"SLURM_STEP_NUM_TASKS": "2", "SLURM_STEP_NODELIST": "localhost", "SLURM_STEP_TASKS_PER_NODE": "2"}
    tasks = [
        subprocess.Popen(
            [sys.executable, "-c", SLURM],
            env={**os.environ, **environment, "SLURM_PROCID": str(number)},
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(2)
    ]
    said = [task.communicate(timeout=120)[0].splitlines()[-1] for task in tasks]
    assert said == [
        f"MultiWorkerMirroredStrategy: worker {number} of 2 by Slurm, 2 replicas in all ({number}, 2)"
        for number in range(2)
    ]
