"""Makes a result of the cards that a recipe's runs left: a row for each network and its options, over the seeds.

    python benchmarks/recipes.py cifar10_he2015 "CIFAR-10 as in 2015" runs/cifar10/*-he2015-seed*

The date is that of the last run's start; the commands are those of the runs, without seeds and folders. "90 % after" is
when a test after an interval first met it, tests and all; the mean over the seeds, where every one of them met it.
"""

import argparse
import csv
import json
import re
import statistics
import sys
from pathlib import Path
from typing import Any

from measure import write
from results import FOLDER, HE2015, table

LEVELS = (90, 94)  # accuracies in percent whose time is given
COLUMNS = {
    "network": "{}", "options": "{}", "seeds": "{}", "test error, mean": "{:.2f} %", "deviation": "{:.2f}",
    "each": "{}", "published": "{:.2f} %", "training": "{:.1f} min",
    **{f"{level} % after": "{:.1f} min" for level in LEVELS},
}  # fmt: skip


def main() -> None:
    """Read the runs, write the result and print it."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("name", help="of the result: benchmarks/results/recipes_NAME.json")
    parser.add_argument("title", help="of its section in RESULTS.md")
    parser.add_argument("runs", nargs="+", type=Path, help="their folders")
    parser.add_argument("--note", default="", help="what a reader must know to understand the rows")
    options = parser.parse_args()
    try:
        found = summary([read(run) for run in options.runs])
    except (OSError, KeyError, ValueError) as error:
        print(f"recipes: {error}", file=sys.stderr)
        sys.exit(2)
    result = {"title": options.title, "note": options.note, **found}
    write(FOLDER / f"recipes_{options.name}", result)
    print(table(result))


def read(run: Path) -> dict[str, Any]:
    """A run's card, with the day on which it began, its command without seed and folders, and when it met LEVELS."""
    card = json.loads((run / "card.json").read_text(encoding="utf-8"))
    card["date"] = json.loads((run / "config.json").read_text(encoding="utf-8"))["started"][:10]
    plain = re.sub(r" --(seed|run|data-dir)[ =]\S+", "", card["command"])
    card["command"] = re.sub(r"\S*recipes/", "recipes/", plain)
    with (run / "metrics.csv").open(newline="", encoding="utf-8") as file:
        tests = [(100 * float(row["val_accuracy"]), float(row["seconds"])) for row in csv.DictReader(file)]
    for level in LEVELS:
        card[f"seconds_to_{level}"] = next((seconds for accuracy, seconds in tests if accuracy >= level), None)
    return card


def summary(cards: list[dict[str, Any]]) -> dict[str, Any]:
    """A result without its title and note.

    Raises:
        ValueError: where the runs are of several machines or versions, or two are of one seed.
    """
    for key in ("machine", "versions"):
        if any(card[key] != cards[0][key] for card in cards):
            kinds = {json.dumps(card[key]) for card in cards}
            raise ValueError(f"runs of one result must share their {key}; received {', '.join(sorted(kinds))}.")
    commands = list(dict.fromkeys(card["command"] for card in cards))
    rows = [row([card for card in cards if card["command"] == command]) for command in commands]
    return {
        "machine": cards[0]["machine"],
        "versions": cards[0]["versions"],
        "date": max(card["date"] for card in cards),
        "command": "\n".join(commands),
        "columns": COLUMNS,
        "rows": rows,
        "left_out": [],
    }


def row(cards: list[dict[str, Any]]) -> list[Any]:
    """Of the runs of one command."""
    cards = sorted(cards, key=lambda card: card["seed"])
    seeds = [card["seed"] for card in cards]
    if len(set(seeds)) < len(seeds):
        raise ValueError(f"every seed counts once; received {seeds} for {cards[0]['command']}.")
    errors = [100 * (1 - card["accuracy"]) for card in cards]
    network, recipe = cards[0]["network"], cards[0]["recipe"]
    options = re.sub(r"^.*\.py\S*( [a-z]\S*)?| --network[ =]\S+", "", cards[0]["command"]).strip()
    published = HE2015.get(network) if recipe == "cifar10.py he2015" and not options else None
    return [
        network,
        options,
        ", ".join(map(str, seeds)),
        statistics.mean(errors),
        statistics.stdev(errors) if len(errors) > 1 else None,
        ", ".join(f"{error:.2f}" for error in errors) + " %",
        published,
        *(minutes([card[key] for card in cards]) for key in ("train_seconds", *(f"seconds_to_{n}" for n in LEVELS))),
    ]


def minutes(seconds: list[float | None]) -> float | None:
    """The mean; None where one is missing."""
    there = [value for value in seconds if value is not None]
    return statistics.mean(there) / 60 if len(there) == len(seconds) else None


if __name__ == "__main__":
    main()
