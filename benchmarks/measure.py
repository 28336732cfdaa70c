"""What the benchmarks share: a clock, the machine and its limit, and how a result is kept."""

import json
import os
import platform
import shlex
import sys
import time
from collections.abc import Callable, Sequence
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

from results import table

ROOT = Path(__file__).resolve().parents[1]
SIDE = 2048  # of the matrices whose product is the machine's limit
LIBRARIES = {
    "tensorflow": "tensorflow", "keras": "keras", "keras_hub": "keras-hub", "jax": "jax", "torch": "torch",
    "timm": "timm", "onnxruntime": "onnxruntime", "openvino": "openvino", "ai_edge_litert": "ai-edge-litert",
}  # fmt: skip


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


def share(macs: float, taken: float, product: float) -> float:
    """The rate of so many multiply-adds in `taken` seconds, in percent of a matrix product's that took `product`."""
    return 100 * macs / taken / (SIDE**3 / product)


def machine(**settings: Any) -> dict[str, Any]:
    """Where it is measured: a text stands for itself, a number is one of what its key says."""
    info = Path("/proc/cpuinfo")
    names = [line for line in info.read_text().splitlines() if line.startswith("model name")] if info.exists() else []
    processor = names[0].partition(": ")[2] if names else platform.processor()
    place = {**accelerator(), "processor": processor, "cores": os.cpu_count()}
    return {**place, **settings, "load": f"load {os.getloadavg()[0]:.1f}"}


def accelerator() -> dict[str, str]:
    """What JAX computes on, where it is in use and that is not the processor."""
    devices = sys.modules["jax"].devices() if os.environ.get("KERAS_BACKEND") == "jax" and "jax" in sys.modules else []
    return {"accelerator": devices[0].device_kind} if devices and devices[0].platform != "cpu" else {}


def versions() -> dict[str, str]:
    """Of Python and of those libraries that this process uses; Keras imports JAX even where it computes elsewhere."""
    unused = {"jax"} if os.environ.get("KERAS_BACKEND") != "jax" else set()
    found = {name: version(LIBRARIES[name]) for name in LIBRARIES if name in sys.modules and name not in unused}
    return {"python": platform.python_version(), **found}


def command() -> str:
    """What was typed; an absolute path by its last part, since the rest of it means nothing elsewhere."""
    script = Path(sys.argv[0]).resolve().relative_to(ROOT)
    given = [Path(each).name if Path(each).is_absolute() else each for each in sys.argv[1:]]
    backend = os.environ.get("KERAS_BACKEND")
    return f"KERAS_BACKEND={backend} " * bool(backend) + shlex.join(["python", str(script), *given])


def origin(**settings: Any) -> dict[str, Any]:
    """What every result says of itself: machine, versions, date and command."""
    return {
        "machine": machine(**settings),
        "versions": versions(),
        "date": date.today().isoformat(),
        "command": command(),
    }


def keep(
    out: Path,
    title: str,
    columns: dict[str, str],
    rows: list[list[Any]],
    *,
    note: str = "",
    left_out: Sequence[str] = (),
    details: Any = None,
    **settings: Any,
) -> None:
    """Write a result as JSON, in the form that `results.py` reads, and print its table.

    Args:
        out: The file, its suffix added.
        title: Of its section in RESULTS.md.
        columns: {a column's name: how its numbers are written, for `str.format`}; "{}" is a column of text.
        rows: Of numbers and texts, one for each column; None where there is nothing to say.
        note: What a reader must know to understand the rows.
        left_out: What could not be measured, and why.
        details: Everything behind the rows, for whoever computes on (None: the rows are all).
        **settings: Of the machine, see `machine`.
    """
    result = {
        "title": title,
        **origin(**settings),
        "note": note,
        "columns": columns,
        "rows": rows,
        "left_out": list(left_out),
        **({} if details is None else {"details": details}),
    }
    write(out, result)
    print(table(result))


def write(out: Path, result: dict[str, Any]) -> None:
    """Write a result's file, whole or not at all."""
    from keras_resnet.atomic import replacing  # here: its import brings Keras, whose own time is measured elsewhere

    out.parent.mkdir(parents=True, exist_ok=True)
    with replacing(out.with_suffix(".json")) as path:
        path.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
