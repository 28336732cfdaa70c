"""The house: imports run one way, and importing the package is cheap."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "keras_resnet"

# Each room may import those before it; the package's __init__ may import all.
LAYERS = [
    ["spec"],
    ["zoo", "layers"],
    ["blocks", "ends"],
    ["network", "vgg"],
    ["models"],
    ["profile", "surgery"],
    ["data"],
    ["train", "weights"],
    ["export"],
    ["cli"],
]
RANK = {room: rank for rank, rooms in enumerate(LAYERS) for room in rooms}
INSIDE_A_FUNCTION = [("models", "weights")]  # weights="imagenet": only who asks for weights needs that room
CORE = [room for rooms in LAYERS[:6] for room in rooms]


def imports(path):
    """(module, whether at import time) of every import in a file."""
    tree = ast.parse(path.read_text())
    top = {
        id(node)
        for statement in tree.body
        if not isinstance(statement, ast.FunctionDef)
        for node in ast.walk(statement)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, id(node) in top) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module, id(node) in top


def rooms():
    for path in sorted(PACKAGE.rglob("*.py")):
        yield path, path.relative_to(PACKAGE).parts[0].removesuffix(".py")


@pytest.mark.parametrize(("path", "room"), [(path, room) for path, room in rooms() if room != "__init__"])
def test_imports_run_one_way(path, room):
    assert room in RANK, f"{room} has no place in LAYERS"
    for module, at_import in imports(path):
        if module.startswith("keras_resnet."):
            other = module.split(".")[1]
            if (room, other) in INSIDE_A_FUNCTION and not at_import:
                continue
            assert other == room or RANK[other] < RANK[room], f"{path.name} imports {module}"
        assert module.split(".")[0] != "recipes"


@pytest.mark.parametrize("room", CORE)
def test_the_core_imports_keras_alone(room):
    for module, _ in imports(PACKAGE / f"{room}.py"):
        assert module.split(".")[0] not in ("tensorflow", "tf_keras", "jax", "torch"), module


def test_import_is_cheap(record_property):
    """Nothing heavy at import; the seconds that it adds to `import keras` go to the report."""
    program = """
import json, sys, time
import keras
before, start = set(sys.modules), time.perf_counter()
import keras_resnet
print(json.dumps([time.perf_counter() - start, sorted(set(sys.modules) - before)]))
"""
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    seconds, modules = json.loads(run.stdout.splitlines()[-1])
    record_property("seconds_added_to_import_keras", seconds)
    print(f"import keras_resnet adds {seconds:.3f} s to import keras")
    heavy = {"tensorflow_datasets", "matplotlib", "torch", "sklearn", "rich", "safetensors", "huggingface_hub", "tyro"}
    assert not heavy & {module.split(".")[0] for module in modules}
