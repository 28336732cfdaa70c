"""Images per second of a training step: this package beside keras.applications, keras-hub and timm, in turn.

    python benchmarks/training.py                                # ResNet-50, batches of 8, 2 threads
    python benchmarks/training.py --network resnet18
    python benchmarks/training.py --repeats 1 --batch 4          # a try

SGD with momentum, cross-entropy, noise for images that lies in memory; each contender is a process of its own and waits
while another takes its step. "As the recipes train" is `training_model`, "by fit" what anyone gets who compiles and
fits. Ours and keras.applications' ResNet-50 is the original, with the stride on the first 1x1; keras-hub and timm have
the stride on the 3x3 and 6 % more multiply-adds. What is not installed is left out, and said.
"""

import argparse
import statistics
from pathlib import Path
from typing import NamedTuple

from contender import Contender, in_turn
from measure import keep, share

import keras_resnet as kr


class Peer(NamedTuple):
    """A contender: what `worker.py` is given, and the network of the zoo that has its multiply-adds."""

    name: str
    given: tuple[str, ...]
    counted: str


APPLICATIONS, HUB = "keras.applications", "keras-hub"
PEERS = {
    "resnet50": [
        Peer("keras_resnet, as the recipes train", ("resnet50_v1",), "resnet50_v1"),
        Peer("keras_resnet, by fit", ("resnet50_v1", "--plain"), "resnet50_v1"),
        Peer(APPLICATIONS, ("keras.applications.ResNet50", "--plain"), "resnet50_v1"),
        Peer(HUB, ("keras_hub.resnet50", "--plain"), "resnet50"),
        Peer("timm, channels last", ("timm.resnet50",), "resnet50"),
        Peer("timm, channels last, compiled", ("timm.resnet50", "--compiled"), "resnet50"),
    ],
    "resnet18": [
        Peer("keras_resnet, as the recipes train", ("resnet18",), "resnet18"),
        Peer("keras_resnet, by fit", ("resnet18", "--plain"), "resnet18"),
        Peer(HUB, ("keras_hub.resnet18", "--plain"), "resnet18"),
        Peer("timm, channels last", ("timm.resnet18",), "resnet18"),
        Peer("timm, channels last, compiled", ("timm.resnet18", "--compiled"), "resnet18"),
    ],
}
BASE = {"resnet50": APPLICATIONS, "resnet18": HUB}
PRECISIONS = {"float32": (), "bfloat16": ("--bfloat16",)}


def main() -> None:
    """Measure, print and write."""
    options = arguments()
    contenders, missing = started(options)
    product = Contender("cifar_resnet20", "--threads", options.threads)
    product.ask("product")
    times, limit = in_turn({each: (one, 1) for each, one in contenders.items()}, product, options.repeats)
    rows = []
    for (peer, precision), values in times.items():
        middle, macs = statistics.median(values), 3 * options.batch * kr.profile(peer.counted).macs
        ratios = [
            statistics.median(a / b for a, b in zip(others, values, strict=True))
            for (other, _), others in times.items()
            if other.name == BASE[options.network]
        ]
        memory = contenders[peer, precision].memory
        rows.append([peer.name, precision, options.batch / middle, *ratios, share(macs, middle, limit), memory])
    for contender in (product, *contenders.values()):
        contender.close()
    columns = {
        "contender": "{}", "precision": "{}", "images/s, median": "{:.2f}",
        **{f"ratio to {BASE[options.network]}, {base}": "{:.2f}" for base in PRECISIONS},
        "share of the matrix product": "{:.0f} %", "peak memory": "{:.0f} MB",
    }  # fmt: skip
    note = f"Batches of {options.batch} images of 224 x 224, {options.repeats} rounds."
    out = options.out or Path(f"benchmarks/results/training_{options.network}")
    title = f"Training step on a CPU, {options.network}"
    keep(out, title, columns, rows, note=note, left_out=missing, threads=options.threads)


def arguments() -> argparse.Namespace:
    """The flags."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--network", choices=PEERS, default="resnet50", help="(resnet50)")
    parser.add_argument("--batch", type=int, default=8, help="images of a step (8)")
    parser.add_argument("--threads", type=int, default=2, help="of each library (2)")
    parser.add_argument("--repeats", type=int, default=7, help="rounds (7)")
    parser.add_argument("--out", type=Path, help="without suffix (benchmarks/results/training_NETWORK)")
    return parser.parse_args()


def started(options: argparse.Namespace) -> tuple[dict[tuple[Peer, str], Contender], list[str]]:
    """Every contender in every precision, compiled, its memory laid out; and what cannot run here."""
    contenders, missing = {}, []
    for peer in PEERS[options.network]:
        for precision, flags in PRECISIONS.items():
            try:
                contender = Contender(*peer.given, *flags, "--batch", options.batch, "--threads", options.threads)
                contender.ask("build"), contender.ask("train 2")
                contenders[peer, precision] = contender
            except RuntimeError as error:
                missing.append(f"{peer.name}, {precision}: {str(error).splitlines()[-1]}")
    return contenders, missing


if __name__ == "__main__":
    main()
