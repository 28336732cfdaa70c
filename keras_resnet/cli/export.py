"""Write a SavedModel that takes image files, or a file for ONNX, LiteRT or OpenVINO, each verified."""

import argparse
import sys
from pathlib import Path
from typing import Any

from keras_resnet.cli.common import image_files, show
from keras_resnet.cli.source import add_source, load_source
from keras_resnet.export.classifier import Classifier

NAME = "export"
SAVED_MODELS: dict[str, Any] = {"saved_model": "float32", "saved_model-bfloat16": "bfloat16"}
FILES = ("onnx", "onnx-int8", "litert", "litert-float16", "litert-int8", "openvino")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's flags."""
    parser.add_argument("model", help="network, such as resnet50, with --weights; a .keras file; or a run's folder")
    parser.add_argument("output", type=Path, help="folder, which is made: a SavedModel goes to its next free version")
    parser.add_argument(
        "--format",
        nargs="+",
        default=["saved_model"],
        choices=(*SAVED_MODELS, *FILES),
        metavar="FORMAT",
        help=f"one or more of {', '.join((*SAVED_MODELS, *FILES))} (saved_model)",
    )
    parser.add_argument("--inputs", choices=("pixels", "tensor"), default="pixels", help="what a file takes (pixels)")
    parser.add_argument("--top-k", type=int, default=5, help="classes that a SavedModel names (5)")
    parser.add_argument("--version", type=int, help="number of the SavedModel's version (the next free one)")
    parser.add_argument("--no-warmup", action="store_true", help="leave out the requests that warm a server up")
    parser.add_argument(
        "--images", nargs="+", default=[], metavar="IMAGE", help="to compare the export on, besides two"
    )
    parser.add_argument(
        "--calibration", nargs="+", default=[], metavar="IMAGE", help="what int8 learns its ranges from"
    )
    add_source(parser)


def run(options: argparse.Namespace) -> int:
    """Write each format and print how far it is from the Keras model."""
    from rich.progress import track
    from rich.table import Table

    from keras_resnet.export.card import read_card

    deployed = load_source(options.model, options)
    images, calibration = (
        [path.read_bytes() for path in image_files(given)] if given else []
        for given in (options.images, options.calibration)
    )
    options.output.mkdir(parents=True, exist_ok=True)
    table = Table("export", "size", "images", "largest difference", "top-1 the same")
    for form in track(options.format, "exporting", disable=not sys.stderr.isatty()):
        path = _write(form, deployed, options, images, calibration)
        found = read_card(path)["verification"]
        size, difference, same = f"{found['bytes'] / 1e6:.1f} MB", f"{found['difference']:.1e}", found["same"]
        table.add_row(str(path), size, str(found["images"]), difference, f"{same} of {found['images']}")
    show(table)
    return 0


def _write(
    form: str, deployed: Classifier, options: argparse.Namespace, images: list[bytes], calibration: list[bytes]
) -> Path:
    from keras_resnet.export.files import KINDS, export_file
    from keras_resnet.export.saved_model import export_saved_model

    common: dict[str, Any] = {"preprocessing": deployed.preprocessing, "labels": deployed.labels, "images": images}
    if form in SAVED_MODELS:
        settings: dict[str, Any] = {"top_k": options.top_k, "version": options.version, "warmup": not options.no_warmup}
        return export_saved_model(deployed.model, options.output, precision=SAVED_MODELS[form], **settings, **common)
    path = options.output / f"{deployed.model.name}-{form.partition('-')[2] or 'float32'}{KINDS[form].suffix}"
    return export_file(deployed.model, path, form, inputs=options.inputs, calibration=calibration, **common)
