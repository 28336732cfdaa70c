"""Convert weights from any known layout to another, verified."""

import argparse

import keras_resnet as kr
from keras_resnet.cli.common import build

NAME = "convert"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's flags."""
    parser.add_argument("input", help="file, folder or pretrained tag")
    parser.add_argument("output", help="file to write: .safetensors, or .h5 for Keras layouts")
    parser.add_argument("--model", dest="name", required=True, help="network, such as resnet50")
    parser.add_argument(
        "--layout", default="keras_resnet", help="layout to write (keras_resnet), torchvision, timm, ..."
    )
    parser.add_argument("--classes", type=int, help="number of classes (the network's own)")


def run(options: argparse.Namespace) -> int:
    """Read weights of any known layout and write them in another."""
    model = build(options, options.input)
    kr.save_weights(model, options.output, layout=options.layout)
    print(f"written: {options.output} ({options.layout} layout, {len(model.weights)} arrays)")
    return 0
