"""Between a model and a file: loading is all or nothing, saving is atomic."""

import os
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_resnet.weights.errors import WeightsError
from keras_resnet.weights.files import read_arrays, write_legacy_h5, write_safetensors
from keras_resnet.weights.layouts import find, recognise
from keras_resnet.weights.layouts.base import Layout

HEAD = "predictions"
_STEMS = ("stem_conv", "stem_conv1")
_COUNTERS = re.compile(r"(^|\.)num_batches_tracked$")  # torch counts training steps in every batch norm
_SUFFIXES = (".safetensors", ".npz", ".h5", ".pth", ".th", ".pt", ".bin")  # that mark a file of weights in a folder
_SHOWN = 8  # names in a message

Variables = dict[tuple[str, str], Any]  # (layer, variable) -> keras.Variable


@dataclass(frozen=True)
class Loaded:
    """What `load_weights` did.

    Args:
        layout: Name of the layout that the file was found to have.
        arrays: Number of arrays written into the model.
        skipped: Names in the file that were left out: its head, or its counters.
        adapted: Name of the stem kernel that was adapted to another number of input channels, or None.
    """

    layout: str
    arrays: int
    skipped: tuple[str, ...] = ()
    adapted: str | None = None


def load_weights(
    model: keras.Model,
    source: str | os.PathLike[str],
    *,
    skip_head: bool = False,
    sha256: str | None = None,
) -> Loaded:
    """Load weights from anywhere into a model of this package: everything, or, on any mismatch, nothing.

    The layout (torchvision, timm, keras.applications, keras-hub, BiT, akamaster, or our own) is recognised by the names
    in the file. Every name and shape is compared before the first weight is written. A stem kernel for three channels
    is adapted to the model's number of them: summed for one, else repeated and rescaled, as timm does.
    A keras.applications file was trained with an epsilon of 1.001e-5: where the model's differs, the moving variances
    take up the difference, so that their sum, and with it the function, stays.

    Args:
        model: The model; its sizes, classes and input channels may be any.
        source: A file of weights, a folder that holds one, or a pretrained tag such as `"resnet50.tv2_in1k"`.
        skip_head: Load everything but the classifier, for another number of classes (False). A model without one skips
            the file's by itself.
        sha256: Expected SHA-256 of the file (None: not checked).

    Returns:
        What was done.

    Raises:
        WeightsError: a ValueError that lists what is missing, left over or of another shape; the model is untouched.

    Example:

    >>> import tempfile
    >>> from keras_resnet.models import create_model
    >>> one, two = (create_model("cifar_resnet20", input_shape=(8, 8, 3)) for _ in range(2))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_weights(one, f"{folder}/one.safetensors", layout="akamaster")
    ...     load_weights(two, f"{folder}/one.safetensors").layout
    'akamaster CIFAR resnet'
    """
    path = locate(source)
    arrays = read_arrays(path, sha256)
    try:
        loaded = _load(model, arrays, skip_head)
    except WeightsError as error:
        raise WeightsError(f"{path}: {error}") from None
    model.pretrained_tag = _tag(source)  # an export asks it for preprocessing and labels
    return loaded


def _tag(source: str | os.PathLike[str]) -> str | None:
    """The tag, where that is what the source is."""
    from keras_resnet.weights import hub

    return str(source) if str(source) in hub.TAGS and not Path(source).exists() else None


def locate(source: str | os.PathLike[str]) -> Path:
    """The file behind a path, a folder with one file of weights, or a pretrained tag, downloaded if need be."""
    from keras_resnet.weights import hub

    path = Path(source).expanduser()
    if path.is_dir():
        files = [file for file in sorted(path.iterdir()) if file.suffix in _SUFFIXES]
        if len(files) != 1:
            raise WeightsError(
                f"{path}: a folder must hold one file of weights; found {[file.name for file in files]}."
            )
        return files[0]
    if not path.exists() and str(source) in hub.TAGS:
        return hub.fetch(str(source))
    if not path.exists() and path.suffix not in _SUFFIXES:
        raise WeightsError(f"{source}: neither a file nor a pretrained tag; {hub.nearest(str(source))}")
    return path


