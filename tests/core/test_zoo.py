"""Every named network: counted against sources outside this project, run, differentiated, saved and reopened."""

import csv
import itertools
import json
import math
import os
import re
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

import keras_resnet as kr
from keras_resnet import zoo
from keras_resnet.profile import profile
from keras_resnet.zoo import ZOO
from tests.conftest import KINDS, counted_by_name, gradients, images, is_plain_keras

ORACLES = Path(__file__).parent.parent / "oracles"


def table(name):
    with (ORACLES / name).open() as file:
        return {row["name"]: row for row in csv.DictReader(file)}


PEERS, PUBLISHED = table("peers.csv"), table("published.csv")

# What neither torchvision nor timm has, from the papers and their authors' code.
CIFAR_EXACT = {  # facebookresearch/pycls, dev/model_complexity.json (its FLOPs count the classifier's 10 biases)
    ("cifar_resnet56", "B"): (855_770, 125_747_850 - 10),
    ("cifar_resnet110", "B"): (1_730_714, 253_149_834 - 10),
    ("cifar_plain56", "none"): (853_018, 125_485_706 - 10),
}
CIFAR_MILLIONS = {  # arXiv:1512.03385 table 6; arXiv:1605.07146 table 4; arXiv:1603.05027 (1.7 M for depth 110 and 164)
    "cifar_resnet20": "0.27",
    "cifar_resnet32": "0.46",
    "cifar_resnet44": "0.66",
    "cifar_resnet56": "0.85",
    "cifar_resnet110": "1.7",
    "cifar_resnet1202": "19.4",
    "cifar_resnetv2_110": "1.7",
    "cifar_resnetv2_164": "1.7",
    "cifar_wrn16_8": "11.0",
    "cifar_wrn28_10": "36.5",
    "cifar_wrn40_4": "8.9",
}


@pytest.mark.parametrize("name", PEERS)
def test_counts_equal_the_living_peers(name):
    counted, peer = counted_by_name(name), PEERS[name]
    assert counted.uncounted == ()
    assert counted.trainable_params == int(peer["parameters"])
    assert counted.macs == int(peer["multiply_adds"])
    assert counted.activations == int(peer["activations"])


@pytest.mark.slow
@pytest.mark.parametrize("name", PUBLISHED)
def test_counts_are_the_published_ones(name):
    """timm's benchmark tables: at other sizes than 224 too, to 1 %."""
    size, published = int(PUBLISHED[name]["size"]), float(PUBLISHED[name]["gmacs"]) * 1e9
    counted = profile(name, (size, size, 3))
    # timm's counter adds 5 for each element of a group norm, and 4 for each weight that is standardised
    norms = sum(5 * math.prod(row.output) for row in counted.rows if row.kind == "GroupNormalization")
    standardized = sum(4 * row.params for row in counted.rows if row.kind == "StdConv2D")
    assert counted.macs + norms + standardized == pytest.approx(published, rel=0.01, abs=0.005e9)
    assert counted.trainable_params / 1e6 == pytest.approx(float(PUBLISHED[name]["parameters_millions"]), abs=0.005001)


@pytest.mark.parametrize(("name", "shortcut"), CIFAR_EXACT)
def test_cifar_counts_equal_pycls(name, shortcut):
    with kr.weightless():
        counted = profile(kr.create_model(name, shortcut=shortcut))
    assert (counted.trainable_params, counted.macs) == CIFAR_EXACT[name, shortcut]


@pytest.mark.parametrize("name", CIFAR_MILLIONS)
def test_cifar_counts_are_the_papers(name):
    published = CIFAR_MILLIONS[name]
    decimals = len(published.split(".")[1])
    assert math.isclose(counted_by_name(name).trainable_params / 1e6, float(published), abs_tol=10**-decimals)


def test_resnet1001_counts_the_papers_convolutions():
    """arXiv:1603.05027 states 10.2 M: the convolutions alone; norms and classifier add 0.1 M."""
    convolutions = [row for row in counted_by_name("cifar_resnetv2_1001").rows if row.kind == "Conv2D"]
    assert f"{sum(row.params for row in convolutions) / 1e6:.1f}" == "10.2"


@pytest.mark.parametrize("units", [3, 5, 7, 9, 18, 200])
def test_option_a_has_the_parameters_of_the_plain_twin(units):
    """Counted by hand from section 4.2: 3x3 convolutions of 16, 32 and 64 channels with two norm weights a channel."""
    channels = [3, *[16] * (2 * units + 1), *[32] * (2 * units), *[64] * (2 * units)]
    by_hand = sum(9 * a * b + 2 * b for a, b in itertools.pairwise(channels)) + 64 * 10 + 10
    for kind in ("resnet", "plain"):
        if (name := f"cifar_{kind}{6 * units + 2}") in ZOO:
            assert counted_by_name(name).trainable_params == by_hand


