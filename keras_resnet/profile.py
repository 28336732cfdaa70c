"""Parameters, multiply-adds and activations of any Keras model, by layer and by stage."""

import csv
import math
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

import keras
from keras import layers

from keras_resnet.ends import deep_recursion
from keras_resnet.models import create_model

_CONVOLUTIONS = (layers.Conv1D, layers.Conv2D, layers.Conv3D)
_TRANSPOSED = (layers.Conv1DTranspose, layers.Conv2DTranspose, layers.Conv3DTranspose)
_DEPTHWISE = (layers.DepthwiseConv1D, layers.DepthwiseConv2D)
_SEPARABLE = (layers.SeparableConv1D, layers.SeparableConv2D)
_WITHOUT_PRODUCTS = (
    layers.BatchNormalization,
    layers.GroupNormalization,
    layers.LayerNormalization,
    layers.UnitNormalization,
    layers.Normalization,
    layers.Embedding,
    layers.Rescaling,
    layers.Dropout,
)
_PRODUCTS = ("Matmul", "Dot", "Einsum", "Tensordot", "Inner", "Conv", "DepthwiseConv", "SeparableConv", "ConvTranspose")


@dataclass(frozen=True)
class Row:
    """One layer's share. For an image `(height, width, channels)` in, per image:

    Args:
        layer: Its name.
        kind: Its class.
        output: Its output shape, without the batch.
        params: Numbers in its weights.
        trainable_params: Those that training changes.
        macs: Multiply-adds of its convolutions and matrix products; additions of biases, norms and activations do not
            count, as is usual.
        activations: Elements of the outputs of its convolutions and matrix products (arXiv:2003.13678, section 3.2).
    """

    layer: str
    kind: str
    output: tuple[int, ...]
    params: int
    trainable_params: int
    macs: int
    activations: int

    @property
    def stage(self) -> str:
        """The part of the name before the first underscore: "stem", "stage1", ..., "head"."""
        return self.layer.split("_")[0]


@dataclass(frozen=True, repr=False)
class Profile:
    """What `profile` returns: rows by layer, their sums, a table to print and CSV to keep.

    Args:
        name: The model's name.
        rows: One for each layer that computes something, in order.
        uncounted: Layers with weights whose products this package does not know how to count: they stand with 0
            multiply-adds.
    """

    name: str
    rows: tuple[Row, ...]
    uncounted: tuple[str, ...] = ()

    def __repr__(self) -> str:
        unit, word = (1e9, "billion") if self.macs >= 1e8 else (1e6, "million")
        return f"{self.name}: {self.trainable_params:,} parameters, {self.macs / unit:.2f} {word} multiply-adds"

    @property
    def params(self) -> int:
        """Numbers in all weights, moving statistics among them."""
        return sum(row.params for row in self.rows)

    @property
    def trainable_params(self) -> int:
        """Numbers that training changes: what papers call parameters."""
        return sum(row.trainable_params for row in self.rows)

    @property
    def macs(self) -> int:
        """Multiply-adds for one input; many papers call them FLOPs."""
        return sum(row.macs for row in self.rows)

    @property
    def activations(self) -> int:
        """Elements that convolutions and matrix products give out for one input."""
        return sum(row.activations for row in self.rows)

    def stages(self) -> "Profile":
        """The same with one row a stage, whose output is that of its last layer."""
        groups: dict[str, list[Row]] = {}
        for row in self.rows:
            groups.setdefault(row.stage, []).append(row)
        summed = [
            Row(
                stage,
                f"{len(rows)} layer{'s' * (len(rows) > 1)}",
                rows[-1].output,
                *(sum(column) for column in zip(*(astuple(row)[3:] for row in rows), strict=True)),
            )
            for stage, rows in groups.items()
        ]
        return Profile(self.name, tuple(summed), self.uncounted)

    def to_csv(self, path: str | Path) -> None:
        """Write a header and one line a row; shapes as 112x112x64."""
        with Path(path).open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["layer", "kind", "output", "params", "trainable_params", "multiply_adds", "activations"])
            for row in self.rows:
                writer.writerow([row.layer, row.kind, _shape(row.output), *astuple(row)[3:]])

    def __rich__(self) -> Any:
        from rich.box import SIMPLE_HEAD
        from rich.table import Table

        table = Table(title=repr(self), show_footer=True, box=SIMPLE_HEAD, padding=(0, 1))
        table.add_column("layer", "total", no_wrap=True)
        table.add_column("kind", no_wrap=True)
        table.add_column("output", no_wrap=True)
        table.add_column("parameters", f"{self.trainable_params:,}", justify="right", no_wrap=True)
        table.add_column("mult-adds, M", _millions(self.macs), justify="right", no_wrap=True)
        table.add_column("activ., M", _millions(self.activations), justify="right", no_wrap=True)
        for row in self.rows:
            table.add_row(
                row.layer,
                row.kind,
                _shape(row.output),
                f"{row.trainable_params:,}",
                _millions(row.macs),
                _millions(row.activations),
            )
        if self.uncounted:
            table.caption = f"multiply-adds not counted: {', '.join(self.uncounted)}"
        return table


