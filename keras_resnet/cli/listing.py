"""List the networks and their pretrained weights."""

import argparse

import keras_resnet as kr
from keras_resnet.cli.common import show

NAME = "list"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's flags."""
    parser.add_argument("pattern", nargs="?", default="*", help="shell pattern, such as 'resnet*'")
    parser.add_argument("--tags", action="store_true", help="show every pretrained tag")


def run(options: argparse.Namespace) -> int:
    """Print the networks, and for each what pretrained weights there are."""
    from rich.table import Table

    from keras_resnet.weights import hub

    names = kr.list_models(options.pattern)
    if not names:
        raise ValueError(f"no network matches {options.pattern!r}.")
    table = Table("network", "input", "classes", "pretrained tag", "top-1 %", "licence")
    for name in names:
        spec, tags = kr.get_spec(name), hub.tags_of(name)
        openly = [tag for tag in tags if tag.licence in hub.OPEN_LICENCES]  # "imagenet" means the first of these
        shown = tags if options.tags else (openly or tags)[:1]
        more = f" (+{len(tags) - 1})" if len(tags) > 1 and not options.tags else ""
        cells = [(tag.tag + more, f"{tag.top1 or '-'}", tag.licence) for tag in shown] or [("-", "-", "-")]
        for row in cells:
            table.add_row(name, "x".join(map(str, spec.input_shape)), str(spec.classes), *row)
    show(table)
    return 0
