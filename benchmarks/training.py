"""Images per second of a training step: this package beside keras.applications and torch, in one process, in turn.

    python benchmarks/training.py                          # resnet50_v1, batch 16, 2 threads
    python benchmarks/training.py --repeats 2 --batch 4    # a try

Like with like: the same network (stride on the first 1x1), SGD with momentum, cross-entropy, noise for images that is
ready in memory. Each round takes one step of every contender, so that a disturbance meets them all; medians count. In
the same rounds a matrix product is timed; a step is counted as three times the multiply-adds of a forward pass.
"""

import argparse
import os
import statistics
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf
from measure import declare_operators, keep, matrix_product, seconds, share
from rich.progress import track

import keras_resnet as kr

BASE = "keras.applications, float32"
COLUMNS = {
    "contender": "{}", "images/s, median": "{:.2f}", "ratio to keras.applications' float32": "{:.2f}",
    "share of the matrix product": "{:.0f} %",
}  # fmt: skip


def main() -> None:
    """Measure, print and write."""
    options = arguments()
    tf.config.threading.set_intra_op_parallelism_threads(options.threads)
    tf.config.threading.set_inter_op_parallelism_threads(options.threads)
    random = np.random.default_rng(0)
    images = random.normal(size=(options.batch, 224, 224, 3)).astype("float32")
    labels = random.integers(0, 1000, options.batch)
    contenders, missing = make_contenders(options, images, labels)
    product = matrix_product()
    for step in contenders.values():  # compiled, memory laid out
        step(), step()
    times: dict[str, list[float]] = {name: [] for name in contenders}
    limits = []
    for _ in track(range(options.repeats), "rounds", disable=not sys.stderr.isatty()):
        limits.append(seconds(product))
        for name, step in contenders.items():
            times[name].append(seconds(step))
    macs, limit = 3 * options.batch * kr.profile("resnet50_v1").macs, statistics.median(limits)
    rows = []
    for name, values in times.items():
        middle = statistics.median(values)
        ratio = statistics.median(theirs / ours for theirs, ours in zip(times[BASE], values, strict=True))
        rows.append([name, options.batch / middle, ratio, share(macs, middle, limit)])
    title = "Training step, ResNet-50"
    note = f"Batches of {options.batch}, {options.repeats} rounds."
    keep(options.out, title, COLUMNS, rows, note=note, left_out=missing, threads=options.threads)


def arguments() -> argparse.Namespace:
    """The flags."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--batch", type=int, default=16, help="images of a step (16)")
    parser.add_argument("--threads", type=int, default=2, help="of each library (2)")
    parser.add_argument("--repeats", type=int, default=15, help="rounds (15)")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/training"), help="without suffix")
    return parser.parse_args()


def make_contenders(
    options: argparse.Namespace, images: np.ndarray, labels: np.ndarray
) -> tuple[dict[str, Callable[[], Any]], list[str]]:
    """One step of each; and what is not installed."""
    batch = (tf.constant(images), tf.constant(labels))
    contenders = {}
    for policy in ("float32", "mixed_bfloat16"):
        short = policy.removeprefix("mixed_")
        keras.config.set_dtype_policy(policy)
        contenders[f"keras_resnet, {short}"] = keras_step(kr.create_model("resnet50_v1"), batch)
        contenders[f"keras.applications, {short}"] = keras_step(keras.applications.ResNet50(weights=None), batch)
    keras.config.set_dtype_policy("float32")
    missing = []
    for short in ("float32", "bfloat16"):
        try:
            contenders[f"torch, channels last, {short}"] = torch_step(options, images, labels, short == "bfloat16")
        except ImportError as error:
            missing.append(f"torch: {error}")
    return contenders, missing


def keras_step(model: keras.Model, batch: tuple[Any, Any]) -> Callable[[], Any]:
    """A step as `fit` takes it, on a batch that is a tensor already."""
    model.compile(keras.optimizers.SGD(0.01, momentum=0.9), "sparse_categorical_crossentropy")
    data = iter(tf.data.Dataset.from_tensors(batch).repeat())
    model.train_on_batch(*batch)
    step = model.make_train_function() or model.train_function
    return lambda: keras.tree.map_structure(np.asarray, step(data))


def torch_step(
    options: argparse.Namespace, images: np.ndarray, labels: np.ndarray, bfloat16: bool
) -> Callable[[], Any]:
    """timm's ResNet-50 with the stride on the 3x3, which has 6 % more multiply-adds; timm has no other."""
    import torch

    declare_operators()
    import timm

    torch.set_num_threads(options.threads)
    model = timm.create_model("resnet50").train().to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    x, y = torch.from_numpy(images).permute(0, 3, 1, 2), torch.from_numpy(labels)

    def step() -> None:
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            loss = torch.nn.functional.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()

    return step


if __name__ == "__main__":
    main()
