"""What a run leaves when it has come to its end: the model, measured anew from its file, pictures, and a card."""

import hashlib
import json
import shlex
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_resnet.atomic import replacing
from keras_resnet.data.pipeline import evaluation_batches
from keras_resnet.data.preprocess import Preprocessing
from keras_resnet.data.source import Source
from keras_resnet.profile import profile
from keras_resnet.train.model import TrainingModel, averaged
from keras_resnet.train.plots import plot_confusion, plot_curves, plot_images


@dataclass(frozen=True)
class Card:
    """What can be said of a trained model; `card.json` and `card.md`.

    Args:
        network: Its name.
        recipe: Name of the recipe and its preset.
        command: What was typed.
        seed: Of everything random.
        data: What it was trained and tested on.
        train_images: How many.
        test_images: How many.
        accuracy: Share of the test images that the last weights get right; of the file `model.keras`, read anew.
        top5: The same among the first five; None for fewer than six classes.
        steps: Of the optimiser.
        batch_size: Images of a step.
        train_seconds: Training and its evaluations, interruptions left out.
        parameters: Trainable ones.
        multiply_adds: Of one image.
        input_shape: (height, width, channels).
        preprocessing: From an image to the network's input.
        labels: Names of the classes, in order.
        sha256: Of `model.keras`.
        versions, machine, git_revision, strategy: As in `config.json`.
    """

    network: str
    recipe: str
    command: str
    seed: int
    data: str
    train_images: int
    test_images: int
    accuracy: float
    top5: float | None
    steps: int
    batch_size: int
    train_seconds: float
    parameters: int
    multiply_adds: int
    input_shape: tuple[int, ...]
    preprocessing: dict[str, Any]
    labels: tuple[str, ...]
    sha256: str
    versions: dict[str, str]
    machine: dict[str, Any]
    git_revision: str | None
    strategy: str

    def markdown(self) -> str:
        """The card for people."""
        speed = self.steps * self.batch_size / self.train_seconds
        rows = {
            "test accuracy": f"{100 * self.accuracy:.2f} % of {self.test_images:,}, last weights, seed {self.seed}",
            "among the first five": "" if self.top5 is None else f"{100 * self.top5:.2f} %",
            "data": f"{self.data}: {self.train_images:,} images to train, {self.test_images:,} to test",
            "recipe": self.recipe,
            "command": f"`{self.command}`",
            "training": f"{self.steps:,} steps of {self.batch_size} images, {self.train_seconds / 60:.1f} min, "
            f"{speed:,.0f} images/s with the evaluations",
            "machine": f"{self.machine['processor']}, {self.machine['cores']} cores; {self.strategy}",
            "size": f"{self.parameters:,} parameters, {self.multiply_adds:,} multiply-adds",
            "input": f"{' x '.join(map(str, self.input_shape))}; preprocessing {self.preprocessing}",
            "versions": ", ".join(f"{name} {version}" for name, version in self.versions.items()),
            "SHA-256 of model.keras": f"`{self.sha256}`",
        }
        lines = [f"| {name} | {value} |" for name, value in rows.items() if value]
        return "\n".join([f"# {self.network}", "", "| | |", "|---|---|", *lines, ""])


def show_batch(batches: Any, preprocessing: Preprocessing, folder: Path) -> None:
    """What the network is first shown, augmented, as a picture: `batch.png`, and in TensorBoard.

    Args:
        batches: A dataset of (images, labels).
        preprocessing: Whose normalisation is taken back.
        folder: The run's.
    """
    images = next(iter(batches))[0].numpy()[:32]
    pixels = (images + preprocessing.offset) / preprocessing.scale
    plot_images(pixels if preprocessing.channel_order == "rgb" else pixels[..., ::-1], folder / "batch.png")
    _to_tensorboard(folder, "batch.png")


def _to_tensorboard(folder: Path, name: str) -> None:
    picture = tf.io.decode_png((folder / name).read_bytes(), 3)
    with tf.summary.create_file_writer(str(folder / "tensorboard")).as_default():
        tf.summary.image(name, picture[None], step=0)


def keep_results(
    model: TrainingModel,
    network: keras.Model,
    folder: Path,
    history: list[dict[str, float]],
    test: Source,
    preprocessing: Preprocessing,
    **facts: Any,
) -> Card:
    """Write `model.keras`, `curves.png`, `confusion.png`, `card.json` and `card.md`. The chief alone calls it.

    Args:
        model: What was trained; its averaged weights are kept where it has them.
        network: The network inside it, a classifier with logits; the file's answers by softmax.
        folder: The run's.
        history: What `train` returned.
        test: The test images.
        preprocessing: From an image to the network's input.
        **facts: Those fields of `Card` that only the recipe knows.

    Returns:
        The card.
    """
    path = folder / "model.keras"
    with averaged(model), replacing(path) as temporary:
        network.get_layer("predictions").activation = keras.activations.softmax
        _in_float32(network).save(temporary)
    scores, labels = _measured(path, test, preprocessing)
    plot_confusion(labels, scores, test.classes, folder / "confusion.png")
    _to_tensorboard(folder, "confusion.png")
    title = f"{network.name} on {facts['data']}"
    plot_curves({key: [row[key] for row in history] for key in history[0]}, folder / "curves.png", title)
    shape = (*preprocessing.size, preprocessing.channels)
    counted, record = profile(network, shape), json.loads((folder / "config.json").read_text(encoding="utf-8"))
    ranks = np.argsort(-scores, axis=1, kind="stable")
    card = Card(
        network=network.name,
        command=shlex.join(["python", *sys.argv]),
        test_images=test.size,
        accuracy=float(np.mean(ranks[:, 0] == labels)),
        top5=float(np.mean((ranks[:, :5] == labels[:, None]).any(axis=1))) if scores.shape[1] > 5 else None,
        steps=int(history[-1]["step"]),
        train_seconds=history[-1]["seconds"],
        parameters=counted.trainable_params,
        multiply_adds=counted.macs,
        input_shape=shape,
        preprocessing=preprocessing.config(),
        labels=test.classes,
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        **{name: record[name] for name in ("versions", "machine", "git_revision", "strategy")},
        **facts,
    )
    for name, text in (("card.json", json.dumps(asdict(card), indent=2) + "\n"), ("card.md", card.markdown())):
        with replacing(folder / name) as temporary:
            temporary.write_text(text, encoding="utf-8")
    return card


def _in_float32(network: keras.Model) -> keras.Model:
    """The same function and weights as whoever opens them expects, in whatever precision they were trained."""

    def copy(layer: Any) -> Any:
        stateless = not isinstance(layer, keras.layers.Layer)
        return layer if stateless else type(layer).from_config({**layer.get_config(), "dtype": "float32"})

    if network.dtype_policy.name == "float32":
        return network
    model = keras.models.clone_model(network, clone_function=copy)
    model.set_weights(network.get_weights())
    return model


def _measured(path: Path, test: Source, preprocessing: Preprocessing) -> tuple[np.ndarray, np.ndarray]:
    """Scores `(size, classes)` and labels `(size,)` of the file's model, as whoever opens it gets them."""
    reopened = keras.models.load_model(path)
    pairs = [
        (reopened.predict_on_batch(images), labels.numpy().argmax(axis=-1))
        for images, labels in evaluation_batches(test, preprocessing, batch_size=128)
    ]
    return np.concatenate([scores for scores, _ in pairs]), np.concatenate([labels for _, labels in pairs])
