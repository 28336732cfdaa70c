"""Train a residual or plain network on CIFAR-10: as in 2015, or fast.

    python recipes/cifar10.py he2015 --network cifar_resnet56 --data-dir ~/tensorflow_datasets
    python recipes/cifar10.py fast
    python recipes/cifar10.py speed
    python recipes/cifar10.py he2015 --help

he2015 is arXiv:1512.03385, section 4.2: batches of 128, SGD with momentum 0.9, learning rate 0.1 divided by 10 at
32k and 48k of 64k iterations, L2 decay of 1e-4 on all weights, 4 pixels of padding and a random crop, flips; the
110-layer net begins with 400 iterations at 0.01. It differs in one thing: each channel's mean and deviation are
removed, where the paper removes the mean of each pixel. fast is one cycle of the learning rate (arXiv:1708.07120) with
Nesterov's momentum, decay of the kernels alone and averaged weights. speed is that for a wide network of ten layers,
whose stem begins with the patterns of the images, in larger batches and with smoothed labels; `benchmarks/gpu.py speed`
trains it, and a wider one, as one program on a GPU, for 94 %.

Seen, of the 10,000 test images by the last (averaged) weights, seed 0, on 2 cores of an AMD EPYC with a little other
work: `fast`, ResNet-20, 90.29 % in 33 minutes; `speed` 92.69 % in 64. `he2015` has not been run to its end yet.

Kill it whenever you like: the same command continues. TF_CONFIG or Slurm spread it over several machines.
"""

import os
import re
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Literal

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # see docs/training.md

import keras
import tyro

import keras_resnet as kr
from keras_resnet.data.augment import compose, normalized, random_flip
from keras_resnet.data.crops import Function, pad_and_crop
from keras_resnet.data.pipeline import first_images
from keras_resnet.data.preprocess import Preprocessing
from keras_resnet.data.sources import load_source
from keras_resnet.train.learn import Data, Length, compiled, learn
from keras_resnet.train.optimizers import make_optimizer
from keras_resnet.train.schedules import PiecewiseLinear
from keras_resnet.train.session import Machine, Session, recipe_error
from keras_resnet.train.stem import begin_with_patterns

# Of the training images, of each channel; the data set's, known since Krizhevsky.
PREPROCESSING = Preprocessing(size=(32, 32), mean=(0.4914, 0.4822, 0.4465), std=(0.2470, 0.2435, 0.2616))


@dataclass(frozen=True)
class Config:
    """A training on CIFAR-10, or on any set of 32 x 32 images."""

    preset: tyro.conf.Suppress[str] = ""
    network: str = "cifar_resnet20"
    """Any network of `keras-resnet list "cifar_*"`."""
    shortcut: Literal["A", "B", "C"] | None = None
    """Of a cifar_resnet*: A pads with zeros where the size changes, B projects there, C everywhere (its own, A)."""
    steps: int = 64_000
    """Of the optimiser."""
    interval: int = 400
    """Steps between two evaluations and checkpoints; divides the steps."""
    batch: int = 128
    """Images of one step, over all devices. The learning rate is for this batch: scale both alike."""
    schedule: Literal["steps", "one-cycle"] = "steps"
    """steps: divided by 10 at 1/2 and 3/4 of the run. one-cycle: a quarter of it linearly up, then down to 0."""
    learning_rate: float = 0.1
    """The highest."""
    weight_decay: float = 1e-4
    """As the paper writes it: half of it times the sum of squares is added to the loss."""
    decay_all: bool = True
    """Decay norms and biases too, as in 2015."""
    border: Literal["mean", "black"] = "mean"
    """Colour of the 4 pixels around an image before it is cropped: that of the mean, as in 2015, or black."""
    stem: Literal["random", "patterns"] = "random"
    """Its beginning; patterns: the principal ones of the patches of the first thousand training images."""
    label_smoothing: float = 0.0
    """Probability taken from the true class and shared among all."""
    average: float = 0.0
    """Decay of the moving average of all weights, which is then what is tested and kept (0: none)."""
    accumulate: int = 1
    """Batches whose gradients are averaged before an update."""
    clip_norm: float | None = None
    """Largest norm of the whole gradient."""
    seed: int = 0
    """Of the initial weights, the order of images and the augmentation."""
    data: str = "cifar10"
    """A TFDS name, or a folder with train/ and test/ of one sub-folder a class."""
    data_dir: Path | None = None
    """Where TFDS keeps its data sets (its own default)."""
    run: Path | None = None
    """The run's folder (runs/cifar10/<network>-<preset>-seed<seed>); one that exists is continued."""
    machine: Annotated[Machine, tyro.conf.arg(name="")] = field(default_factory=Machine)

    def __post_init__(self) -> None:
        if self.shortcut and not re.fullmatch(r"cifar_resnet\d+", self.network):
            raise ValueError(f"shortcut is for a cifar_resnet*; received {self.shortcut!r} for {self.network!r}.")


