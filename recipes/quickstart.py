"""Train a residual network on real handwritten digits, test it, export it, and classify a PNG with what was exported.

    python recipes/quickstart.py
    python recipes/quickstart.py --virtual-devices 2     # the code of a machine with two GPUs, on a CPU
    python recipes/quickstart.py --help

The data: 1,797 images of 8x8 pixels (UCI, in scikit-learn), of which a fifth is held out: training never sees it and no
choice is made by it; the accuracy stated is that of the last epoch. The network: 14 layers, the CIFAR form of
arXiv:1512.03385 (section 4.2) with shortcut A, L2 weight decay and every residual branch starting at zero.
"""

import io
import os
import subprocess
import sys
from contextlib import redirect_stdout
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

# Before TensorFlow: its remarks on the machine would fill the screen, and it leaves Intel's library out on older
# processors, where training is faster with it too.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

import keras
import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds
import tyro
from rich.console import Console

import keras_resnet as kr
from keras_resnet.atomic import replacing
from keras_resnet.data import digits
from keras_resnet.data.augment import random_affine
from keras_resnet.data.preprocess import Preprocessing
from keras_resnet.export.card import verification
from keras_resnet.export.saved_model import export_saved_model
from keras_resnet.train.plots import plot_curves, plot_predictions
from keras_resnet.train.progress import ProgressBar
from keras_resnet.train.run import start_run
from keras_resnet.train.strategy import choose_strategy

console = Console()
PREPROCESSING = Preprocessing(size=(8, 8), mean=(0.31,), std=(0.38,))  # of the training images


@dataclass(frozen=True)
class Config:
    """Train, test, export and try a residual network on handwritten digits."""

    epochs: int = 40
    """Passes over the training images."""
    batch: int = 64
    """Images of one step, over all devices."""
    learning_rate: float = 0.1
    """Peak of the schedule: linear warm-up for a tenth of the steps, then a cosine to zero."""
    weight_decay: float = 2e-4
    """L2 penalty of the kernels: this times their sum of squares is added to the loss."""
    label_smoothing: float = 0.1
    """Probability taken from the true class and shared among all."""
    seed: int = 0
    """Of the initial weights, the order of images and the augmentation."""
    virtual_devices: int = 0
    """Split the CPU into so many devices and mirror across them."""
    data: Path = Path("runs/data")
    """Where the TFDS data set is prepared, once."""
    out: Path = Path("runs/quickstart")
    """Parent of the run's folder."""

    def __post_init__(self) -> None:
        if not (self.epochs >= 1 and 1 <= self.batch <= 1437):
            raise ValueError(f"epochs must be at least 1 and batch 1 to 1437; received {self.epochs} and {self.batch}.")
        if not (self.learning_rate > 0 and 0 <= self.weight_decay < 1 and 0 <= self.label_smoothing < 1):
            raise ValueError(
                "learning-rate must be positive, weight-decay and label-smoothing lie in [0, 1); "
                f"received {self.learning_rate}, {self.weight_decay}, {self.label_smoothing}."
            )
        if self.virtual_devices < 0 or self.virtual_devices == 1:
            raise ValueError(f"virtual-devices must be 0 or at least 2; received {self.virtual_devices}.")


def main(config: Config) -> None:
    """Run the recipe from beginning to end."""
    keras.utils.set_random_seed(config.seed)
    try:
        strategy, reason = choose_strategy(config.virtual_devices)
        folder = config.out / datetime.now().strftime("%Y-%m-%d_%H-%M-%S")
        start_run(folder, asdict(config), strategy=reason)
    except ValueError as error:
        Console(stderr=True).print(f"quickstart: {error}")
        sys.exit(2)
    console.rule("[bold]keras_resnet quickstart")
    console.print(f"strategy   {reason}\nrun folder {folder}")

    train, (test_images, test_labels), names = load(config)
    steps = 1437 // config.batch
    with strategy.scope():
        model = build(config, total_steps=steps * config.epochs)
    console.print(kr.profile(model).stages())

    test = (preprocess(test_images), tf.one_hot(test_labels, 10))
    test = tf.data.Dataset.from_tensor_slices(test).batch(config.batch)
    callbacks = [
        ProgressBar(config.batch),
        keras.callbacks.CSVLogger(folder / "metrics.csv"),
        keras.callbacks.TensorBoard(folder / "tensorboard", write_graph=False),
        keras.callbacks.TerminateOnNaN(raise_error=True),
    ]
    history = model.fit(
        train,
        epochs=config.epochs,
        steps_per_epoch=steps,
        validation_data=test,
        callbacks=callbacks,
        shuffle=False,
        verbose=0,
    )

    scores = model.predict(preprocess(test_images), verbose=0)
    wrong = int((scores.argmax(axis=-1) != test_labels).sum())
    console.print(
        f"[bold]test accuracy {100 * (1 - wrong / len(test_labels)):.2f} %[/] "
        f"({len(test_labels) - wrong} of {len(test_labels)} held-out images)"
    )
    plot_curves(history.history, folder / "curves.png", "A 14-layer residual network on handwritten digits")
    plot_predictions(test_images, test_labels, scores, names, folder / "predictions.png")
    with replacing(folder / "model.keras") as path:
        model.save(path)
    files = [tf.io.encode_png(image).numpy() for image in test_images]
    exported = export_saved_model(
        model, folder / "export", preprocessing=PREPROCESSING, labels=names, top_k=3, images=files
    )
    console.print(f"the exported model beside the Keras model: {verification(exported)}")
    try_export(exported, test_images[0], names[test_labels[0]], folder)
    console.print(f"In {folder}:")
    for name, what in {
        "curves.png": "loss and error by epoch",
        "predictions.png": "the least certain test images, and every mistake",
        "metrics.csv": "each epoch's numbers (for TensorBoard: tensorboard)",
        "config.json": "settings, versions, seed, revision",
        "model.keras": "opens with keras.models.load_model",
        "export/1": "a SavedModel: PNG or JPEG bytes in, labels out",
    }.items():
        console.print(f"  {name:<16}[dim]{what}[/]", highlight=False)


