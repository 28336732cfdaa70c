"""Images per second of a training step: this package on JAX beside timm's network compiled by torch, in turn.

Every contender is a process of its own on the same device; they take a few steps each, one after the other, again and
again, so that a disturbance meets them all, and a product of matrices is timed in the same rounds. A step is counted as
three times the multiply-adds of a forward pass.
"""

import argparse
import json
import selectors
import subprocess
import sys
from itertools import product
from pathlib import Path
from statistics import median
from typing import Any

from gpu_place import Deadline, bar
from measure import keep

import keras_resnet as kr

WORKER = Path(__file__).with_name("gpu_contenders.py")
SIDES = ("ours", "timm")
PATIENCE = 600  # seconds for a contender to compile


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of this part."""
    parser.add_argument("--networks", nargs="+", default=["resnet50", "resnet18"], help="names that both sides know")
    parser.add_argument("--batches", nargs="+", type=int, default=[256, 128], help="images of a step (256 128)")
    parser.add_argument("--precisions", nargs="+", default=["bfloat16", "float32"], choices=("bfloat16", "float32"))
    parser.add_argument("--size", type=int, default=224, help="height and width (224)")
    parser.add_argument("--rounds", type=int, default=15, help="turns of each (15)")
    parser.add_argument("--steps", type=int, default=10, help="steps of a turn (10)")
    parser.add_argument("--side", type=int, default=8192, help="of the matrices (8192)")
    parser.add_argument("--torch-mode", default="default", help="of torch.compile (default)")
    parser.add_argument(
        "--peak-tflops", type=float, help="the device's published bfloat16 rate, to state the share of it"
    )


def main(options: argparse.Namespace, deadline: Deadline) -> None:
    """Measure one pair after the other, and write after each."""
    rows: list[dict[str, Any]] = []
    for precision, network, batch in product(options.precisions, options.networks, options.batches):
        if deadline.over:
            print(f"left out, no time: {network}, {precision}, batches of {batch}")
            continue
        given = {"network": network, "precision": precision, "batch": batch, "size": options.size}
        try:
            found = measured(given | {"side": options.side, "torch_mode": options.torch_mode}, options, deadline)
        except RuntimeError as error:
            print(f"left out: {network}, {precision}, batches of {batch}: {error}")
            continue
        rows.append(given | found)
        write(rows, options)


class Contender:
    """A process that takes steps when asked, once it is ready.

    Raises:
        RuntimeError: where it cannot be made ready, or ends, or says nothing for so many seconds.
    """

    def __init__(self, given: dict[str, Any], patience: float) -> None:
        command = [sys.executable, str(WORKER), json.dumps(given)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.said: dict[str, Any] = {}
        try:
            self.listen(patience)
        except RuntimeError:
            self.end()
            raise

    def listen(self, patience: float = PATIENCE) -> None:
        """Take up the next answer."""
        assert self.process.stdout
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            if not selector.select(patience):
                raise RuntimeError(f"no answer in {patience:.0f} s")
        answer = json.loads(self.process.stdout.readline() or f'{{"failed": "ended: {self.process.wait()}"}}')
        if "failed" in answer:
            raise RuntimeError(answer["failed"])
        self.said |= answer

    def seconds(self, steps: int) -> float:
        """Of so many steps."""
        assert self.process.stdin
        self.process.stdin.write(f"{steps}\n")
        self.process.stdin.flush()
        self.listen()
        return float(self.said["seconds"])

    def end(self) -> None:
        """Let it go."""
        self.process.kill()
        self.process.wait()


def measured(given: dict[str, Any], options: argparse.Namespace, deadline: Deadline) -> dict[str, Any]:
    """Medians of the contenders; of one that failed, why."""
    contenders: dict[str, Contender] = {}
    found: dict[str, Any] = {}
    try:
        for kind in ("ours", "timm", "product"):  # one after the other: each tries algorithms while it compiles
            try:
                contenders[kind] = Contender({**given, "kind": kind}, min(PATIENCE, max(60, deadline.seconds)))
            except RuntimeError as error:
                found[kind] = {"failed": str(error)}
                print(f"left out: {kind} of {given['network']}: {error}")
        times: dict[str, list[float]] = {kind: [] for kind in contenders}
        for _ in bar(range(options.rounds), f"{given['network']}, {given['precision']}, {given['batch']}"):
            for kind, contender in contenders.items():
                times[kind].append(contender.seconds(options.steps) / options.steps)
        for kind, values in times.items():
            found[kind] = contenders[kind].said | {"seconds": median(values), "all_seconds": values}
    finally:
        for contender in contenders.values():
            contender.end()
    return found | figures(given, found)


def figures(given: dict[str, Any], found: dict[str, Any]) -> dict[str, Any]:
    """Rates and ratios of what was measured."""
    shape = (given["size"], given["size"], 3)
    work = 2 * 3 * given["batch"] * kr.profile(given["network"], shape).macs  # floating-point operations
    result: dict[str, Any] = {}
    for kind in SIDES:
        if "seconds" in found[kind]:
            result[f"{kind}_images_per_second"] = given["batch"] / found[kind]["seconds"]
            result[f"{kind}_flops"] = work / found[kind]["seconds"]
    if len(result) == 4:
        pairs = zip(found["ours"]["all_seconds"], found["timm"]["all_seconds"], strict=True)
        result["ratio"] = median(theirs / mine for mine, theirs in pairs)
    if "seconds" in found["product"]:
        result["product_flops"] = 2 * given["side"] ** 3 / found["product"]["seconds"]
    return result


def write(rows: list[dict[str, Any]], options: argparse.Namespace) -> None:
    """What there is so far."""
    peak = options.peak_tflops
    columns = {
        "network": "{}", "precision": "{}", "batch": "{:d}", "ours, images/s": "{:.0f}", "timm, images/s": "{:.0f}",
        "ours / timm": "{:.2f}", "share, ours": "{:.0f} %", "share, timm": "{:.0f} %",
        **({"of the peak, ours": "{:.0f} %", "of the peak, timm": "{:.0f} %"} if peak else {}),
        "memory, ours": "{:.1f} GB", "memory, timm": "{:.1f} GB",
    }  # fmt: skip
    cells = [
        [
            *(row[key] for key in ("network", "precision", "batch")),
            *(row.get(key) for key in ("ours_images_per_second", "timm_images_per_second", "ratio")),
            *(share(row, kind, row.get("product_flops")) for kind in SIDES),
            *(share(row, kind, 1e12 * peak) for kind in SIDES if peak),
            *(row[kind]["memory"] / 1e9 if row[kind].get("memory") else None for kind in SIDES),
        ]
        for row in rows
    ]
    note = (
        "Shares are of the bfloat16 matrix product in the same rounds; memory is a step's, by each library's account."
    )
    note += f" The peak is {peak:g} TFLOP/s, as published." if peak else ""
    devices = {row["ours"]["device"] for row in rows if "device" in row["ours"]}
    settings = {"accelerator": devices.pop()} if devices else {}
    keep(options.out / "gpu_training", "Training step on a GPU", columns, cells, note=note, details=rows, **settings)


def share(row: dict[str, Any], kind: str, limit: float | None) -> float | None:
    """Of a rate of floating-point operations, in percent."""
    rate = row.get(f"{kind}_flops")
    return 100 * rate / limit if rate and limit else None
