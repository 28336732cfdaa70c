"""Seconds to 94 % on CIFAR-10: small wide residual networks, one cycle of the learning rate, bfloat16, everything on
the device; and the public record holder's own script on the same machine.

What is done to be fast: the stem begins with the principal patterns of the images' patches, labels are smoothed, the
weights averaged, and the test adds the logits of the mirrored image (both accuracies are given). Training is timed from
the images on the device to the last weights, the stem's beginning included; compilation and tests are timed apart.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from functools import partial
from itertools import product
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import jax
import jax.numpy as jnp
import keras
from gpu_cifar import on_device
from gpu_data import CLASSES, PREPROCESSING, Data, read
from gpu_place import Deadline, UserError, bar
from gpu_program import Program, Rule, compiled, compiled_interval, correct, one_cycle, portions
from measure import keep

import keras_resnet as kr
from keras_resnet.train.stem import begin_with_patterns

NETWORKS = ("cifar_resnet10_w32", "cifar_resnet14_w64")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of this part."""
    parser.add_argument("--networks", nargs="+", default=list(NETWORKS), help=f"of the zoo ({' '.join(NETWORKS)})")
    parser.add_argument("--depths", nargs="+", type=int, help="units of its stages, in place of its own")
    parser.add_argument("--widths", nargs="+", type=int, help="channels of its stages, in place of its own")
    parser.add_argument("--epochs", nargs="+", type=int, default=[24, 16], help="one row for each number (24 16)")
    parser.add_argument("--runs", type=int, default=5, help="with seeds 0 to N - 1 (5)")
    parser.add_argument("--batch", type=int, default=256, help="(256)")
    parser.add_argument("--learning-rate", nargs="+", type=float, default=[0.2], help="highest; one row for each (0.2)")
    parser.add_argument("--weight-decay", type=float, default=5e-4, help="of kernels (5e-4)")
    parser.add_argument("--smoothing", type=float, default=0.2, help="of the labels (0.2)")
    parser.add_argument("--average", type=float, default=0.99, help="decay of the averaged weights (0.99)")
    parser.add_argument("--padding", type=int, default=4, help="of the crops (4)")
    parser.add_argument("--stem", choices=("patterns", "random"), default="patterns", help="its beginning (patterns)")
    parser.add_argument("--precision", default="mixed_bfloat16", choices=("float32", "mixed_bfloat16"))
    parser.add_argument("--steps", type=int, help="of an epoch, in place of one pass over the images")
    parser.add_argument("--airbench", type=Path, help="the record holder's script, airbench94.py, run as it is")
    parser.add_argument("--airbench-runs", type=int, default=5, help="after which it is stopped (5)")


def main(options: argparse.Namespace, deadline: Deadline) -> None:
    """Measure the script and our networks, and write after every row."""
    data = read(options.data).first(options.images)
    report: dict[str, Any] = {"recipe": recipe(options), "rows": []}
    if options.airbench:  # first: both libraries at once on one device would share its memory
        report["airbench"] = airbench(options, data, deadline)
    keras.config.set_dtype_policy(options.precision)
    for network in options.networks:
        if deadline.over:
            print(f"left out, no time: {network}")
            continue
        contender = Contender(network, options, data)
        for rate, epochs in product(options.learning_rate, options.epochs):
            what = f"{network}, {epochs} epochs at {rate:g}"
            seeds = bar(range(options.runs), what)
            runs = [contender.train(seed, epochs, rate) for seed in seeds if not deadline.over]
            if not runs:
                print(f"left out, no time: {what}")
                continue
            once = {"compile_seconds": contender.compile_seconds, "memory": contender.memory}
            report["rows"].append({"what": what, "epochs": epochs, "learning_rate": rate, **once, "runs": runs})
            write(report, options.out)


def recipe(options: argparse.Namespace) -> dict[str, Any]:
    """What the table's head states."""
    names = ("depths", "widths", "batch", "weight_decay", "smoothing", "average", "padding", "stem", "precision")
    return {name: getattr(options, name) for name in names}


