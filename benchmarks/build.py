"""Seconds to import, to build, and to compile: ResNets of this package beside that of keras.applications.

    python benchmarks/build.py
    python benchmarks/build.py --rounds 1 --networks resnet50 --batch 1     # a try

Every round starts each contender once, in turn, in a fresh process, and asks it for what a program asks for first:
imports, a network, a second one, the scores of a batch, a training step. The first inference and the first step include
compiling; both are taken once more, so that it can be told apart. `resnet50_v1` is like with like.
"""

import argparse
import statistics
import sys
from pathlib import Path

from contender import Contender
from measure import keep
from rich.progress import track

import keras_resnet  # noqa: F401 - so that its versions are kept

REQUESTS = {
    "build": "build", "build again": "build", "first inference": "predict", "inference again": "predict",
    "first training step": "train 1", "step again": "train 1",
}  # fmt: skip
COLUMNS = {
    "network": "{}",
    **dict.fromkeys(("import keras", "import its package", *REQUESTS), "{:.2f} s"),
    "peak memory": "{:.0f} MB",
}


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    networks = ["resnet50_v1", "keras.applications.ResNet50", "resnet50", "resnet18"]
    parser.add_argument("--networks", nargs="+", default=networks, help="of the zoo or of keras.applications")
    parser.add_argument("--batch", type=int, default=16, help="images of a step (16)")
    parser.add_argument("--rounds", type=int, default=5, help="(5)")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/build"), help="without suffix")
    options = parser.parse_args()
    seen: dict[str, list[list[float]]] = {name: [] for name in options.networks}
    for _ in track(range(options.rounds), "rounds", disable=not sys.stderr.isatty()):
        for name, rounds in seen.items():
            rounds.append(first_things(name, options.batch))
    rows = [[name, *map(statistics.median, zip(*rounds, strict=True))] for name, rounds in seen.items()]
    note = f"Batches of {options.batch}, {options.rounds} rounds of fresh processes."
    keep(options.out, "Time to import, build and compile", COLUMNS, rows, note=note)


def first_things(network: str, batch: int) -> list[float]:
    """What one process takes for each of COLUMNS but the first."""
    contender = Contender(network, "--batch", batch, "--plain")
    taken = [contender.ask(request) for request in REQUESTS.values()]
    contender.close()
    return [*contender.imports.values(), *taken, contender.memory]


if __name__ == "__main__":
    main()
