"""A layout: how a peer names and stores the weights that our layers hold.

A layout is a table from our layer names to the peer's. Read from left to right it says what to look for in a file, and
under which names to write one, so loading and saving cannot disagree.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

UNIT = r"stage(?P<s>\d+)_block(?P<b>\d+)_"

OURS = {name: name for name in ("kernel", "bias", "gamma", "beta", "moving_mean", "moving_variance")}
TORCH = {
    "kernel": "weight",
    "bias": "bias",
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}


@dataclass(frozen=True)
class Layout:
    """How one peer names and stores weights.

    Args:
        name: What messages call it.
        family: Name by which a user asks for it; several layouts of one peer share it.
        rules: Pairs of a pattern of our layer names and the peer's name. In the latter, `{s}` is the stage, `{b}` the
            block, `{i}` the index, each also less one (`{s0}`) and plus one (`{s1}`); `{letter}` is the
            index as a letter.
        variables: The peer's names of our variables.
        separator: Between the peer's layer and variable.
        torch: Whether kernels are stored as (out, in, height, width), as torch does, in place of Keras' order.
        dense: Spatial shape of the kernels that are convolutions at the peer's, or that see a flattened feature map,
            and fully connected layers here.
        flat: Layers among `dense` whose kernel is a matrix at the peer's as well.
        needs: Pattern that some layer of the model must match, and `lacks`: that none may ("": no such condition).
        strided: The convolution of a bottleneck that carries the stride: "1x1" or "3x3".
        folds_biases: The peer has a bias on each convolution that a batch norm follows.
        epsilon: Of the peer's batch norms, where it is not the 1e-5 of all others.
        networks: What to build for a file of this layout; ends the message when a model does not fit.
    """

    name: str
    family: str
    rules: tuple[tuple[str, str], ...]
    variables: Mapping[str, str] = field(default_factory=lambda: OURS)
    separator: str = "/"
    torch: bool = False
    dense: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    flat: tuple[str, ...] = ()
    needs: str = ""
    lacks: str = ""
    strided: str = "3x3"
    folds_biases: bool = False
    epsilon: float = 1e-5
    networks: str = ""

    def layer(self, ours: str) -> str | None:
        """The peer's name of one of our layers; None where it has none."""
        for pattern, template in self.rules:
            if match := re.fullmatch(pattern, ours):
                return template.format_map(_numbers(match.groupdict()))
        return None

    def key(self, layer: str, variable: str) -> str | None:
        """The peer's name of one of our variables; None where it has none."""
        theirs = self.layer(layer)
        return theirs and f"{theirs}{self.separator}{self.variables[variable]}"

    def shape(self, layer: str, variable: str, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Shape that the peer stores a variable of ours in."""
        return self.to_theirs(layer, variable, np.broadcast_to(np.float32(0), shape)).shape

    def to_theirs(self, layer: str, variable: str, array: np.ndarray) -> np.ndarray:
        """An array of ours as the peer stores it."""
        if variable != "kernel":
            return array
        moved = array.reshape(self._unfolded(layer, array.shape))
        moved = moved.transpose(self._axes(moved.ndim))
        return moved.reshape(len(moved), -1) if layer in self.flat else moved

    def to_ours(self, layer: str, variable: str, array: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        """An array of the peer's in our shape; the exact inverse of `to_theirs`."""
        if variable != "kernel":
            return array
        unfolded = self._unfolded(layer, shape)
        axes = self._axes(len(unfolded))
        theirs = array.reshape([unfolded[axis] for axis in axes])
        return theirs.transpose(np.argsort(axes)).reshape(shape)

    def _unfolded(self, layer: str, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Our kernel's shape, that of a fully connected layer seen as a convolution where the peer has one."""
        spatial = self.dense.get(layer)
        if spatial is None or len(shape) != 2:
            return shape
        return (*spatial, shape[0] // int(np.prod(spatial)), shape[1])

    def _axes(self, rank: int) -> tuple[int, ...]:
        return (rank - 1, rank - 2, *range(rank - 2)) if self.torch else tuple(range(rank))

    def fits(self, layers: Iterable[str], weighted: Iterable[str]) -> bool:
        """Whether the peer has networks of this form.

        Args:
            layers: Names of all layers of the model.
            weighted: Names of those that have weights.
        """
        text = "\n".join(layers)
        conditions = (not self.needs or re.search(self.needs, text)) and not (
            self.lacks and re.search(self.lacks, text)
        )
        return bool(conditions) and all(self.layer(name) for name in weighted)

    def folded(self, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Arrays without the biases before batch norms: norm(x + bias) with mean m is norm(x) with mean m - bias."""
        arrays = dict(arrays)
        for name in [name for name in arrays if name.endswith("_conv/bias")] if self.folds_biases else []:
            mean = name.removesuffix("_conv/bias") + "_bn/moving_mean"
            if mean in arrays and arrays[mean].shape == arrays[name].shape:
                arrays[mean] = arrays[mean] - arrays.pop(name)
        return arrays

    def unfolded(self, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Arrays with biases of zero where the peer has them."""
        result: dict[str, np.ndarray] = {}
        for name, array in arrays.items():
            result[name] = array
            if self.folds_biases and name.endswith("_conv/kernel"):
                result[name.removesuffix("kernel") + "bias"] = np.zeros(array.shape[-1], array.dtype)
        return result


def _numbers(groups: dict[str, str | None]) -> dict[str, Any]:
    """What a template may use of a pattern's groups."""
    values = {name: int(value) for name, value in groups.items() if value and value.isdigit()}
    shifted = {
        f"{name}{suffix}": value + step for name, value in values.items() for suffix, step in (("0", -1), ("1", 1))
    }
    return {**groups, **values, **shifted, "letter": chr(ord("a") + shifted.get("i0", 0))}
