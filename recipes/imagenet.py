"""Train on ImageNet by the recipes that made residual networks better, with no change to the networks.

    python recipes/imagenet.py classic90 --network resnet50 --data-dir ~/tensorflow_datasets
    python recipes/imagenet.py rsb-a3 --network resnet50
    python recipes/imagenet.py torchvision-v2 --batch 512      # the learning rate follows the batch
    python recipes/imagenet.py rsb-a2 --help

Published with ResNet-50, ImageNet validation top-1 at 224 pixels: classic90 76.0 (fb.resnet.torch, 24.0 % error),
rsb-a3 78.1, rsb-a2 79.8, rsb-a1 80.4 (arXiv:2110.00476, table 2), torchvision-v2 80.9. Nobody has trained on the whole
of ImageNet with this file yet; its parts are tested one by one, and together on a small set in ImageNet's format.

Kill it whenever you like: the same command continues. TF_CONFIG or Slurm spread it over several machines. ImageNet
itself must be downloaded by hand, see https://www.tensorflow.org/datasets/catalog/imagenet2012.
"""

import os
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Literal

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # see docs/training.md

import keras
import tyro

import keras_resnet as kr
from keras_resnet.data.augment import Function, compose, normalized, random_erasing, random_flip
from keras_resnet.data.color import color_jitter, pca_lighting
from keras_resnet.data.crops import random_resized_crop
from keras_resnet.data.mix import Mix
from keras_resnet.data.preprocess import IMAGENET, Preprocessing
from keras_resnet.data.rand_augment import rand_augment, trivial_augment
from keras_resnet.data.sources import load_source
from keras_resnet.train.learn import Data, Length, compiled, learn
from keras_resnet.train.losses import MultiLabelCrossentropy
from keras_resnet.train.optimizers import make_optimizer
from keras_resnet.train.schedules import WarmUp
from keras_resnet.train.session import Machine, Session, recipe_error


@dataclass(frozen=True)
class Config:
    """A training on ImageNet."""

    preset: tyro.conf.Suppress[str] = ""
    network: str = "resnet50"
    """Any network of `keras-resnet list`."""
    epochs: int = 90
    """Passes over the training images."""
    evaluations: int = 1
    """Evaluations and checkpoints in an epoch."""
    batch: int = 256
    """Images of one step, over all devices."""
    optimizer: Literal["sgd", "nesterov", "adamw", "lamb"] = "nesterov"
    """What takes the steps."""
    learning_rate: float = 0.1
    """The highest, for a batch of `reference_batch`."""
    reference_batch: int = 256
    """The rate that is used is learning_rate x batch / reference_batch (arXiv:1706.02677)."""
    schedule: Literal["steps", "cosine"] = "steps"
    """steps: divided by 10 after each third of the run. cosine: to zero."""
    warm_up: int = 0
    """Epochs in which the rate grows linearly from a hundredth."""
    weight_decay: float = 1e-4
    """As torch has it: L2 for SGD, decoupled for AdamW, inside the trust ratio for LAMB; of kernels."""
    decay_all: bool = False
    """Decay norms and biases too."""
    loss: Literal["cross-entropy", "multi-label"] = "cross-entropy"
    """multi-label asks of each class whether it is there (arXiv:2110.00476)."""
    label_smoothing: float = 0.0
    """Probability taken from the true class and shared among all."""
    train_size: int = 224
    """Height and width of the crops trained on."""
    colour: Literal["none", "jitter", "randaugment", "trivialaugment"] = "none"
    """What happens to the colours and shapes."""
    magnitude: float = 7.0
    """Of randaugment."""
    interpolation: Literal["area", "bilinear", "bicubic"] = "bicubic"
    """Of the crops; area is the fastest."""
    erasing: float = 0.0
    """Share of images of which a rectangle is erased."""
    mixup: float = 0.0
    """Alpha (0: none)."""
    cutmix: float = 0.0
    """Alpha (0: none)."""
    repeats: int = 1
    """Copies of an image in a batch, each augmented for itself."""
    drop_path: float = 0.0
    """Stochastic depth: the rate of the last unit."""
    zero_init: bool = False
    """Start every residual branch at zero."""
    average: float = 0.0
    """Decay of the moving average of all weights, for each step (0: none)."""
    clip_norm: float | None = None
    """Largest norm of the whole gradient."""
    accumulate: int = 1
    """Batches whose gradients are averaged before an update."""
    test_size: int = 224
    """Height and width of the crop tested on."""
    crop_pct: float = 0.875
    """Its share of the resized image's side."""
    seed: int = 0
    """Of the initial weights, the order of images and the augmentation."""
    data: str = "imagenet2012"
    """A TFDS name, or a folder with train/ and val/ of one sub-folder a class."""
    data_dir: Path | None = None
    """Where TFDS keeps its data sets (its own default)."""
    run: Path | None = None
    """The run's folder (runs/imagenet/<network>-<preset>-seed<seed>); one that exists is continued."""
    machine: Annotated[Machine, tyro.conf.arg(name="")] = field(default_factory=Machine)


