"""What Intel's oneDNN library makes of a training step on this processor, where TensorFlow does not use it by itself.

    python benchmarks/onednn.py
    python benchmarks/onednn.py --rounds 1     # a try

TensorFlow uses it by default on processors with instructions for neural networks (AVX512-VNNI, AVX512-BF16, AMX), and
the recipes ask for it everywhere, by TF_ENABLE_ONEDNN_OPTS=1. Each contender is a process of its own and waits while
another takes its step; both are `training_model` in float32.
"""

import argparse
import statistics
from pathlib import Path

from contender import Contender, in_turn
from measure import keep, share

import keras_resnet as kr

NETWORKS = {"cifar_resnet20": 128, "resnet18": 16, "resnet50": 8}  # images of a step
INSTRUCTIONS = ("amx_bf16", "avx512_bf16", "avx512_vnni", "avx512f", "avx2")  # from the newest on
WAYS = {"without": "0", "with, as the recipes": "1"}
COLUMNS = {
    "network, oneDNN": "{}", "batch": "{:d}", "step, median": "{:.3f} s", "images/s, median": "{:.1f}",
    "times as fast as without": "{:.2f}", "share of the matrix product": "{:.0f} %",
}  # fmt: skip


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=[*NETWORKS], help="(all)")
    parser.add_argument("--rounds", type=int, default=7, help="(7)")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/onednn"), help="without suffix")
    options = parser.parse_args()
    rows = [row for network in options.networks for row in measured(network, options.rounds)]
    note = f"float32, {options.rounds} rounds; the matrix product is with oneDNN."
    keep(options.out, "Training step with and without oneDNN", COLUMNS, rows, note=note, instructions=instructions())


def measured(network: str, rounds: int) -> list[list[object]]:
    """The rows of one network."""
    batch = NETWORKS[network]
    contenders = {way: Contender(network, "--batch", batch, TF_ENABLE_ONEDNN_OPTS=flag) for way, flag in WAYS.items()}
    for contender in contenders.values():
        contender.ask("build"), contender.ask("train 2")
    product = Contender("cifar_resnet20")
    product.ask("product")
    times, limit = in_turn({way: (contender, 2) for way, contender in contenders.items()}, product, rounds)
    for contender in (product, *contenders.values()):
        contender.close()
    macs, rows = 3 * batch * kr.profile(network).macs, []
    for way, values in times.items():
        middle, ratio = statistics.median(values), [a / b for a, b in zip(times["without"], values, strict=True)]
        rates = [batch / middle, statistics.median(ratio), share(macs, middle, limit)]
        rows.append([f"{network}, {way}", batch, middle, *rates])
    return rows


def instructions() -> str:
    """The newest of the processor's that matter here."""
    info = Path("/proc/cpuinfo")
    known = set(info.read_text().split()) if info.exists() else set()
    return next((name for name in INSTRUCTIONS if name in known), "instructions unknown")


if __name__ == "__main__":
    main()