def profile(model: keras.Model | str, input_shape: tuple[int, ...] | None = None) -> Profile:
    """Count the parameters, multiply-adds and activations of a Keras functional or sequential model.

    Args:
        model: A model of one input, or the name of a network, of which then no weight is allocated.
        input_shape: Sizes and channels, without the batch, to count at (the model's own; needed where those hold None).

    Returns:
        A `Profile`: `print(profile(model).macs)`, `rich.print(profile(model).stages())`, `profile(model).to_csv(path)`.

    Raises:
        ValueError: for a model that is not a graph of layers, an unknown name, or unknown sizes.

    Example:

    >>> plain, residual = profile("plain34"), profile("resnet34")
    >>> f"{plain.macs / 1e9:.1f} {residual.macs / 1e9:.1f}"
    '3.6 3.7'
    """
    if isinstance(model, str):
        with weightless():
            return profile(create_model(model, input_shape=input_shape))
    graph = _graph(model)
    if input_shape is not None:
        _check_shape(graph, tuple(input_shape))
        with weightless(), deep_recursion():
            return profile(keras.models.clone_model(graph, input_tensors=keras.Input(tuple(input_shape))))
    if any(None in tensor.shape[1:] for tensor in keras.tree.flatten(graph.inputs)):
        raise ValueError(f"the input sizes of {model.name} are not known: give input_shape=(height, width, channels).")
    leaves = [(leaf, calls) for leaf, calls in _leaves(graph) if not isinstance(leaf, layers.InputLayer)]
    rows = tuple(_row(leaf, calls) for leaf, calls in leaves if isinstance(leaf, layers.Layer))
    return Profile(model.name, rows, tuple(leaf.name for leaf, _ in leaves if _macs(leaf) is None))


@contextmanager
def weightless() -> Iterator[None]:
    """Models built inside have shapes but no weights: enough to count them, and quick for the largest ones. They cannot
    be called.

    Example:

    >>> with weightless():
    ...     create_model("resnetv2_152x4_bit").name
    'resnetv2_152x4_bit'
    """
    # Keras lists what a StatelessScope leaves uninitialised and would allocate it when the next such scope ends; no
    # public call takes it off that list.
    from keras.src.backend.common.global_state import get_global_attribute, set_global_attribute

    pending = list(get_global_attribute("uninitialized_variables", []))
    try:
        with keras.StatelessScope(initialize_variables=False):
            yield
    finally:
        set_global_attribute("uninitialized_variables", pending)


def _graph(model: keras.Model) -> keras.Model:
    """The functional form of a model: itself, or what a built Sequential stands for."""
    if isinstance(model, keras.Sequential) and model.built:
        return keras.Model(model.inputs, model.outputs, name=model.name)
    if not hasattr(model, "operations"):
        raise ValueError(
            f"profile counts functional models and built Sequential ones; received {type(model).__name__}."
        )
    return model


def _check_shape(graph: keras.Model, shape: tuple[int, ...]) -> None:
    """A network may be counted at another size, but its weights know the number of channels."""
    if len(graph.inputs) != 1:
        raise ValueError(f"input_shape is for models of one input; {graph.name} has {len(graph.inputs)}.")
    own = tuple(graph.inputs[0].shape[1:])
    if len(shape) != len(own) or shape[-1] != own[-1]:
        raise ValueError(f"input_shape must fit the model's {own}, other sizes apart; received {shape}.")


def _leaves(graph: keras.Model, times: int = 1) -> Iterator[tuple[Any, int]]:
    """The operations of a model in order, each with the number of its calls; those of nested models stand in their
    place."""
    calls = Counter(node.operation.name for nodes in graph._nodes_by_depth.values() for node in nodes)
    for operation in graph.operations:
        if isinstance(operation, keras.Model):
            yield from _leaves(_graph(operation), times * calls[operation.name])
        else:
            yield operation, times * calls[operation.name]


def _row(leaf: Any, calls: int) -> Row:
    sizes = [
        math.prod(weight.shape) for weight in getattr(leaf, "weights", []) if weight.name != "seed_generator_state"
    ]
    trainable = [math.prod(weight.shape) for weight in getattr(leaf, "trainable_weights", [])]
    macs = _macs(leaf) or 0
    activations = math.prod(_output(leaf)) if macs else 0
    return Row(
        leaf.name, type(leaf).__name__, _output(leaf), sum(sizes), sum(trainable), macs * calls, activations * calls
    )


def _macs(leaf: Any) -> int | None:
    """Multiply-adds of one call; None for a layer with weights that is not known, and for products outside layers."""
    if isinstance(leaf, _TRANSPOSED):
        return math.prod(leaf.input.shape[1:-1]) * math.prod(leaf.kernel.shape)
    if isinstance(leaf, _SEPARABLE):
        depthwise, pointwise = leaf.depthwise_kernel.shape, leaf.pointwise_kernel.shape
        return math.prod(_output(leaf)) // pointwise[-1] * (math.prod(depthwise) + math.prod(pointwise))
    if isinstance(leaf, _DEPTHWISE):
        return math.prod(_output(leaf)) * math.prod(leaf.kernel.shape[:-2])
    if isinstance(leaf, (*_CONVOLUTIONS, layers.Dense)):
        return math.prod(_output(leaf)) * math.prod(leaf.kernel.shape[:-1])
    if not isinstance(leaf, layers.Layer):
        return None if type(leaf).__name__ in _PRODUCTS else 0
    return 0 if isinstance(leaf, _WITHOUT_PRODUCTS) or not leaf.weights else None


def _output(leaf: Any) -> tuple[int, ...]:
    return tuple(keras.tree.flatten(leaf.output)[0].shape[1:])


def _shape(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))


def _millions(count: int) -> str:
    return f"{count / 1e6:,.3f}" if count else "-"
