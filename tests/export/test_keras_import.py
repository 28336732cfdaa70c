"""Keras' legacy `.h5` files of whole networks open where this package is not; BiT's once its convolutions are plain.

Of `.keras` files, which hold every network, see tests/core/test_zoo.py. The legacy format knows layers only: networks
with a padding that no stock layer does (shortcut A, blur, the pool of the pre-activation ones) need `.keras`.
"""

import json
import subprocess
import sys

import keras
import numpy as np
import pytest

import keras_resnet as kr
from tests.conftest import KINDS, images, is_plain_keras
from tests.export.conftest import lively

PLAIN_PROCESS = """
import json, pathlib, sys
sys.modules["keras_resnet"] = None  # whoever imports it fails
import keras, numpy as np
worst = {}
for path in pathlib.Path(sys.argv[1]).glob("*.npz"):
    data = np.load(path)
    outputs = keras.models.load_model(path.with_suffix(".h5"), compile=False)(data["x"])
    worst[path.stem] = float(np.abs(keras.ops.convert_to_numpy(outputs) - data["expected"]).max())
print(json.dumps(worst))
"""
KERAS_ONLY = {"cifar_resnet20", "resnetblur50", "resnetv2_50", "resnetv2_18"}


@pytest.mark.slow
def test_classic_networks_open_in_a_plain_keras_from_h5(tmp_path):
    kept_out = set()
    for spec, name in KINDS.items():
        model = lively(kr.build(spec, classifier_activation=None, name=name))
        model = model if is_plain_keras(spec) else kr.fold_batchnorm(model)
        if not all(isinstance(operation, keras.Layer) for operation in model.operations):
            kept_out.add(name)
            continue
        x = images(2, *spec.input_shape)
        np.savez(tmp_path / f"{name}.npz", x=x, expected=keras.ops.convert_to_numpy(model(x)))
        model.save(tmp_path / f"{name}.h5")
    assert kept_out == KERAS_ONLY
    command = [sys.executable, "-c", PLAIN_PROCESS, str(tmp_path)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr[-2000:]
    worst = json.loads(run.stdout.splitlines()[-1])
    assert set(worst) == set(KINDS.values()) - KERAS_ONLY
    assert set(worst.values()) == {0.0}
