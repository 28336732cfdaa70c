"""Count a network's parameters, multiply-adds and activations."""

import argparse

import keras_resnet as kr
from keras_resnet.cli.common import show

NAME = "info"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's flags."""
    parser.add_argument("name", help="network, such as resnet50")
    parser.add_argument("--input-size", type=int, help="side of the input in pixels (the network's own)")
    parser.add_argument("--layers", action="store_true", help="one row a layer in place of a stage")
    parser.add_argument("--csv", metavar="FILE", help="write the rows of all layers")


def run(options: argparse.Namespace) -> int:
    """Print parameters, multiply-adds and activations of a network by stage or layer."""
    from keras_resnet.profile import profile

    *sizes, channels = kr.get_spec(options.name).input_shape
    shape = None if options.input_size is None else (*[options.input_size] * len(sizes), channels)
    found = profile(options.name, input_shape=shape)
    show(found if options.layers else found.stages())
    if options.csv:
        found.to_csv(options.csv)
        print(f"written: {options.csv}")
    return 0
