"""Several machines, as real processes on this one."""

import time

import numpy as np
import pytest

from tests.train.children import finish, run, start_cluster

pytestmark = pytest.mark.slow

# Sums over replicas are taken in another order; a training amplifies the rounding of each step.
TOLERANCE = 2e-5


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """One process with the same global batch and the same kind of norms, and its weights: fused norms round otherwise,
    which now and then puts an activation on the other side of zero."""
    folder = tmp_path_factory.mktemp("alone")
    _, _, result = run(folder, "--drop-path", 0, "--synchronized")
    return result, np.load(folder / "weights.npz")


@pytest.mark.parametrize("count", [2, 3])
def test_workers_train_what_one_process_trains(tmp_path, alone, count):
    results = [finish(process)[2] for process in start_cluster(tmp_path, count, "--drop-path", 0)]
    assert len({result["digest"] for result in results}) == 1
    assert all(result["history"] == results[0]["history"] for result in results)
    expected, weights = alone
    together = np.load(tmp_path / "weights.npz")
    for name in weights.files:
        np.testing.assert_allclose(together[name], weights[name], rtol=TOLERANCE, atol=TOLERANCE)
    for ours, theirs in zip(results[0]["history"], expected["history"], strict=True):
        assert ours == pytest.approx(theirs, rel=1e-4)


def test_a_lost_worker_is_named_and_the_run_resumes_exactly(tmp_path):
    reference = tmp_path / "reference"
    whole = [finish(process)[2] for process in start_cluster(reference, 2, "--steps", 8)]
    folder = tmp_path / "killed"
    first, second = start_cluster(folder, 2, "--steps", 8, "--pause", 0.3)
    while not (folder / "checkpoints/ckpt-4.index").exists():
        assert first.poll() is None, first.communicate()
        time.sleep(0.01)
    second.kill()
    killed = time.monotonic()
    output, error, _ = finish(first)
    assert time.monotonic() - killed < 60
    assert first.returncode
    assert "worker 1 was lost after step 4; its own log says why." in error, output + error
    assert "Start all workers again with the same command" in error
    again = [finish(process)[2] for process in start_cluster(folder, 2, "--steps", 8)]
    assert again == whole


def test_one_worker_writes(tmp_path):
    for process in start_cluster(tmp_path, 2, "--steps", 8):
        finish(process)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "best.safetensors",
        "checkpoints",
        "metrics.csv",
        "weights.npz",
    ]
    left = {path.name.partition(".")[0] for path in (tmp_path / "checkpoints").iterdir()}
    assert left == {"checkpoint", "ckpt-4", "ckpt-8"}
