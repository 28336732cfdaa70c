"""Milliseconds a batch: this package's SavedModels beside keras.applications', torch, ONNX Runtime and OpenVINO.

    python benchmarks/inference.py                        # ResNet-50, batches of 1 and 16, 2 threads
    python benchmarks/inference.py --network resnet18 --repeats 30 --out build/inference

All run in one process, in turn: each round calls every one of them once, so that a disturbance meets them all; the
median over the rounds counts. In the same rounds a matrix product is timed, and each result is also given as a share of
its rate: the multiply-adds of the network over the time, by those of the product over its time. Weights are random,
with norms that do something: speed does not depend on them. keras.applications' ResNet-50 is the original form, with
6 % fewer multiply-adds than this and torch's (its share is by its own), so Keras' export of ours is measured too.
What is not installed is left out, and said.
"""

import argparse
import os
import statistics
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf
from measure import keep, matrix_product, seconds, share
from rich.progress import track
from torchvision_operators import declare_operators

import keras_resnet as kr
from keras_resnet.data.preprocess import Preprocessing
from keras_resnet.export.files import export_file
from keras_resnet.export.saved_model import export_saved_model

Call = Callable[[np.ndarray], Any]
APPLICATIONS = {
    f"resnet{depth}{form}": (f"ResNet{depth}", f"resnet{depth}_v1") for depth in (50, 101, 152) for form in ("", "_v1")
}
THEIRS = "keras.applications, SavedModel"
COLUMNS = {
    "batch": "{:d}", "runtime": "{}", "ms, median": "{:.1f}", "fastest": "{:.1f}",
    "speed, the first being 1": "{:.2f}", "share of the matrix product": "{:.0f} %",
}  # fmt: skip


def main() -> None:
    """Measure, print and write."""
    options = arguments()
    tf.config.threading.set_intra_op_parallelism_threads(options.threads)
    tf.config.threading.set_inter_op_parallelism_threads(options.threads)
    runners, missing = make_runners(options)
    product = matrix_product()
    ours = kr.profile(options.network).macs
    rows: list[list[Any]] = []
    for batch in options.batches:
        images = np.random.default_rng(0).normal(size=(batch, 224, 224, 3)).astype("float32")
        for call in runners.values():  # kernels are chosen, memory is laid out
            call(images), call(images)
        times: dict[str, list[float]] = {name: [] for name in runners}
        limits: list[float] = []
        for _ in track(range(options.repeats), f"batch {batch}", disable=not sys.stderr.isatty()):
            limits.append(seconds(product))
            for name, call in runners.items():
                times[name].append(seconds(call, images))
        limit = statistics.median(limits)
        base = statistics.median(times[next(iter(runners))])
        for name, values in times.items():
            middle = statistics.median(values)
            macs = kr.profile(APPLICATIONS[options.network][1]).macs if name == THEIRS else ours
            of_limit = share(batch * macs, middle, limit)
            rows.append([batch, name, 1e3 * middle, 1e3 * min(values), base / middle, of_limit])
    title = f"Inference, {options.network}"
    note = f"Random weights, 224 x 224; all runtimes called in turn, {options.repeats} rounds."
    keep(options.out, title, COLUMNS, rows, note=note, left_out=missing, threads=options.threads)


def arguments() -> argparse.Namespace:
    """The flags."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--network", default="resnet50", help="(resnet50)")
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 16], help="(1 16)")
    parser.add_argument("--threads", type=int, default=2, help="of each runtime (2)")
    parser.add_argument("--repeats", type=int, default=25, help="rounds (25)")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/inference"), help="without suffix")
    return parser.parse_args()


def make_runners(options: argparse.Namespace) -> tuple[dict[str, Call], list[str]]:
    """A call for each runtime, from images `(batch, 224, 224, 3)` to scores; and what is not installed."""
    model = lively(kr.create_model(options.network))
    preprocessing = Preprocessing((224, 224), crop_pct=0.875)
    folder = Path(tempfile.mkdtemp())
    runners: dict[str, Call] = {}
    if options.network in APPLICATIONS:
        theirs = getattr(keras.applications, APPLICATIONS[options.network][0])(weights=None)
        runners[THEIRS] = keras_saved_model(lively(theirs), folder / "theirs")
    runners["Keras' export of our network"] = keras_saved_model(model, folder / "ours")
    for precision in ("float32", "bfloat16"):
        path = export_saved_model(model, folder / precision, preprocessing=preprocessing, precision=precision)
        runners[f"keras_resnet SavedModel, {precision}"] = saved_model(path, "predict_tensor", "tensor")
    missing = []
    for name, make in {
        "torch, channels last": lambda: torch_model(options),
        "ONNX Runtime, our .onnx": lambda: onnx_session(
            export_file(model, folder / "a.onnx", "onnx", preprocessing=preprocessing, inputs="tensor"), options
        ),
        "OpenVINO float32, our .xml": lambda: openvino_model(
            export_file(model, folder / "a.xml", "openvino", preprocessing=preprocessing, inputs="tensor"),
            "f32",
            options,
        ),
        "OpenVINO bfloat16, our .xml": lambda: openvino_model(folder / "a.xml", "bf16", options),
    }.items():
        try:
            runners[name] = make()
        except Exception as error:  # of four runtimes: the others are measured
            missing.append(f"{name}: {type(error).__name__}: {error}")
    return runners, missing


def lively(model: keras.Model) -> keras.Model:
    """The model with norms that do something: constants of zero would be optimised away."""
    random = np.random.default_rng(0)
    for variable in model.weights:
        if variable.name in ("gamma", "moving_variance"):
            variable.assign(random.uniform(0.5, 1.5, variable.shape))
        elif variable.name in ("beta", "moving_mean", "bias"):
            variable.assign(random.normal(0, 0.1, variable.shape))
    return model


def keras_saved_model(model: keras.Model, folder: Path) -> Call:
    """`model.export`, as Keras' users do it."""
    model.export(str(folder), verbose=False)
    loaded = tf.saved_model.load(str(folder))  # which must live as long as its functions
    return lambda images: loaded.serve(images).numpy()


def saved_model(folder: Path, signature: str, name: str) -> Call:
    """One signature of an export."""
    loaded = tf.saved_model.load(str(folder))
    return lambda images: loaded.signatures[signature](**{name: tf.constant(images)})["scores"].numpy()


def torch_model(options: argparse.Namespace) -> Call:
    """torchvision's or timm's network of the same name, whose counts equal ours; eager, in inference mode."""
    import torch

    declare_operators()
    import timm

    torch.set_num_threads(options.threads)
    model = timm.create_model(options.network).eval().to(memory_format=torch.channels_last)

    def call(images: np.ndarray) -> Any:
        with torch.inference_mode():  # (batch, height, width, channels) seen as channels first is channels last
            return model(torch.from_numpy(images).permute(0, 3, 1, 2)).numpy()

    return call


def onnx_session(path: Path, options: argparse.Namespace) -> Call:
    """ONNX Runtime on our file."""
    import onnxruntime

    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = options.threads
    session = onnxruntime.InferenceSession(str(path), settings, providers=["CPUExecutionProvider"])
    return lambda images: session.run(["scores"], {"tensor": images})[0]


def openvino_model(path: Path, precision: str, options: argparse.Namespace) -> Call:
    """OpenVINO on our file."""
    import openvino

    settings = {"INFERENCE_PRECISION_HINT": precision, "INFERENCE_NUM_THREADS": options.threads}
    compiled = openvino.Core().compile_model(str(path), "CPU", settings)
    return lambda images: compiled({"tensor": images})["scores"]


if __name__ == "__main__":
    main()
