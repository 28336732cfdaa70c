"""What is said of a grid of trainings, and what is measured of a network, against numbers made by hand."""

import json

import keras
import numpy as np
import pytest

import keras_resnet as kr
from keras_resnet.train import figures, report
from keras_resnet.train.experiment import refuse_other_settings
from keras_resnet.train.responses import branch_probe, branch_ratio, layer_responses
from tests.conftest import images
from tests.recipes.recipes import Page


def results(errors):
    """As `run_trials` returns them: {(network, depth): training errors, None for diverged}."""
    return [
        {
            "network": network, "depth": depth, "seed": seed, "parameters": 1000 * depth, "steps": 20, "seconds": 1.0,
            "train_error": error, "test_error": None if error is None else error + 1,
            "diverged": "the loss is nan at step 3" if error is None else None,
            "curve": {
                "step": [10, 20],
                "train_error": [50.0, error] if error is not None else [],
                "test_error": [50.0, error + 1] if error is not None else [],
            },
            "responses": dict.fromkeys(map(str, range(depth - 1)), 0.5),
        }
        for (network, depth), group in errors.items()
        for seed, error in enumerate(group)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("shallow", "deep", "outcome"),
    [
        ([1.0, 2.0, 3.0], [3.1, 4.0, 9.0], "degraded"),
        ([3.1, 4.0, 9.0], [1.0, 2.0, 3.0], "did not degrade"),
        ([1.0, 2.0, 3.0], [3.0, 4.0, 9.0], "cannot be told apart"),  # touching is overlapping
        ([0.0, 0.0], [0.0, 0.0], "cannot be told apart"),
        ([1.0], [90.0, 91.0], "cannot be told apart"),  # one seed has no spread
        ([], [], "cannot be told apart"),
    ],
)
def test_three_outcomes(shallow, deep, outcome):
    assert report.compare(shallow, deep) == outcome
    verdict = report.degradation(results({("plain", 8): shallow or [None], ("plain", 56): deep or [None]}), "plain")
    assert verdict.outcome == outcome
    assert outcome in verdict.sentence


def test_the_verdict_is_of_the_deepest_and_the_shallowest_alone():
    rows = results({("plain", 8): [1.0, 2.0], ("plain", 20): [0.1, 0.2], ("plain", 56): [5.0, 6.5]})
    verdict = report.degradation([*rows, *results({("residual", 110): [0.0, 0.0]})], "plain")
    assert verdict.sentence == (
        "The plain networks degraded with depth: training error 1.50 % (1.00 to 2.00, 2 seeds) with 8 layers, "
        "5.75 % (5.00 to 6.50, 2 seeds) with 56."
    )


def test_divergence_is_counted_and_said():
    rows = results({("plain", 8): [1.0, 2.0, 3.0], ("plain", 56): [None, 5.0, 7.0], ("residual", 56): [None] * 3})
    assert "6.00 % (5.00 to 7.00, 2 seeds, 1 diverged) with 56" in report.degradation(rows, "plain").sentence
    assert "none (3 of 3 seeds diverged)" in report.degradation(rows, "residual").sentence
    assert "cannot be told apart" in report.advantage(rows)
    assert [row[5:7] for row in report.summary(rows)[1:]] == [["3", "0"], ["3", "1"], ["3", "3"]]


def test_plain_against_residual_where_they_are_deepest():
    errors = {("plain", 8): [0.0, 0.0], ("residual", 8): [9.0, 9.0], ("plain", 56): [5.0, 6.0]}
    said = report.advantage(results({**errors, ("residual", 56): [1.0, 2.0]}))
    assert said.startswith("Every residual network trained better than every plain one at 56 layers.")
    assert "6.50 % (6.00 to 7.00, 2 seeds) plain; 2.50 % (2.00 to 3.00, 2 seeds) residual." in said
    said = report.advantage(results({**errors, ("residual", 56): [7.0, 8.0]}))
    assert said.startswith("Every plain network trained better than every residual one")


@pytest.mark.parametrize(
    ("last", "end"),
    [
        (0.001, "0 % (1 seed): the branch went to zero."),
        (0.2, "50 % (1 seed): the branch shrank in every seed, but not to zero."),
        (0.5, "125 % (1 seed): the branch did not go to zero."),
        (None, "all diverged: the branch did not go to zero."),
    ],
)
def test_the_added_unit_in_words(last, end):
    ratio = {"none": [0, 0.4, 0.5], "kernels": [0, 0.4, 0.4], "all": [0, 0.4, last]}
    said = report.added_unit([{"step": [0, 10, 20], "begins": 10, "ratio": ratio}])
    assert "without decay 125 % (1 seed)" in said
    assert said.endswith(end)


