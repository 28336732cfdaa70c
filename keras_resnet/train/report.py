"""A grid of trainings in words and on one page: what the numbers say, and nothing beyond."""

import base64
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from keras_resnet.atomic import replacing

Results = Sequence[dict[str, Any]]
Outcome = Literal["degraded", "did not degrade", "cannot be told apart"]
STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #1d2733; max-width: 62rem; margin: 2rem auto; padding: 0 1rem }
h1, h2 { line-height: 1.2 } h2 { margin-top: 2.5rem } img { width: 100%; height: auto }
table { border-collapse: collapse; font-variant-numeric: tabular-nums } caption, figcaption { color: #56657a }
th, td { padding: .3rem .8rem; text-align: right; border-bottom: 1px solid #d8dee6 } td:first-child { text-align: left }
.verdict { border-left: 4px solid #12355b; padding-left: 1rem } figure { margin: 1.5rem 0 }
pre { background: #f3f5f8; padding: .8rem; overflow-x: auto } div { overflow-x: auto }
"""


class Verdict(NamedTuple):
    """What became of a network as it grew deeper, as one of three outcomes and as a sentence."""

    outcome: Outcome
    sentence: str


def compare(shallow: Sequence[float], deep: Sequence[float]) -> Outcome:
    """Whether the errors of a deeper network are higher than those of a shallower one, each over its seeds.

    Only where every seed of the one lies above every seed of the other are they told apart; by chance alone that
    happens once in 20 times with three seeds each, once in 252 with five.

    Args:
        shallow: One error a seed.
        deep: Likewise; fewer than two of either cannot be told apart.

    Example:

    >>> compare([1.0, 1.2], [3.0, 5.0]), compare([1.0, 1.2], [0.2, 0.3]), compare([1.0, 1.2], [1.1, 9.0])
    ('degraded', 'did not degrade', 'cannot be told apart')
    """
    if min(len(shallow), len(deep)) >= 2:
        if min(deep) > max(shallow):
            return "degraded"
        if max(deep) < min(shallow):
            return "did not degrade"
    return "cannot be told apart"


def degradation(results: Results, network: str) -> Verdict:
    """The verdict on a kind of network: the training errors of its deepest against those of its shallowest.

    Args:
        results: What `run_trials` returned.
        network: Which kind.

    Example:

    >>> rows = [
    ...     {"network": "plain", "depth": depth, "seed": seed, "train_error": error, "diverged": None}
    ...     for depth, errors in ((8, (1.0, 1.2)), (56, (3.0, 5.0)))
    ...     for seed, error in enumerate(errors)
    ... ]
    >>> print(degradation(rows, "plain").sentence)
    The plain networks degraded with depth: training error 1.10 % (1.00 to 1.20, 2 seeds) with 8 layers, 4.00 % (3.00 to 5.00, 2 seeds) with 56.
    """  # noqa: E501
    own = [result for result in results if result["network"] == network]
    ends = [min(result["depth"] for result in own), max(result["depth"] for result in own)]
    groups = [[result for result in own if result["depth"] == depth] for depth in ends]
    shallow, deep = (_ended(group, "train_error") for group in groups)
    outcome = compare(shallow, deep)
    first, last = (_in_words(group, "train_error") for group in groups)
    said = {
        "degraded": "degraded with depth",
        "did not degrade": "did not degrade: the deepest train better",
        "cannot be told apart": "cannot be told apart by depth: their seeds overlap",
    }[outcome]
    if min(len(shallow), len(deep)) < 2:
        said = "cannot be told apart by depth: fewer than two seeds of each came to their end"
    figures = f"training error {first} with {ends[0]} layers, {last} with {ends[1]}"
    return Verdict(outcome, f"The {network} networks {said}: {figures}.")


def advantage(results: Results) -> str:
    """A sentence on plain against residual networks where they are deepest."""
    depth = max(result["depth"] for result in results)
    groups = {
        name: [result for result in results if (result["network"], result["depth"]) == (name, depth)]
        for name in ("plain", "residual")
    }
    outcome = compare(*(_ended(groups[name], "train_error") for name in ("residual", "plain")))
    said = {
        "degraded": "Every residual network trained better than every plain one",
        "did not degrade": "Every plain network trained better than every residual one",
        "cannot be told apart": "Plain and residual networks cannot be told apart by their training error",
    }[outcome]
    tests = "; ".join(f"{_in_words(group, 'test_error')} {name}" for name, group in groups.items())
    return f"{said} at {depth} layers. Test error after the last step: {tests}."


def responses(results: Results) -> str:
    """Sentences on how strongly the layers respond, plain against residual, by depth.

    Args:
        results: Of `run_trials`, with `responses` where a training came to its end.

    Example:

    >>> rows = [
    ...     {"network": network, "depth": 8, "responses": {"stem_norm": deviation}, "diverged": None}
    ...     for network, deviation in (("plain", 0.9), ("residual", 0.5), ("plain", 0.9), ("residual", 0.5))
    ... ]
    >>> print(responses(rows))
    Residual layers respond more weakly than plain ones, in every seed, at 1 of 1 depths. Mean deviation, plain and residual: 0.90 and 0.50 with 8 layers.
    """  # noqa: E501
    means: dict[int, dict[str, list[float]]] = {}
    for result in results:
        if result["diverged"] is None:
            both = means.setdefault(result["depth"], {"plain": [], "residual": []})
            both[result["network"]].append(float(np.mean(list(result["responses"].values()))))
    means = {depth: both for depth, both in means.items() if all(both.values())}
    weaker = sum(compare(both["residual"], both["plain"]) == "degraded" for both in means.values())
    pairs = {depth: [np.mean(both[name]) for name in both] for depth, both in means.items()}
    said = "; ".join(
        f"{plain:.2f} and {residual:.2f} with {depth} layers" for depth, (plain, residual) in pairs.items()
    )
    if not said:
        return "At no depth came both a plain and a residual network to their end."
    return (
        f"Residual layers respond more weakly than plain ones, in every seed, at {weaker} of {len(pairs)} depths. "
        f"Mean deviation, plain and residual: {said}."
    )


def added_unit(added: Results) -> str:
    """Sentences on an added unit: what was left of |F(x)| / |x| at the end, of its value as the decay began.

    Args:
        added: One dictionary a seed, of `train_added_unit`.

    Example:

    >>> ratio = {"none": [0, 0.4, 0.5], "kernels": [0, 0.4, 0.4], "all": [0, 0.4, 0.001]}
    >>> print(added_unit([{"step": [0, 30, 60], "begins": 30, "ratio": ratio}]))
    |F(x)| / |x| of the added unit, at the end against the step at which the decay began: without decay 125 % (1 seed); with decay of its kernels alone 100 % (1 seed); with decay of all its weights 0 % (1 seed): the branch went to zero.
    """  # noqa: E501
    said = []
    for decay, words in (
        ("none", "without decay"),
        ("kernels", "with decay of its kernels alone"),
        ("all", "with decay of all its weights"),
    ):
        pairs = [(one["ratio"][decay][one["step"].index(one["begins"])], one["ratio"][decay][-1]) for one in added]
        left = [100 * last / first for first, last in pairs if first and last is not None]
        seeds = f"{len(left)} seed{'s' * (len(left) != 1)}"
        lost = f", {len(pairs) - len(left)} diverged" if len(left) < len(pairs) else ""
        spread = f"{min(left):.0f} to {max(left):.0f} %, " if len(left) > 1 else ""
        said.append(f"{words} {np.mean(left):.0f} % ({spread}{seeds}{lost})" if left else f"{words} all diverged")
    end = "the branch did not go to zero"
    if left and max(left) < 100:
        end = "the branch went to zero" if max(left) < 5 else "the branch shrank in every seed, but not to zero"
    begun = "|F(x)| / |x| of the added unit, at the end against the step at which the decay began"
    return f"{begun}: {'; '.join(said)}: {end}."


def summary(results: Results) -> list[list[str]]:
    """Rows of a table, its header first: a row for each network and depth, errors as mean (lowest to highest)."""
    rows = [["network", "layers", "parameters", "training error", "test error", "seeds", "diverged", "seconds each"]]
    for network, depth in dict.fromkeys((result["network"], result["depth"]) for result in results):
        group = [result for result in results if (result["network"], result["depth"]) == (network, depth)]
        errors = [_spread(_ended(group, key)) for key in ("train_error", "test_error")]
        diverged = sum(result["diverged"] is not None for result in group)
        seconds = np.mean([result["seconds"] for result in group])
        numbers = [str(len(group)), str(diverged), f"{seconds:.0f}"]
        rows.append([network, str(depth), f"{group[0]['parameters']:,}", *errors, *numbers])
    return rows


def write_report(path: Path, title: str, body: Sequence[str]) -> None:
    """One page of HTML that needs no other file.

    Args:
        path: The file to write.
        title: Heading.
        body: Pieces of HTML, such as `paragraph`, `heading`, `table` and `picture` make.
    """
    pieces = "\n".join(body)
    head = f'<meta charset="utf-8">\n<title>{escape(title)}</title>\n<style>{STYLE}</style>'
    page = f'<!doctype html>\n<html lang="en">\n<head>\n{head}\n</head>\n<body>\n<h1>{escape(title)}</h1>\n{pieces}\n'
    with replacing(path) as temporary:
        temporary.write_text(f"{page}</body>\n</html>\n", encoding="utf-8")


def heading(text: str) -> str:
    """The head of a section."""
    return f"<h2>{escape(text)}</h2>"


def paragraph(text: str, kind: str = "") -> str:
    """A paragraph; `kind` "verdict" sets it off."""
    return f'<p class="{kind}">{escape(text)}</p>' if kind else f"<p>{escape(text)}</p>"


def code(text: str) -> str:
    """Text as it was typed or written."""
    return f"<pre>{escape(text)}</pre>"


def table(rows: Sequence[Sequence[str]]) -> str:
    """A table, the first row its header."""
    head, *body = (
        "".join(f"<{'td' if number else 'th'}>{escape(text)}</{'td' if number else 'th'}>" for text in row)
        for number, row in enumerate(rows)
    )
    lines = "\n".join(f"<tr>{row}</tr>" for row in body)
    return f"<div><table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{lines}\n</tbody>\n</table></div>"


def picture(path: Path, caption: str) -> str:
    """A PNG file, its bytes in the page."""
    data = base64.b64encode(path.read_bytes()).decode()
    image = f'<img alt="{escape(caption)}" src="data:image/png;base64,{data}">'
    return f"<figure>{image}<figcaption>{escape(caption)}</figcaption></figure>"


def _ended(group: Results, key: str) -> list[float]:
    return [result[key] for result in group if result["diverged"] is None]


def _spread(errors: Sequence[float]) -> str:
    return f"{np.mean(errors):.2f} % ({min(errors):.2f} to {max(errors):.2f})" if errors else "none"


def _in_words(group: Results, key: str) -> str:
    errors = _ended(group, key)
    lost = f", {len(group) - len(errors)} diverged" if len(errors) < len(group) else ""
    if not errors:
        return f"none ({len(group)} of {len(group)} seeds diverged)"
    seeds = f"{len(errors)} seed{'s' if len(errors) > 1 else ''}{lost}"
    return _spread(errors).removesuffix(")") + f", {seeds})"
