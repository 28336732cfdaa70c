"""Checkpoints that a run continues from to the bit: atomic, verified, two are kept."""

import json
import logging
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import tensorflow as tf

from keras_resnet.train.model import TrainingModel

log = logging.getLogger("keras_resnet.train")
_RECORD = "record/.ATTRIBUTES/VARIABLE_VALUE"  # where TensorFlow's format keeps `Checkpoint(record=...)`


class CheckpointError(ValueError):
    """A checkpoint that cannot be written or continued from; the message says what to do."""


@dataclass
class Progress:
    """How far a run has come.

    Args:
        step: Steps of the optimiser taken.
        history: One dictionary of numbers an interval.
    """

    step: int = 0
    history: list[dict[str, float]] = field(default_factory=list)


class Checkpoints:
    """The checkpoints of one run: network, optimiser, averaged weights, step, history and settings, as one unit.

    `tf.train.CheckpointManager` writes under a temporary name, renames last and guards every tensor by a CRC32C.

    Args:
        folder: Where they lie.
        model: What `training_model` made; every variable of it and of its optimiser is kept.
        config: The run's settings, ready for JSON; a run of other settings is refused.
        write: Whether this process writes (the chief of several machines alone does).
    """

    def __init__(self, folder: Path, model: TrainingModel, config: dict[str, Any], write: bool = True) -> None:
        self.folder, self.model, self.write = folder, model, write
        self.config = json.loads(json.dumps(config, default=str))
        self._record = tf.Variable("", dtype=tf.string, name="record")  # step, history and settings as JSON
        variables = [*model.variables, *model.optimizer.variables, *(model.average.values if model.average else ())]
        metrics = {id(variable) for variable in model.metrics_variables}
        kept = [variable.value for variable in variables if id(variable) not in metrics]
        self._checkpoint = tf.train.Checkpoint(variables=kept, record=self._record)
        if write:
            for left in folder.glob("ckpt-*_temp"):  # by a process that was killed while it wrote
                shutil.rmtree(left)
        self._manager = tf.train.CheckpointManager(self._checkpoint, str(folder), max_to_keep=2)

    def restore(self) -> Progress:
        """Put the newest whole checkpoint into the model; a damaged one is named in the log and passed over.

        Returns:
            How far the run had come; step 0 where there is no checkpoint.

        Raises:
            CheckpointError: where every checkpoint is damaged, or they belong to a run of other settings.
        """
        found = sorted(self.folder.glob("ckpt-*.index"), key=_step_of, reverse=True)
        for index in found:
            prefix = str(index.with_suffix(""))
            try:
                record = json.loads(tf.train.load_checkpoint(prefix).get_tensor(_RECORD))
                self._refuse_other_settings(record["config"])  # before their shapes meet ours
                self._checkpoint.restore(prefix).assert_consumed()
            except CheckpointError:
                raise
            except Exception as error:  # TensorFlow's errors are of many kinds: DataLoss, NotFound, IndexError ...
                log.warning("checkpoint %s is damaged (%s); trying the one before", index.stem, type(error).__name__)
                continue
            return Progress(record["step"], record["history"])
        if found:
            names = ", ".join(index.stem for index in found)
            raise CheckpointError(
                f"no checkpoint in {self.folder} can be read ({names}); move the folder away to begin anew."
            )
        return Progress()

    def save(self, progress: Progress) -> None:
        """Keep the model's state; the oldest of three goes.

        Raises:
            CheckpointError: for weights that are not finite, or where the disk does not take it; those before are kept.
        """
        if not self._finite():
            raise CheckpointError(f"weights are not finite at step {progress.step}; {self._kept()}")
        if not self.write:
            return
        self._record.assign(json.dumps({"step": progress.step, "history": progress.history, "config": self.config}))
        try:
            self._manager.save(checkpoint_number=progress.step)
        except (tf.errors.OpError, OSError) as error:
            reason = str(getattr(error, "message", error)).splitlines()[0]
            raise CheckpointError(
                f"the checkpoint of step {progress.step} cannot be written ({reason}); {self._kept()}"
            ) from None

    def _kept(self) -> str:
        kept = sorted(self.folder.glob("ckpt-*.index"), key=_step_of)
        return (
            f"the one of step {_step_of(kept[-1])} is kept: the same command continues from there."
            if kept
            else "there is none before it."
        )

    def _finite(self) -> bool:
        return all(bool(tf.reduce_all(tf.math.is_finite(weight.value))) for weight in self.model.trainable_variables)

    def _refuse_other_settings(self, saved: dict[str, Any]) -> None:
        names = sorted({*saved, *self.config})
        changed = [
            f"{name}: {saved.get(name)!r} before, {self.config.get(name)!r} now"
            for name in names
            if saved.get(name) != self.config.get(name)
        ]
        if changed:
            raise CheckpointError(
                f"{self.folder.parent} holds a run of other settings ({'; '.join(changed)}); "
                "give the former ones to continue it, or another folder to begin anew."
            )


def _step_of(path: Path) -> int:
    return int(path.stem.rpartition("-")[2])
