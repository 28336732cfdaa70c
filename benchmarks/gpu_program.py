"""Training as one program that JAX compiles: the data lie on the device, a scan runs over the steps, and nets of
several seeds can train in it at once."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import keras
import numpy as np
from gpu_resident import crop_and_flip, draw_crops, training_order

from keras_resnet.data.preprocess import Preprocessing
from keras_resnet.train.optimizers import UNDECAYED

PORTION = 1000  # images of one batch of an evaluation, at most


@dataclass(frozen=True)
class Rule:
    """How to learn: SGD with momentum, its rate inside the velocity as in Keras, on images cropped and mirrored."""

    batch: int = 128
    momentum: float = 0.9
    nesterov: bool = False
    decay: float = 1e-4  # half of it times the sum of squares is added to the loss
    decay_all: bool = True  # norms and biases too
    smoothing: float = 0.0  # probability taken from the true class and shared among all
    average: float = 0.0  # decay of the moving average of all weights; 0: none
    padding: int = 4


class State(NamedTuple):
    """All that a step changes, as lists of arrays."""

    trainable: list[Any]
    others: list[Any]
    velocity: list[Any]
    average: list[Any]  # of both kinds of weights; empty without an average


class Program:
    """A network's training and its test, as pure functions to be compiled.

    Args:
        model: A classifier that answers with logits; its variables are only a beginning, see `state`.
        rule: How to learn.
        preprocessing: Of pixels, before crop and flip as in `recipes/cifar10.py`.
    """

    def __init__(self, model: keras.Model, rule: Rule, preprocessing: Preprocessing) -> None:
        self.model, self.rule, self.preprocessing = model, rule, preprocessing
        names = [variable.name for variable in model.trainable_variables]
        self.decays = [rule.decay if rule.decay_all or name not in UNDECAYED else 0.0 for name in names]

    def state(self, model: keras.Model | None = None) -> State:
        """The beginning: the weights of the model, or of another of its kind."""
        model = model or self.model
        # Copies: a compiled function may take their memory for its results.
        trainable = [jnp.array(variable.value) for variable in model.trainable_variables]
        others = [jnp.array(variable.value) for variable in model.non_trainable_variables]
        average = [jnp.array(value) for value in (*trainable, *others)] if self.rule.average else []
        return State(trainable, others, [jnp.zeros_like(value) for value in trainable], average)

    def into(self, model: keras.Model, state: State) -> keras.Model:
        """The model with the weights of a state, their average where there is one."""
        trainable, others = self.tested(state)
        for variables, values in ((model.trainable_variables, trainable), (model.non_trainable_variables, others)):
            for variable, value in zip(variables, values, strict=True):
                variable.assign(value)
        return model

    def tested(self, state: State) -> tuple[list[Any], list[Any]]:
        """The weights that count: the average where there is one."""
        if not state.average:
            return state.trainable, state.others
        return state.average[: len(state.trainable)], state.average[len(state.trainable) :]

    def interval(
        self, state: State, images: Any, labels: Any, seed: Any, first_step: Any, rates: Any
    ) -> tuple[State, dict[str, Any]]:
        """As many steps as there are rates, and the means over them of loss and accuracy.

        Args:
            state: Where to begin.
            images: The whole training set, uint8 `(size, height, width, channels)`.
            labels: int32 `(size,)`.
            seed: Of order and augmentation.
            first_step: Number of the first step.
            rates: Learning rates, float32 `(steps,)`.
        """
        steps, rule = rates.shape[0], self.rule
        order = training_order(images.shape[0], seed, first_step, steps, rule.batch)

        def body(state: State, given: tuple[Any, ...]) -> tuple[State, dict[str, Any]]:
            chosen, rate, step = given
            return self.step(state, self.shown(images[chosen], seed, step), labels[chosen], rate, step)

        if steps == 1:  # not even a loop of one
            return body(state, (order[0], rates[0], first_step))
        state, measured = jax.lax.scan(body, state, (order, rates, first_step + jnp.arange(steps)))
        return state, {name: values.mean() for name, values in measured.items()}

    def shown(self, images: Any, seed: Any, step: Any) -> Any:
        """A batch of uint8 images as the network is shown it; normalised first, so that the border is of the mean
        colour."""
        padding = self.rule.padding
        return crop_and_flip(
            self.preprocessing.normalize(images), *draw_crops(seed, step, len(images), padding), padding
        )

    def step(self, state: State, images: Any, labels: Any, rate: Any, step: Any) -> tuple[State, dict[str, Any]]:
        """One step on images as the network wants them."""
        rule = self.rule
        (loss, (others, logits)), gradients = jax.value_and_grad(self._loss, has_aux=True)(
            state.trainable, state.others, images, labels
        )
        trainable, velocity = [], []
        for value, moved, gradient, decay in zip(state.trainable, state.velocity, gradients, self.decays, strict=True):
            change = rate * (gradient + decay * value)
            moved = rule.momentum * moved - change
            trainable.append(value + (rule.momentum * moved - change if rule.nesterov else moved))
            velocity.append(moved)
        average = state.average
        if rule.average:
            share = 1 - jnp.minimum(rule.average, (2.0 + step) / (11.0 + step))  # as WeightAverage: short at first
            average = [old + share * (new - old) for old, new in zip(average, [*trainable, *others], strict=True)]
        accuracy = (logits.argmax(axis=-1) == labels).mean()
        return State(trainable, others, velocity, average), {"loss": loss, "accuracy": accuracy}

    def _loss(self, trainable: list[Any], others: list[Any], images: Any, labels: Any) -> tuple[Any, Any]:
        """Cross-entropy with smoothed labels; the weights' decay is added to the gradient."""
        logits, others = self.model.stateless_call(trainable, others, images, training=True)
        logits = logits.astype("float32")
        truth = jax.nn.one_hot(labels, logits.shape[-1])
        truth = (1 - self.rule.smoothing) * truth + self.rule.smoothing / logits.shape[-1]
        return -(truth * jax.nn.log_softmax(logits)).sum(axis=-1).mean(), (others, logits)

    def test(self, state: State, images: Any, labels: Any, mirrored: bool = False) -> Any:
        """How many answers are correct; `mirrored` adds the logits of the mirrored image."""
        trainable, others = self.tested(state)

        def logits(pixels: Any) -> Any:
            return self.model.stateless_call(trainable, others, pixels, training=False)[0].astype("float32")

        pixels = self.preprocessing.normalize(images)
        found = logits(pixels) + logits(pixels[:, :, ::-1]) if mirrored else logits(pixels)
        return (found.argmax(axis=-1) == labels).sum()