# He et al. 2015 as github.com/facebookarchive/fb.resnet.torch trains it: its README and opts.lua (batch 256, rate 0.1,
# momentum 0.9 of Nesterov's kind, decay 1e-4 of everything, rate / 10 every 30 of 90 epochs) and datasets/imagenet.lua
# (crops of 8 to 100 % of the area by bicubic interpolation, colours jittered by 0.4, lighting by 0.1, flips; to test,
# 224 of 256).
CLASSIC90 = Config(preset="classic90", decay_all=True, colour="jitter")

# ResNet strikes back, arXiv:2110.00476, table 2: epochs, resolution, batch, optimiser, rate, decay, warm-up, smoothing,
# stochastic depth, repeated augmentation, RandAugment, mixup, CutMix, loss, test crop ratio. The threshold of the
# labels, 0.2, and branches that start at zero are those of timm, with which its authors trained.
RSB_A2 = Config(
    preset="rsb-a2", epochs=300, batch=2048, reference_batch=2048, optimizer="lamb", learning_rate=5e-3,
    weight_decay=0.02, schedule="cosine", warm_up=5, loss="multi-label", drop_path=0.05, repeats=3,
    colour="randaugment", magnitude=7, mixup=0.1, cutmix=1.0, crop_pct=0.95, zero_init=True,
)  # fmt: skip
RSB_A1 = replace(RSB_A2, preset="rsb-a1", epochs=600, weight_decay=0.01, label_smoothing=0.1, mixup=0.2)
RSB_A3 = replace(
    RSB_A2, preset="rsb-a3", epochs=100, train_size=160, learning_rate=8e-3, drop_path=0.0, repeats=1, magnitude=6
)

# torchvision's references/classification, its README under "ResNet": --batch-size 128 on 8 GPUs, --lr 0.5,
# --lr-scheduler cosineannealinglr --lr-warmup-epochs 5 --auto-augment ta_wide --epochs 600 --random-erase 0.1
# --weight-decay 2e-5 --norm-weight-decay 0 --label-smoothing 0.1 --mixup-alpha 0.2 --cutmix-alpha 1
# --train-crop-size 176 --model-ema --val-resize-size 232 --ra-sampler --ra-reps 4. Its average, 0.99998 taken every 32
# steps with train.py's adjustment by batch x 32 / epochs, is 0.999966 a step.
TORCHVISION_V2 = Config(
    preset="torchvision-v2", epochs=600, batch=1024, reference_batch=1024, optimizer="sgd", learning_rate=0.5,
    schedule="cosine", warm_up=5, colour="trivialaugment", erasing=0.1, weight_decay=2e-5, label_smoothing=0.1,
    mixup=0.2, cutmix=1.0, train_size=176, average=0.999966, crop_pct=224 / 232, interpolation="bilinear", repeats=4,
)  # fmt: skip


