"""Measure weights: top-1, top-5, and accuracy by class."""

import argparse
import sys
from pathlib import Path
from typing import Any

from keras_resnet.cli.common import add_preprocessing, build, preprocessing_of, report_broken, show

NAME = "evaluate"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's flags."""
    parser.add_argument("name", help="network, such as resnet50")
    parser.add_argument("--data", required=True, help="cifar10, cifar100, imagenet2012, or a folder of class folders")
    parser.add_argument("--data-dir", help="where TFDS keeps its data sets")
    parser.add_argument("--split", help="split of a TFDS data set (test; validation of imagenet2012)")
    parser.add_argument("--mirrored", action="store_true", help="mean of the scores of an image and its mirror image")
    add_weights(parser)


def add_weights(parser: argparse.ArgumentParser) -> None:
    """The flags of a command that runs a network on images."""
    parser.add_argument("--weights", required=True, help="file, pretrained tag, or 'imagenet'")
    parser.add_argument("--classes", type=int, help="number of classes (the network's or tag's own)")
    parser.add_argument("--batch-size", type=int, default=64, help="images at a time (64)")
    add_preprocessing(parser)


def run(options: argparse.Namespace) -> int:
    """Measure a network's weights on a data set."""
    from rich.progress import track
    from rich.table import Table

    from keras_resnet.data import evaluation

    preprocessing = preprocessing_of(options)
    # Said before anything is measured: a file does not tell its own, and a wrong one costs accuracy silently.
    print(f"preprocessing: mean {preprocessing.mean}, std {preprocessing.std}, crop {preprocessing.crop_pct:g}")
    model = build(options, options.weights, preprocessing)
    examples: Any
    if options.data in evaluation.TFDS_SPLITS:
        examples, classes, total = evaluation.tfds_examples(options.data, options.split, options.data_dir)
    else:
        examples, classes = evaluation.folder_examples(_folder(options.data), model.output_shape[-1])
        total = len(examples)
    if len(classes) != model.output_shape[-1]:
        raise ValueError(f"{options.data} has {len(classes)} classes, {options.name} {model.output_shape[-1]}.")
    progress = track(examples, "evaluating", total=total, disable=not sys.stderr.isatty())
    measured = evaluation.mirrored(model) if options.mirrored else model
    report = evaluation.evaluate(measured, progress, preprocessing, classes, options.batch_size)
    if report.images:
        table = Table("class", "images", "right", "%")
        for label, (count, right) in sorted(report.by_class.items()):
            table.add_row(classes[label], str(count), str(right), f"{100 * right / count:.1f}")
        show(table)
        print(f"top-1: {report.top1} of {report.images} ({100 * report.top1 / report.images:.2f} %)")
        print(f"top-5: {report.top5} of {report.images} ({100 * report.top5 / report.images:.2f} %)")
    return report_broken(report.broken)


def _folder(path: str) -> Path:
    if not Path(path).is_dir():
        raise ValueError(f"--data {path}: neither a folder nor one of cifar10, cifar100, imagenet2012.")
    return Path(path)
