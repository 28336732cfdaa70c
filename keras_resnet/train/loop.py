"""Training to the end on `fit`, interrupted as often as it may be."""

import logging
import math
import re
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_resnet.atomic import replacing
from keras_resnet.train.checkpoint import Checkpoints, Progress
from keras_resnet.train.model import EvaluateAverage, TrainingModel, averaged
from keras_resnet.train.strategy import is_chief, is_multi_worker, workers
from keras_resnet.weights import save_weights

log = logging.getLogger("keras_resnet.train")


class NonFiniteLossError(ValueError):
    """The loss became NaN or infinite; the message names the step."""


class WorkerLostError(ValueError):
    """Another machine of the run does not answer; the message names it."""


def train(
    model: TrainingModel,
    training: Callable[[int], Any],
    evaluation: Any,
    *,
    steps: int,
    interval: int,
    evaluation_steps: int,
    folder: Path,
    config: dict[str, Any],
    patience: int | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> list[dict[str, float]]:
    """Train from where the folder's checkpoints are, or from the beginning, to the last step.

    After every interval the model is evaluated and a checkpoint written, so that whoever kills the process loses at
    most one interval; what comes out is the same to the bit, provided that the data are a function of the step. The
    weights of the highest `val_accuracy` are kept in `best.safetensors`: for choosing by a validation set, never for
    reporting on a test set.

    Args:
        model: What `training_model` made.
        training: Gives the batches from a step on: `training(first_step)`, a (distributed) dataset of (images, labels).
        evaluation: The test batches.
        steps: Steps of the whole run.
        interval: Steps between two evaluations; it divides `steps`.
        evaluation_steps: Batches of an evaluation.
        folder: The run's; `checkpoints/` and `metrics.csv` are written into it.
        config: The settings that make the run what it is; continuing with others is refused.
        patience: Stop once `val_accuracy` has not risen for so many intervals; it reads the history, so that a run that
            was interrupted stops where it would have stopped (None: never).
        callbacks: Further Keras callbacks.

    Returns:
        The history: a dictionary an interval with `step`, `loss`, the metrics, the same of the evaluation with `val_`
        before their names, `learning_rate` and `seconds` (since the run began, interruptions left out).

    Raises:
        NonFiniteLossError: at the first step with such a loss; the last checkpoint is kept.
        WorkerLostError: where another machine ended or cannot be reached, within about a minute.
        CheckpointError: where a checkpoint cannot be written, or belongs to other settings.
        ValueError: where the interval does not divide the steps.
    """
    if interval < 1 or steps % interval:
        raise ValueError(f"the interval must divide the steps; received {interval} and {steps}.")
    checkpoints = Checkpoints(folder / "checkpoints", model, config, write=is_chief(model.distribute_strategy))
    progress = checkpoints.restore()
    if progress.step:
        log.info("continuing at step %d of %d", progress.step, steps)
    if progress.step >= steps or out_of_patience(progress.history, patience):
        return progress.history
    keeper = _Keeper(checkpoints, progress, interval, folder, patience)
    try:
        model.fit(
            training(progress.step),
            initial_epoch=progress.step // interval,
            epochs=steps // interval,
            steps_per_epoch=interval,
            validation_data=evaluation,
            validation_steps=evaluation_steps,
            callbacks=[*([EvaluateAverage()] if model.average else []), *callbacks, keeper],
            shuffle=False,
            verbose=0,
        )
    except (tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.InternalError) as error:
        named = re.findall(r"/job:worker/(?:replica:\d+/)?task:(\d+)", error.message)
        lost = sorted({*named} - {str(workers(model.distribute_strategy)[0])})
        if not is_multi_worker(model.distribute_strategy) or not lost:
            raise
        raise WorkerLostError(
            f"worker {', '.join(lost)} was lost after step {progress.step}; its own log says why. "
            "Start all workers again with the same command: the run continues from there."
        ) from None
    return progress.history


class _Keeper(keras.callbacks.Callback):
    """Watches the loss, and after every interval adds to the history and writes a checkpoint."""

    def __init__(
        self, checkpoints: Checkpoints, progress: Progress, interval: int, folder: Path, patience: int | None
    ) -> None:
        super().__init__()
        self.checkpoints, self.progress, self.interval = checkpoints, progress, interval
        self.folder, self.patience = folder, patience

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        before = self.progress.history[-1]["seconds"] if self.progress.history else 0.0
        self._began = time.perf_counter() - before

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        if not math.isfinite((logs or {})["loss"]):
            step, kept = self.progress.step + batch + 1, self.progress.step
            raise NonFiniteLossError(
                f"the loss is {float((logs or {})['loss'])} at step {step}; "
                f"{f'the checkpoint of step {kept} is kept' if kept else 'there is no checkpoint yet'}. "
                "Lower the learning rate, lengthen the warm-up or clip the gradients."
            )

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        step = (epoch + 1) * self.interval
        row = {"step": step, **{name: float(np.mean(value)) for name, value in (logs or {}).items()}}
        row["learning_rate"] = float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))
        row["seconds"] = round(time.perf_counter() - self._began, 3)
        self.progress.step = step
        self.progress.history.append(row)
        self.checkpoints.save(self.progress)
        if self.checkpoints.write:
            write_history(self.progress.history, self.folder / "metrics.csv")
            self._keep_best()
        self.model.stop_training = out_of_patience(self.progress.history, self.patience)

    def _keep_best(self) -> None:
        accuracies = [past["val_accuracy"] for past in self.progress.history if "val_accuracy" in past]
        if accuracies and accuracies[-1] > max(accuracies[:-1], default=-1.0):
            with averaged(self.model):
                save_weights(self.model, self.folder / "best.safetensors")


def out_of_patience(history: Sequence[dict[str, float]], patience: int | None) -> bool:
    """Whether the last `patience` evaluations brought nothing better than those before.

    Example:

    >>> [out_of_patience([{"val_accuracy": a} for a in accuracies], 2) for accuracies in ([1, 0, 2], [2, 1, 2])]
    [False, True]
    """
    accuracies = [row["val_accuracy"] for row in history]
    if not patience or len(accuracies) <= patience:
        return False
    return max(accuracies[-patience:]) <= max(accuracies[:-patience])


def write_history(history: Sequence[dict[str, float]], path: Path) -> None:
    """The history as a CSV file, whole; `repr` of a float loses nothing."""
    with replacing(path) as temporary:
        lines = [",".join(history[0]), *(",".join(repr(value) for value in row.values()) for row in history)]
        temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")
