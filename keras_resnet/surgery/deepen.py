"""A deeper network that computes the same: the existence argument of arXiv:1512.03385 as a function."""

import re
from typing import Any

import keras

from keras_resnet.spec import check_counts
from keras_resnet.surgery.graph import rebuild, renamed


def deepen(model: keras.Model, stage: int, blocks: int = 1, name: str | None = None) -> keras.Model:
    """A deeper residual network that computes the same function: new units at the end of a stage start as the identity.

    The existence argument of arXiv:1512.03385 (section 1): a deeper net made from a shallower one by identity layers is
    no worse. A new unit copies the form of the
    stage's last unit (options, regularisers) with fresh weights, and its branch ends in zero: the last norm's scale, or
    in order "pre" the last convolution.
    Both models are independent: every weight is copied. Compile the new one anew.

    Args:
        model: A residual network of this package, trained or not, or one loaded from its `.keras` file.
        stage: Which stage grows, counted from 1.
        blocks: How many units to add, at least 1.
        name: The new model's name (the old one's).

    Returns:
        A `keras.Model` with equal outputs in inference, `blocks` units deeper, trainable on.

    Raises:
        ValueError: where no identity unit can be copied: an unknown stage, a plain network, projections in every unit,
            a stage of one unit that projects, or
            units that end in an activation other than ReLU, which changes what it is given twice.

    Example:

    >>> import numpy as np
    >>> from keras_resnet.models import create_model
    >>> shallow = create_model("cifar_resnet20", input_shape=(8, 8, 3))
    >>> deep = deepen(shallow, stage=2, blocks=3)
    >>> images = np.random.default_rng(0).normal(size=(2, 8, 8, 3)).astype("float32")
    >>> float(np.abs(deep(images) - shallow(images)).max())
    0.0
    """
    if not isinstance(model, keras.Model):
        raise ValueError(f"deepen takes a keras.Model; received {type(model).__name__}.")
    check_counts("blocks", (blocks,))
    last = _last_block(model, stage)
    source, end = _identity_unit(model, f"stage{stage}_block{last}_")
    config = model.get_config()
    unit = [entry for entry in config["layers"] if entry["name"].startswith(f"stage{stage}_block{last}_")]
    rest = [entry for entry in config["layers"] if entry not in unit]
    added: list[dict[str, Any]] = []
    tail = end
    for block in range(last + 1, last + 1 + blocks):
        names = {entry["name"]: entry["name"].replace(f"_block{last}_", f"_block{block}_") for entry in unit}
        added += [_start_as_identity(renamed(entry, {**names, source: tail}), unit, names) for entry in unit]
        tail = names[end]
    moved = {key: renamed(value, {end: tail}) for key, value in config.items() if key != "layers"}
    config = {
        **moved,
        "layers": unit + added + [renamed(entry, {end: tail}) for entry in rest],
        "name": name or model.name,
    }
    deeper = rebuild(model, config)
    for layer in model.layers:
        deeper.get_layer(layer.name).set_weights(layer.get_weights())
    return deeper


def _last_block(model: keras.Model, stage: int) -> int:
    """The number of a stage's last unit."""
    found = [re.match(r"stage(\d+)_block(\d+)_", layer.name) for layer in model.layers]
    blocks: dict[int, int] = {}
    for match in filter(None, found):
        number = int(match[1])
        blocks[number] = max(blocks.get(number, 0), int(match[2]))
    if stage not in blocks:
        known = f"it has stages {sorted(blocks)}" if blocks else "it is not a residual network of this package"
        raise ValueError(f"{model.name} has no stage {stage!r}: {known}.")
    return blocks[stage]


def _identity_unit(model: keras.Model, prefix: str) -> tuple[str, str]:
    """Names of the operation that feeds a unit with an identity shortcut, and of the one that ends it."""
    names = {layer.name for layer in model.layers}
    if prefix + "add" not in names:
        raise ValueError(f"{model.name} has no shortcuts: a unit of a plain network cannot start as the identity.")
    source = model.get_layer(prefix + "add").input[0]._keras_history.operation.name
    if "_shortcut" in source or not any(layer.name == source for layer in model.layers):
        raise ValueError(
            f"the last unit of the stage, {prefix[:-1]}, projects its shortcut: there is no identity unit to copy."
        )
    if prefix + "out" not in names:
        return source, prefix + "add"
    activation = keras.activations.serialize(model.get_layer(prefix + "out").activation)
    if activation != "relu":
        raise ValueError(
            f"units that end in {activation!r} change what they are given: only with ReLU is a new unit the identity."
        )
    return source, prefix + "out"


def _start_as_identity(entry: dict[str, Any], unit: list[dict[str, Any]], names: dict[str, str]) -> dict[str, Any]:
    """The same layer, its scale or kernel starting at zero if it is what the unit's branch ends in."""
    zeros = keras.initializers.serialize(keras.initializers.Zeros())
    post = any(old["name"].endswith("_out") for old in unit)
    kind, weight = ("norm", "gamma_initializer") if post else ("conv", "kernel_initializer")
    last = max(old["name"] for old in unit if re.search(rf"_{kind}\d$", old["name"]))
    if entry["name"] == names[last]:
        entry["config"][weight] = zeros
    return entry