def portions(images: np.ndarray, labels: np.ndarray) -> list[tuple[Any, Any]]:
    """A test set on the device, in equal parts of at most PORTION images; labels of -1, which no answer meets, fill up
    the last."""
    size = min(PORTION, len(images))
    spare = -len(images) % size
    images, labels = np.pad(images, [(0, spare), *[(0, 0)] * 3]), np.pad(labels, (0, spare), constant_values=-1)
    parts = range(0, len(images), size)
    return [(jnp.asarray(images[part : part + size]), jnp.asarray(labels[part : part + size])) for part in parts]


def correct(test: Callable[..., Any], state: State, parts: list[tuple[Any, Any]]) -> np.ndarray:
    """Right answers on all parts."""
    return np.asarray(sum(test(state, *part) for part in parts))


def compiled_interval(interval: Callable[..., Any], state: State, *given: Any) -> tuple[Callable[..., Any], float, Any]:
    """An interval ready to run as often as wanted, the seconds of its compilation, and `memory` of it.

    On a processor one step is compiled and called again and again: inside a loop XLA computes convolutions there
    without the library that it calls outside of one, and many times as slowly.
    """
    *given_before, rates = given
    if jax.default_backend() != "cpu":
        run, seconds = compiled(interval, state, *given, donate=True)
        return run, seconds, memory(run)
    one, seconds = compiled(interval, state, *given_before, rates[:1], donate=True)

    def run(state: State, images: Any, labels: Any, seed: Any, first_step: int, rates: Any) -> tuple[State, Any]:
        measured = []
        for step in range(len(rates)):
            state, now = one(state, images, labels, seed, first_step + step, rates[step : step + 1])
            measured.append(now)
        return state, jax.tree.map(lambda *values: sum(values) / len(values), *measured)

    return run, seconds, memory(one)


def compiled(function: Callable[..., Any], *given: Any, donate: bool = False) -> tuple[Callable[..., Any], float]:
    """A function ready to run on such arguments, and the seconds that its compilation took."""
    start = time.perf_counter()
    program = jax.jit(function, donate_argnums=(0,) if donate else ()).lower(*given).compile()
    return program, time.perf_counter() - start


def memory(program: Any) -> int | None:
    """Bytes that a compiled function holds at once, by the compiler's account: arguments, results, all between them."""
    if (sizes := program.memory_analysis()) is None:
        return None
    held = sizes.argument_size_in_bytes + sizes.output_size_in_bytes + sizes.temp_size_in_bytes
    return held - sizes.alias_size_in_bytes


def stacked(states: list[State]) -> State:
    """Several nets as one, for `jax.vmap`."""
    return jax.tree.map(lambda *values: jnp.stack(values), *states)


def unstacked(state: State, count: int) -> list[State]:
    """The opposite."""
    return [jax.tree.map(lambda values, number=number: values[number], state) for number in range(count)]


def one_cycle(peak: float, steps: int, rising: float = 0.25) -> np.ndarray:
    """Learning rates that rise linearly for a share of the steps and fall linearly to 0: arXiv:1708.07120."""
    top = max(1, int(rising * steps))
    return np.interp(np.arange(steps), [0, top, steps], [0.0, peak, 0.0]).astype("float32")
