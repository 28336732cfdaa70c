"""Images per second of the input pipeline on two cores, beside Keras' and torch's, on the same JPEGs, in turn.

    python benchmarks/input.py
    python benchmarks/input.py --images 256 --rounds 1     # a try
    python benchmarks/input.py --help

All read the same files of 500 x 375 pixels from a folder and give normalised float32 batches of 64 images at 224. Ours
and torchvision's take random resized crops and flip them. Keras has no such crop: its `image_dataset_from_directory`
resizes what it reads, here to 256, and its layers crop and flip; once with a random zoom before, which makes it the
same augmentation in kind, and once without, which is less work. The last line is libjpeg's limit: decoding every file
whole, in two threads, and nothing else.
"""

import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
CORES = 2
if hasattr(os, "sched_setaffinity"):  # before TensorFlow counts the cores
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])

import keras  # noqa: E402
import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402
import tyro  # noqa: E402
from measure import keep  # noqa: E402
from PIL import Image  # noqa: E402
from torchvision_operators import declare_operators  # noqa: E402

from keras_resnet.data.augment import compose, normalized, random_flip  # noqa: E402
from keras_resnet.data.crops import random_resized_crop  # noqa: E402
from keras_resnet.data.pipeline import training_batches  # noqa: E402
from keras_resnet.data.preprocess import IMAGENET, Preprocessing  # noqa: E402
from keras_resnet.data.sources import load_source  # noqa: E402

SIZE, BATCH = 224, 64
PREPROCESSING = Preprocessing((SIZE, SIZE), **IMAGENET)
COLUMNS = {
    "pipeline": "{}", "images/s, median": "{:.0f}", "least": "{:.0f}", "most": "{:.0f}",
    "ratio, ours to it": "{:.2f}",
}  # fmt: skip
PHOTOGRAPHS = Path(__file__).parents[2] / "shared" / "data" / "images" / "imagenet_compatible"


@dataclass(frozen=True)
class Config:
    """Measure the input pipeline beside others."""

    images: int = 2560
    """Timed in each round, of each pipeline."""
    rounds: int = 7
    """Each pipeline takes its turn in every round."""
    files: int = 256
    """JPEG files to make."""
    folder: Path | None = None
    """Class folders of JPEG files to read in place of those that are made."""
    out: Path = Path("benchmarks/results/input")
    """Without suffix."""


def make_files(folder: Path, count: int) -> str:
    """Write JPEGs of 500 x 375 pixels at quality 90 into four class folders; says what they are made of."""
    sources = sorted(PHOTOGRAPHS.glob("*.png"))
    for number in range(count):
        picture = _mosaic(sources, number) if sources else _synthetic(number)
        place = folder / str(number % 4)
        place.mkdir(exist_ok=True)
        picture.resize((500, 375) if number % 3 else (375, 500), Image.Resampling.BICUBIC).save(
            place / f"{number}.jpg", quality=90
        )
    return (
        "mosaics of four photographs of 299 x 299, made smaller" if sources else "synthetic: shading, edges and noise"
    )


