"""A grid of trainings, networks x depths x seeds: each is kept as it ends, so that a killed run goes on."""

import csv
import json
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from keras_resnet.atomic import replacing
from keras_resnet.data.pipeline import Transform, evaluation_batches, evaluation_steps
from keras_resnet.data.preprocess import Preprocessing
from keras_resnet.data.source import Source
from keras_resnet.train.checkpoint import CheckpointError
from keras_resnet.train.loop import NonFiniteLossError, train
from keras_resnet.train.model import training_model
from keras_resnet.train.optimizers import make_optimizer
from keras_resnet.train.session import Session
from keras_resnet.train.strategy import is_multi_worker

COLUMNS = ("network", "depth", "seed", "parameters", "steps", "train_error", "test_error", "diverged")


class Trial(NamedTuple):
    """One training of a grid."""

    network: str
    depth: int
    seed: int

    def __str__(self) -> str:
        return f"{self.network}-{self.depth}-seed{self.seed}"


@dataclass(frozen=True)
class Setting:
    """What all trainings of a grid share.

    Args:
        build: (network, depth) to a fresh classifier with logits, its weights drawn by Keras' global seed.
        rate: A depth's learning rate, a number or a Keras schedule, for SGD with momentum 0.9.
        train: The training images.
        test: The test images.
        transform: A training image and a seed to the network's input.
        preprocessing: A test image to the same.
        batch: Images of a step, over all devices.
        steps: Of the optimiser.
        interval: Steps between two points of a curve; divides the steps.
    """

    build: Callable[[str, int], keras.Model]
    rate: Callable[[int], Any]
    train: Source
    test: Source
    transform: Transform
    preprocessing: Preprocessing
    batch: int
    steps: int
    interval: int


def refuse_other_settings(folder: Path, settings: dict[str, Any]) -> None:
    """Raise ValueError where the folder holds a run whose `config.json` says otherwise; call it before `Session`.

    Args:
        folder: The run's, which need not exist.
        settings: What makes a training what it is, ready for JSON; other entries of the file do not matter.
    """
    path = folder / "config.json"
    if not path.exists():
        return
    saved = json.loads(path.read_text(encoding="utf-8"))["config"]
    asked = json.loads(json.dumps(settings, default=str))
    changed = [
        f"{name}: {saved.get(name)!r} before, {value!r} now"
        for name, value in asked.items()
        if saved.get(name) != value
    ]
    if changed:
        raise ValueError(
            f"{folder} holds a run of other settings ({'; '.join(changed)}); "
            "give the former ones to continue it, or another folder to begin anew."
        )


def run_trials(
    session: Session,
    setting: Setting,
    trials: Sequence[Trial],
    finish: Callable[[Trial, keras.Model], dict[str, Any]] = lambda trial, network: {},
) -> list[dict[str, Any]]:
    """Train what is not yet in the session's folder, and write `results.csv`.

    A training that a kill interrupted goes on from its last checkpoint. One whose loss or weights become NaN or
    infinite is recorded as diverged, with the step, and the next begins.

    Args:
        session: Where to compute, on one machine.
        setting: What the trainings share.
        trials: In order; put those that differ in seed alone one after the other, which saves compiling.
        finish: What else to remember of a training that came to its end, ready for JSON; given its network.

    Returns:
        One dictionary a trial: the `COLUMNS`, with errors in percent (None where it diverged) of the last interval's
        training batches and of the test images after the last step; `curve`, a dictionary of the lists `step`,
        `train_error` and `test_error`; `seconds`; and what `finish` gave.

    Raises:
        ValueError: on several machines.
    """
    if is_multi_worker(session.strategy):
        raise ValueError("a grid of small trainings runs on one machine; unset TF_CONFIG, or start one task alone.")
    folder = session.folder / "trials"
    folder.mkdir(exist_ok=True)
    results: list[dict[str, Any]] = []
    learner: Learner | None = None
    with _Bar(session, setting, len(trials)) as bar:
        for trial in trials:
            path, work = folder / f"{trial}.json", folder / str(trial)
            bar.begin(str(trial), len(results))
            if not path.exists():
                if learner is None or learner.kind != trial[:2]:
                    learner = Learner(session, setting, trial.network, trial.depth)
                result = {**trial._asdict(), **learner.train(trial.seed, work, bar)}
                if result["diverged"] is None:
                    result |= finish(trial, learner.network)
                write_json(path, result)
                bar.say(result)
            shutil.rmtree(work, ignore_errors=True)  # checkpoints, of no use once the result is there
            results.append(json.loads(path.read_text(encoding="utf-8")))
    with replacing(session.folder / "results.csv") as temporary, temporary.open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(results)
    return results


