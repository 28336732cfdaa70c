"""What is to be measured on a GPU, in one unattended command, on Keras' JAX backend; TensorFlow need not be there.

    python benchmarks/gpu.py data --data-dir ~/tensorflow_datasets --out cifar10.npz     # where TensorFlow is
    python benchmarks/gpu.py all --data cifar10.npz --minutes 28 --airbench airbench94.py
    python benchmarks/gpu.py speed --data cifar10.npz --epochs 12 14 16
    python benchmarks/gpu.py cifar --data cifar10.npz --nets cifar_resnet20 --seeds 0 1 2 --minutes 9

Needs keras, jax, numpy, safetensors, h5py and rich; torch and timm for the peers. Every part writes its results as soon
as it has them, as JSON and as a table, so that a kill loses what was just being measured and no more; what there was no
time for is left out. `cifar` continues where it was when its time was over.
"""

import argparse
import os
import shlex
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

if sys.argv[1:2] != ["data"]:
    os.environ["KERAS_BACKEND"] = "jax"  # before anything imports Keras
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")

from gpu_place import Deadline, UserError

PARTS = {"speed": 0.3, "training": 0.5, "cifar": 1.0}  # in this order; of the time then left, each may take so much


def main() -> None:
    """Do what was asked."""
    parser, options, rest = arguments()
    deadline = Deadline(getattr(options, "minutes", None))
    if rest and options.part != "all":
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    try:
        if options.part == "data":
            from gpu_data import write

            for path in write(options.data_dir, options.out, options.pieces):
                print(f"{path}: {path.stat().st_size / 1e6:.1f} MB")
        elif options.part == "all":
            everything(options, deadline)
        else:
            options.out.mkdir(parents=True, exist_ok=True)
            options.run(options, deadline)
    except (UserError, ValueError) as error:
        print(f"gpu.py {options.part}: {error}", file=sys.stderr)
        sys.exit(2)


def arguments() -> tuple[argparse.ArgumentParser, argparse.Namespace, list[str]]:
    """The flags; argparse, because a machine with a GPU may have nothing finer."""
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=form)
    parts = parser.add_subparsers(dest="part", required=True)
    data = parts.add_parser("data", help="write CIFAR-10 from TFDS as a file for the others; needs TensorFlow")
    data.add_argument("--data-dir", type=Path, help="where TFDS keeps its data sets (its own default)")
    data.add_argument("--out", type=Path, default=Path("cifar10.npz"), help="the file (cifar10.npz)")
    data.add_argument(
        "--pieces", type=int, default=1, help="files to split it into: 4 of about 40 MB, cifar10-1-of-4.npz"
    )
    if os.environ.get("KERAS_BACKEND") == "jax":
        add_parts(parts, form)
    options, rest = parser.parse_known_args()
    return parser, options, rest


def add_parts(parts: Any, form: Any) -> None:
    """What needs JAX."""
    import gpu_cifar
    import gpu_speed
    import gpu_training

    modules = {"training": gpu_training, "cifar": gpu_cifar, "probe": gpu_cifar, "speed": gpu_speed}
    for name, module in modules.items():
        run = gpu_cifar.probe if name == "probe" else module.main
        text = (run.__doc__ if name == "probe" else module.__doc__) or ""
        part = parts.add_parser(name, help=text.split("\n")[0], description=text, formatter_class=form)
        module.add_arguments(part)
        shared(part)
        part.set_defaults(run=run)
    whole = parts.add_parser("all", help="speed, training and cifar with their defaults; further flags go to the parts")
    shared(whole)
    whole.add_argument("--airbench", type=Path, help="as of speed")
    whole.add_argument("--flags", action="append", default=[], metavar="PART=FLAGS", help='e.g. "cifar=--seeds 0 1"')


def shared(parser: argparse.ArgumentParser) -> None:
    """Flags of every part."""
    parser.add_argument(
        "--data", type=Path, default=Path("cifar10.npz"), help="what `data` wrote; for all but training"
    )
    parser.add_argument("--images", type=int, help="take so many of the training and test images alone, for a try")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"), help="folder (benchmarks/results)")
    parser.add_argument("--minutes", type=float, help="begin nothing more after so many (no limit)")


def everything(options: argparse.Namespace, deadline: Deadline) -> None:
    """One part after the other, each a process, so that none finds the device's memory full."""
    flags = dict(each.split("=", 1) for each in options.flags)
    if unknown := set(flags) - set(PARTS):
        raise UserError(f"--flags: unknown part {', '.join(sorted(unknown))}; the parts are {', '.join(PARTS)}.")
    for part, share in PARTS.items():
        if deadline.over:
            print(f"== {part} left out: the time is over", flush=True)
            continue
        command = [sys.executable, __file__, part, "--data", str(options.data), "--out", str(options.out)]
        command += ["--images", str(options.images)] if options.images else []
        command += ["--airbench", str(options.airbench)] if options.airbench and part == "speed" else []
        command += ["--minutes", f"{share * deadline.seconds / 60:.2f}"] if options.minutes is not None else []
        print(f"== {part}", flush=True)
        process = subprocess.Popen([*command, *shlex.split(flags.get(part, ""))], start_new_session=True)
        try:
            status = process.wait(None if options.minutes is None else deadline.seconds)
            print(f"== {part} ended with status {status}", flush=True)
        except subprocess.TimeoutExpired:
            print(f"== {part} stopped: the time is over", flush=True)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # and what it started
            process.wait()


if __name__ == "__main__":
    main()
