"""Pictures of a grid of trainings: colours stand for depth, thin lines for training, bold ones for test."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from keras_resnet.atomic import replacing

Results = Sequence[dict[str, Any]]
THIN, BOLD = 1.2, 2.8
ARMS = {
    "none": ("#7a8ba3", "none"),
    "kernels": ("#d98e04", "its kernels"),
    "all": ("#c8102e", "its kernels and its norms' scales and shifts"),
}
KINDS = {"plain": "#c8102e", "residual": "#12355b"}


def plot_error_curves(results: Results, path: Path, title: str) -> None:
    """Error over steps by depth, a panel for each kind of network: figure 6 of arXiv:1512.03385.

    A line is the mean over seeds, its band reaches from the lowest seed to the highest; trainings that diverged are
    named in the legend and left out.

    Args:
        results: What `run_trials` returned.
        path: A PNG file to write.
        title: What was trained on what.
    """
    networks, colours = _names(results), _colours(results)
    figure = Figure(figsize=(5.6 * len(networks), 4.6), layout="constrained", dpi=120)
    figure.suptitle(title, fontsize=13)
    panels = figure.subplots(1, len(networks), sharey=True, squeeze=False)[0]
    for axes, network in zip(panels, networks, strict=True):
        for depth, colour in colours.items():
            own = _of(results, network, depth)
            ended = [result for result in own if result["diverged"] is None]
            lost = len(own) - len(ended)
            for key, width in (("train_error", THIN), ("test_error", BOLD)) if ended else ():
                curves = np.array([result["curve"][key] for result in ended])
                _band(axes, ended[0]["curve"]["step"], curves, colour, width)
            axes.plot([], [], color=colour, linewidth=BOLD, label=f"{depth}" + (f" ({lost} diverged)" if lost else ""))
        _finish(axes, xlabel="step", title=f"{network} networks")
        axes.legend(title="layers", frameon=False, loc="upper right")
    panels[0].set(ylabel="error, %", ylim=(0, _top(results)))
    figure.legend(handles=_widths(), loc="outside lower center", ncols=2, frameon=False)
    _save(figure, path)


def plot_responses(results: Results, path: Path, title: str) -> None:
    """Standard deviation of the layers' responses, in order and sorted: figure 7 of arXiv:1512.03385.

    Args:
        results: Of `run_trials`, those that did not diverge with `responses`: `layer_responses` of the trained network.
        path: A PNG file to write.
        title: Of which networks.
    """
    figure = Figure(figsize=(11, 4.6), layout="constrained", dpi=120)
    figure.suptitle(title, fontsize=13)
    in_order, by_size = figure.subplots(1, 2, sharey=True)
    for network in _names(results):
        for depth, colour in _colours(results).items():
            every = [list(r["responses"].values()) for r in _of(results, network, depth) if r["diverged"] is None]
            if not every:
                continue
            style = {"color": colour, "linewidth": 1.8, "linestyle": "--" if network == "plain" else "-"}
            layers = np.arange(1, 1 + len(every[0]))
            in_order.plot(layers, np.mean(every, axis=0), label=f"{network}, {depth} layers", **style)
            by_size.plot(layers, np.mean(np.sort(every, axis=1)[:, ::-1], axis=0), **style)
    _finish(in_order, xlabel="layer, from the input on", title="in order")
    _finish(by_size, xlabel="layer, from the strongest on", title="sorted")
    in_order.set(ylabel="standard deviation of the response", yscale="log")
    in_order.yaxis.set_major_formatter("{x:g}")
    in_order.yaxis.set_minor_formatter("{x:g}")
    by_size.legend(*in_order.get_legend_handles_labels(), frameon=False)
    _save(figure, path)


def plot_added_unit(added: Results, path: Path, title: str) -> None:
    """What an added unit's branch does over further training, with and without weight decay on it.

    Args:
        added: One dictionary a seed: `step`, `ratio` (lists by kind of decay, the keys of `ARMS`, None where it
            diverged) and `begins` (the step at which the decay begins).
        path: A PNG file to write.
        title: Of which unit.
    """
    figure = Figure(figsize=(8.5, 4.6), layout="constrained", dpi=120)
    figure.suptitle(title, fontsize=13)
    axes = figure.subplots()
    for arm, (colour, label) in ARMS.items():
        curves = np.array([one["ratio"][arm] for one in added], float)
        _band(axes, added[0]["step"], curves, colour, 2.2)
        axes.plot([], [], color=colour, linewidth=2.2, label=label)
    axes.axvline(added[0]["begins"], color="#444444", linewidth=1, linestyle=":")
    axes.annotate(
        " decay begins", (added[0]["begins"], 0.97), xycoords=("data", "axes fraction"), va="top", color="#444444"
    )
    _finish(axes, xlabel="step since the unit was added", title="")
    axes.set(ylabel=r"$\|F(x)\|\;/\;\|x\|$, mean over the test images", ylim=(0, None))
    figure.legend(title="weight decay on the added unit", frameon=False, loc="outside lower center", ncols=len(ARMS))
    _save(figure, path)


def plot_depths(results: Results, path: Path, title: str) -> None:
    """Last error against depth, a point for each seed.

    Args:
        results: What `run_trials` returned.
        path: A PNG file to write.
        title: What was trained on what.
    """
    figure = Figure(figsize=(9.5, 4.8), layout="constrained", dpi=120)
    figure.suptitle(title, fontsize=13)
    axes = figure.subplots()
    every = sorted({result["depth"] for result in results})
    axes.set_xscale("log", base=2)
    axes.set_xticks(every, [str(depth) for depth in every])
    axes.minorticks_off()
    for network in _names(results):
        ended = [result for result in results if result["network"] == network and result["diverged"] is None]
        depths = sorted({result["depth"] for result in ended})
        colour = KINDS[network]
        for key, width in (("train_error", THIN), ("test_error", BOLD)):
            groups = [[result[key] for result in ended if result["depth"] == depth] for depth in depths]
            axes.plot(depths, [np.mean(group) for group in groups], color=colour, linewidth=width)
            axes.fill_between(
                depths, [min(g) for g in groups], [max(g) for g in groups], color=colour, alpha=0.12, linewidth=0
            )
            points = [(result["depth"], result[key]) for result in ended]
            axes.plot(*np.array(points).T, "o", color=colour, markersize=2 + width, alpha=0.6, linestyle="none")
        axes.plot([], [], color=colour, linewidth=BOLD, label=f"{network} networks")
    _finish(axes, xlabel="layers", title="")
    axes.set(ylabel="error after the last step, %", ylim=(0, None), xlim=(every[0] / 1.1, every[-1] * 1.1))
    handles = [*axes.get_legend_handles_labels()[0], *_widths()]
    axes.legend(handles=handles, frameon=False, loc="upper left")
    _save(figure, path)


def _names(results: Results) -> list[str]:
    return list(dict.fromkeys(result["network"] for result in results))


def _of(results: Results, network: str, depth: int) -> list[dict[str, Any]]:
    return [result for result in results if (result["network"], result["depth"]) == (network, depth)]


def _colours(results: Results) -> dict[int, Any]:
    """A colour for each depth, from light to dark."""
    depths = sorted({result["depth"] for result in results})
    return dict(zip(depths, colormaps["viridis_r"](np.linspace(0.15, 1, len(depths))), strict=True))


def _band(axes: Any, steps: Iterable[float], curves: np.ndarray, colour: Any, width: float) -> None:
    axes.plot(steps, curves.mean(axis=0), color=colour, linewidth=width)
    axes.fill_between(steps, curves.min(axis=0), curves.max(axis=0), color=colour, alpha=0.15, linewidth=0)


def _widths() -> list[Line2D]:
    return [
        Line2D([], [], color="#444444", linewidth=width, label=label)
        for width, label in ((THIN, "training"), (BOLD, "test"))
    ]


def _top(results: Results) -> float:
    """An upper limit of errors that shows where the curves end, not where all began."""
    ends = [result[key] for result in results for key in ("train_error", "test_error") if result["diverged"] is None]
    return float(np.clip(1.5 * max(ends, default=100), 10, 100))


def _finish(axes: Any, *, xlabel: str, title: str) -> None:
    axes.set(xlabel=xlabel, title=title)
    axes.margins(x=0.01)
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)


def _save(figure: Figure, path: Path) -> None:
    with replacing(path) as temporary:
        figure.savefig(temporary)
