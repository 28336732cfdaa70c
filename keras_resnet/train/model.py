"""The network as `fit` trains it: on any strategy, with averaged weights where wanted."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_resnet.train.fused import with_fused_norms
from keras_resnet.train.strategy import is_multi_worker


class TrainingModel(keras.Model):
    """A network's layers under another `train_step`: build one by `training_model` and train it by `fit`.

    Keras 3's `fit` has two faults under several machines (keras#20585), which this class goes around: it wants a first
    dimension in what every replica reports, and it builds a model from a batch that it cannot average.
    """

    average: "WeightAverage | None" = None

    def train_step(self, data: Any) -> dict[str, Any]:
        """One step of the optimiser, then of the averaged weights."""
        logs = super().train_step(data)
        if self.average:
            self.average.update()
        return self._for_every_worker(logs)

    def test_step(self, data: Any) -> dict[str, Any]:
        """One batch of an evaluation."""
        return self._for_every_worker(super().test_step(data))

    def _for_every_worker(self, logs: dict[str, Any]) -> dict[str, Any]:
        if not is_multi_worker(self.distribute_strategy):
            return logs
        return {name: ops.reshape(value, (1,)) for name, value in logs.items()}

    def _maybe_symbolic_build(self, iterator: Any = None, data_batch: Any = None) -> None:
        """`training_model` has built everything; Keras would draw a batch to do so."""


def training_model(network: keras.Model, average: float = 0.0, **compile_options: Any) -> TrainingModel:
    """Prepare a network for `fit`: compiled, the optimiser and the metrics built. Call it in the strategy's scope.

    Args:
        network: A functional classifier; its layers and variables are shared, so that training trains the network. Its
            batch norms are computed in one operation where they can be, see `keras_resnet.train.fused`.
        average: Decay of the exponential moving average of all weights, in [0, 1); 0 keeps none.
        **compile_options: Those of `keras.Model.compile`.

    Returns:
        The model to call `fit` on. Evaluate and save the average inside `with averaged(model):`.

    Raises:
        ValueError: for an average outside [0, 1).
    """
    if not 0 <= average < 1:
        raise ValueError(f"average must lie in [0, 1); received {average}.")
    fused = with_fused_norms(network)
    model = TrainingModel(inputs=fused.input, outputs=fused.outputs[0], name=network.name)
    model.compile(**compile_options)
    model.optimizer.build(model.trainable_variables)
    shapes = [(2, *(size or 32 for size in network.input_shape[1:])), (2, network.output_shape[-1])]
    inputs, labels = (np.zeros(shape, "float32") for shape in shapes)
    model._symbolic_build(data_batch=(inputs, labels))
    if average:
        model.average = WeightAverage(model, average)
    return model


class WeightAverage:
    """The exponential moving average of all a model's weights, statistics of its norms included.

    Keras' `use_ema` leaves the moving statistics of batch normalisation as they are: averaged kernels then meet the
    statistics of others (timm#102). The decay grows from 0 to its value, min(decay, (1 + step) / (10 + step)), so that
    short runs forget their random beginning.
    """

    def __init__(self, model: keras.Model, decay: float) -> None:
        self.decay, self.optimizer = decay, model.optimizer
        self.sources = [weight for weight in model.weights if weight.dtype.startswith(("float", "bfloat"))]
        self.values = [
            keras.Variable(
                weight, dtype=weight.dtype, trainable=False, aggregation="only_first_replica", name=f"average_{index}"
            )
            for index, weight in enumerate(self.sources)
        ]

    def update(self) -> None:
        """Move the average towards the weights; inside the compiled step."""
        step = ops.cast(self.optimizer.iterations, "float32")
        share = 1.0 - ops.minimum(self.decay, (1.0 + step) / (10.0 + step))
        for value, source in zip(self.values, self.sources, strict=True):
            value.assign(value + ops.cast(share, value.dtype) * (ops.convert_to_tensor(source) - value))

    def swap(self) -> None:
        """Exchange the weights and their average."""
        for value, source in zip(self.values, self.sources, strict=True):
            current = ops.convert_to_numpy(source)
            source.assign(value)
            value.assign(current)


@contextmanager
def averaged(model: TrainingModel) -> Iterator[None]:
    """Within it the model's weights are their average; without an average, what they are."""
    if model.average:
        model.average.swap()
    try:
        yield
    finally:
        if model.average:
            model.average.swap()


class EvaluateAverage(keras.callbacks.Callback):
    """Lets the evaluations of `fit` measure the averaged weights."""

    def on_test_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Put the average in place."""
        self.model.average.swap()

    def on_test_end(self, logs: dict[str, Any] | None = None) -> None:
        """Put the weights back."""
        self.model.average.swap()
