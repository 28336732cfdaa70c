"""`keras-resnet`: one function a command. A user's mistake ends with status 2 and one line, never with a traceback."""

import argparse
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras_resnet as kr
from keras_resnet.data.preprocess import Preprocessing

_LARGE = 160  # smallest input side that is cropped from a larger image by default, as ImageNet networks are


def main(arguments: list[str] | None = None) -> int:
    """Run a command; returns the exit status."""
    options = _parser().parse_args(arguments)
    try:
        return options.run(options)
    except (ValueError, TypeError, OSError) as error:
        print(f"keras-resnet {options.command}: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


def list_networks(options: argparse.Namespace) -> int:
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
    _print(table)
    return 0


def info(options: argparse.Namespace) -> int:
    """Print parameters, multiply-adds and activations of a network by stage or layer."""
    from keras_resnet.profile import profile

    *sizes, channels = kr.get_spec(options.name).input_shape
    shape = None if options.input_size is None else (*[options.input_size] * len(sizes), channels)
    found = profile(options.name, input_shape=shape)
    _print(found if options.layers else found.stages())
    if options.csv:
        found.to_csv(options.csv)
        print(f"written: {options.csv}")
    return 0


def convert(options: argparse.Namespace) -> int:
    """Read weights of any known layout and write them in another."""
    model = _model(options, options.input)
    kr.save_weights(model, options.output, layout=options.layout)
    print(f"written: {options.output} ({options.layout} layout, {len(model.weights)} arrays)")
    return 0


def evaluate(options: argparse.Namespace) -> int:
    """Measure a network's weights on a data set."""
    from rich.progress import track
    from rich.table import Table

    from keras_resnet.data import evaluation

    preprocessing = _preprocessing(options)
    model = _model(options, options.weights, preprocessing)
    examples: Any
    if options.data in evaluation.TFDS_SPLITS:
        examples, classes, total = evaluation.tfds_examples(options.data, options.split, options.data_dir)
    else:
        examples, classes = evaluation.folder_examples(_folder(options.data), model.output_shape[-1])
        total = len(examples)
    if len(classes) != model.output_shape[-1]:
        raise ValueError(f"{options.data} has {len(classes)} classes, {options.name} {model.output_shape[-1]}.")
    progress = track(examples, "evaluating", total=total, disable=not sys.stderr.isatty())
    report = evaluation.evaluate(model, progress, preprocessing, classes, options.batch_size)
    if report.images:
        table = Table("class", "images", "right", "%")
        for label, (count, right) in sorted(report.by_class.items()):
            table.add_row(classes[label], str(count), str(right), f"{100 * right / count:.1f}")
        _print(table)
        print(f"top-1: {report.top1} of {report.images} ({100 * report.top1 / report.images:.2f} %)")
        print(f"top-5: {report.top5} of {report.images} ({100 * report.top5 / report.images:.2f} %)")
    return _report_broken(report.broken)


def predict(options: argparse.Namespace) -> int:
    """Print the likeliest classes of images."""
    from keras_resnet.data import evaluation
    from keras_resnet.data.imagenet import class_names

    preprocessing = _preprocessing(options)
    model = _model(options, options.weights, preprocessing)
    paths = [path for given in options.images for path in _images(Path(given), evaluation.SUFFIXES)]
    if not paths:
        raise ValueError(f"no images in {', '.join(options.images)}.")
    outputs = model.output_shape[-1]
    names = [name for _, name in class_names()] if outputs == 1000 else [f"class {label}" for label in range(outputs)]
    broken: list[tuple[str, str]] = []
    examples = [evaluation.Example(str(path), path) for path in paths]
    for batch, scores in evaluation.predict(model, examples, preprocessing, broken, options.batch_size):
        for example, row in zip(batch, scores, strict=True):
            best = (-row).argsort()[: options.top]
            print(f"{example.name}: {', '.join(f'{names[label]} {row[label]:.3f}' for label in best)}")
    return _report_broken(broken)


def _report_broken(broken: list[tuple[str, str]]) -> int:
    for name, fault in broken:
        print(f"skipped {name}: {fault.removeprefix(f'{name}: ')}", file=sys.stderr)
    return 1 if broken else 0


def _model(options: argparse.Namespace, weights: str, preprocessing: Preprocessing | None = None) -> Any:
    settings: dict[str, Any] = {} if options.classes is None else {"classes": options.classes}
    if preprocessing is not None:
        settings["input_shape"] = (*preprocessing.size, preprocessing.channels)
    return kr.create_model(options.name, weights=weights, **settings)


def _preprocessing(options: argparse.Namespace) -> Preprocessing:
    """That of the tag, or for a file the usual one of the network's input size; flags change single fields."""
    from keras_resnet.weights import hub

    tag = hub.best_tag(options.name) if options.weights == "imagenet" else options.weights
    if tag in hub.TAGS:
        chosen = hub.TAGS[tag].preprocessing
    else:
        shape = kr.get_spec(options.name).input_shape
        if len(shape) != 3:
            raise ValueError(f"{options.name} is not for images: its input is {shape}.")
        size = (shape[0] or 224, shape[1] or 224)
        chosen = Preprocessing(size, crop_pct=0.875 if min(size) >= _LARGE else 1.0)
    flags = {
        "crop_pct": options.crop_pct,
        "interpolation": options.interpolation,
        "mean": options.mean,
        "std": options.std,
    }
    flags["size"] = None if options.input_size is None else (options.input_size, options.input_size)
    return replace(chosen, **{name: value for name, value in flags.items() if value is not None})


def _folder(path: str) -> Path:
    if not Path(path).is_dir():
        raise ValueError(f"--data {path}: neither a folder nor one of cifar10, cifar100, imagenet2012.")
    return Path(path)


def _images(path: Path, suffixes: tuple[str, ...]) -> list[Path]:
    """A file itself, or the images of a folder."""
    if path.is_dir():
        return sorted(file for file in path.iterdir() if file.suffix.lower() in suffixes)
    return [path]


def _print(renderable: Any) -> None:
    from rich.console import Console

    Console(width=None if sys.stdout.isatty() else 120).print(renderable)


def _numbers(text: str) -> tuple[float, ...]:
    return tuple(float(part) for part in text.split(","))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="keras-resnet", description="The residual-network zoo for Keras 3.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name: str, run: Any, text: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=text, description=text)
        added.set_defaults(run=run)
        return added

    listing = command("list", list_networks, "List the networks and their pretrained weights.")
    listing.add_argument("pattern", nargs="?", default="*", help="shell pattern, such as 'resnet*'")
    listing.add_argument("--tags", action="store_true", help="show every pretrained tag")

    details = command("info", info, "Count a network's parameters, multiply-adds and activations.")
    details.add_argument("name", help="network, such as resnet50")
    details.add_argument("--input-size", type=int, help="side of the input in pixels (the network's own)")
    details.add_argument("--layers", action="store_true", help="one row a layer in place of a stage")
    details.add_argument("--csv", metavar="FILE", help="write the rows of all layers")

    conversion = command("convert", convert, "Convert weights from any known layout to another, verified.")
    conversion.add_argument("input", help="file, folder or pretrained tag")
    conversion.add_argument("output", help="file to write: .safetensors, or .h5 for Keras layouts")
    conversion.add_argument("--model", dest="name", required=True, help="network, such as resnet50")
    conversion.add_argument(
        "--layout", default="keras_resnet", help="layout to write (keras_resnet), torchvision, timm, ..."
    )
    conversion.add_argument("--classes", type=int, help="number of classes (the network's own)")

    measurement = command("evaluate", evaluate, "Measure weights: top-1, top-5, and accuracy by class.")
    measurement.add_argument("name", help="network, such as resnet50")
    measurement.add_argument(
        "--data", required=True, help="cifar10, cifar100, imagenet2012, or a folder of class folders"
    )
    measurement.add_argument("--data-dir", help="where TFDS keeps its data sets")
    measurement.add_argument("--split", help="split of a TFDS data set (test; validation of imagenet2012)")

    prediction = command("predict", predict, "Name the likeliest classes of images.")
    prediction.add_argument("name", help="network, such as resnet50")
    prediction.add_argument("images", nargs="+", metavar="IMAGE", help="image files or folders of them")
    prediction.add_argument("--top", type=int, default=5, help="classes to name (5)")

    for added in (measurement, prediction):
        added.add_argument("--weights", required=True, help="file, pretrained tag, or 'imagenet'")
        added.add_argument("--classes", type=int, help="number of classes (the network's or tag's own)")
        added.add_argument("--batch-size", type=int, default=64, help="images at a time (64)")
        added.add_argument("--input-size", type=int, help="side of the crop in pixels (the tag's)")
        added.add_argument("--crop-pct", type=float, help="share of the resized side that is kept (the tag's)")
        added.add_argument("--interpolation", choices=("bilinear", "bicubic"), help="(the tag's)")
        added.add_argument("--mean", type=_numbers, help="three numbers in [0, 1], with commas between (the tag's)")
        added.add_argument("--std", type=_numbers, help="three numbers, with commas between (the tag's)")
    return parser


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    sys.exit(main())
