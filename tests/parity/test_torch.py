"""The same weights, the same logits: torchvision, timm and akamaster, and back into them, strictly and to the bit."""

from typing import Any

import numpy as np
import pytest

import keras_resnet as kr
from tests.peers import images, randomise_torch, torch_logits

pytestmark = pytest.mark.slow

TORCHVISION = ["resnet18", "resnet34", "resnet50", "resnet101", "wide_resnet50_2", "wide_resnet101_2"]
TORCHVISION += ["resnext50_32x4d", "resnext101_32x8d", "resnext101_64x4d"]
TIMM = ["resnet18d", "resnet34d", "resnet50c", "resnet50d", "seresnet18", "seresnet50", "resnetrs50", "resnetrs101"]
TIMM += ["resnetblur50", "resnext50_32x4d", "resnet200"]
TIMM_V2 = ["resnetv2_18", "resnetv2_34", "resnetv2_50", "resnetv2_101", "resnetv2_50x1_bit", "resnetv2_101x1_bit"]


def round_trip(
    peer: Any, create: Any, name: str, layout: str, family: str, record: Any, torch: Any, folder: Any
) -> None:
    """Peer -> file -> ours: equal logits. Ours -> file -> a fresh peer, strictly: equal bits."""
    torch.save(peer.state_dict(), folder / "peer.pth")
    model = kr.create_model(name, input_shape=(64, 64, 3), classifier_activation=None)
    loaded = kr.load_weights(model, folder / "peer.pth")
    assert loaded.layout == layout
    batch = images()
    record(family, name, torch_logits(peer, torch, batch), model(batch))
    kr.save_weights(model, folder / "back.safetensors", layout=family)
    from safetensors.torch import load_file

    fresh = create()
    fresh.load_state_dict(load_file(folder / "back.safetensors"), strict=True)
    for key, value in peer.state_dict().items():
        assert torch.equal(value, fresh.state_dict()[key]), key


@pytest.mark.parametrize("name", TORCHVISION)
def test_torchvision(name: str, torch: Any, torchvision: Any, record: Any, tmp_path: Any) -> None:
    create = getattr(torchvision.models, name)
    peer = randomise_torch(create(), torch)
    round_trip(peer, create, name, "torchvision resnet", "torchvision", record, torch, tmp_path)


@pytest.mark.parametrize("name", TIMM)
def test_timm(name: str, torch: Any, timm: Any, record: Any, tmp_path: Any) -> None:
    def create() -> Any:
        return timm.create_model(name)

    layout = {"resnetblur50": "timm resnet", "resnext50_32x4d": "torchvision resnet", "resnet200": "torchvision resnet"}
    plain = "timm resnet" if name.startswith("seresnet") or name.endswith("c") else "timm resnet-d"
    round_trip(randomise_torch(create(), torch), create, name, layout.get(name, plain), "timm", record, torch, tmp_path)


@pytest.mark.parametrize("name", TIMM_V2)
def test_timm_v2(name: str, torch: Any, timm: Any, record: Any, tmp_path: Any) -> None:
    def create() -> Any:
        return timm.create_model(name)

    peer = randomise_torch(create(), torch)
    round_trip(peer, create, name, "timm resnetv2", "timm", record, torch, tmp_path)


@pytest.mark.slow
def test_vgg19(torch: Any, torchvision: Any, timm: Any, record: Any, tmp_path: Any) -> None:
    """The flattened feature map: torch's order is channels first, ours channels last."""
    from safetensors.torch import load_file, save_file

    model = kr.create_model("vgg19", classifier_activation=None)
    batch = images(224)[:1]
    for family, create in (("torchvision", torchvision.models.vgg19), ("timm", lambda: timm.create_model("vgg19"))):
        peer = randomise_torch(create(), torch)
        save_file(peer.state_dict(), tmp_path / "peer.safetensors")
        assert kr.load_weights(model, tmp_path / "peer.safetensors").layout == f"{family} vgg19"
        record(family, "vgg19", torch_logits(peer, torch, batch), model(batch))
        kr.save_weights(model, tmp_path / "back.safetensors", layout=family)
        back = load_file(tmp_path / "back.safetensors")
        assert all(torch.equal(back[key], value) for key, value in peer.state_dict().items())


