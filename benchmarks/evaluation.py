"""Seconds that a test of ResNet-20 takes, with and without the tuner of tf.data, and by Keras from arrays; in turn.

    python benchmarks/evaluation.py
    python benchmarks/evaluation.py --rounds 1 --images 500     # a try
    python benchmarks/evaluation.py --help

All hand the same images of 32 x 32 pixels, noise, in batches of 128 to `evaluate` of the same network. The tuner, which
is on unless a data set says otherwise, sleeps at intervals that double, and the end of a data set may wait for it. So
what it costs depends on how long the test is: several lengths are measured.
"""

import os
import statistics
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf
import tyro
from measure import keep, seconds
from rich.progress import track

import keras_resnet as kr
from keras_resnet.data.pipeline import evaluation_batches
from keras_resnet.data.preprocess import Preprocessing
from keras_resnet.data.sources import load_source

BATCH = 128
PREPROCESSING = Preprocessing((32, 32))
COLUMNS = {
    "batches by": "{}", "images": "{:,d}", "time, median": "{:.2f} s", "least": "{:.2f} s", "most": "{:.2f} s",
    "ratio to ours": "{:.2f}",
}  # fmt: skip


@dataclass(frozen=True)
class Config:
    """Measure what a test takes by the pipeline that feeds it."""

    images: tuple[int, ...] = (2500, 5000, 10_000)
    """Lengths of the test, of 10 classes each."""
    rounds: int = 7
    """Each way takes its turn in every round, at every length."""
    out: Path = Path("benchmarks/results/evaluation")
    """Without suffix."""

    def __post_init__(self) -> None:
        if not self.images or min(self.images) < 10 or self.rounds < 1:
            raise ValueError(f"images must be at least 10, rounds 1; received {self.images}, {self.rounds}.")


def ways(model: keras.Model, count: int) -> dict[str, Callable[[], Any]]:
    """The contenders, ours first."""
    generator = np.random.default_rng(0)
    images, labels = generator.integers(0, 256, (count, 32, 32, 3), np.uint8), np.arange(count) % 10
    batches = evaluation_batches(load_source((images, labels)), PREPROCESSING, batch_size=BATCH)
    tuner = tf.data.Options()
    tuner.autotune.enabled = True
    tuned = batches.with_options(tuner)
    arrays = images * PREPROCESSING.scale - PREPROCESSING.offset, keras.ops.one_hot(labels, 10)
    return {
        "keras_resnet": lambda: model.evaluate(batches, verbose=0),
        "the same, with the tuner": lambda: model.evaluate(tuned, verbose=0),
        "Keras, from arrays in memory": lambda: model.evaluate(*arrays, batch_size=BATCH, verbose=0),
    }


def main(config: Config) -> None:
    """Measure, print and write."""
    model = kr.create_model("cifar_resnet20", classifier_activation=None)
    loss = keras.losses.CategoricalCrossentropy(from_logits=True)
    model.compile(loss=loss, metrics=["accuracy"], jit_compile=False)
    contenders = {count: ways(model, count) for count in config.images}
    taken: dict[tuple[int, str], list[float]] = {(count, way): [] for count in contenders for way in contenders[count]}
    for test in contenders[min(contenders)].values():  # compiles
        test()
    for _ in track(range(config.rounds), "rounds", disable=not sys.stderr.isatty()):
        for (count, way), times in taken.items():
            times.append(seconds(contenders[count][way]))
    rows = []
    for (count, way), times in taken.items():
        ratio = statistics.median(a / b for a, b in zip(times, taken[count, "keras_resnet"], strict=True))
        rows.append([way, count, statistics.median(times), min(times), max(times), ratio])
    keep(config.out, "A test of CIFAR ResNet-20, by its pipeline", COLUMNS, rows, note=f"{config.rounds} rounds.")


if __name__ == "__main__":
    main(tyro.cli(Config, description=__doc__))
