"""`keras-resnet`: one file a command. A user's mistake ends with status 2 and one line, never with a traceback."""

import argparse
import sys

from keras_resnet.cli import convert, evaluate, export, info, listing, predict, verify

COMMANDS = (listing, info, convert, evaluate, predict, export, verify)


def main(arguments: list[str] | None = None) -> int:
    """Run a command; returns the exit status."""
    options = _parse(arguments)
    try:
        return options.run(options)
    except (ValueError, TypeError, OSError) as error:
        print(f"keras-resnet {options.command}: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    """The options. Images may stand behind flags too, where argparse no longer looks for a list that may be empty."""
    parser = _parser()
    options, left = parser.parse_known_args(arguments)
    if left and (not hasattr(options, "images") or any(word.startswith("-") for word in left)):
        parser.error(f"unrecognized arguments: {' '.join(left)}")
    if left:
        options.images = [*options.images, *left]
    return options


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="keras-resnet", description="The residual-network zoo for Keras 3.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for module in COMMANDS:
        name, text = module.NAME, module.__doc__
        added = commands.add_parser(name, help=text, description=text)
        added.set_defaults(run=module.run)
        module.add_arguments(added)
    return parser