def main(config: Config) -> None:
    """Train, or continue, and leave the results in the run's folder."""
    folder = config.run or Path("runs/imagenet") / f"{config.network}-{config.preset}-seed{config.seed}"
    session = Session("imagenet", folder, config.machine, config.seed, asdict(config))
    train_set, test_set = (load_source(config.data, split, config.data_dir) for split in ("train", "validation"))
    test_size = (config.test_size, config.test_size)
    preprocessing = Preprocessing(test_size, crop_pct=config.crop_pct, **IMAGENET)
    data = Data(f"{config.data}, validation", train_set, test_set, transform(config), preprocessing)
    interval = max(1, train_set.size // config.batch // config.evaluations)
    length = Length(config.epochs * config.evaluations * interval, interval)
    with session.strategy.scope():
        network = build(config, len(train_set.classes), session.replicas)
        model = compiled(session, network, optimizer(config, length.steps), loss(config), config.average)
    session.console.print(f"learning rate {peak(config):g} for batches of {config.batch}; {length.steps:,} steps")
    mix = Mix(config.mixup, config.cutmix) if config.mixup or config.cutmix else None
    learn(session, network, model, data, length, config, repeats=config.repeats, mix=mix)


def transform(config: Config) -> Function:
    """From a file's content to what the network is trained on."""
    colours: dict[str, list[Function]] = {
        "none": [],
        "jitter": [color_jitter(0.4, 0.4, 0.4), pca_lighting(0.1)],
        "randaugment": [rand_augment(config.magnitude, deviation=0.5)],
        "trivialaugment": [trivial_augment()],
    }
    size = (config.train_size, config.train_size)
    return compose(
        random_resized_crop(config.train_size, interpolation=config.interpolation),
        random_flip,
        *colours[config.colour],
        normalized(Preprocessing(size, **IMAGENET)),
        *([random_erasing(config.erasing)] if config.erasing else []),
    )


def build(config: Config, classes: int, replicas: int) -> keras.Model:
    """The network, with logits and, for SGD, the decay as a penalty."""
    penalty = config.weight_decay / 2 if config.optimizer in ("sgd", "nesterov") else 0.0  # Keras leaves out the half
    return kr.create_model(
        config.network,
        classes=classes,
        input_shape=(None, None, 3),
        classifier_activation=None,
        weight_decay=penalty,
        decay_scope=("kernel", "bias", "gamma", "beta") if config.decay_all else ("kernel",),
        zero_init_residual=config.zero_init,
        drop_path_rate=config.drop_path,
        synchronized=replicas > 1,
    )


def loss(config: Config) -> keras.losses.Loss:
    """Of logits against labels that may be mixed."""
    if config.loss == "multi-label":
        return MultiLabelCrossentropy(label_smoothing=config.label_smoothing)
    return keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=config.label_smoothing)


def peak(config: Config) -> float:
    """The highest learning rate for this batch."""
    return config.learning_rate * config.batch * config.accumulate / config.reference_batch


def optimizer(config: Config, steps: int) -> keras.Optimizer:
    """With the learning rate's schedule, whose clock counts updates."""
    updates = max(1, steps // config.accumulate)
    warm_up = updates * config.warm_up // config.epochs
    schedules = keras.optimizers.schedules
    rate: Any = schedules.CosineDecay(peak(config), max(1, updates - warm_up))
    if config.schedule == "steps":
        thirds = [updates // 3 - warm_up, 2 * updates // 3 - warm_up]
        rate = schedules.PiecewiseConstantDecay(thirds, [peak(config) / 10**drop for drop in range(3)])
    return make_optimizer(
        config.optimizer,
        WarmUp(rate, warm_up, start=peak(config) / 100) if warm_up else rate,
        weight_decay=config.weight_decay if config.optimizer in ("adamw", "lamb") else 0.0,
        clip_norm=config.clip_norm,
        accumulate=config.accumulate,
        mixed_float16=config.machine.precision == "mixed_float16",
    )


if __name__ == "__main__":
    presets = {
        "classic90": ("He et al. 2015, as fb.resnet.torch trains it: 90 epochs.", CLASSIC90),
        "rsb-a1": ("ResNet strikes back, the longest: 600 epochs.", RSB_A1),
        "rsb-a2": ("ResNet strikes back: 300 epochs.", RSB_A2),
        "rsb-a3": ("ResNet strikes back, the shortest: 100 epochs of small images.", RSB_A3),
        "torchvision-v2": ("torchvision's new weights: 600 epochs.", TORCHVISION_V2),
    }
    try:
        main(tyro.extras.overridable_config_cli(presets, description=__doc__))
    except ValueError as error:
        recipe_error("imagenet", error)
