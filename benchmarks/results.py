"""Writes RESULTS.md from the files of results/, and says what is not measured yet.

python benchmarks/results.py

A result is one JSON file: title, machine, versions, date, command, note, columns, rows, left_out, as `measure.keep`
writes it. What is to be said of where the time goes, or of a target that was missed, stands beside it in NAME.why.md.
"""

import json
from pathlib import Path
from typing import Any, NamedTuple

PAGE = Path(__file__).with_name("RESULTS.md")
FOLDER = Path(__file__).with_name("results")
INTRODUCTION = """# What was measured

Every table was written by the command above it, on the machine and on the day that stand there, by
`python benchmarks/results.py` from the files of [results/](results). Contenders take turns in rounds, so that a
disturbance meets them all; figures are medians over the rounds, and ratios are taken round by round where it says
"ratio". A share of the matrix product is the rate of a network's multiply-adds, a training step being counted as three
forward passes, over that of a product of two float32 matrices of 2048 x 2048 in the same rounds. Accuracies are those
of the last weights, with nothing chosen by the test images. No figure is an estimate.
"""


class Expected(NamedTuple):
    """What the page shows or misses: a result's file, or one row of it by its first cell."""

    name: str
    what: str
    reference: str
    command: str
    row: str | None = None


HE2015 = {  # test error in %, option A, table 6 of arXiv:1512.03385
    "cifar_resnet20": 8.75, "cifar_resnet32": 7.51, "cifar_resnet44": 7.17, "cifar_resnet56": 6.97,
    "cifar_resnet110": 6.43,
}  # fmt: skip


def by_2015(net: str, reference: str, row: str) -> Expected:
    """A row of the paper's table."""
    what = f"CIFAR-10 as in 2015: test error of {row}"
    return Expected("gpu_cifar", what, reference, f"python benchmarks/gpu.py cifar --nets {net}", row)


EXPECTED = [  # in the order of the page
    Expected("training_resnet50", "Training step of ResNet-50 on a CPU", "", "python benchmarks/training.py"),
    Expected("training_resnet18", "The same of ResNet-18", "", "python benchmarks/training.py --network resnet18"),
    Expected("onednn", "oneDNN on older processors", "", "python benchmarks/onednn.py"),
    Expected("gpu_training", "Training step on a GPU", "timm, compiled", "python benchmarks/gpu.py training"),
    Expected("scaling_strategy", "What a strategy costs", "", "python benchmarks/scaling.py strategy"),
    Expected("scaling_depth", "Step time by depth", "", "python benchmarks/scaling.py depth"),
    Expected("scaling_batch", "Step time by batch", "", "python benchmarks/scaling.py batch"),
    Expected("build", "Time to import, build and compile", "keras.applications", "python benchmarks/build.py"),
    Expected("inference", "Inference", "", "python benchmarks/inference.py"),
    Expected("formats_resnet18", "ResNet-18 by format", "", "python benchmarks/formats.py resnet18"),
    Expected("formats_resnet50", "ResNet-50 by format", "", "python benchmarks/formats.py resnet50"),
    Expected("input", "Input pipeline", "", "python benchmarks/input.py"),
    Expected("evaluation", "A test by its pipeline", "", "python benchmarks/evaluation.py"),
    Expected("recipes_quickstart", "Quickstart", "", "python recipes/quickstart.py"),
    *[by_2015(name, f"{error} % published", f"{name} A") for name, error in HE2015.items()],
    *[by_2015(name.replace("resnet", "plain"), "", name.replace("resnet", "plain")) for name in list(HE2015)[:4]],
    *[by_2015(f"{name} --options B", "", f"{name} B") for name in HE2015],
    Expected("recipes_cifar10_fast", "CIFAR-10, ResNet-20 by `fast`", "", "python recipes/cifar10.py fast"),
    Expected("recipes_cifar10_speed", "CIFAR-10 by `speed` on a CPU", "", "python recipes/cifar10.py speed"),
    Expected("gpu_speed", "CIFAR-10, time to 94 %", "airbench94", "python benchmarks/gpu.py speed"),
    Expected("recipes_finetune", "Fine-tuning", "", "python recipes/finetune.py"),
    Expected("recipes_degradation", "Degradation", "", "python recipes/degradation.py"),
    Expected("recipes_dense", "Degradation without convolutions", "", "python recipes/dense.py"),
]


def table(result: dict[str, Any]) -> str:
    """A result's rows in Markdown, and what was left out."""
    columns = result["columns"]
    lines = [_line(columns), _line("---" if form == "{}" else "---:" for form in columns.values())]
    lines += [_line(map(_cell, columns.values(), row)) for row in result["rows"]]
    return "\n".join([*lines, *[f"\nLeft out: {reason}" for reason in result["left_out"]]]) + "\n"


def _line(cells: Any) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(form: str, value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else form.format(value)


def section(name: str) -> str:
    """A result's part of the page."""
    result = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    place = [value if isinstance(value, str) else f"{value} {key}" for key, value in result["machine"].items()]
    made_by = [" ".join(pair) for pair in result["versions"].items()]
    why = FOLDER / f"{name}.why.md"
    parts = [
        f"## {result['title']}\n",
        f"{result['date']}; {', '.join(place)}; {', '.join(made_by)}.\n",
        f"```bash\n{result['command']}\n```\n",
        f"{result['note']}\n" if result["note"] else "",
        table(result),
        why.read_text(encoding="utf-8") if why.exists() else "",
    ]
    return "\n".join(filter(None, parts))


def names() -> list[str]:
    """Of all results, in the order of the page."""
    order = list(dict.fromkeys(each.name for each in EXPECTED))
    found = sorted(path.stem for path in FOLDER.glob("*.json"))
    return sorted(found, key=lambda name: order.index(name) if name in order else len(order))


def missing() -> str:
    """The table of what is not measured yet."""
    rows = [
        [each.what, each.reference, "not yet measured", f"`{each.command}`"] for each in EXPECTED if not _is_there(each)
    ]
    columns = dict.fromkeys(("what", "beside", "here", "by"), "{}")
    return "## Not yet measured\n\n" + table({"columns": columns, "rows": rows, "left_out": []}) if rows else ""


def _is_there(expected: Expected) -> bool:
    path = FOLDER / f"{expected.name}.json"
    if not path.exists():
        return False
    rows = json.loads(path.read_text(encoding="utf-8"))["rows"]
    return expected.row is None or any(row[0] == expected.row for row in rows)


def page() -> str:
    """The whole of RESULTS.md."""
    return "\n".join(filter(None, [INTRODUCTION, *map(section, names()), missing()]))


def main() -> None:
    """Write the page."""
    from keras_resnet.atomic import replacing  # here: its import brings Keras, and what imports this may time that

    with replacing(PAGE) as path:
        path.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
