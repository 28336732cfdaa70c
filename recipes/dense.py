"""Residual and plain networks of fully connected layers at growing depth, on handwritten digits.

    python recipes/dense.py
    python recipes/dense.py --depths 4 16 64 128 --seeds 5
    python recipes/dense.py --help

Seen with the defaults, 3 seeds, last step: training error with 4 layers 2.9 % plain, 2.7 % residual; with 64 layers
88.8 % (88.1 to 89.3) plain, 8.9 % (8.2 to 9.7) residual; test error there 87.6 % and 6.8 %. Shortcuts undo most of the
harm of depth here, not all. 7 minutes on 2 cores of an AMD EPYC with a little other work.

Shortcuts help without convolutions, too: 64 pixels in, layers of one width with batch norms, shortcuts over two layers
each or none, nothing else differs. `depth.png` and `report.html` show the errors of the last step against depth; the
verdict is computed from the numbers.

Kill it whenever you like: the same command continues. More seeds or depths may be asked for later.
"""

import itertools
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # see docs/training.md

import keras
import tyro

import keras_resnet as kr
from keras_resnet.data.augment import compose, normalized
from keras_resnet.data.crops import pad_and_crop
from keras_resnet.data.preprocess import Preprocessing
from keras_resnet.data.sources import load_source
from keras_resnet.train import figures, report
from keras_resnet.train.experiment import Setting, Trial, refuse_other_settings, run_trials
from keras_resnet.train.session import Machine, Session, recipe_error

PREPROCESSING = Preprocessing(size=(8, 8), mean=(0.31,), std=(0.38,))
POINTS = 10  # of a curve


@dataclass(frozen=True)
class Config:
    """Train plain and residual networks of fully connected layers, and report."""

    depths: tuple[int, ...] = (4, 8, 16, 32, 64)
    """Layers, each even: one in front, two a unit, one behind."""
    width: int = 64
    """Of every layer but the last."""
    seeds: int = 3
    """Trainings of each network; without two of them nothing can be told apart."""
    steps: int = 1000
    """Of the optimiser, a multiple of 10."""
    batch: int = 64
    """Images of one step, over all devices."""
    learning_rate: float = 0.03
    """Divided by 10 at 1/2 and 3/4 of the steps."""
    weight_decay: float = 1e-4
    """Half of it times the sum of squares of the kernels is added to the loss."""
    data_dir: Path | None = None
    """Where TFDS prepares the digits, once (its own default)."""
    run: Path = Path("runs/dense")
    """The run's folder; one that exists is continued."""
    machine: Annotated[Machine, tyro.conf.arg(name="")] = field(default=Machine(precision="float32"))

    def __post_init__(self) -> None:
        if len(set(self.depths)) < 2 or any(depth < 4 or depth % 2 for depth in self.depths):
            raise ValueError(f"depths must be two or more of 4, 6, 8, ...; received {self.depths}.")
        if min(self.seeds, self.batch, self.width, self.steps) < 1 or self.steps % POINTS:
            raise ValueError(
                f"seeds, batch and width must be at least 1, steps a multiple of {POINTS}; "
                f"received {self.seeds}, {self.batch}, {self.width}, {self.steps}."
            )
        if not (self.learning_rate > 0 and 0 <= self.weight_decay < 1):
            raise ValueError(
                "learning-rate must be positive and weight-decay lie in [0, 1); "
                f"received {self.learning_rate}, {self.weight_decay}."
            )


def main(config: Config) -> None:
    """Train what is not yet trained, and report."""
    free = ("depths", "seeds", "data_dir", "run", "machine")  # may change from one start to the next
    refuse_other_settings(config.run, {name: value for name, value in asdict(config).items() if name not in free})
    session = Session("dense", config.run, config.machine, 0, asdict(config))
    trials = itertools.product(("plain", "residual"), sorted(set(config.depths)), range(config.seeds))
    results = run_trials(session, make_setting(config, session.replicas), [Trial(*trial) for trial in trials])
    verdicts = [report.degradation(results, kind).sentence for kind in ("plain", "residual")]
    verdicts.append(report.advantage(results))
    for verdict in verdicts:
        session.console.print(verdict, highlight=False, soft_wrap=True)
    write_everything(config.run, results, verdicts)
    session.console.print(f"[bold]{config.run / 'report.html'}[/] has it all", highlight=False, soft_wrap=True)


def make_setting(config: Config, replicas: int) -> Setting:
    """What all trainings share."""
    peak, steps = config.learning_rate, config.steps

    def build(network: str, depth: int) -> keras.Model:
        return kr.create_model(
            "dense_plain" if network == "plain" else "dense_resnet",
            depths=((depth - 2) // 2,),
            widths=(config.width,),
            stem_width=config.width,
            input_shape=(8, 8, 1),
            classifier_activation=None,
            weight_decay=config.weight_decay / 2,  # Keras leaves out the half
            kernel_initializer="he_normal",
            synchronized=replicas > 1,
        )

    return Setting(
        build=build,
        rate=lambda depth: keras.optimizers.schedules.PiecewiseConstantDecay(
            [steps // 2, steps * 3 // 4], [peak, peak / 10, peak / 100]
        ),
        train=load_source("uci_digits", "train", config.data_dir),
        test=load_source("uci_digits", "test", config.data_dir),
        transform=compose(pad_and_crop(1, 1), normalized(PREPROCESSING)),
        preprocessing=PREPROCESSING,
        batch=config.batch,
        steps=steps,
        interval=steps // POINTS,
    )


def write_everything(folder: Path, results: figures.Results, verdicts: list[str]) -> None:
    """The picture and the page."""
    figures.plot_depths(results, folder / "depth.png", "Fully connected networks on handwritten digits")
    caption = (
        "Error of the last training batches, augmented (thin), and of the test images after the last step (bold); "
        "a point a seed, means and bands from the lowest to the highest."
    )
    body = [
        *(report.paragraph(verdict, "verdict") for verdict in verdicts),
        report.table(report.summary(results)),
        report.picture(folder / "depth.png", caption),
        report.heading("The run"),
        report.code((folder / "config.json").read_text(encoding="utf-8")),
    ]
    report.write_report(folder / "report.html", "Does depth harm fully connected networks?", body)


if __name__ == "__main__":
    try:
        main(tyro.cli(Config, description=__doc__))
    except ValueError as error:
        recipe_error("dense", error)
