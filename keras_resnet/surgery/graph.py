"""Reading and rewriting the graph of a functional model in the form that `get_config` gives it."""

import copy
from collections.abc import Iterator
from typing import Any

import keras

from keras_resnet.ends import deep_recursion


def rebuild(model: keras.Model, config: dict[str, Any]) -> keras.Model:
    """The model of a rewritten config, with fresh weights."""
    with deep_recursion():
        return type(model).from_config(config)


def renamed(value: Any, names: dict[str, str]) -> Any:
    """A deep copy of a piece of a config in which operations, and the tensors that they give out, carry new names."""
    if isinstance(value, dict):
        value = {key: renamed(item, names) for key, item in value.items()}
        if "inbound_nodes" in value and value["name"] in names:
            value["name"] = value["config"]["name"] = names[value["name"]]
        return value
    if isinstance(value, list | tuple):
        if is_tensor(value):
            return [names.get(value[0], value[0]), *value[1:]]
        return [renamed(item, names) for item in value]
    return copy.deepcopy(value)


def sources(value: Any) -> Iterator[str]:
    """Names of the operations whose tensors a piece of a config takes, once for each time."""
    if isinstance(value, dict):
        for item in value.values():
            yield from sources(item)
    elif isinstance(value, list | tuple):
        if is_tensor(value):
            yield value[0]
        else:
            for item in value:
                yield from sources(item)


def is_tensor(value: list[Any] | tuple[Any, ...]) -> bool:
    """Whether this is how a config writes a tensor: [operation, node, output]."""
    return len(value) == 3 and isinstance(value[0], str) and all(isinstance(number, int) for number in value[1:])