def _mosaic(sources: list[Path], number: int) -> Image.Image:
    """Four photographs side by side: enlarging one would leave it without the fine detail of a camera's."""
    picture = Image.new("RGB", (598, 598))
    for place in range(4):
        part = Image.open(sources[(7 * number + 13 * place) % len(sources)]).convert("RGB")
        picture.paste(part, (299 * (place % 2), 299 * (place // 2)))
    return picture


def _synthetic(number: int) -> Image.Image:
    """Noise whose power falls with the square of the frequency, as that of photographs does."""
    generator = np.random.default_rng(number)
    down, across = np.meshgrid(np.fft.fftfreq(598), np.fft.rfftfreq(598), indexing="ij")
    spectrum = np.fft.rfft2(generator.normal(size=(3, 598, 598))) / np.maximum(np.hypot(down, across), 1 / 598)
    pixels = np.fft.irfft2(spectrum, s=(598, 598))
    pixels = 128 + 50 * (pixels + pixels.mean(axis=0)) / pixels.std()
    return Image.fromarray(np.moveaxis(pixels, 0, -1).clip(0, 255).astype(np.uint8))


def ours(folder: Path, interpolation: Any = "area") -> Iterator[Any]:
    """This package's."""
    transform = compose(random_resized_crop(SIZE, interpolation=interpolation), random_flip, normalized(PREPROCESSING))
    return iter(training_batches(load_source(folder), transform, batch_size=BATCH, steps=10**9, seed=0))


def keras_layers(folder: Path, zoom: bool) -> Iterator[Any]:
    """Keras' own, its layers in the pipeline."""
    images = keras.utils.image_dataset_from_directory(
        folder, label_mode="categorical", image_size=(256, 256), batch_size=BATCH, shuffle=True, seed=0, verbose=False
    )
    zooms = [keras.layers.RandomZoom((-0.7, 0.0), (-0.7, 0.0))] if zoom else []
    layers = [
        *zooms,
        keras.layers.RandomCrop(SIZE, SIZE),
        keras.layers.RandomFlip("horizontal"),
        keras.layers.Rescaling(PREPROCESSING.scale.tolist(), (-PREPROCESSING.offset).tolist()),
    ]

    def augment(batch: Any, labels: Any) -> tuple[Any, Any]:
        for layer in layers:
            batch = layer(batch, training=True)
        return batch, labels

    return iter(images.repeat().map(augment, tf.data.AUTOTUNE).prefetch(2))


def torch_loader(folder: Path) -> Iterator[Any]:
    """torchvision's transforms on Pillow's images, in two processes."""
    import torch

    declare_operators()
    from torchvision import datasets, transforms

    transform = transforms.Compose(
        [
            transforms.RandomResizedCrop(SIZE),
            transforms.RandomHorizontalFlip(),
            transforms.ToTensor(),
            transforms.Normalize(PREPROCESSING.mean, PREPROCESSING.std),
        ]
    )
    data = datasets.ImageFolder(str(folder), transform)
    endless = torch.utils.data.RandomSampler(data, replacement=True, num_samples=10**9)
    return iter(torch.utils.data.DataLoader(data, BATCH, sampler=endless, num_workers=CORES))


def decoding_alone(folder: Path) -> Iterator[Any]:
    """libjpeg's limit: every file read and decoded whole."""
    paths = sorted(map(str, folder.glob("*/*.jpg")))
    pixels = (
        tf.data.Dataset.from_tensor_slices(paths)
        .repeat()
        .map(lambda path: tf.io.decode_jpeg(tf.io.read_file(path), 3)[0, 0], CORES)
    )
    return iter(pixels.batch(BATCH).prefetch(1))


def images_per_second(batches: Iterator[Any], images: int) -> float:
    """Of whole batches, after those that lay ready."""
    for _ in range(12):
        next(batches)
    start = time.perf_counter()
    for _ in range(images // BATCH):
        next(batches)
    return images // BATCH * BATCH / (time.perf_counter() - start)


def differences(folder: Path) -> dict[str, float]:
    """How far the ways of resizing a crop are from Pillow's antialiased bilinear, in levels of 255, on average."""
    found: dict[str, list[float]] = {
        "area (the default)": [],
        "bilinear, antialiased": [],
        "bilinear, not antialiased": [],
    }
    for number, path in enumerate(sorted(folder.glob("*/*.jpg"))[:40]):
        side = (300, 260, 340, 370)[number % 4]
        crop = Image.open(path).convert("RGB").crop((2, 2, 2 + side, 2 + side))
        expected = np.asarray(crop.resize((SIZE, SIZE), Image.Resampling.BILINEAR), np.float32)
        pixels, whole = tf.constant(np.asarray(crop)), {"scale": (1.0, 1.0), "ratio": (1.0, 1.0)}
        results = (
            random_resized_crop(SIZE, **whole)(pixels, (0, 0)),
            random_resized_crop(SIZE, **whole, interpolation="bilinear")(pixels, (0, 0)),
            tf.image.resize(pixels, (SIZE, SIZE)),
        )
        for name, result in zip(found, results, strict=True):
            found[name].append(float(np.abs(result - expected).mean()))
    return {name: statistics.mean(values) for name, values in found.items()}


def main(config: Config) -> None:
    """Measure, print and write."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = config.folder or Path(temporary)
        kind = f"of {folder.name}" if config.folder else make_files(folder, config.files)
        files = list(folder.glob("*/*.jpg"))
        size = statistics.mean(path.stat().st_size for path in files) / 1024
        makers: dict[str, Callable[[Path], Iterator[Any]]] = {
            "keras_resnet": ours,
            "keras_resnet, bilinear as Pillow": lambda path: ours(path, "bilinear"),
            "Keras: directory, zoom, crop, flip": lambda path: keras_layers(path, zoom=True),
            "Keras: directory, crop, flip": lambda path: keras_layers(path, zoom=False),
            "torch DataLoader + torchvision": torch_loader,
            "decoding alone": decoding_alone,
        }
        pipelines, left_out = {}, []
        for name, maker in makers.items():
            try:
                pipelines[name] = maker(folder)
            except ImportError as error:
                left_out.append(f"{name}: {error}")
        speeds: dict[str, list[float]] = {name: [] for name in pipelines}
        for _ in range(config.rounds):
            for name, batches in pipelines.items():
                speeds[name].append(images_per_second(batches, config.images))

        rows = [
            [name, statistics.median(values), min(values), max(values), _ratio(speeds["keras_resnet"], values)]
            for name, values in speeds.items()
        ]
        far = ", ".join(f"{name} {value:.2f}" for name, value in differences(folder).items())
        note = (
            f"{len(files)} JPEGs, {size:.0f} KB on average, {kind}; {config.rounds} rounds of {config.images} images. "
            "Mean difference from Pillow's antialiased bilinear, crops of 260 to 370 pixels, in levels of 255: "
            f"{far}."
        )
        keep(config.out, "Input pipeline", COLUMNS, rows, note=note, left_out=left_out, threads=CORES)


def _ratio(ours: list[float], theirs: list[float]) -> float:
    return statistics.median(a / b for a, b in zip(ours, theirs, strict=True))


if __name__ == "__main__":
    main(tyro.cli(Config, description=__doc__))
