"""Seconds to import the package and to build ResNet-50, beside keras.applications in the same process, in turn.

python benchmarks/build.py
"""

import os
import platform
import statistics
import time
from collections.abc import Callable

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras

start = time.perf_counter()
import keras_resnet as kr  # noqa: E402

IMPORT_SECONDS = time.perf_counter() - start
ROUNDS = 15


def seconds(function: Callable[[], object]) -> float:
    """How long one call takes."""
    begin = time.perf_counter()
    function()
    return time.perf_counter() - begin


def ours() -> keras.Model:
    """ResNet-50 of this package."""
    return kr.create_model("resnet50")


def theirs() -> keras.Model:
    """ResNet-50 of keras.applications."""
    return keras.applications.ResNet50(weights=None)


def main() -> None:
    """Measure and print."""
    ours(), theirs()
    pairs = [(seconds(ours), seconds(theirs)) for _ in range(ROUNDS)]
    ratios = [mine / other for mine, other in pairs]
    print(f"Keras {keras.__version__} on {keras.backend.backend()}, {os.cpu_count()} cores, {platform.machine()}")
    print(f"import keras_resnet after keras: {IMPORT_SECONDS:.3f} s")
    print(f"build ResNet-50, median of {ROUNDS}: {statistics.median(pair[0] for pair in pairs):.3f} s")
    print(f"keras.applications' ResNet50:    {statistics.median(pair[1] for pair in pairs):.3f} s")
    print(f"ratio, pair by pair: median {statistics.median(ratios):.2f}, {min(ratios):.2f} to {max(ratios):.2f}")


if __name__ == "__main__":
    main()
