"""One progress bar for a whole run, in place of one for each epoch."""

from typing import Any

import keras
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


class ProgressBar(keras.callbacks.Callback):
    """Shows epochs done, the last epoch's metrics, images per second and the time left; use with `fit(verbose=0)`.

    Args:
        batch_size: Images of one step, over all replicas.

    Example:

    >>> ProgressBar(batch_size=128).batch_size
    128
    """

    def __init__(self, batch_size: int) -> None:
        super().__init__()
        self.batch_size = batch_size

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Draw the bar, empty."""
        self._steps = self.params["steps"]
        self._epoch = 0
        self._progress = Progress(
            TextColumn("epoch"),
            MofNCompleteColumn(),
            BarColumn(bar_width=None),
            TextColumn("{task.fields[metrics]}{task.fields[speed]}"),
            TimeRemainingColumn(compact=True, elapsed_when_finished=True),
        )
        self._task = self._progress.add_task("", total=self.params["epochs"], speed="", metrics="")
        self._progress.start()

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Move the bar."""
        done = self._epoch + (batch + 1) / self._steps if self._steps else self._epoch
        per_second = self._progress.tasks[0].speed
        speed = f"{per_second * self._steps * self.batch_size:,.0f} images/s" if per_second and self._steps else ""
        self._progress.update(self._task, completed=done, speed=speed)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Show the epoch's metrics."""
        self._epoch = epoch + 1
        shown = {name: value for name, value in (logs or {}).items() if "loss" not in name} or logs or {}
        metrics = "".join(f"{name.replace('val_', 'test ')} {value:.3f}  " for name, value in shown.items())
        self._progress.update(self._task, completed=self._epoch, metrics=metrics)

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Leave the last state on the screen."""
        self._progress.stop()
