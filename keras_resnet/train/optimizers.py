"""Optimisers that leave norms and biases without weight decay; Keras' own, but for LAMB."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

UNDECAYED = ("bias", "gamma", "beta")  # names of the variables that no published ResNet recipe since 2018 decays


@keras.saving.register_keras_serializable("keras_resnet")
class Lamb(keras.optimizers.Lamb):
    """LAMB with the weight decay inside the trust ratio: arXiv:1904.00962, algorithm 2.

    `keras.optimizers.Lamb` shrinks the weights outside of it, where the layer-wise rate no longer reaches the decay. As
    in the optimiser of ResNet strikes back (arXiv:2110.00476), variables without decay take plain Adam steps.
    """

    def _apply_weight_decay(self, variables: Any) -> None:
        """Nothing here: `update_step` decays."""

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Move one variable by its gradient."""
        index = self._get_variable_index(variable)
        momentum, velocity = self._momentums[index], self._velocities[index]
        rate, gradient = ops.cast(learning_rate, variable.dtype), ops.cast(gradient, variable.dtype)
        step = ops.cast(self.iterations + 1, variable.dtype)
        self.assign_add(momentum, (gradient - momentum) * (1 - self.beta_1))
        self.assign_add(velocity, (ops.square(gradient) - velocity) * (1 - self.beta_2))
        mean = momentum / (1 - ops.power(ops.cast(self.beta_1, variable.dtype), step))
        spread = ops.sqrt(velocity / (1 - ops.power(ops.cast(self.beta_2, variable.dtype), step)))
        update = mean / (spread + self.epsilon)
        if self.weight_decay and self._use_weight_decay(variable):
            update = update + self.weight_decay * ops.convert_to_tensor(variable)
            size, change = ops.norm(ops.ravel(variable)), ops.norm(ops.ravel(update))
            usable = ops.logical_and(size > 0, change > 0)
            rate = rate * ops.where(usable, size / ops.where(usable, change, 1), 1)
        self.assign_sub(variable, rate * update)


def make_optimizer(
    name: str,
    learning_rate: Any,
    *,
    momentum: float = 0.9,
    weight_decay: float = 0.0,
    clip_norm: float | None = None,
    accumulate: int = 1,
    mixed_float16: bool = False,
) -> keras.Optimizer:
    """An optimiser whose decoupled weight decay spares norms and biases.

    Args:
        name: `"sgd"` with momentum, `"nesterov"` with Nesterov's, `"adamw"` (arXiv:1711.05101) or `"lamb"`.
        learning_rate: A number or a Keras schedule.
        momentum: Of the first two (0.9).
        weight_decay: Decoupled, times the learning rate (0). For the L2 penalty of the older papers leave it at 0 and
            give `weight_decay` to the network's builder.
        clip_norm: Scale the gradients down to this norm over all of them together (None: do not).
        accumulate: Average the gradients of so many steps before each update (1). The schedule counts updates.
        mixed_float16: Scale the loss so that small gradients survive in float16.

    Raises:
        ValueError: for another name.

    Example:

    >>> make_optimizer("adamw", 1e-3, weight_decay=0.05).weight_decay
    0.05
    """
    shared: dict[str, Any] = {"learning_rate": learning_rate, "global_clipnorm": clip_norm}
    shared["weight_decay"] = weight_decay or None
    shared["gradient_accumulation_steps"] = accumulate if accumulate > 1 else None
    if name in ("sgd", "nesterov"):
        optimizer = keras.optimizers.SGD(momentum=momentum, nesterov=name == "nesterov", **shared)
    elif name == "adamw":
        optimizer = keras.optimizers.AdamW(**{**shared, "weight_decay": weight_decay})
    elif name == "lamb":
        optimizer = Lamb(epsilon=1e-6, **shared)
    else:
        raise ValueError(f"optimizer must be 'sgd', 'nesterov', 'adamw' or 'lamb'; received {name!r}.")
    optimizer.exclude_from_weight_decay(var_names=list(UNDECAYED))
    return keras.optimizers.LossScaleOptimizer(optimizer) if mixed_float16 else optimizer


def scale_rates(optimizer: keras.Optimizer, shares: Sequence[float]) -> None:
    """Let each variable learn at its own share of the learning rate: discriminative rates (arXiv:1801.06146, section
    3.2), smaller for layers that need little change. Decoupled weight decay keeps the whole rate.

    Args:
        optimizer: Of any kind; before its first step.
        shares: Of each of the model's trainable variables, in their order, e.g. 0.1.
    """
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)  # of one that scales the loss
    step = optimizer.update_step

    def update_step(gradient: Any, variable: Any, learning_rate: Any) -> None:
        step(gradient, variable, learning_rate * shares[optimizer._get_variable_index(variable)])

    optimizer.update_step = update_step