def load(config: Config) -> tuple[tf.data.Dataset, tuple[np.ndarray, np.ndarray], list[str]]:
    """The endless training batches, the test images and labels, and the classes' names."""
    builder = digits.UciDigits(data_dir=config.data)
    with console.status("preparing the data set"), redirect_stdout(io.StringIO()):  # TFDS announces a download
        tfds.disable_progress_bar()
        builder.download_and_prepare()
    images, labels = tfds.as_numpy(
        tfds.load("uci_digits", data_dir=config.data, split="train", batch_size=-1, as_supervised=True)
    )

    def augment(step: tf.Tensor, batch: tuple[tf.Tensor, tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
        # Shifts and small turns keep a digit what it is; flips would not.
        moved = random_affine(batch[0], (config.seed, step), rotation=10, shift=1, zoom=0.1, shear=5)
        return preprocess(moved), tf.one_hot(batch[1], 10)

    train = tf.data.Dataset.from_tensor_slices((images, labels)).shuffle(len(images), seed=config.seed).repeat()
    train = train.batch(config.batch).enumerate().map(augment, num_parallel_calls=tf.data.AUTOTUNE).prefetch(2)
    test = tfds.as_numpy(tfds.load("uci_digits", data_dir=config.data, split="test", batch_size=-1, as_supervised=True))
    return train, test, builder.info.features["label"].names


def preprocess(images: tf.Tensor) -> tf.Tensor:
    """What PREPROCESSING does to images that have the right size already, for whole batches."""
    return (tf.cast(images, tf.float32) / 255.0 - PREPROCESSING.mean) / PREPROCESSING.std


def build(config: Config, total_steps: int) -> keras.Model:
    """The network, compiled."""
    model = kr.create_model(
        "cifar_resnet20",
        depths=(2, 2, 2),
        input_shape=(8, 8, 1),
        weight_decay=config.weight_decay,
        zero_init_residual=True,
    )
    warm_up = max(1, total_steps // 10)
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0, max(1, total_steps - warm_up), warmup_target=config.learning_rate, warmup_steps=warm_up
    )
    model.compile(
        keras.optimizers.SGD(schedule, momentum=0.9, nesterov=True),
        keras.losses.CategoricalCrossentropy(label_smoothing=config.label_smoothing),
        metrics=["accuracy"],
    )
    return model


CONSUMER = """
import sys, tensorflow as tf
serve = tf.saved_model.load(sys.argv[1]).signatures["serving_default"]
answer = serve(image_bytes=tf.constant([open(sys.argv[2], "rb").read()]))
print(answer["classes"][0, 0].numpy().decode(), float(answer["top_scores"][0, 0]))
"""


def try_export(exported: Path, image: np.ndarray, truth: str, folder: Path) -> None:
    """Classify a PNG file in a fresh process that knows TensorFlow alone."""
    png = folder / "example.png"
    with replacing(png) as path:
        path.write_bytes(tf.io.encode_png(image).numpy())
    command = [sys.executable, "-c", CONSUMER, str(exported), str(png)]
    with console.status("classifying a PNG in a fresh process with TensorFlow alone"):
        said, score = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    console.print(f"the exported model says that {png.name} is a {said} ({100 * float(score):.0f} %); it is a {truth}")


if __name__ == "__main__":
    main(tyro.cli(Config, description=__doc__))
