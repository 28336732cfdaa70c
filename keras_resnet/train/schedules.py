"""Learning rates as functions of the step: the two shapes that `keras.optimizers.schedules` lacks."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable("keras_resnet")
class PiecewiseLinear(keras.optimizers.schedules.LearningRateSchedule):
    """Straight lines between given points: linear warm-up, triangles (one-cycle), any linear decay.

    Args:
        steps: Steps of the points, growing; before the first and after the last the value stays.
        values: The learning rate at each of them.

    Raises:
        ValueError: for fewer than two points, steps that do not grow, or unequal numbers of both.

    Example:

    >>> one_cycle = PiecewiseLinear([0, 20, 100], [0.0, 1.0, 0.0])
    >>> [round(float(one_cycle(step)), 3) for step in (0, 10, 20, 60, 200)]
    [0.0, 0.5, 1.0, 0.5, 0.0]
    """

    def __init__(self, steps: Sequence[float], values: Sequence[float], name: str = "piecewise_linear") -> None:
        super().__init__()
        growing = all(before < after for before, after in pairwise(steps))
        if len(steps) < 2 or len(steps) != len(values) or not growing:
            raise ValueError(
                f"steps must grow and values be as many, at least two; received steps={steps}, values={values}."
            )
        self.steps, self.values, self.name = list(steps), list(values), name

    def __call__(self, step: Any) -> Any:
        """The learning rate at a step, a scalar."""
        step = ops.cast(step, "float32")
        rate = ops.convert_to_tensor(self.values[0], "float32")
        for (begin, first), (end, last) in pairwise(zip(self.steps, self.values, strict=True)):
            done = ops.clip((step - begin) / (end - begin), 0.0, 1.0)
            rate = rate + done * (last - first)
        return rate

    def get_config(self) -> dict[str, Any]:
        """The arguments, for Keras."""
        return {"steps": self.steps, "values": self.values, "name": self.name}


@keras.saving.register_keras_serializable("keras_resnet")
class WarmUp(keras.optimizers.schedules.LearningRateSchedule):
    """Another schedule behind a linear warm-up (arXiv:1706.02677, section 2.2): the rate grows from `start` to what the
    schedule says at its step 0; its own clock begins when the warm-up ends.

    Args:
        schedule: A `keras.optimizers.schedules.LearningRateSchedule`.
        steps: Length of the warm-up, at least 1.
        start: Learning rate of step 0.

    Example:

    >>> schedule = WarmUp(keras.optimizers.schedules.PiecewiseConstantDecay([10], [1.0, 0.1]), steps=5)
    >>> [round(float(schedule(step)), 3) for step in (0, 1, 5, 15, 16)]
    [0.0, 0.2, 1.0, 1.0, 0.1]
    """

    def __init__(self, schedule: Any, steps: int, start: float = 0.0, name: str = "warm_up") -> None:
        super().__init__()
        if steps < 1:
            raise ValueError(f"a warm-up has at least one step; received {steps}.")
        self.schedule, self.steps, self.start, self.name = schedule, steps, start, name

    def __call__(self, step: Any) -> Any:
        """The learning rate at a step, a scalar."""
        step = ops.cast(step, "float32")
        peak = self.schedule(0)
        rising = self.start + (peak - self.start) * step / self.steps
        return ops.where(step < self.steps, rising, self.schedule(ops.maximum(step - self.steps, 0.0)))

    def get_config(self) -> dict[str, Any]:
        """The arguments, for Keras."""
        schedule = keras.optimizers.schedules.serialize(self.schedule)
        return {"schedule": schedule, "steps": self.steps, "start": self.start, "name": self.name}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> "WarmUp":
        """From the arguments that `get_config` gave."""
        schedule = keras.optimizers.schedules.deserialize(config["schedule"], custom_objects)
        return cls(**{**config, "schedule": schedule})
