"""Writes peers.csv: what the peers' own models count, with hooks on their convolutions and linear layers.

    pip install torch==2.13.0 pyyaml safetensors huggingface_hub && pip install --no-deps timm torchvision==0.28.0
    python -m tests.oracles.make_peers

Models stand on torch's meta device, so that the largest need no memory.
"""

import csv
from functools import partial
from pathlib import Path

import torch
from torch import nn

from benchmarks.torchvision_operators import declare_operators

declare_operators()

import timm  # noqa: E402
import torchvision  # noqa: E402
from timm.layers import BatchNormAct2d, create_conv2d  # noqa: E402
from timm.models.resnetv2 import ResNetV2  # noqa: E402

from keras_resnet import list_models  # noqa: E402

TORCHVISION, TIMM = f"torchvision {torchvision.__version__.split('+')[0]}", f"timm {timm.__version__}"


def peer(name):
    """(model, source) of a network that a peer has under the same name, or (None, None)."""
    if name == "resnetv2_200":  # timm's class, as it makes resnetv2_152, with the depths of ResNet-200
        make_norm = partial(BatchNormAct2d, eps=1e-5)
        return ResNetV2([3, 24, 36, 3], conv_layer=create_conv2d, norm_layer=make_norm), TIMM
    if hasattr(torchvision.models, name):
        return getattr(torchvision.models, name)(), TORCHVISION
    return (timm.create_model(name), TIMM) if name in timm.list_models() else (None, None)


def count(model, left_out=""):
    """(parameters, multiply-adds, activations) at 224 x 224, without the modules whose names contain `left_out`."""
    totals = [0, 0, 0]

    def add(module, _, output):
        totals[1] += output.numel() * module.weight[0].numel()
        totals[2] += output.numel()

    for name, module in model.named_modules():
        if left_out and left_out in name:
            continue
        totals[0] += sum(parameter.numel() for parameter in module.parameters(recurse=False))
        if isinstance(module, nn.Conv2d | nn.Linear):
            module.register_forward_hook(add)
    with torch.no_grad():
        model.eval()(torch.empty(1, 3, 224, 224, device="meta"))
    return totals


def main():
    """Write the table beside this file."""
    rows = []
    with torch.device("meta"):
        for name in list_models():
            model, source = peer(name)
            if model is not None:
                rows.append([name, *count(model), source])
        for depth in (18, 34):
            residual = getattr(torchvision.models, f"resnet{depth}")()
            rows.append([f"plain{depth}", *count(residual, "downsample"), f"{TORCHVISION}, less its downsample layers"])
    with Path(__file__).with_name("peers.csv").open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(
            [["name", "parameters", "multiply_adds", "activations", "source"], *rows]
        )


if __name__ == "__main__":
    main()