class Contender:
    """A net of ours: compiled once, trained as often as wanted."""

    def __init__(self, network: str, options: argparse.Namespace, data: Data) -> None:
        self.network, self.options, self.data = network, options, on_device(data)
        self.first = data.train_images[:1000]  # for the stem, on the host: nothing is compiled for them
        self.program = Program(self.model(0), self.rule(), PREPROCESSING)
        self.steps = options.steps or -(-len(data.train_labels) // options.batch)
        state, self.parts = self.program.state(), portions(data.test_images, data.test_labels)
        given = (self.data.train_images, self.data.train_labels, 0, 0, jnp.zeros(self.steps))
        self.run, self.compile_seconds, self.memory = compiled_interval(self.program.interval, state, *given)
        self.once, _ = compiled(self.program.test, state, *self.parts[0])
        self.twice, _ = compiled(partial(self.program.test, mirrored=True), state, *self.parts[0])
        jax.block_until_ready(self.run(state, *given))  # what a first call does once

    def rule(self) -> Rule:
        """The recipe."""
        options = self.options
        return Rule(
            options.batch, nesterov=True, decay=options.weight_decay, decay_all=False, smoothing=options.smoothing,
            average=options.average, padding=options.padding,
        )  # fmt: skip

    def model(self, seed: int) -> keras.Model:
        """A fresh net."""
        keras.utils.set_random_seed(seed)
        given = {
            name: tuple(getattr(self.options, name)) for name in ("depths", "widths") if getattr(self.options, name)
        }
        return kr.create_model(self.network, classifier_activation=None, kernel_initializer="he_normal", **given)

    def train(self, seed: int, epochs: int, rate: float) -> dict[str, float]:
        """One run: seconds and accuracies, in percent."""
        model, data = self.model(seed), self.data
        rates = jnp.array(one_cycle(rate, epochs * self.steps).reshape(epochs, self.steps))
        jax.block_until_ready((rates, data))
        start = time.perf_counter()
        if self.options.stem == "patterns":
            begin_with_patterns(model, PREPROCESSING.normalize(self.first))
        state = self.program.state(model)
        for epoch in range(epochs):
            state, measured = self.run(
                state, data.train_images, data.train_labels, seed, epoch * self.steps, rates[epoch]
            )
        jax.block_until_ready(state)
        trained = time.perf_counter()
        twice = int(correct(self.twice, state, self.parts))
        tested = time.perf_counter()
        once = int(correct(self.once, state, self.parts))
        share = 100 / len(data.test_labels)
        return {
            "seed": seed,
            "seconds": trained - start,
            "seconds_with_test": tested - start,
            "accuracy": share * once,
            "accuracy_mirrored": share * twice,
            "train_accuracy": 100 * float(measured["accuracy"]),
        }


def airbench(options: argparse.Namespace, data: Data, deadline: Deadline) -> dict[str, Any]:
    """The script, unchanged, with our images where it looks for its own; stopped after enough runs.

    Its table has a line for every epoch and one for the end of a run, whose `epoch` is "eval"; its seconds are of
    training and of that last test.
    """
    if not options.airbench.is_file():
        raise UserError(f"{options.airbench}: there is no such script; give --airbench the path of airbench94.py.")
    import torch

    runs: list[dict[str, float]] = []
    with tempfile.TemporaryDirectory() as folder:
        place_of_images = Path(folder) / "cifar10"
        place_of_images.mkdir()
        for name, images, labels in (("train", *data[:2]), ("test", *data[2:])):
            tensors = {"images": torch.tensor(images), "labels": torch.tensor(labels, dtype=torch.int64)}
            torch.save({**tensors, "classes": list(CLASSES)}, place_of_images / f"{name}.pt")
        log = Path(folder) / "log"
        start = time.perf_counter()
        with log.open("w") as file:
            process = subprocess.Popen(
                [sys.executable, str(options.airbench.resolve())], cwd=folder, stdout=file, stderr=subprocess.STDOUT,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
            )  # fmt: skip
        first = None
        while process.poll() is None and len(runs) < options.airbench_runs and not deadline.over:
            time.sleep(0.2)
            runs = finished_runs(log.read_text(errors="replace"))
            first = first or (time.perf_counter() - start if runs else None)
        runs = finished_runs(log.read_text(errors="replace"))
        stopped = process.poll() is None
        if stopped:
            process.kill()
        process.wait()
        end = log.read_text(errors="replace")[-2000:]
    if not runs:
        print(f"left out: {options.airbench.name} came to no end of a run; the end of what it printed:\n{end}")
    return {"script": options.airbench.name, "runs": runs, "seconds_to_the_first_end": first, "stopped": stopped}


def finished_runs(printed: str) -> list[dict[str, float]]:
    """Of the script's table, a run for every end of one; the warm-up run is not counted."""
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in printed.splitlines() if line.startswith("|")
    ]
    head = next((row for row in rows if "tta_val_acc" in row), None)
    if head is None:
        return []
    runs, number = [], ""
    for row in rows:
        cells = dict(zip(head, row, strict=False))
        number = cells.get("run") or number
        if cells.get("epoch") == "eval" and number != "warmup":
            seconds = cells.get("time_seconds") or cells.get("total_time_seconds") or "nan"
            accuracies = {
                "accuracy": 100 * float(cells["val_acc"]),
                "accuracy_mirrored": 100 * float(cells["tta_val_acc"]),
            }
            runs.append({"seconds_with_test": float(seconds), **accuracies})
    return runs


def write(report: dict[str, Any], out: Path) -> None:
    """What there is so far."""
    settings = ", ".join(f"{name} {value}" for name, value in report["recipe"].items() if value is not None)
    note = (
        f"Ours: {settings}. A network is compiled once; that is not in the other seconds. Our test adds the mirrored "
        "image; the script counts its own test in its time, and adds moved images too."
    )
    measured = [(row["what"], row["compile_seconds"], row["runs"]) for row in report["rows"]]
    if report.get("airbench", {}).get("runs"):
        measured.append((report["airbench"]["script"], None, report["airbench"]["runs"]))
    keys = ("seconds", "seconds_with_test", "accuracy", "accuracy_mirrored")
    rows = [
        [name, len(runs), compiling, *(spread([run[key] for run in runs]) if key in runs[0] else None for key in keys)]
        for name, compiling, runs in measured
    ]
    names = ("training, s", "training and test, s", "accuracy, %", "with the test's own views, %")
    columns = {"what": "{}", "runs": "{:d}", "compiling, s": "{:.1f}", **dict.fromkeys(names, "{}")}
    keep(out / "gpu_speed", "CIFAR-10, time to 94 %, on a GPU", columns, rows, note=note, details=report)


def spread(values: list[float]) -> str:
    """Mean and standard deviation."""
    return f"{mean(values):.2f}" + (f" ± {stdev(values):.2f}" if len(values) > 1 else "")
