"""Living peers, or a clear word where one is not installed; random weights for them, and batch statistics that fit."""

from types import ModuleType
from typing import Any

import keras
import numpy as np
import pytest

from benchmarks.torchvision_operators import declare_operators


@pytest.fixture(scope="session")
def torch() -> ModuleType:
    return pytest.importorskip("torch", reason="torch is not installed: pip install torch")


@pytest.fixture(scope="session")
def torchvision(torch: Any) -> ModuleType:
    declare_operators()
    return pytest.importorskip("torchvision", reason="torchvision is not installed", exc_type=ImportError)


@pytest.fixture(scope="session")
def timm(torchvision: Any) -> ModuleType:
    return pytest.importorskip("timm", reason="timm is not installed: pip install timm", exc_type=ImportError)


def images(size: int = 64, channels: int = 3) -> np.ndarray:
    return np.random.default_rng(7).normal(size=(2, size, size, channels)).astype("float32")


def randomise_torch(model: Any, torch: Any) -> Any:
    """Random weights, and the batch statistics of random images under them, as a trained network has them.

    With statistics out of step with the weights, activations grow from unit to unit until squeeze-and-excitation is a
    step function: torch's own float32 and float64 then differ by 0.3 of the largest logit (resnetrs101). For the same
    reason the last scale of each branch is small, as training from zero leaves it.
    """
    torch.manual_seed(1)
    norms = [module for module in model.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    with torch.no_grad():
        for name, tensor in model.named_parameters():
            if tensor.ndim > 1:
                tensor.normal_(0, (2 / tensor[0].numel()) ** 0.5)
            else:
                tensor.uniform_(0.5, 1.5) if name.endswith("weight") else tensor.normal_(0, 0.2)
        for norm in norms:
            norm.momentum = 1.0
        for unit in [module for module in model.modules() if hasattr(module, "bn1") and hasattr(module, "conv2")]:
            getattr(unit, "bn3", unit.bn2).weight *= 0.2
        if norms:
            model.train()(torch.randn(16, 3, 64, 64))
        for norm in norms:
            norm.momentum, norm.num_batches_tracked = 0.1, torch.tensor(0)
    return model.eval()


def randomise_keras(model: Any) -> Any:
    """The same for a Keras model."""
    generator = np.random.default_rng(1)
    for weight in model.trainable_weights:
        if len(weight.shape) > 1:
            weight.assign(generator.normal(0, (2 / np.prod(weight.shape[:-1])) ** 0.5, weight.shape))
        else:
            gamma = weight.name == "gamma"
            weight.assign(
                generator.uniform(0.5, 1.5, weight.shape) if gamma else generator.normal(0, 0.2, weight.shape)
            )
    layers = list(model._flatten_layers(include_self=False))
    norms = [layer for layer in layers if isinstance(layer, keras.layers.BatchNormalization)]
    names = {norm.name for norm in norms}
    for norm in norms:
        norm.momentum = 0.0
        if (
            "block" in norm.name
            and norm.name.endswith(("2_bn", "3_bn"))
            and norm.name[:-4] + "3_bn" not in names - {norm.name}
        ):
            norm.gamma.assign(0.2 * norm.gamma)
    if norms:
        model(generator.normal(size=(16, 64, 64, 3)).astype("float32"), training=True)
    for norm in norms:
        norm.momentum = 0.9
    return model


def torch_logits(model: Any, torch: Any, batch: np.ndarray) -> np.ndarray:
    with torch.no_grad():
        return model(torch.from_numpy(np.moveaxis(batch, -1, 1).copy())).numpy()
