"""Name the likeliest classes of images."""

import argparse

from keras_resnet.cli.common import build, image_files, preprocessing_of, report_broken
from keras_resnet.cli.evaluate import add_weights

NAME = "predict"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's flags."""
    parser.add_argument("name", help="network, such as resnet50")
    parser.add_argument("images", nargs="+", metavar="IMAGE", help="image files or folders of them")
    parser.add_argument("--top", type=int, default=5, help="classes to name (5)")
    add_weights(parser)


def run(options: argparse.Namespace) -> int:
    """Print the likeliest classes of images."""
    from keras_resnet.data import evaluation
    from keras_resnet.data.imagenet import class_names
    from keras_resnet.weights import hub

    preprocessing = preprocessing_of(options)
    model = build(options, options.weights, preprocessing)
    paths = image_files(options.images)
    outputs = model.output_shape[-1]
    tag = getattr(model, "pretrained_tag", None)
    known = hub.pretrained(tag).labels if tag else tuple(name for _, name in class_names())
    names = known if len(known) == outputs else [f"class {label}" for label in range(outputs)]
    broken: list[tuple[str, str]] = []
    examples = [evaluation.Example(str(path), path) for path in paths]
    for batch, scores in evaluation.predict(model, examples, preprocessing, broken, options.batch_size):
        for example, row in zip(batch, scores, strict=True):
            best = (-row).argsort()[: options.top]
            print(f"{example.name}: {', '.join(f'{names[label]} {row[label]:.3f}' for label in best)}")
    return report_broken(broken)