HE2015 = Config(preset="he2015", machine=Machine(precision="float32"))
FAST = Config(
    preset="fast",
    steps=10_140,  # 26 epochs
    interval=390,
    schedule="one-cycle",
    learning_rate=0.15,
    weight_decay=3e-4,
    decay_all=False,
    border="black",
    average=0.998,
)
SPEED = Config(
    preset="speed",
    network="cifar_resnet10_w32",
    steps=4_680,  # 24 epochs
    interval=195,
    batch=256,
    schedule="one-cycle",
    learning_rate=0.2,
    weight_decay=5e-4,
    decay_all=False,
    stem="patterns",
    label_smoothing=0.2,
    average=0.99,
    machine=Machine(deterministic=False),
)


def main(config: Config) -> None:
    """Train, or continue, and leave the results in the run's folder."""
    folder = config.run or Path("runs/cifar10") / f"{config.network}-{config.preset}-seed{config.seed}"
    session = Session("cifar10", folder, config.machine, config.seed, asdict(config))
    train_set, test_set = (load_source(config.data, split, config.data_dir) for split in ("train", "test"))
    data = Data(config.data, train_set, test_set, augmentation(config), PREPROCESSING)
    loss = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=config.label_smoothing)
    with session.strategy.scope():
        network = build(config, len(train_set.classes), session.replicas)
        if config.stem == "patterns":
            begin_with_patterns(network, first_images(train_set, PREPROCESSING, 1000))
        model = compiled(session, network, optimizer(config), loss, config.average)
    learn(session, network, model, data, Length(config.steps, config.interval), config)


def augmentation(config: Config) -> Function:
    """A crop of the padded image, and flips. The border is of zeros, which are black, or the mean of what is normalised
    already."""
    move, normalize = (pad_and_crop(4), random_flip), normalized(PREPROCESSING)
    return compose(normalize, *move) if config.border == "mean" else compose(*move, normalize)


def build(config: Config, classes: int, replicas: int) -> keras.Model:
    """The network, with logits."""
    options = {"shortcut": config.shortcut} if config.shortcut else {}
    return kr.create_model(
        config.network,
        classes=classes,
        classifier_activation=None,
        weight_decay=config.weight_decay / 2,  # Keras leaves out the half
        decay_scope=("kernel", "bias", "gamma", "beta") if config.decay_all else ("kernel",),
        kernel_initializer="he_normal",
        synchronized=replicas > 1,
        **options,
    )


def optimizer(config: Config) -> keras.Optimizer:
    """SGD with the learning rate's schedule, whose clock counts updates."""
    updates, peak = config.steps // config.accumulate, config.learning_rate
    if config.schedule == "one-cycle":
        rate = PiecewiseLinear([0, updates // 4, updates], [0.0, peak, 0.0])
        name = "nesterov"
    else:
        warm_up = [400] if config.network.endswith("110") else []
        boundaries = [*warm_up, updates // 2, updates * 3 // 4]
        rates = [*([peak / 10] if warm_up else []), peak, peak / 10, peak / 100]
        rate = keras.optimizers.schedules.PiecewiseConstantDecay(boundaries, rates)
        name = "sgd"
    return make_optimizer(
        name,
        rate,
        clip_norm=config.clip_norm,
        accumulate=config.accumulate,
        mixed_float16=config.machine.precision == "mixed_float16",
    )


if __name__ == "__main__":
    presets = {
        "he2015": ("As in 2015.", HE2015),
        "fast": ("For people in a hurry.", FAST),
        "speed": ("A wide network, for the same.", SPEED),
    }
    try:
        main(tyro.extras.overridable_config_cli(presets, description=__doc__))
    except ValueError as error:
        recipe_error("cifar10", error)
