"""What a strategy costs, and how the time of a training step grows with depth and with the batch; CIFAR networks.

    python benchmarks/scaling.py strategy      # ResNet-20, one batch: none, 2 and 4 virtual replicas, 2 processes
    python benchmarks/scaling.py depth         # ResNet-20 to -110, and -1202 by itself
    python benchmarks/scaling.py batch         # ResNet-20, batches of 8 to 512
    python benchmarks/scaling.py depth --networks cifar_resnet20 cifar_resnet32 --alone --batch 8 --rounds 1    # a try

Each contender is a process of its own, since virtual devices are set once and memory is counted by process. All are
built first; then they take turns, a few steps each, while the others wait. Steps are those of `fit`: SGD with momentum,
cross-entropy, a batch that lies in memory. "Norms together" is what the recipes do, statistics over all replicas, which
Keras' own layers compute; "norms apart" are fused, but where it says that Keras computes them.
"""

import argparse
import statistics
from pathlib import Path
from typing import Any

from contender import Contender, in_turn
from measure import keep, share

import keras_resnet as kr

RATE = {"images/s, median": "{:.1f}", "share of the matrix product": "{:.0f} %", "peak memory": "{:.0f} MB"}
STRATEGIES = {
    "no strategy": ((), 1),
    "MirroredStrategy, 2 replicas, norms apart": (("--devices", 2, "--apart"), 1),
    "MirroredStrategy, 4 replicas, norms apart": (("--devices", 4, "--apart"), 1),
    "MultiWorkerMirroredStrategy, 2 processes, norms apart": (("--apart",), 2),
    "MirroredStrategy, 2 replicas, norms apart, computed by Keras": (("--devices", 2, "--apart", "--plain"), 1),
    "MirroredStrategy, 2 replicas, norms together": (("--devices", 2), 1),
    "MirroredStrategy, 4 replicas, norms together": (("--devices", 4), 1),
    "MultiWorkerMirroredStrategy, 2 processes, norms together": ((), 2),
}


def main() -> None:
    """Measure, print and write."""
    options = arguments()
    title, columns, rows, note = {"strategy": strategy, "depth": depth, "batch": batch}[options.what](options)
    out = options.out or Path("benchmarks/results") / f"scaling_{options.what}"
    keep(out, title, columns, rows, note=f"{note} {options.rounds} rounds.".strip())


def arguments() -> argparse.Namespace:
    """The flags."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("what", choices=("strategy", "depth", "batch"))
    parser.add_argument("--batch", type=int, default=128, help="images of a step, over all replicas (128)")
    parser.add_argument("--rounds", type=int, default=9, help="(9)")
    parser.add_argument("--images", type=int, default=512, help="of a contender in a round, in whole batches (512)")
    depths = [f"cifar_resnet{layers}" for layers in (20, 32, 44, 56, 110)]
    parser.add_argument("--networks", nargs="+", default=depths, help="of depth, in turn (20 to 110 layers)")
    parser.add_argument("--alone", nargs="*", default=["cifar_resnet1202"], help="after them, one step (1202 layers)")
    parser.add_argument("--alone-batch", type=int, default=16, help="images of that step (16)")
    parser.add_argument("--batches", type=int, nargs="+", default=[8, 16, 32, 64, 128, 256, 512], help="of batch")
    parser.add_argument("--out", type=Path, help="without suffix (benchmarks/results/scaling_WHAT)")
    return parser.parse_args()


def strategy(options: argparse.Namespace) -> tuple[str, dict[str, str], list[list[Any]], str]:
    """The same global batch under every strategy."""
    contenders = {
        name: Contender("cifar_resnet20", "--batch", options.batch, *given, workers=workers)
        for name, (given, workers) in STRATEGIES.items()
    }
    times, limit, _ = measured(contenders, dict.fromkeys(contenders, options.batch), options)
    alone = times["no strategy"]
    rows = []
    for name, values in times.items():
        ratio = statistics.median(a / b for a, b in zip(alone, values, strict=True))
        rate = rates("cifar_resnet20", options.batch, values, limit, contenders[name])
        rows.append([name, ratio, *rate])
    columns = {"strategy": "{}", "ratio to no strategy": "{:.2f}", **RATE}
    note = f"Batches of {options.batch} over all replicas; memory is that of all processes together."
    return "What a strategy costs, CIFAR ResNet-20", columns, rows, note


def depth(options: argparse.Namespace) -> tuple[str, dict[str, str], list[list[Any]], str]:
    """Networks of growing depth; those too deep to wait beside others follow alone."""
    rows = _by_depth(options.networks, options.batch, options)
    once = argparse.Namespace(**{**vars(options), "rounds": 1, "images": options.alone_batch})
    for name in options.alone:
        rows += _by_depth([name], options.alone_batch, once)
    columns = {
        "network": "{}", "batch": "{:d}", "build": "{:.2f} s", "first step": "{:.1f} s", "step, median": "{:.3f} s",
        **RATE,
    }  # fmt: skip
    note = "The first step includes compiling."
    if options.alone:
        note += f" By itself, and one step after the first: {', '.join(options.alone)}."
    return "Step time by depth, CIFAR ResNets", columns, rows, note


def _by_depth(names: list[str], batch: int, options: argparse.Namespace) -> list[list[Any]]:
    contenders = {name: Contender(name, "--batch", batch) for name in names}
    times, limit, ready = measured(contenders, dict.fromkeys(contenders, batch), options)
    return [
        [name, batch, *ready[name], statistics.median(values), *rates(name, batch, values, limit, contenders[name])]
        for name, values in times.items()
    ]


def batch(options: argparse.Namespace) -> tuple[str, dict[str, str], list[list[Any]], str]:
    """ResNet-20 by size of the batch."""
    sizes = {str(size): size for size in options.batches}
    contenders = {name: Contender("cifar_resnet20", "--batch", size) for name, size in sizes.items()}
    times, limit, _ = measured(contenders, sizes, options)
    rows = [
        [size, statistics.median(times[name]), *rates("cifar_resnet20", size, times[name], limit, contenders[name])]
        for name, size in sizes.items()
    ]
    return "Step time by batch, CIFAR ResNet-20", {"batch": "{:d}", "step, median": "{:.3f} s", **RATE}, rows, ""


def measured(
    contenders: dict[str, Contender], batches: dict[str, int], options: argparse.Namespace
) -> tuple[dict[str, list[float]], float, dict[str, tuple[float, float]]]:
    """Seconds of a step in every round, of a matrix product, and to build and to take the first step."""
    ready = {name: (contender.ask("build"), contender.ask("train 1")) for name, contender in contenders.items()}
    product = Contender("cifar_resnet20")
    product.ask("product")
    steps = {name: (contender, max(1, options.images // batches[name])) for name, contender in contenders.items()}
    times, limit = in_turn(steps, product, options.rounds)
    for contender in (product, *contenders.values()):
        contender.close()
    return times, limit, ready


def rates(network: str, batch: int, times: list[float], limit: float, contender: Contender) -> list[float]:
    """The columns of RATE."""
    middle = statistics.median(times)
    return [batch / middle, share(3 * batch * kr.profile(network).macs, middle, limit), contender.memory]


if __name__ == "__main__":
    main()
