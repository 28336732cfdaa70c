"""The same weights, the same logits: keras.applications, keras-hub and BiT's npz, and back."""

from typing import Any

import keras
import numpy as np
import pytest

import keras_resnet as kr
from tests.peers import images, randomise_keras, randomise_torch, torch_logits

pytestmark = pytest.mark.slow

APPLICATIONS = {
    "resnet50_v1": "ResNet50",
    "resnet101_v1": "ResNet101",
    "resnetv2_50_keras": "ResNet50V2",
    "resnetv2_101_keras": "ResNet101V2",
}


def peer_of(name: str) -> Any:
    return getattr(keras.applications, APPLICATIONS[name])(
        weights=None, classifier_activation=None, input_shape=(64, 64, 3)
    )


@pytest.mark.parametrize("name", APPLICATIONS)
def test_applications(name: str, record: Any, tmp_path: Any) -> None:
    """Their convolutions' biases are folded, their epsilon of 1.001e-5 is kept whatever the model's."""
    peer = randomise_keras(peer_of(name))
    peer.save_weights(tmp_path / "peer.weights.h5")
    batch = images()
    for epsilon in (1.001e-5, 1e-3):
        model = kr.create_model(name, input_shape=(64, 64, 3), classifier_activation=None, norm_epsilon=epsilon)
        assert kr.load_weights(model, tmp_path / "peer.weights.h5").layout.startswith("keras.applications resnet")
        record("keras.applications", f"{name}, epsilon {epsilon}", peer(batch), model(batch))


@pytest.mark.parametrize("name", APPLICATIONS)
def test_back_to_applications(name: str, record: Any, tmp_path: Any) -> None:
    """Keras reads `.h5` weights by position in the layer order: ours must be theirs. A second round is bit-equal."""
    options = {"input_shape": (64, 64, 3), "classifier_activation": None, "norm_epsilon": 1.001e-5}
    model = randomise_keras(kr.create_model(name, **options))
    kr.save_weights(model, tmp_path / "back.h5", layout="keras_applications")
    peer = peer_of(name)
    peer.load_weights(tmp_path / "back.h5")
    batch = images()
    record("keras.applications", f"{name}, back", peer(batch), model(batch))
    again = kr.create_model(name, **options)
    kr.load_weights(again, tmp_path / "back.h5")
    for one, two in zip(model.weights, again.weights, strict=True):
        assert np.array_equal(one, two), one.path


@pytest.mark.slow
def test_applications_vgg19(record: Any, tmp_path: Any) -> None:
    peer = randomise_keras(keras.applications.VGG19(weights=None, classifier_activation=None))
    peer.save_weights(tmp_path / "peer.weights.h5")
    model = kr.create_model("vgg19", classifier_activation=None)
    assert kr.load_weights(model, tmp_path / "peer.weights.h5").layout == "keras.applications vgg19"
    batch = images(224)[:1]
    record("keras.applications", "vgg19", peer(batch), model(batch))


HUB = {
    "resnet18": ((2, 2, 2, 2), "basic_block", False),
    "resnet50": ((3, 4, 6, 3), "bottleneck_block", False),
    "resnet50d": ((3, 4, 6, 3), "bottleneck_block_vd", False),
    "resnet101d": ((3, 4, 23, 3), "bottleneck_block_vd", False),
    "resnetv2_50": ((3, 4, 6, 3), "bottleneck_block", True),
    "resnetv2_101": ((3, 4, 23, 3), "bottleneck_block", True),
}


@pytest.mark.parametrize("name", HUB)
def test_hub(name: str, record: Any, tmp_path: Any) -> None:
    hub = pytest.importorskip("keras_hub", reason="keras-hub is not installed: pip install keras-hub")
    depths, block, pre = HUB[name]
    deep = block.endswith("vd")
    backbone = hub.models.ResNetBackbone(
        input_conv_filters=[32, 32, 64] if deep else [64],
        input_conv_kernel_sizes=[3, 3, 3] if deep else [7],
        stackwise_num_filters=[64, 128, 256, 512],
        stackwise_num_blocks=depths,
        stackwise_num_strides=[1, 2, 2, 2],
        block_type=block,
        use_pre_activation=pre,
    )
    peer = randomise_keras(hub.models.ResNetImageClassifier(backbone=backbone, num_classes=1000))
    peer.save_weights(tmp_path / "peer.weights.h5")
    model = kr.create_model(name, input_shape=(64, 64, 3), classifier_activation=None)
    assert kr.load_weights(model, tmp_path / "peer.weights.h5").layout.startswith("keras-hub resnet")
    batch = images()
    record("keras-hub", name, peer(batch), model(batch))


@pytest.mark.parametrize("name", ["resnetv2_50x1_bit", "resnetv2_101x1_bit"])
def test_bit_npz(name: str, torch: Any, timm: Any, record: Any, tmp_path: Any) -> None:
    """The published form of BiT is an npz; timm reads the same file."""
    model = randomise_keras(kr.create_model(name, input_shape=(64, 64, 3), classifier_activation=None))
    kr.save_weights(model, tmp_path / "bit.safetensors", layout="bit")
    from safetensors.numpy import load_file

    np.savez(tmp_path / "bit.npz", **load_file(tmp_path / "bit.safetensors"))
    peer = randomise_torch(timm.create_model(name), torch)
    peer.load_pretrained(str(tmp_path / "bit.npz"))
    again = kr.create_model(name, input_shape=(64, 64, 3), classifier_activation=None)
    assert kr.load_weights(again, tmp_path / "bit.npz").layout == "BiT npz"
    batch = images()
    record("timm, from BiT npz", name, torch_logits(peer, torch, batch), again(batch))
    assert np.array_equal(model(batch), again(batch))
