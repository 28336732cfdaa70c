"""One contender of the training step in a process of its own, which takes steps when it is told to.

    python benchmarks/gpu_contenders.py '{"kind": "ours", "network": "resnet50", "precision": "bfloat16", ...}'

It says on a line of JSON that it is ready; then, for every line with a number, it takes so many steps and says how
long. What its libraries print goes where errors go.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

os.environ["KERAS_BACKEND"] = "jax"
os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # others are on the same device

import numpy as np
from torchvision_operators import declare_operators

Step = Callable[[], Any]


def main() -> None:
    """Prepare, say so, and obey; or say what failed."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    try:
        for answer in steps_taken(json.loads(sys.argv[1])):
            print(json.dumps(answer), file=answers)
    except Exception as error:
        print(json.dumps({"failed": f"{type(error).__name__}: {error}"[:500]}), file=answers)


def steps_taken(given: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """What is to be answered: first how long the preparation took, then a turn for every line of the input."""
    start = time.perf_counter()
    step, wait, said = {"ours": ours, "timm": timm, "product": product}[given["kind"]](given)
    for _ in range(2):  # what the first steps do once
        step()
    wait()
    yield {"ready_seconds": time.perf_counter() - start, **said()}
    for line in sys.stdin:
        start = time.perf_counter()
        for _ in range(int(line)):
            step()
        wait()
        yield {"seconds": time.perf_counter() - start, **said()}


def noise(given: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """A batch that lies ready."""
    random = np.random.default_rng(0)
    images = random.normal(size=(given["batch"], given["size"], given["size"], 3)).astype("float32")
    return images, random.integers(0, 1000, given["batch"]).astype("int32")


def ours(given: dict[str, Any]) -> tuple[Step, Step, Any]:
    """This package's network on Keras' JAX backend, the whole step one compiled program."""
    import jax
    import jax.numpy as jnp
    import keras
    from gpu_program import Program, Rule, compiled, memory

    import keras_resnet as kr
    from keras_resnet.data.preprocess import Preprocessing

    keras.config.set_dtype_policy({"bfloat16": "mixed_bfloat16"}.get(given["precision"], given["precision"]))
    shape = (given["size"], given["size"], 3)
    model = kr.create_model(given["network"], input_shape=shape, classes=1000, classifier_activation=None)
    program = Program(model, Rule(batch=given["batch"], decay=0.0), Preprocessing(size=shape[:2]))
    batch = tuple(map(jnp.array, noise(given)))
    state = program.state()
    run, seconds = compiled(program.step, state, *batch, 0.01, 0, donate=True)
    said = {"device": jax.devices()[0].device_kind, "compile_seconds": seconds, "memory": memory(run)}

    def step() -> None:
        nonlocal state
        state, _ = run(state, *batch, 0.01, 0)

    return step, lambda: jax.block_until_ready(state), lambda: said


def timm(given: dict[str, Any]) -> tuple[Step, Step, Any]:
    """timm's: channels last, autocast, compiled where there is a GPU."""
    import torch

    declare_operators()
    import timm as peer

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.backends.cudnn.benchmark = True
    torch.backends.cuda.matmul.allow_tf32 = True  # as XLA does
    model = peer.create_model(given["network"]).train().to(device, memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    answer = torch.compile(model, mode=given["torch_mode"]) if device.type == "cuda" else model
    images, labels = (torch.from_numpy(array).to(device) for array in noise(given))
    images, labels = images.permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last), labels.long()

    def step() -> None:
        optimizer.zero_grad()
        with torch.autocast(device.type, torch.bfloat16, enabled=given["precision"] == "bfloat16"):
            loss = torch.nn.functional.cross_entropy(answer(images), labels)
        loss.backward()
        optimizer.step()

    if device.type == "cpu":
        return step, lambda: None, lambda: {"compiled": False}
    return step, torch.cuda.synchronize, lambda: {"compiled": True, "memory": torch.cuda.max_memory_allocated()}


def product(given: dict[str, Any]) -> tuple[Step, Step, Any]:
    """A product of two square bfloat16 matrices: the most that the device does in practice."""
    import jax

    left, right = (jax.random.normal(jax.random.key(seed), (given["side"],) * 2, "bfloat16") for seed in (1, 2))
    multiply = jax.jit(jax.numpy.matmul)
    result = None

    def step() -> None:
        nonlocal result
        result = multiply(left, right)

    return step, lambda: jax.block_until_ready(result), dict


if __name__ == "__main__":
    main()
