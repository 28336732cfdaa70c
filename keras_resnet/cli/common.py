"""What several commands share: the network with its weights, its preprocessing, images, and how a table is printed."""

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras_resnet as kr
from keras_resnet.data.preprocess import Preprocessing

_LARGE = 160  # smallest input side that is cropped from a larger image by default, as ImageNet networks are


def build(options: argparse.Namespace, weights: str, preprocessing: Preprocessing | None = None) -> Any:
    """The network that the options name, with weights."""
    settings: dict[str, Any] = {} if options.classes is None else {"classes": options.classes}
    if preprocessing is not None:
        settings["input_shape"] = (*preprocessing.size, preprocessing.channels)
    return kr.create_model(options.name, weights=weights, **settings)


def add_preprocessing(parser: argparse.ArgumentParser) -> None:
    """Flags that change single fields of the preprocessing."""
    parser.add_argument("--input-size", "--size", type=int, help="side of the crop in pixels (the weights')")
    parser.add_argument("--crop-pct", type=float, help="share of the resized side that is kept (the weights')")
    parser.add_argument("--interpolation", choices=("bilinear", "bicubic"), help="(the weights')")
    parser.add_argument("--mean", type=_numbers, help="three numbers in [0, 1], with commas between (the weights')")
    parser.add_argument("--std", type=_numbers, help="three numbers, with commas between (the weights')")


def preprocessing_of(options: argparse.Namespace) -> Preprocessing:
    """That of the tag, or for a file the usual one of the network's input size; flags change single fields."""
    from keras_resnet.weights import hub

    tag = hub.best_tag(options.name) if options.weights == "imagenet" else options.weights
    if tag in hub.TAGS:
        return changed(hub.TAGS[tag].preprocessing, options)
    shape = kr.get_spec(options.name).input_shape
    if len(shape) != 3:
        raise ValueError(f"{options.name} is not for images: its input is {shape}.")
    size = (shape[0] or 224, shape[1] or 224)
    return changed(Preprocessing(size, crop_pct=0.875 if min(size) >= _LARGE else 1.0), options)


def changed(preprocessing: Preprocessing, options: argparse.Namespace) -> Preprocessing:
    """The preprocessing with what the flags say."""
    fields = ("crop_pct", "interpolation", "mean", "std")
    flags = {name: getattr(options, name) for name in fields}
    flags["size"] = None if options.input_size is None else (options.input_size, options.input_size)
    return replace(preprocessing, **{name: value for name, value in flags.items() if value is not None})


def image_files(given: list[str]) -> list[Path]:
    """Image files as given, and those of folders.

    Raises:
        ValueError: where there are none.
    """
    from keras_resnet.data.evaluation import SUFFIXES

    paths = []
    for path in map(Path, given):
        found = (
            [file for file in sorted(path.rglob("*")) if file.suffix.lower() in SUFFIXES] if path.is_dir() else [path]
        )
        paths += found
    if not paths:
        raise ValueError(f"no images in {', '.join(given)}.")
    return paths


def report_broken(broken: list[tuple[str, str]]) -> int:
    """Say which images were left out; returns the exit status."""
    for name, fault in broken:
        print(f"skipped {name}: {fault.removeprefix(f'{name}: ')}", file=sys.stderr)
    return 1 if broken else 0


def show(renderable: Any) -> None:
    """Print a table, as wide as the terminal, or 120 columns into a file."""
    from rich.console import Console

    Console(width=None if sys.stdout.isatty() else 120).print(renderable)


def _numbers(text: str) -> tuple[float, ...]:
    return tuple(float(part) for part in text.split(","))