@pytest.mark.parametrize("depth", [20, 56])
@pytest.mark.parametrize("shortcut", ["A", "B"])
def test_akamaster(depth: int, shortcut: str, torch: Any, record: Any, tmp_path: Any) -> None:
    """A network of that form written down again in torch, from the paper: its repository is no package."""
    name = f"cifar_resnet{depth}"
    peer = randomise_torch(cifar_resnet(torch, (depth - 2) // 6, shortcut), torch)
    wrapped = {"state_dict": {f"module.{key}": value for key, value in peer.state_dict().items()}, "best_prec1": 90.0}
    torch.save(wrapped, tmp_path / "peer.th")
    model = kr.create_model(name, shortcut=shortcut, classifier_activation=None)
    assert kr.load_weights(model, tmp_path / "peer.th").layout == "akamaster CIFAR resnet"
    batch = images(32)
    record("akamaster's form", f"{name}, shortcut {shortcut}", torch_logits(peer, torch, batch), model(batch))
    kr.save_weights(model, tmp_path / "back.safetensors", layout="akamaster")
    from safetensors.torch import load_file

    back = load_file(tmp_path / "back.safetensors")
    assert all(torch.equal(back[key], value) for key, value in peer.state_dict().items())


def cifar_resnet(torch: Any, units: int, shortcut: str) -> Any:
    nn, functional = torch.nn, torch.nn.functional

    class Block(nn.Module):
        def __init__(self, width_in: int, width: int, stride: int) -> None:
            super().__init__()
            self.conv1, self.bn1 = nn.Conv2d(width_in, width, 3, stride, 1, bias=False), nn.BatchNorm2d(width)
            self.conv2, self.bn2 = nn.Conv2d(width, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width)
            self.pad = (width - width_in) // 2
            if stride > 1 and shortcut == "B":
                self.shortcut = nn.Sequential(nn.Conv2d(width_in, width, 1, stride, bias=False), nn.BatchNorm2d(width))

        def forward(self, x: Any) -> Any:
            y = self.bn2(self.conv2(functional.relu(self.bn1(self.conv1(x)))))
            if hasattr(self, "shortcut"):
                x = self.shortcut(x)
            elif self.pad:
                x = functional.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.pad, self.pad))
            return functional.relu(x + y)

    class Network(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv1, self.bn1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16)
            for stage, (width_in, width) in enumerate([(16, 16), (16, 32), (32, 64)], 1):
                blocks = [
                    Block(width_in if i == 0 else width, width, 2 if i == 0 and stage > 1 else 1) for i in range(units)
                ]
                setattr(self, f"layer{stage}", nn.Sequential(*blocks))
            self.linear = nn.Linear(64, 10)

        def forward(self, x: Any) -> Any:
            x = functional.relu(self.bn1(self.conv1(x)))
            x = self.layer3(self.layer2(self.layer1(x)))
            return self.linear(x.mean((2, 3)))

    return Network()


@pytest.mark.parametrize("channels", [1, 4, 5])
def test_input_channels_are_adapted_as_timm_does(
    channels: int, torch: Any, timm: Any, record: Any, tmp_path: Any
) -> None:
    from timm.models._manipulate import adapt_input_conv

    peer = randomise_torch(timm.create_model("resnet18"), torch)
    torch.save(peer.state_dict(), tmp_path / "peer.pth")
    adapted = timm.create_model("resnet18", in_chans=channels)
    state = peer.state_dict() | {"conv1.weight": adapt_input_conv(channels, peer.conv1.weight.data)}
    adapted.load_state_dict(state)
    model = kr.create_model("resnet18", input_shape=(64, 64, channels), classifier_activation=None)
    assert kr.load_weights(model, tmp_path / "peer.pth").adapted == "conv1.weight"
    batch = images(channels=channels)
    record("timm", f"resnet18, {channels} channels", torch_logits(adapted.eval(), torch, batch), model(batch))
    assert np.isfinite(model.get_layer("stem_conv").kernel.numpy()).all()
