"""A run that is killed, broken or refused, and what the same command makes of it afterwards."""

import random
import re
import resource
import shutil
import time

import pytest

from tests.train.children import finish, run, start

pytestmark = pytest.mark.slow


def checkpoints(folder):
    return sorted(int(path.stem.removeprefix("ckpt-")) for path in (folder / "checkpoints").glob("ckpt-*.index"))


def wait_for(condition, process, seconds=120):
    end = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.0005)


def kill(process):
    process.kill()
    process.communicate()


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """A run to its end: its folder and result."""
    folder = tmp_path_factory.mktemp("undisturbed")
    return folder, run(folder)[2]


@pytest.fixture(scope="module")
def whole(undisturbed):
    return undisturbed[1]


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    """The folder of a run that was killed after its third checkpoint."""
    folder = tmp_path_factory.mktemp("killed")
    process = start(folder, "--pause", 0.2)
    wait_for(lambda: checkpoints(folder) == [8, 12], process)
    kill(process)
    return folder


@pytest.fixture
def folder(killed, tmp_path):
    """A copy of that folder, to break."""
    return shutil.copytree(killed, tmp_path / "run")


def test_killed_at_random_points_it_ends_as_if_nothing_had_been(tmp_path, whole):
    moments = random.Random(3)
    for step in (4, 12):
        process = start(tmp_path, "--pause", 0.1)
        wait_for(lambda step=step: step in checkpoints(tmp_path), process)
        time.sleep(moments.uniform(0, 0.5))
        kill(process)
    before = checkpoints(tmp_path)
    output, _, result = run(tmp_path)
    assert f"continuing at step {before[-1]} of 24" in output
    assert result == whole
    assert checkpoints(tmp_path) == [20, 24]


def test_killed_while_it_writes(tmp_path, whole):
    folder = tmp_path / "checkpoints"
    for _ in range(5):
        process = start(tmp_path)
        wait_for(lambda: any(folder.glob("ckpt-*_temp")) or 24 in checkpoints(tmp_path), process)
        kill(process)
        if any(folder.glob("ckpt-*_temp")):
            break
    else:
        pytest.skip("the write was over each time before the kill came")
    _, _, result = run(tmp_path)
    assert result == whole
    assert not any(folder.glob("ckpt-*_temp"))


def test_a_full_disk_keeps_the_checkpoint_before(folder, whole):
    limit = 60_000  # bytes a file may have: a checkpoint has 100 kB
    output, error, _ = run(folder, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)))
    assert "child: the checkpoint of step 16 cannot be written" in error
    assert "the one of step 12 is kept: the same command continues from there." in error
    assert "Traceback" not in output + error
    assert run(folder)[2] == whole


@pytest.mark.parametrize("damage", ["flipped", "truncated", "emptied index"])
def test_a_damaged_checkpoint_is_passed_over_and_said(folder, whole, damage):
    data, index = (folder / f"checkpoints/ckpt-12.{part}" for part in ("data-00000-of-00001", "index"))
    content = bytearray(data.read_bytes())
    if damage == "flipped":
        content[len(content) // 2] ^= 1
        data.write_bytes(content)
    elif damage == "truncated":
        data.write_bytes(content[: len(content) // 2])
    else:
        index.write_bytes(b"")
    output, _, result = run(folder)
    assert "checkpoint ckpt-12 is damaged" in output
    assert "continuing at step 8 of 24" in output
    assert result == whole


def test_refuses_other_settings_and_lists_them(folder):
    _, error, _ = run(folder, "--steps", 8, "--learning-rate", 0.1)
    assert "holds a run of other settings (learning_rate: 0.05 before, 0.1 now; steps: 24 before, 8 now)" in error
    assert "Traceback" not in error
    assert checkpoints(folder) == [8, 12]


def test_a_loss_that_is_not_finite_ends_the_run_at_its_step(tmp_path):
    _, error, _ = run(tmp_path, "--learning-rate", 1e20)
    assert re.search(r"child: the loss is (nan|inf) at step 2; there is no checkpoint yet", error)
    assert checkpoints(tmp_path) == []


def test_a_finished_run_is_left_as_it_is(undisturbed):
    folder, result = undisturbed
    times = {path: path.stat().st_mtime_ns for path in (folder / "checkpoints").glob("ckpt-*")}
    assert run(folder)[2] == result
    assert {path: path.stat().st_mtime_ns for path in times} == times


def test_it_resumes_under_mirrored_strategy_too(tmp_path):
    reference = tmp_path / "reference"
    _, _, whole = run(reference, "--devices", 2, "--steps", 8)
    folder = tmp_path / "killed"
    process = start(folder, "--devices", 2, "--steps", 8, "--pause", 0.2)
    wait_for(lambda: 4 in checkpoints(folder), process)
    kill(process)
    assert finish(start(folder, "--devices", 2, "--steps", 8))[2] == whole
