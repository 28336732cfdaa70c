"""The degradation recipe as a process, in a short setting, and what it refuses."""

import json

import numpy as np
import pytest
from PIL import Image

import keras_resnet as kr
from tests.recipes import recipes

SHORT = ("--depths", "8", "14", "--seeds", "1", "--steps", "20", "--added-steps", "30", "--batch", "16")


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    data, folder = tmp_path_factory.mktemp("data"), tmp_path_factory.mktemp("degradation") / "run"
    flags = (*SHORT, "--data-dir", data, "--run", folder)
    status, output, error = recipes.run("degradation", *flags)
    assert status == 0, error[-3000:]
    return folder, output, flags


@pytest.mark.slow
def test_one_command_leaves_one_page_that_needs_nothing_else(finished):
    folder, output, _ = finished
    page = recipes.Page(folder / "report.html")
    assert page.pictures == 3
    assert not page.fetched
    for name in ("curves.png", "responses.png", "added_unit.png"):
        with Image.open(folder / name) as image:
            assert min(image.size) > 400
            assert len(np.unique(np.asarray(image.convert("L")))) > 50
    assert "1 seed" in page.text
    assert "fewer than two seeds of each came to their end" in page.text  # one seed has no spread
    for kind in ("plain", "residual"):
        (sentence,) = [line for line in output.splitlines() if line.startswith(f"The {kind} networks")]
        assert sentence in page.text


@pytest.mark.slow
def test_what_is_kept_of_a_training(finished):
    trials = finished[0] / "trials"
    for network in ("plain", "residual"):
        for depth in (8, 14):
            result = json.loads((trials / f"{network}-{depth}-seed0.json").read_text())
            assert result["parameters"] == {8: 75_002, 14: 172_218}[depth]  # shortcut A has none
            assert result["curve"]["step"] == list(range(1, 21))
            assert result["curve"]["test_error"][-1] == result["test_error"]
            assert len(result["responses"]) == depth - 1  # every layer but the classifier
            assert all(value > 0 for value in result["responses"].values())
    added = json.loads((trials / "added-residual-8-seed0.json").read_text())
    assert (added["step"], added["begins"]) == (list(range(31)), 10)
    ratios = np.array([added["ratio"][decay] for decay in ("none", "kernels", "all")])
    assert (ratios[:, 0] == 0).all()  # `deepen` adds the identity
    assert (ratios[:, :11] == ratios[0, :11]).all()  # the decay begins later
    assert ratios[2, -1] < ratios[0, -1] / 4


@pytest.mark.slow
def test_a_training_alone_in_a_new_process_gives_the_same_numbers(finished):
    folder, _, flags = finished
    before, path = (folder / "results.csv").read_bytes(), folder / "trials" / "residual-14-seed0.json"
    record = json.loads(path.read_text())
    path.unlink()
    (folder / "results.csv").unlink()
    status, output, error = recipes.run("degradation", *flags)
    assert status == 0, error[-3000:]
    assert (folder / "results.csv").read_bytes() == before
    again = json.loads(path.read_text())
    assert {**again, "seconds": 0} == {**record, "seconds": 0}  # the responses, too
    trained = [
        line.split()[0] for line in output.splitlines() if "-seed" in line.partition(" ")[0] and "of" not in line
    ]
    assert trained == ["residual-14-seed0"]


@pytest.mark.slow
def test_an_unknown_flag_is_one_clear_message():
    status, _, error = recipes.run("degradation", "--step", "20")
    assert status == 2
    assert "Perhaps you meant" in error
    assert "Traceback" not in error


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"depths": (8, 21)}, r"two or more of 8, 14, 20, .*received \(8, 21\)"),
        ({"depths": (8, 8)}, "two or more"),
        ({"steps": 30}, "multiple of 20"),
        ({"seeds": 0}, "at least 1"),
        ({"added_steps": 40}, "multiple of 30; received 40"),
        ({"weight_decay": 1.0}, r"lie in \[0, 1\); received 0.03, 6.0, 1.0"),
        ({"learning_rate": -0.1}, "must be positive"),
    ],
)
def test_wrong_values_are_refused(wrong, said):
    with pytest.raises(ValueError, match=said):
        recipes.module("degradation").Config(**wrong)


def test_cifar10_is_trained_as_in_the_paper():
    recipe = recipes.module("degradation")
    config = recipe.Config(dataset="cifar10")
    assert (config.steps, config.batch, config.learning_rate) == (64_000, 128, 0.1)
    network = recipe.build(config, "residual", 20, config.weight_decay, 1)
    assert network.input_shape == (None, 32, 32, 3)
    # section 4.2 and table 6: 0.27 million
    assert kr.profile(network).trainable_params == kr.profile("cifar_resnet20").trainable_params == 269_722
    # its L2 penalty is half of 1e-4 times the sum of squares of every trained weight
    squares = sum(float(np.sum(np.square(weight))) for weight in map(np.asarray, network.trainable_weights))
    assert float(sum(network.losses)) == pytest.approx(0.5e-4 * squares, rel=1e-5)
