"""Accuracy, difference, size and speed of every form of export, of one network on real images.

    python benchmarks/formats.py resnet18 --weights resnet18.safetensors --images photos --calibration other_photos
    python benchmarks/formats.py resnet50 --weights imagenet --images photos --calibration other_photos

`--images` is a folder of class folders (WordNet identifiers for ImageNet's classes), or a folder of images with a
`labels.csv` whose columns are the file's name, first, and `class_index`. Every form answers the same files through its
own runtime. With times, every form is called once a round, in turn; the median over the rounds counts.
"""

import argparse
import csv
import os
import statistics
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf
from measure import keep, seconds
from rich.progress import track

from keras_resnet.cli.common import image_files
from keras_resnet.cli.source import add_source, load_source
from keras_resnet.data.evaluation import folder_examples
from keras_resnet.export.card import read_card
from keras_resnet.export.files import KINDS, export_file
from keras_resnet.export.opened import open_export
from keras_resnet.export.saved_model import export_saved_model

COLUMNS = {
    "format": "{}", "top-1": "{:d}", "top-5": "{:d}", "largest difference": "{:.1e}", "as Keras": "{:.1f} %",
    "size": "{:.1f} MB", "one file, ms": "{:.1f}", "network alone, ms": "{:.1f}",
}  # fmt: skip


def main() -> None:
    """Export, ask, print and write."""
    options = arguments()
    deployed = load_source(options.model, options)
    contents, truth = labelled(options.images, len(deployed.labels))
    found = image_files([options.calibration])
    calibration = [path.read_bytes() for path in found[:: max(1, len(found) // options.samples)]][: options.samples]
    folder = Path(tempfile.mkdtemp())
    common: dict[str, Any] = {"preprocessing": deployed.preprocessing, "labels": deployed.labels, "images": contents}
    exports = {
        f"SavedModel {precision}": export_saved_model(deployed.model, folder / precision, precision=precision, **common)
        for precision in ("float32", "bfloat16")
    }
    left_out = []
    for kind, chosen in track(KINDS.items(), "exporting", disable=not sys.stderr.isatty()):
        path = folder / f"{kind}{chosen.suffix}"
        try:
            exports[kind] = export_file(
                deployed.model, path, kind, calibration=calibration if chosen.calibrated else (), **common
            )
        except ValueError as error:
            left_out.append(f"{kind}: {error}")
    opened = {name: open_export(path, deployed.preprocessing) for name, path in exports.items()}
    times = {}
    if options.repeats:
        times["file"] = milliseconds({name: in_turn(each, contents[:1]) for name, each in opened.items()}, options)
        prepared = next(iter(opened.values())).prepare(contents[:1])
        alone = {name: network_alone(exports[name], opened[name], contents[:1], prepared) for name in exports}
        times["network"] = milliseconds(alone, options)
    rows = [row(name, exports[name], opened[name], contents, truth, times) for name in exports]
    note = (
        f"{len(contents)} images, {len(calibration)} others to calibrate int8, {options.repeats} rounds of timing. "
        '"One file" is from a file\'s bytes to scores, "network alone" from a prepared image.'
    )
    keep(options.out, f"Formats, {Path(options.model).stem}", COLUMNS, rows, note=note, left_out=left_out)


def arguments() -> argparse.Namespace:
    """The flags."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("model", help="network, with --weights; a .keras file; or a run's folder")
    parser.add_argument("--images", type=Path, required=True, help="labelled images")
    parser.add_argument("--calibration", required=True, help="folder of images for int8, none of them among --images")
    parser.add_argument("--samples", type=int, default=100, help="of the calibration images (100)")
    parser.add_argument("--repeats", type=int, default=0, help="rounds of timing (0: none)")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/formats"), help="without suffix")
    add_source(parser)
    return parser.parse_args()


def labelled(folder: Path, classes: int) -> tuple[list[bytes], np.ndarray]:
    """Files' bytes and their labels."""
    if not (folder / "labels.csv").is_file():
        examples, _ = folder_examples(folder, classes)
        return [Path(str(one.image)).read_bytes() for one in examples], np.array([one.label for one in examples])
    with (folder / "labels.csv").open(encoding="utf-8") as file:
        rows = list(csv.reader(file))
    label = rows[0].index("class_index")
    return [(folder / row[0]).read_bytes() for row in rows[1:]], np.array([int(row[label]) for row in rows[1:]])


def in_turn(export: Any, contents: list[bytes]) -> Callable[[], Any]:
    """From a file's bytes to scores, decoding and resizing included."""
    return lambda: export.scores(contents)


def network_alone(path: Path, export: Any, contents: list[bytes], prepared: np.ndarray) -> Callable[[], Any]:
    """From pixels or, in a SavedModel, from a preprocessed tensor to scores."""
    if path.is_dir():
        loaded = tf.saved_model.load(str(path))  # which must live as long as its functions
        return lambda: loaded.signatures["predict_tensor"](tensor=tf.constant(prepared))["scores"].numpy()
    given = export.inputs(contents)
    return lambda: export.run(given)


def milliseconds(calls: dict[str, Callable[[], Any]], options: argparse.Namespace) -> dict[str, float]:
    """Medians over the rounds, by the runtimes' own choice of threads."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for each in track(range(options.repeats + 2), "timing", disable=not sys.stderr.isatty()):
        for name, call in calls.items():
            taken = 1e3 * seconds(call)
            if each >= 2:  # the first rounds lay out memory
                times[name].append(taken)
    return {name: statistics.median(values) for name, values in times.items()}


def row(
    name: str, path: Path, export: Any, contents: list[bytes], truth: np.ndarray, times: dict[str, dict[str, float]]
) -> list[Any]:
    """One line of the table."""
    best = np.argsort(-export.scores(contents), axis=-1, kind="stable")[:, :5]
    verification = read_card(path)["verification"]
    return [
        name,
        int((best[:, 0] == truth).sum()),
        int((best == truth[:, None]).any(axis=-1).sum()),
        verification["difference"],
        100 * verification["same"] / verification["images"],
        verification["bytes"] / 1e6,
        *[times[what][name] if times else None for what in ("file", "network")],
    ]


if __name__ == "__main__":
    main()
