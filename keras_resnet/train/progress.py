"""One progress bar for a whole run, in place of one for each epoch."""

from typing import Any

import keras
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


class ProgressBar(keras.callbacks.Callback):
    """Shows steps done, the last epoch's metrics, images per second and the time left; use with `fit(verbose=0)`.

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
        """Make the bar; it is drawn when the first epoch begins, which need not be epoch 0."""
        self._steps = self.params["steps"]
        self._progress = Progress(
            TextColumn("step"),
            MofNCompleteColumn(),
            BarColumn(bar_width=None),
            TextColumn("{task.fields[metrics]}{task.fields[speed]}"),
            TimeRemainingColumn(compact=True, elapsed_when_finished=True),
        )
        self._task: Any = None

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Know where the bar stands."""
        self._done = epoch * self._steps
        if self._task is None:
            total = self.params["epochs"] * self._steps
            self._task = self._progress.add_task("", total=total, completed=self._done, speed="", metrics="")
            self._progress.start()

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Move the bar."""
        per_second = self._progress.tasks[0].speed
        speed = f"{per_second * self.batch_size:,.0f} images/s" if per_second else ""
        self._progress.update(self._task, completed=self._done + batch + 1, speed=speed)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Show the epoch's metrics; where there is no terminal, as a line of its own."""
        shown = {name: value for name, value in (logs or {}).items() if "loss" not in name} or logs or {}
        metrics = "".join(f"{name.replace('val_', 'test ')} {value:.3f}  " for name, value in shown.items())
        self._progress.update(self._task, metrics=metrics)
        if not self._progress.console.is_terminal:
            task = self._progress.tasks[0]
            print(f"step {task.completed:.0f} of {task.total:.0f}: {metrics}{task.fields['speed']}", flush=True)

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Leave the last state on the screen."""
        self._progress.stop()