def save_weights(model: keras.Model, path: str | os.PathLike[str], layout: str = "keras_resnet") -> None:
    """Write a model's weights, in our own names or as a peer loads them; atomically.

    Args:
        model: A model of this package.
        path: Where to; the folder must exist. A name in `.h5` gives a Keras HDF5 file, every other one safetensors.
        layout: `"keras_resnet"`, `"torchvision"`, `"timm"`, `"keras_applications"`, `"keras_hub"`, `"akamaster"` or
            `"bit"`.

    Raises:
        WeightsError: where the peer has no such network, or the path cannot be written.
    """
    path = Path(path).expanduser()
    variables = model_variables(model)
    chosen = find(layout, _names(model), {layer for layer, _ in variables})
    _check_strides(model, chosen)
    arrays: dict[str, np.ndarray] = {}
    for (layer, variable), value in variables.items():
        array = chosen.to_theirs(layer, variable, keras.ops.convert_to_numpy(value))
        arrays[str(chosen.key(layer, variable))] = _shift_variance(model, chosen, layer, variable, array, -1)
        if chosen.torch and variable == "moving_variance":
            arrays[f"{chosen.layer(layer)}.num_batches_tracked"] = np.array(0, np.int64)
    arrays = chosen.unfolded(arrays)
    if not path.parent.is_dir():
        raise WeightsError(f"{path}: there is no folder {path.parent}.")
    if path.name.endswith(".weights.h5") or (path.suffix == ".h5" and chosen.separator != "/"):
        raise WeightsError(
            f"{path}: {layout} weights go to .safetensors{', or .h5' if chosen.separator == '/' else ''}."
        )
    if path.suffix == ".h5":
        write_legacy_h5(path, arrays)
    else:
        write_safetensors(path, arrays, layout=chosen.name, network=model.name)


def model_variables(model: keras.Model) -> Variables:
    """The weights of a model by (layer, variable)."""
    return {
        (layer.name, weight.name): weight
        for layer in model.layers
        for weight in layer.weights
        if weight.name != "seed_generator_state"
    }


def _load(model: keras.Model, arrays: dict[str, np.ndarray], skip_head: bool) -> Loaded:
    variables = model_variables(model)
    head_variables = [(HEAD, variable) for variable in ("kernel", "bias")]  # tell layouts apart, in a model without too
    layout = recognise(arrays, {*variables, *head_variables}, _names(model))
    _check_strides(model, layout)
    arrays = layout.folded(arrays)
    head = {str(layout.key(*variable)) for variable in head_variables}
    ignored = {name for name in arrays if _COUNTERS.search(name)}
    if skip_head or not any(layer == HEAD for layer, _ in variables):
        ignored |= head & set(arrays)
        variables = {key: value for key, value in variables.items() if key[0] != HEAD}
    expected = {str(layout.key(*key)): (*key, tuple(value.shape)) for key, value in variables.items()}
    adapted = _adapt_stem(layout, arrays, expected)
    _compare(layout, arrays, expected, ignored, head)
    _warn_of_nan(arrays, expected)
    ready = {
        name: _shift_variance(model, layout, layer, variable, layout.to_ours(layer, variable, arrays[name], shape), 1)
        for name, (layer, variable, shape) in expected.items()
    }
    for name, (layer, variable, _) in expected.items():
        variables[layer, variable].assign(ready[name])
    return Loaded(layout.name, len(ready), tuple(sorted(ignored)), adapted)


def _names(model: keras.Model) -> list[str]:
    return [layer.name for layer in model.layers]