def write_json(path: Path, value: Any) -> None:
    """The value as a JSON file, whole."""
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(value, allow_nan=False) + "\n", encoding="utf-8")


class Learner:
    """One network, compiled once and begun anew for every seed: to trace a deep one takes as long as to train it."""

    def __init__(self, session: Session, setting: Setting, network: str, depth: int) -> None:
        self.session, self.setting, self.kind = session, setting, (network, depth)
        with session.strategy.scope():
            self.network = setting.build(network, depth)
            self.model = training_model(
                self.network,
                optimizer=make_optimizer("sgd", setting.rate(depth)),
                loss=keras.losses.CategoricalCrossentropy(from_logits=True),
                metrics=["accuracy"],
                jit_compile=session.xla,
            )
        self._unused = [keras.ops.convert_to_numpy(variable) for variable in self.model.optimizer.variables]
        self._evaluation_steps = evaluation_steps(setting.test.size, 500, session.replicas)
        self._evaluation = session.strategy.distribute_datasets_from_function(
            lambda _: evaluation_batches(
                setting.test, setting.preprocessing, batch_size=500, replicas=session.replicas
            ).cache()  # small, and wanted at every point of every curve
        )

    def begin(self, seed: int) -> None:
        """The weights of a seed and an optimiser that has taken no step."""
        keras.utils.set_random_seed(seed)
        weights = self.setting.build(*self.kind).get_weights()
        with self.session.strategy.scope():
            self.network.set_weights(weights)
            for variable, value in zip(self.model.optimizer.variables, self._unused, strict=True):
                variable.assign(value)

    def train(self, seed: int, folder: Path, bar: keras.callbacks.Callback) -> dict[str, Any]:
        """Train with a seed, or go on in the folder; what came of it."""
        began, setting = time.perf_counter(), self.setting
        self.begin(seed)
        folder.mkdir(exist_ok=True)
        history, diverged = [], None
        try:
            history = train(
                self.model,
                self.session.training(
                    setting.train, setting.transform, batch_size=setting.batch, steps=setting.steps, seed=seed
                ),
                self._evaluation,
                steps=setting.steps,
                interval=setting.interval,
                evaluation_steps=self._evaluation_steps,
                folder=folder,
                config={},  # `refuse_other_settings` has seen to them
                callbacks=[bar],
            )
        except (NonFiniteLossError, CheckpointError) as error:
            if isinstance(error, CheckpointError) and all(np.isfinite(w).all() for w in self.network.get_weights()):
                raise  # the disk, not the numbers
            diverged = str(error).partition(";")[0]
        curve = {
            "step": [row["step"] for row in history],
            "train_error": [_percent_wrong(row["accuracy"]) for row in history],
            "test_error": [_percent_wrong(row["val_accuracy"]) for row in history],
        }
        return {
            "parameters": int(sum(np.prod(weight.shape) for weight in self.network.trainable_weights)),
            "steps": setting.steps,
            "train_error": curve["train_error"][-1] if history else None,
            "test_error": curve["test_error"][-1] if history else None,
            "diverged": diverged,
            "curve": curve,
            "seconds": round(history[-1]["seconds"] if history else time.perf_counter() - began, 1),
        }


def _percent_wrong(accuracy: float) -> float:
    return round(100 * (1 - accuracy), 4)


class _Bar(keras.callbacks.Callback):
    """One progress bar over all trainings, and a line for each that ends."""

    def __init__(self, session: Session, setting: Setting, trials: int) -> None:
        super().__init__()
        self._console, self._steps, self._interval = session.console, setting.steps, setting.interval
        self._progress = Progress(
            TextColumn("{task.description}"),
            TextColumn("{task.fields[trial]} of {task.fields[trials]}"),
            BarColumn(bar_width=None),
            TextColumn("{task.percentage:.0f} %"),
            TimeRemainingColumn(compact=True, elapsed_when_finished=True),
            console=session.console,
        )
        self._task = self._progress.add_task("", total=trials * setting.steps, trial=0, trials=trials)
        self._before = 0

    def __enter__(self) -> "_Bar":
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def begin(self, name: str, done: int) -> None:
        """A trial begins, after so many others."""
        self._trained = done * self._steps
        self._progress.update(self._task, description=name, trial=done + 1, completed=self._trained)

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._before = self._trained + epoch * self._interval

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self._progress.update(self._task, completed=self._before + batch + 1)

    def say(self, result: dict[str, Any]) -> None:
        """How a trial ended."""
        errors = "training error {train_error:6.2f} %  test error {test_error:6.2f} %"
        what = f"diverged: {result['diverged']}" if result["diverged"] else errors.format(**result)
        name = Trial(result["network"], result["depth"], result["seed"])
        self._console.print(f"{name!s:<22} {what}  {result['seconds']:5.0f} s", highlight=False)