def test_responses_in_words():
    rows = results(
        {("plain", 8): [1.0] * 2, ("residual", 8): [1.0] * 2, ("plain", 56): [None], ("residual", 56): [1.0]}
    )
    deviations = [{"a": 0.5, "b": 0.7}, {"a": 0.7, "b": 0.9}, {"a": 0.1, "b": 0.3}, {"a": 0.5, "b": 0.3}]
    for row, deviation in zip(rows, deviations, strict=False):
        row["responses"] = deviation
    means = "Mean deviation, plain and residual: 0.70 and 0.30 with 8 layers."
    said = "Residual layers respond more weakly than plain ones, in every seed, at {} of 1 depths. "
    assert report.responses(rows) == said.format(1) + means
    rows[1]["responses"] = {"a": 0.4, "b": 0.2}  # below one residual network
    assert report.responses(rows).startswith(said.format(0))
    assert "At no depth" in report.responses(results({("plain", 8): [None], ("residual", 8): [1.0]}))


def test_pictures_and_page_bear_divergence_and_hostile_text(tmp_path):
    rows = results(
        {("plain", 8): [1.0, 2.0], ("plain", 56): [None, None], ("residual", 8): [0.0], ("residual", 56): [None]}
    )
    figures.plot_error_curves(rows, tmp_path / "curves.png", "title")
    figures.plot_responses(rows, tmp_path / "responses.png", "title")
    figures.plot_depths(rows, tmp_path / "depths.png", "title")
    all_lost = results({("plain", 8): [None], ("plain", 56): [None]})
    for plot in (figures.plot_error_curves, figures.plot_responses, figures.plot_depths):
        plot(all_lost, tmp_path / "lost.png", "title")
    body = [report.table([["<b>", "x"], ["<script src='http://x'>", "&"]]), report.code("<link href='//x'>")]
    body += [report.picture(tmp_path / "curves.png", '"><img src="http://x">')]
    report.write_report(tmp_path / "report.html", "<script>", body)
    page = Page(tmp_path / "report.html")
    assert page.pictures == 1
    assert not page.fetched
    assert "<script src='http://x'>" in page.text


def test_other_settings_are_refused_and_listed(tmp_path):
    refuse_other_settings(tmp_path / "none", {"steps": 3})
    (tmp_path / "config.json").write_text(json.dumps({"config": {"steps": 3, "rate": 0.1, "seeds": 2}}))
    refuse_other_settings(tmp_path, {"steps": 3, "rate": 0.1})
    with pytest.raises(ValueError, match=r"other settings \(steps: 3 before, 4 now; decay: None before, 1 now\)"):
        refuse_other_settings(tmp_path, {"steps": 4, "rate": 0.1, "decay": 1})


@pytest.fixture
def network():
    """Two stages of one unit; norms with all four weights drawn, so that none is without effect."""
    network = kr.create_model(
        "cifar_resnet20", depths=(1, 1), widths=(8, 16), stem_width=8, input_shape=(8, 8, 1), shortcut="B"
    )
    rng = np.random.default_rng(0)
    for layer in network.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.set_weights([rng.uniform(0.5, 2, weight.shape) for weight in layer.get_weights()])
    return network


def test_responses_are_deviations_after_the_norm(network):
    x = images(4, 8, 8, 1)
    responses = layer_responses(network, x)
    norms = ["norm1", "norm2"]
    assert list(responses) == ["stem_norm", *(f"stage{stage}_block1_{norm}" for stage in (1, 2) for norm in norms)]
    kernel = network.get_layer("stem_conv").get_weights()[0]
    padded = np.pad(x[..., 0], ((0, 0), (1, 1), (1, 1)))
    conv = sum(padded[:, i : i + 8, j : j + 8, None] * kernel[i, j, 0] for i in range(3) for j in range(3))
    gamma, beta, mean, variance = network.get_layer("stem_norm").get_weights()
    expected = np.std(gamma * (conv - mean) / np.sqrt(variance + 1e-5) + beta)
    assert responses["stem_norm"] == pytest.approx(expected, rel=1e-4)


def test_the_branch_against_its_input(network):
    """A branch that ends in the scale 0 and a shift is that shift everywhere."""
    x, norm = images(4, 8, 8, 1), network.get_layer("stage1_block1_norm2")
    _, _, mean, variance = norm.get_weights()
    norm.set_weights([np.zeros(8), np.full(8, 3.0), mean, variance])
    inputs = np.asarray(keras.Model(network.input, network.get_layer("stem_act").output)(x))
    expected = np.mean(3 * np.sqrt(8 * 8 * 8) / np.sqrt((inputs**2).sum(axis=(1, 2, 3))))
    probe = branch_probe(network, "stage1_block1")
    assert branch_ratio(probe, x) == pytest.approx(expected, rel=1e-5)
    norm.set_weights([np.zeros(8), np.full(8, np.nan), mean, variance])
    assert branch_ratio(probe, x) is None