def _compare(
    layout: Layout,
    arrays: Mapping[str, np.ndarray],
    expected: Mapping[str, tuple[str, str, tuple[int, ...]]],
    ignored: set[str],
    head: set[str],
) -> None:
    """Raise WeightsError, listing everything that does not fit, unless names and shapes are the same."""
    shapes = {name: layout.shape(*entry) for name, entry in expected.items()}
    wrong = [
        f"{name} is {arrays[name].dtype} {arrays[name].shape}, the model needs {shape}"
        for name, shape in shapes.items()
        if name in arrays and (arrays[name].shape != shape or arrays[name].dtype.kind != "f")
    ]
    missing = [name for name in shapes if name not in arrays]
    left_over = [name for name in arrays if name not in shapes and name not in ignored]
    if not (wrong or missing or left_over):
        return
    kinds = {"missing": missing, "left over": left_over, "of another shape or type": wrong}
    parts = [f"{len(found)} {kind}: {_listed(found)}" for kind, found in kinds.items() if found]
    hint = f" {layout.name} weights are for {layout.networks}." if missing or left_over else ""
    if not missing and not left_over and all(line.split(" ")[0] in head for line in wrong):
        hint = " For another number of classes, load everything but the head: skip_head=True."
    raise WeightsError(f"{layout.name} weights that do not fit; nothing was loaded. {'; '.join(parts)}.{hint}")


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _check_strides(model: keras.Model, layout: Layout) -> None:
    """The stride is in no name and no shape: a bottleneck that has it elsewhere takes the weights and is another
    function."""
    prefix = next(
        (name.removesuffix("conv3") for name in _names(model) if re.fullmatch(r"stage2_block1_conv3", name)), ""
    )
    if not prefix or not layout.strided:
        return
    strides = {size: model.get_layer(f"{prefix}conv{index}").strides for index, size in ((1, "1x1"), (2, "3x3"))}
    wrong = [size for size, stride in strides.items() if max(stride) > 1 and size != layout.strided]
    if wrong:
        raise WeightsError(
            f"{layout.name} has the stride on the {layout.strided} convolution, the model on the {wrong[0]}: with "
            f"these weights it would be another function. Build one of {layout.networks}."
        )


def _adapt_stem(
    layout: Layout, arrays: dict[str, np.ndarray], expected: Mapping[str, tuple[str, str, tuple[int, ...]]]
) -> str | None:
    """Replace a stem kernel for three channels by one for the model's; its name, or None if none was needed.

    One channel: the sum over the three, so that a grey image gives what it gave as three equal channels. Other numbers:
    the three in turn, times 3 / channels.
    """
    for name, (layer, variable, shape) in expected.items():
        if layer not in _STEMS or variable != "kernel" or name not in arrays:
            continue
        channels = shape[-2]
        if arrays[name].shape != layout.shape(layer, variable, (*shape[:-2], 3, shape[-1])) or channels == 3:
            return None
        kernel = layout.to_ours(layer, variable, arrays[name], (*shape[:-2], 3, shape[-1]))
        if channels == 1:
            kernel = kernel.sum(axis=-2, keepdims=True)
        else:
            kernel = kernel[..., np.arange(channels) % 3, :] * np.float32(3 / channels)
        arrays[name] = layout.to_theirs(layer, variable, kernel)
        return name
    return None


def _shift_variance(
    model: keras.Model, layout: Layout, layer: str, variable: str, array: np.ndarray, sign: int
) -> np.ndarray:
    """A moving variance that keeps variance + epsilon between a peer of another epsilon and the model."""
    if variable != "moving_variance" or layout.epsilon == 1e-5:
        return array
    difference = layout.epsilon - model.get_layer(layer).epsilon
    return (array + sign * difference).astype(array.dtype) if difference else array


def _warn_of_nan(arrays: Mapping[str, np.ndarray], expected: Mapping[str, Any]) -> None:
    broken = [name for name in expected if not np.isfinite(arrays[name]).all()]
    if broken:
        warnings.warn(f"weights that are not finite (NaN or infinity): {_listed(broken)}.", stacklevel=4)
