"""Preprocessing against the ones of the peers: torchvision's and timm's on Pillow, keras.applications'."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

import keras_resnet as kr
from keras_resnet.data import preprocess
from keras_resnet.data.imagenet import class_names, decode_predictions
from keras_resnet.data.preprocess import Preprocessing

PHOTOGRAPHS = Path(__file__).parents[3] / "shared" / "data" / "images"
SIZES = [(299, 299), (375, 500), (500, 333), (192, 257), (64, 1000), (224, 224), (100, 90)]


def photographs() -> list[np.ndarray]:
    """Real ones where they are at hand, and noise of awkward sizes always: noise is the hardest for a resize."""
    from PIL import Image

    generator = np.random.default_rng(0)
    noise = [generator.integers(0, 256, (*size, 3), dtype=np.uint8) for size in SIZES]
    real = (
        sorted(PHOTOGRAPHS.glob("flowers/val/*/*.jpg"))[::30]
        + sorted(PHOTOGRAPHS.glob("imagenet_compatible/*.png"))[::20]
    )
    return noise + [np.asarray(Image.open(path).convert("RGB")) for path in real]


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize(("size", "crop_pct"), [(224, 0.875), (224, 0.95), (160, 1.0), (176, 0.9)])
def test_as_torchvision(size: int, crop_pct: float, interpolation: Any, torchvision: Any) -> None:
    """NumPy: to the last bit of float32. tf.data: some pixels differ by a level or two of 255."""
    from PIL import Image

    transforms = torchvision.transforms
    peer = transforms.Compose(
        [
            transforms.Resize(int(size / crop_pct), getattr(transforms.InterpolationMode, interpolation.upper())),
            transforms.CenterCrop(size),
            transforms.ToTensor(),
            transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
        ]
    )
    ours = Preprocessing((size, size), crop_pct=crop_pct, interpolation=interpolation)
    worst, differing, pixels = 0.0, 0, 0
    for photograph in photographs():
        expected = peer(Image.fromarray(photograph)).numpy().transpose(1, 2, 0)
        np.testing.assert_allclose(ours.numpy(photograph), expected, atol=2e-6)
        levels = np.abs(np.asarray(ours(photograph)) - expected) * np.array(ours.std) * 255
        worst, differing, pixels = max(worst, levels.max()), differing + (levels > 0.5).sum(), pixels + levels.size
    print(
        f"\n{size} {crop_pct} {interpolation}: tf.data off by {worst:.1f} levels at most, in {differing / pixels:.1e}"
    )
    assert worst <= 2.01
    assert differing / pixels <= 3e-2


@pytest.mark.parametrize(
    ("mode", "normal"), [("caffe", preprocess.CAFFE), ("tf", preprocess.UNIT_RANGE), ("torch", preprocess.IMAGENET)]
)
def test_as_keras_applications(mode: str, normal: dict[str, Any]) -> None:
    pixels = np.random.default_rng(0).uniform(0, 255, (2, 9, 7, 3)).astype("float32")
    expected = keras.applications.imagenet_utils.preprocess_input(pixels.copy(), mode=mode)
    value = Preprocessing((9, 7), **normal)
    np.testing.assert_allclose(value.normalize(pixels), expected, rtol=1e-5, atol=1e-5)
    network = keras.Sequential([keras.Input((9, 7, 3)), keras.layers.Identity()])
    np.testing.assert_allclose(value.attach(network)(pixels), expected, rtol=1e-5, atol=1e-5)


def test_white_is_what_the_formula_says() -> None:
    """A variance in place of the deviation would give 1.08, 1.15, 1.25."""
    white = Preprocessing((4, 4)).numpy(np.full((4, 4, 3), 255, np.uint8))
    np.testing.assert_allclose(white[0, 0], [(1 - 0.485) / 0.229, (1 - 0.456) / 0.224, (1 - 0.406) / 0.225], rtol=1e-6)


@pytest.mark.slow
def test_in_a_pipeline_and_in_an_export(tmp_path: Path) -> None:
    import tensorflow as tf

    value = Preprocessing((32, 32), crop_pct=0.9)
    images = np.random.default_rng(0).integers(0, 256, (3, 50, 60, 3), dtype=np.uint8)
    batches = tf.data.Dataset.from_tensor_slices(images).map(value).batch(3)
    assert next(iter(batches)).shape == (3, 32, 32, 3)
    model = kr.create_model("cifar_resnet20")
    attached = value.attach(model)
    attached.export(tmp_path / "saved", verbose=False)
    pixels = images[:, :32, :32].astype("float32")
    restored = tf.saved_model.load(tmp_path / "saved")
    np.testing.assert_allclose(restored.serve(pixels), model(value.normalize(pixels)), atol=1e-5)


def test_other_proportions_and_grey() -> None:
    wide = Preprocessing((30, 60), mean=(0.5,), std=(0.25,), crop_pct=0.8)
    image = np.random.default_rng(0).integers(0, 256, (100, 90, 1), dtype=np.uint8)
    assert wide.resize_to == (37, 75)
    np.testing.assert_allclose(wide(image), wide.numpy(image), atol=1.01 / 255 / 0.25)


@pytest.mark.parametrize(
    "wrong",
    [
        {"std": (0.1, 0.0, 0.1)},
        {"crop_pct": 0},
        {"size": (0, 3)},
        {"interpolation": "nearest"},
        {"channel_order": "gbr"},
    ],
)
def test_refusals(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="received"):
        Preprocessing(**{"size": (8, 8), **wrong})


def test_names_are_those_of_keras() -> None:
    """Spot checks against names that everybody knows; Keras' own list would need a download."""
    assert len(class_names()) == 1000
    assert len({identifier for identifier, _ in class_names()}) == 1000
    assert [identifier for identifier, _ in class_names()] == sorted(identifier for identifier, _ in class_names())
    known = {0: "tench", 281: "tabby", 285: "Egyptian_cat", 388: "giant_panda", 817: "sports_car", 999: "toilet_tissue"}
    assert {label: class_names()[label][1] for label in known} == known
    scores = np.zeros((2, 1000), "float32")
    scores[0, 281], scores[0, 285], scores[1, 0] = 0.7, 0.2, 1.0
    first, second = decode_predictions(scores, top=2)
    assert [entry[1] for entry in first] == ["tabby", "Egyptian_cat"]
    assert second[0] == ("n01440764", "tench", 1.0)
    with pytest.raises(ValueError, match=r"received \(2, 10\)"):
        decode_predictions(scores[:, :10])
