"""Ask an export what its card says it must answer; with --against, compare it with another model on images."""

import argparse
from pathlib import Path
from typing import Any

from keras_resnet.cli.common import image_files
from keras_resnet.cli.source import add_source, load_source

NAME = "verify"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's flags."""
    parser.add_argument("export", type=Path, help="a SavedModel's version folder, or an .onnx, .tflite or .xml file")
    parser.add_argument("images", nargs="*", metavar="IMAGE", help="image files or folders of them")
    parser.add_argument(
        "--against", metavar="MODEL", help="another export, a .keras file, a run's folder, or a network"
    )
    add_source(parser)


def run(options: argparse.Namespace) -> int:
    """Compare, and print what was found; status 1 where the two differ by more than the card allows."""
    from keras_resnet.export.card import read_card
    from keras_resnet.export.compare import Limit, compare
    from keras_resnet.export.verify import open_with_card, verify

    card = read_card(options.export)
    print(f"{options.export}: {card['format']} of {card['network']}")
    print(f"its card's two pictures: {verify(options.export)}")
    if not options.images:
        if options.against:
            raise ValueError("--against needs images to compare on.")
        return 0
    paths = image_files(options.images)
    contents = [path.read_bytes() for path in paths]
    opened = open_with_card(options.export, card)
    found = opened.scores(contents)
    if not options.against:
        for path, row in zip(paths, found, strict=True):
            print(f"{path}: {card['labels'][row.argmax()]} {row.max():.3f}")
        return 0
    limit = Limit(**card["limit"])
    comparison = compare(_answers(options, opened, contents), found)
    print(f"against {options.against}: {comparison}; the card allows {limit}")
    return 0 if comparison.within(limit) else 1


def _answers(options: argparse.Namespace, opened: Any, contents: list[bytes]) -> Any:
    """What the other one says: an export to the files, a Keras model to what the first export's steps make of them."""
    from keras_resnet.export.card import card_path, read_card
    from keras_resnet.export.verify import open_with_card

    other = Path(options.against)
    if card_path(other).is_file():
        return open_with_card(other, read_card(other)).scores(contents)
    return load_source(options.against, options).scores(opened.prepare(contents))
