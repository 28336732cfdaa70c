"""What the benchmarks share: a clock, the machine and its limit, torchvision's import, and how a result is kept."""

import json
import os
import platform
import sys
import time
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

SIDE = 2048  # of the matrices whose product is the machine's limit
KEPT: list[Any] = []  # what must live as long as the process


def seconds(call: Callable[..., Any], *given: Any) -> float:
    """How long one call takes."""
    begin = time.perf_counter()
    call(*given)
    return time.perf_counter() - begin


def matrix_product() -> Callable[[], Any]:
    """A product of two square float32 matrices by TensorFlow's library: the most that the machine does in practice."""
    import tensorflow as tf

    left, right = (tf.random.stateless_normal((SIDE, SIDE), (0, seed)) for seed in (1, 2))
    product = tf.function(lambda: tf.linalg.matmul(left, right))
    product()
    return lambda: product().numpy()


def declare_operators() -> None:
    """Let a torchvision without its compiled operators be imported, by timm too."""
    import torch

    if not hasattr(torch.ops.torchvision, "nms"):
        library = torch.library.Library("torchvision", "DEF")
        for name in ("nms", "qnms"):
            library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        KEPT.append(library)


def machine(**settings: Any) -> dict[str, Any]:
    """Where it was measured, and by what."""
    versions = {}
    for name in ("tensorflow", "keras", "jax", "torch", "timm", "onnxruntime", "openvino"):
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    info = Path("/proc/cpuinfo")
    names = [line for line in info.read_text().splitlines() if line.startswith("model name")] if info.exists() else []
    processor = names[0].partition(": ")[2] if names else platform.processor()
    place = {"processor": processor, "cores": os.cpu_count(), **accelerator()}
    return {**place, **settings, "load": os.getloadavg(), **versions}


def accelerator() -> dict[str, str]:
    """What JAX computes on, where it is in use and that is not the processor."""
    devices = sys.modules["jax"].devices() if "jax" in sys.modules else []
    return {"accelerator": devices[0].device_kind} if devices and devices[0].platform != "cpu" else {}


def keep(report: dict[str, Any], table: str, out: Path) -> None:
    """Write the result as JSON and as a table in Markdown, and print the table."""
    out.parent.mkdir(parents=True, exist_ok=True)
    out.with_suffix(".json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    out.with_suffix(".md").write_text(table, encoding="utf-8")
    print(table)
