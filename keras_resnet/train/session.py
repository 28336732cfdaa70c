"""What every recipe does around its training: where it computes, in which precision, in which folder."""

import logging
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import keras
import tensorflow as tf
from rich.console import Console
from rich.logging import RichHandler

from keras_resnet.data.bad import BadImages
from keras_resnet.data.order import Shard
from keras_resnet.data.pipeline import Transform, evaluation_batches, evaluation_steps, training_batches
from keras_resnet.data.source import Source
from keras_resnet.train.precision import Precision, choose_precision
from keras_resnet.train.progress import ProgressBar
from keras_resnet.train.run import start_run
from keras_resnet.train.strategy import choose_strategy, is_chief, workers


@dataclass(frozen=True)
class Machine:
    """Where and how a recipe computes; none of it changes what is learned, beyond rounding."""

    virtual_devices: int = 0
    """Split the CPU into so many devices and mirror across them, as a machine with several GPUs does (0: do not)."""
    precision: Precision = "auto"
    """Of the layers' arithmetic; weights stay float32. auto: bfloat16 where the hardware has it. mixed_float16 scales
    the loss."""
    xla: Literal["auto", "on", "off"] = "auto"
    """Compile the step by XLA. auto: on one GPU, with --no-deterministic; Keras has it off under any strategy."""
    deterministic: bool = True
    """The same numbers every time, and after every restart, to the bit on one device. Costs speed on GPUs."""

    def __post_init__(self) -> None:
        if self.virtual_devices < 0 or self.virtual_devices == 1:
            raise ValueError(f"virtual-devices must be 0 or at least 2; received {self.virtual_devices}.")


class Session:
    """One recipe at work: strategy, seeds, folder, and batches shared out over all replicas.

    Args:
        title: Of the recipe, for the screen.
        folder: The run's, made or continued.
        machine: Where to compute.
        seed: Of everything random.
        config: The recipe's settings, for `config.json`.

    Raises:
        ValueError: where the strategy or the folder cannot be had.
    """

    def __init__(self, title: str, folder: Path, machine: Machine, seed: int, config: dict[str, Any]) -> None:
        self.strategy, reason = choose_strategy(machine.virtual_devices)
        self.replicas, self.shard = self.strategy.num_replicas_in_sync, Shard(*workers(self.strategy))
        self.title, self.chief, self.folder = title, is_chief(self.strategy), folder
        self.console = Console(quiet=not self.chief)
        self.xla = {"on": True, "off": False}.get(machine.xla, "auto")
        keras.utils.set_random_seed(seed)
        policy, why = choose_precision(machine.precision)
        keras.config.set_dtype_policy(policy)
        if machine.deterministic:
            tf.config.experimental.enable_op_determinism()
        _log_to(self.console)
        if self.chief:
            start_run(folder, config, strategy=reason, precision=why, replicas=self.replicas)
        self.console.rule(f"[bold]keras_resnet {title}")
        self.console.print(
            f"strategy   {reason}\nprecision  {why}\nexactness  {_exactness(machine)}\nrun folder {folder}"
        )

    def training(self, source: Source, transform: Transform, **options: Any) -> Callable[[int], Any]:
        """What `train` asks for batches: those of `training_batches` from a step on, for this machine's replicas."""
        options |= {"shard": self.shard, "replicas": self.replicas}
        return lambda first: self._spread(lambda: training_batches(source, transform, first_step=first, **options))

    def evaluation(
        self, source: Source, preprocessing: Callable[[Any], Any], batch_size: int, bad: BadImages
    ) -> tuple[Any, int]:
        """The batches of `evaluation_batches` for this machine's replicas, and their steps."""
        options: dict[str, Any] = {"batch_size": batch_size, "shard": self.shard, "replicas": self.replicas, "bad": bad}
        steps = evaluation_steps(source.size, batch_size, self.replicas)
        return self._spread(lambda: evaluation_batches(source, preprocessing, **options)), steps

    def callbacks(self, batch_size: int) -> list[keras.callbacks.Callback]:
        """A progress bar and TensorBoard's scalars, where this process is the one that shows and writes."""
        if not self.chief:
            return []
        return [ProgressBar(batch_size), keras.callbacks.TensorBoard(self.folder / "tensorboard", write_graph=False)]

    def _spread(self, make: Callable[[], Any]) -> Any:
        return self.strategy.distribute_datasets_from_function(lambda _: make())


def recipe_error(name: str, error: Exception) -> None:
    """End the process as a user's mistake or a lost machine ends it: one line, exit status 2."""
    Console(stderr=True, highlight=False, soft_wrap=True).print(f"{name}: {error}")
    sys.exit(2)


def _exactness(machine: Machine) -> str:
    exact = "the same to the bit every time" if machine.deterministic else "not the same to the bit every time"
    return f"{exact}; XLA {machine.xla}"


def _log_to(console: Console) -> None:
    """Let what the package has to say appear above the progress bar."""
    log = logging.getLogger("keras_resnet")
    log.handlers = [RichHandler(console=console, show_path=False, show_time=False)]
    log.setLevel(logging.INFO)
    log.propagate = False
