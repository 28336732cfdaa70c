"""Makes a result of a run of degradation.py or dense.py: a row for each network and depth, over the seeds.

    python benchmarks/grid.py degradation "Degradation by depth, handwritten digits" runs/degradation/digits

Errors are those after the last step; a training that diverged counts in its column alone.
"""

import argparse
import csv
import json
import shlex
import sys
from itertools import groupby
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from measure import write
from results import FOLDER, table

COLUMNS = {
    "network": "{}", "layers": "{:d}", "parameters": "{:,d}", "seeds": "{:d}", "diverged": "{:d}",
    **{
        f"{kind} error, {what}": form
        for kind in ("training", "test")
        for what, form in {"mean": "{:.2f} %", "deviation": "{:.2f}", "lowest to highest": "{}"}.items()
    },
}  # fmt: skip


def main() -> None:
    """Read the run, write the result and print it."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("name", help="of the result: benchmarks/results/recipes_NAME.json")
    parser.add_argument("title", help="of its section in RESULTS.md")
    parser.add_argument("run", type=Path, help="its folder")
    parser.add_argument("--note", default="", help="what a reader must know to understand the rows")
    options = parser.parse_args()
    try:
        result = {"title": options.title, "note": options.note, **summary(options.run)}
    except (OSError, KeyError, ValueError) as error:
        print(f"grid: {error}", file=sys.stderr)
        sys.exit(2)
    write(FOLDER / f"recipes_{options.name}", result)
    print(table(result))


def summary(run: Path) -> dict[str, Any]:
    """A result without its title and note."""
    config = json.loads((run / "config.json").read_text(encoding="utf-8"))
    with (run / "results.csv").open(newline="", encoding="utf-8") as file:
        trainings = list(csv.DictReader(file))
    groups = groupby(trainings, key=lambda training: (training["network"], int(training["depth"])))
    script, *given = config["command"]
    return {
        **{key: config[key] for key in ("machine", "versions")},
        "date": config["started"][:10],
        "command": shlex.join(["python", f"recipes/{Path(script).name}", *given]),
        "columns": COLUMNS,
        "rows": [row(network, depth, list(group)) for (network, depth), group in groups],
        "left_out": [],
    }


def row(network: str, depth: int, trainings: list[dict[str, str]]) -> list[Any]:
    """Of the trainings of one network."""
    ended = [training for training in trainings if not training["diverged"]]
    errors = (spread([float(training[key]) for training in ended]) for key in ("train_error", "test_error"))
    counts = [int(trainings[0]["parameters"]), len(trainings), len(trainings) - len(ended)]
    return [network, depth, *counts, *(value for kind in errors for value in kind)]


def spread(errors: list[float]) -> list[Any]:
    """Mean, deviation and range in percent; None where too few came to their end."""
    several = len(errors) > 1
    whole = f"{min(errors):.2f} to {max(errors):.2f} %" if several else None
    return [mean(errors) if errors else None, stdev(errors) if several else None, whole]


if __name__ == "__main__":
    main()
