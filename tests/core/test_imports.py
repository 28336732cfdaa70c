"""The house: imports run one way, and importing the package is cheap."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "keras_resnet"

# Each room may import those before it; the package's __init__ may import all. Weights know models only as keras.Model.
LAYERS = [
    ["spec", "atomic"],
    ["zoo", "layers"],
    ["blocks", "ends"],
    ["network", "vgg"],
    ["data"],
    ["weights"],
    ["models"],
    ["profile", "surgery"],
    ["train"],
    ["export"],
    ["cli"],
]
RANK = {room: rank for rank, rooms in enumerate(LAYERS) for room in rooms}
CORE = ["spec", "zoo", "layers", "blocks", "ends", "network", "vgg", "models", "profile", "surgery"]


def imports(path):
    """The modules that a file imports, anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module


def rooms():
    for path in sorted(PACKAGE.rglob("*.py")):
        yield path, path.relative_to(PACKAGE).parts[0].removesuffix(".py")


@pytest.mark.parametrize(("path", "room"), [(path, room) for path, room in rooms() if room != "__init__"])
def test_imports_run_one_way(path, room):
    assert room in RANK, f"{room} has no place in LAYERS"
    for module in imports(path):
        if module.startswith("keras_resnet."):
            other = module.split(".")[1]
            assert other == room or RANK[other] < RANK[room], f"{path.name} imports {module}"
        assert module.split(".")[0] != "recipes"


@pytest.mark.parametrize(("path", "room"), [(path, room) for path, room in rooms() if room in CORE])
def test_the_core_imports_keras_alone(path, room):
    for module in imports(path):
        assert module.split(".")[0] not in ("tensorflow", "tf_keras", "jax", "torch"), (
            f"{path.name} in {room}: {module}"
        )


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