def test_the_fast_cifar_networks_are_counted_by_hand():
    """The wider one is a ResNet-18 of kuangliu/pytorch-cifar, of 11,173,962 parameters, without two of its units."""
    stages = [(32, 32, False), (32, 128, True), (128, 256, True), (256, 256, True)]  # in, out, whether it projects
    units = sum(9 * (a + b) * b + 4 * b + project * (a * b + 2 * b) for a, b, project in stages)
    assert counted_by_name("cifar_resnet10_w32").trainable_params == 9 * 3 * 32 + 2 * 32 + units + 256 * 10 + 10
    with kr.weightless():
        eighteen = profile(kr.create_model("cifar_resnet14_w64", depths=(2, 2, 2, 2)))
    units = sum(2 * 9 * width * width + 4 * width for width in (64, 512))  # one each of the first and last stage
    assert eighteen.trainable_params == 11_173_962
    assert counted_by_name("cifar_resnet14_w64").trainable_params == 11_173_962 - units


@pytest.mark.parametrize("depth", [50, 101, 152])
def test_v1_counts_equal_keras_applications(depth):
    """The original places the stride on the 1x1, as keras.applications does; that has a bias in every convolution."""
    ours = counted_by_name(f"resnet{depth}_v1")
    with kr.weightless():
        theirs = profile(getattr(keras.applications, f"ResNet{depth}")(weights=None))
    biases = sum(row.output[-1] for row in theirs.rows if row.kind == "Conv2D")
    assert ours.macs == theirs.macs
    assert ours.trainable_params == theirs.trainable_params - biases


def test_the_table_states_its_counts():
    stated = re.findall(r'^    "(\w+)": .*# ([\d,]+)$', Path(zoo.__file__).read_text(), flags=re.MULTILINE)
    assert [name for name, _ in stated] == list(ZOO)
    for name, count in stated:
        assert counted_by_name(name).trainable_params == int(count.replace(",", "")), name


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A folder that the tests below fill with small networks and their outputs."""
    return tmp_path_factory.mktemp("saved")


@pytest.mark.parametrize("spec", KINDS, ids=KINDS.values())
def test_runs_learns_and_saves(spec, saved):
    """Each kind at a small size: finite outputs, a gradient for every weight, equal outputs once reopened."""
    name = KINDS[spec]
    model = kr.build(spec, classifier_activation=None, name=name)
    x = images(4, *spec.input_shape)
    expected = keras.ops.convert_to_numpy(model(x))
    assert expected.shape == (4, spec.classes)
    assert np.isfinite(expected).all()
    for path, gradient in gradients(model, x).items():
        assert gradient is not None, path
        assert np.isfinite(gradient).all(), path
        assert gradient.any(), path
    expected = keras.ops.convert_to_numpy(model(x))  # the moving statistics changed
    model.save(saved / f"{name}.keras")
    reopened = keras.models.load_model(saved / f"{name}.keras")
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(reopened(x)), expected)
    if is_plain_keras(spec):
        np.savez(saved / f"{name}.npz", x=x, expected=expected)


PLAIN_PROCESS = """
import json, pathlib, sys
sys.modules["keras_resnet"] = None  # whoever imports it fails
import keras, numpy as np
worst = {}
for path in pathlib.Path(sys.argv[1]).glob("*.npz"):
    data = np.load(path)
    outputs = keras.ops.convert_to_numpy(keras.models.load_model(path.with_suffix(".keras"))(data["x"]))
    worst[path.stem] = float(np.abs(outputs - data["expected"]).max())
print(json.dumps(worst))
"""


@pytest.mark.slow
def test_opens_in_a_keras_that_has_never_heard_of_us(saved):
    if not list(saved.glob("*.npz")):
        pytest.skip("run test_runs_learns_and_saves in the same session: it saves what this test opens")
    arguments = [sys.executable, "-c", PLAIN_PROCESS, str(saved)]
    run = subprocess.run(arguments, capture_output=True, text=True, check=False, env=os.environ)
    assert run.returncode == 0, run.stderr[-2000:]
    worst = json.loads(run.stdout.splitlines()[-1])
    assert set(worst) == {path.stem for path in saved.glob("*.npz")}
    assert set(worst.values()) == {0.0}


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in ZOO if counted_by_name(name).trainable_params < 30e6])
def test_runs_at_full_depth(name):
    """The true network, on inputs as small as it takes, normed by batch statistics: untrained moving ones norm nothing,
    and the sums of a thousand layers overflow."""
    spec = ZOO[name]
    size = 16 if isinstance(spec, kr.Spec) and not spec.blur else 32
    shape = (*((size,) * (len(spec.input_shape) - 1)), spec.input_shape[-1])
    model = kr.create_model(name, input_shape=shape)
    outputs = keras.ops.convert_to_numpy(model(images(4, *shape), training=True))
    np.testing.assert_allclose(outputs.sum(axis=-1), 1, atol=1e-4)


@pytest.mark.slow
def test_the_deepest_reopens_with_a_deeper_recursion(tmp_path):
    """Keras walks a model by recursion: 1202 layers need the limit that the README names."""
    model = kr.create_model("cifar_resnet1202", input_shape=(8, 8, 3), zero_init_residual=True)
    x = images(2, 8, 8, 3)
    expected = keras.ops.convert_to_numpy(model(x))
    assert np.isfinite(expected).all()
    model.save(tmp_path / "deep.keras")
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(20_000)
    try:
        reopened = keras.models.load_model(tmp_path / "deep.keras")
    finally:
        sys.setrecursionlimit(limit)
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(reopened(x)), expected)
