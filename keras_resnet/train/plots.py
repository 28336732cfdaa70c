"""Pictures of a run, for people."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from sklearn.metrics import confusion_matrix

from keras_resnet.atomic import replacing

TRAIN, TEST, WRONG = "#7a8ba3", "#12355b", "#c8102e"


def plot_curves(history: dict[str, Sequence[float]], path: Path, title: str) -> None:
    """Loss and error over time: thin for training, bold for test, as in arXiv:1512.03385.

    Args:
        history: `History.history` of `fit` with the metric "accuracy" and validation data; with a "step" its values are
            the axis, else the epochs.
        path: A PNG file to write.
        title: What was trained on what.
    """
    unit = "step" if "step" in history else "epoch"
    times = np.asarray(history.get("step", range(1, 1 + len(history["loss"]))))
    figure = Figure(figsize=(10, 4), layout="constrained", dpi=120)
    figure.suptitle(title, fontsize=13)
    loss_axes, error_axes = figure.subplots(1, 2)
    for axes, key, label in ((loss_axes, "loss", "loss"), (error_axes, "error", "error, %")):
        axes.plot(times, _series(history, key), color=TRAIN, linewidth=1.2, label="training, augmented")
        axes.plot(times, _series(history, f"val_{key}"), color=TEST, linewidth=2.5, label="test")
        axes.set(xlabel=unit, ylabel=label, ylim=(0, None), xlim=(0, times[-1]))
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    top = min(100, 10 * max(1, _series(history, "val_error")[-1]))
    error_axes.set_ylim(-top / 60, top)  # room for the bold line at zero
    error_axes.legend(frameon=False)
    _save(figure, path)


def _series(history: dict[str, Sequence[float]], key: str) -> np.ndarray:
    if key.endswith("error"):
        return 100 * (1 - np.asarray(history[key.replace("error", "accuracy")]))
    return np.asarray(history[key])


def plot_images(pixels: np.ndarray, path: Path) -> None:
    """Images side by side, as the network is shown them.

    Args:
        pixels: `(n, height, width, channels)`, 0 to 255; what lies outside is cut off.
        path: A PNG file to write.
    """
    rows = -(-len(pixels) // 8)
    figure = Figure(figsize=(10, 1.25 * rows + 0.4), layout="constrained", dpi=110)
    figure.suptitle("What the network is first shown in training", fontsize=12)
    for axes in figure.subplots(rows, 8, squeeze=False).flat:
        axes.set_axis_off()
    for axes, image in zip(figure.axes, pixels.clip(0, 255).astype(np.uint8), strict=False):
        axes.imshow(image.squeeze(), cmap="gray", vmin=0, vmax=255)
    _save(figure, path)


def plot_predictions(
    images: np.ndarray, labels: np.ndarray, scores: np.ndarray, names: Sequence[str], path: Path
) -> None:
    """The least certain test images with what the network says, mistakes first and in red; and the confusion matrix.

    Args:
        images: `(n, height, width, channels)`, uint8.
        labels: `(n,)`, the truth.
        scores: `(n, classes)`, probabilities.
        names: The classes' names.
        path: A PNG file to write.
    """
    predicted = scores.argmax(axis=-1)
    shown = np.lexsort([scores.max(axis=-1), predicted == labels])[:40]
    figure = Figure(figsize=(13, 6), layout="constrained", dpi=110)
    left, right = np.asarray(figure.subfigures(1, 2, width_ratios=[1.25, 1]))
    wrong = int((predicted != labels).sum())
    left.suptitle(f"The {len(shown)} least certain of {len(labels)} test images ({wrong} wrong, in red)", fontsize=12)
    for axes, index in zip(left.subplots(5, 8).flat, shown, strict=False):
        axes.imshow(images[index].squeeze(), cmap="gray", vmin=0, vmax=255)
        right_answer = predicted[index] == labels[index]
        said = names[predicted[index]] if right_answer else f"{names[predicted[index]]}, is {names[labels[index]]}"
        axes.set_title(f"{said}  {100 * scores[index].max():.0f} %", fontsize=9, color=TEST if right_answer else WRONG)
        axes.set_axis_off()
    _draw_confusion(right, confusion_matrix(labels, predicted, labels=range(len(names))), names)
    _save(figure, path)


def plot_confusion(labels: np.ndarray, scores: np.ndarray, names: Sequence[str], path: Path) -> None:
    """The confusion matrix; with more than 20 classes without numbers and names, as a picture.

    Args:
        labels: `(n,)`, the truth.
        scores: `(n, classes)`, probabilities.
        names: The classes' names.
        path: A PNG file to write.
    """
    size = min(max(4.5, 0.6 * len(names) + 2), 10)
    figure = Figure(figsize=(size, size), layout="constrained", dpi=110)
    _draw_confusion(figure, confusion_matrix(labels, scores.argmax(axis=-1), labels=range(len(names))), names)
    _save(figure, path)


def _draw_confusion(figure: Any, matrix: np.ndarray, names: Sequence[str]) -> None:
    accuracy = np.trace(matrix) / matrix.sum()
    figure.suptitle(f"Confusion matrix, test accuracy {100 * accuracy:.2f} %", fontsize=12)
    axes = figure.subplots()
    axes.imshow(matrix, cmap="Blues")
    axes.set(xlabel="said", ylabel="true")
    if len(names) > 20:
        return
    for (row, column), count in np.ndenumerate(matrix):
        if count:
            colour = "white" if count > matrix.max() / 2 else (TEST if row == column else WRONG)
            axes.text(column, row, str(count), ha="center", va="center", color=colour, fontsize=10)
    axes.set(xticks=range(len(names)), xticklabels=names, yticks=range(len(names)), yticklabels=names)
    if max(map(len, names)) > 2:
        axes.tick_params(axis="x", rotation=45)


def _save(figure: Figure, path: Path) -> None:
    with replacing(path) as temporary:
        figure.savefig(temporary)
