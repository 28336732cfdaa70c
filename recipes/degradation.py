"""Deeper plain networks train worse, deeper residual networks do not: the experiment of arXiv:1512.03385, repeated.

    python recipes/degradation.py                                     # handwritten digits
    python recipes/degradation.py --dataset cifar10 --depths 20 32 44 56 110   # the paper's, for a GPU and patience
    python recipes/degradation.py --help

Seen with `--seeds 10`, last step, means: training error 0.12 % with 8 plain layers, 0.37 % with 20, 63.45 % with 56;
residual 0.12 %, 0.11 %, 0.36 %. Test error at 56 layers: 61.03 % plain, 1.31 % residual. Verdict: plain degraded,
residual cannot be told apart by depth. Three seeds, the default: 30 minutes on 2 cores of an AMD EPYC that other work
kept busy.

The networks are those of section 4.2, 6n + 2 layers, and differ in their shortcuts (A, without parameters) alone.
`report.html` shows the error curves (figure 6), the deviations of the layers' responses (figure 7) and what weight
decay does to a unit that `deepen` added; its verdict is computed from the numbers. All errors are of the last step.

Kill it whenever you like: the same command continues. More seeds or depths may be asked for later.
"""

import itertools
import json
import math
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # see docs/training.md

import keras
import tyro

import keras_resnet as kr
from keras_resnet.data.augment import compose, normalized, random_flip
from keras_resnet.data.crops import pad_and_crop
from keras_resnet.data.pipeline import first_images
from keras_resnet.data.preprocess import Preprocessing
from keras_resnet.data.sources import load_source
from keras_resnet.train import figures, report
from keras_resnet.train.added_unit import train_added_unit
from keras_resnet.train.experiment import Setting, Trial, refuse_other_settings, run_trials, write_json
from keras_resnet.train.responses import layer_responses
from keras_resnet.train.session import Machine, Session, recipe_error

PREPROCESSING = {
    "digits": Preprocessing(size=(8, 8), mean=(0.31,), std=(0.38,)),
    "cifar10": Preprocessing(size=(32, 32), mean=(0.4914, 0.4822, 0.4465), std=(0.2470, 0.2435, 0.2616)),
}
AUGMENT: dict[str, tuple[Any, ...]] = {  # on a border that is black; of the mean colour, as in the paper
    "digits": (pad_and_crop(1, 1), normalized(PREPROCESSING["digits"])),
    "cifar10": (normalized(PREPROCESSING["cifar10"]), pad_and_crop(4), random_flip),
}
DEFAULTS = {
    "digits": {"batch": 64, "steps": 1000, "learning_rate": 0.03, "added_steps": 600},
    "cifar10": {"batch": 128, "steps": 64_000, "learning_rate": 0.1, "added_steps": 6000},
}
POINTS = 20  # of a curve


@dataclass(frozen=True)
class Config:
    """Train plain and residual networks of growing depth, and report."""

    dataset: Literal["digits", "cifar10"] = "digits"
    """digits: 8 x 8, in the package. cifar10: by TFDS."""
    depths: tuple[int, ...] = (8, 20, 56)
    """Layers, each 6n + 2."""
    seeds: int = 3
    """Trainings of each network; without two of them nothing can be told apart."""
    steps: int = 0
    """Of the optimiser, a multiple of 20 (0: digits 1000, cifar10 64000)."""
    batch: int = 0
    """Images of one step, over all devices (0: digits 64, cifar10 128)."""
    learning_rate: float = 0.0
    """Divided by 10 at 1/2 and 3/4 of the steps; from 110 layers on a tenth of it is for the first 1/160 of them, too
    (0: digits 0.03, cifar10 0.1)."""
    weight_decay: float = 1e-4
    """As the paper writes it: half of it times the sum of squares of all weights is added to the loss."""
    added_steps: int = 0
    """Further steps with an added unit, a multiple of 30; its decay begins after a third (0: digits 600, cifar10
    6000)."""
    added_decay: float = 6.0
    """How far the decay alone would shrink the added unit's weights by the end, as a power of e: 6 leaves 0.25 %."""
    data_dir: Path | None = None
    """Where TFDS keeps its data sets (its own default)."""
    run: Path | None = None
    """The run's folder (runs/degradation/<dataset>); one that exists is continued."""
    machine: Annotated[Machine, tyro.conf.arg(name="")] = field(default=Machine(precision="float32"))

    def __post_init__(self) -> None:
        for name, value in DEFAULTS[self.dataset].items():
            if not getattr(self, name):
                object.__setattr__(self, name, value)
        if len(set(self.depths)) < 2 or any(depth < 8 or depth % 6 != 2 for depth in self.depths):
            raise ValueError(f"depths must be two or more of 8, 14, 20, ... 6n + 2; received {self.depths}.")
        if self.seeds < 1 or self.batch < 1 or self.steps < 1 or self.steps % POINTS:
            raise ValueError(
                f"seeds and batch must be at least 1, steps a multiple of {POINTS}; "
                f"received {self.seeds}, {self.batch}, {self.steps}."
            )
        if self.added_steps < 30 or self.added_steps % 30:
            raise ValueError(f"added-steps must be a multiple of 30; received {self.added_steps}.")
        if not (self.learning_rate > 0 and 0 <= self.weight_decay < 1 and self.added_decay > 0):
            raise ValueError(
                "learning-rate and added-decay must be positive and weight-decay lie in [0, 1); "
                f"received {self.learning_rate}, {self.added_decay}, {self.weight_decay}."
            )


def main(config: Config) -> None:
    """Train what is not yet trained, and report."""
    folder = config.run or Path("runs/degradation") / config.dataset
    free = ("depths", "seeds", "data_dir", "run", "machine")  # may change from one start to the next
    refuse_other_settings(folder, {name: value for name, value in asdict(config).items() if name not in free})
    session = Session("degradation", folder, config.machine, 0, asdict(config))
    setting = make_setting(config, session.replicas)
    depths, seeds = sorted(set(config.depths)), range(config.seeds)
    images = first_images(setting.test, setting.preprocessing)

    def finish(trial: Trial, network: keras.Model) -> dict[str, Any]:
        if trial.network == "residual":  # to add a unit to, later
            kr.save_weights(network, folder / "trials" / f"{trial}.safetensors")
        return {"responses": layer_responses(network, images)}

    trials = [Trial(*trial) for trial in itertools.product(("plain", "residual"), depths, seeds)]
    results = run_trials(session, setting, trials, finish)
    added = [unit for seed in seeds if (unit := add_unit(config, session, setting, Trial("residual", depths[0], seed)))]
    write_everything(config, folder, results, added)
    for kind in ("plain", "residual"):
        session.console.print(report.degradation(results, kind).sentence, highlight=False, soft_wrap=True)
    session.console.print(
        f"[bold]{folder / 'report.html'}[/] has the pictures, the table and the rest", highlight=False
    )


def make_setting(config: Config, replicas: int) -> Setting:
    """What all trainings share."""
    name = {"digits": "uci_digits"}.get(config.dataset, config.dataset)
    train_set, test_set = (load_source(name, split, config.data_dir) for split in ("train", "test"))
    preprocessing = PREPROCESSING[config.dataset]

    def rate(depth: int) -> Any:
        peak, steps = config.learning_rate, config.steps
        drops, rates = [steps // 2, steps * 3 // 4], [peak, peak / 10, peak / 100]
        if depth >= 110:
            drops, rates = [max(1, steps // 160), *drops], [peak / 10, *rates]
        return keras.optimizers.schedules.PiecewiseConstantDecay(drops, rates)

    return Setting(
        build=lambda network, depth: build(config, network, depth, config.weight_decay, replicas),
        rate=rate,
        train=train_set,
        test=test_set,
        transform=compose(*AUGMENT[config.dataset]),
        preprocessing=preprocessing,
        batch=config.batch,
        steps=config.steps,
        interval=config.steps // POINTS,
    )


def build(config: Config, network: str, depth: int, weight_decay: float, replicas: int) -> keras.Model:
    """A plain or residual network of 6n + 2 layers, with logits."""
    preprocessing = PREPROCESSING[config.dataset]
    return kr.create_model(
        "cifar_resnet20",
        depths=((depth - 2) // 6,) * 3,
        shortcut="none" if network == "plain" else "A",
        input_shape=(*preprocessing.size, preprocessing.channels),
        classifier_activation=None,
        weight_decay=weight_decay / 2,  # Keras leaves out the half
        decay_scope=("kernel", "bias", "gamma", "beta"),
        kernel_initializer="he_normal",
        synchronized=replicas > 1,
    )


def add_unit(config: Config, session: Session, setting: Setting, trial: Trial) -> dict[str, Any] | None:
    """What becomes of a unit added to a trained network; None where its training diverged."""
    trained, path = (session.folder / "trials" / f"{name}" for name in (f"{trial}.safetensors", f"added-{trial}.json"))
    if not path.exists() and trained.exists():
        keras.utils.set_random_seed(trial.seed)
        with session.strategy.scope():
            network = build(config, trial.network, trial.depth, 0.0, session.replicas)
        kr.load_weights(network, trained)
        with session.console.status(f"adding a unit to {trial}"):
            unit = train_added_unit(
                session,
                setting,
                network,
                rate=config.learning_rate,
                decay=config.added_decay,
                steps=config.added_steps,
            )
        write_json(path, unit)
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


def write_everything(config: Config, folder: Path, results: figures.Results, added: figures.Results) -> None:
    """The pictures and the page."""
    what = {"digits": "handwritten digits", "cifar10": "CIFAR-10"}[config.dataset]
    shallowest = min(config.depths)
    captions = {
        "curves.png": "Error on augmented training batches (thin) and on test images (bold); means over seeds, bands "
        "from the lowest to the highest. Figure 6 of the paper.",
        "responses.png": "Standard deviation of each layer's response after its norm, before the activation or the "
        "addition; means over seeds. Figure 7 of the paper.",
        "added_unit.png": f"A unit added to the trained {shallowest}-layer residual network as the identity; decoupled "
        f"decay, which alone would leave {100 * math.exp(-config.added_decay):.2g} % of the weights, begins at the "
        "dotted line. Bands from the lowest seed to the highest.",
    }
    figures.plot_error_curves(results, folder / "curves.png", f"Plain and residual networks on {what}")
    figures.plot_responses(results, folder / "responses.png", "How strongly layers respond")
    verdicts = [report.degradation(results, kind).sentence for kind in ("plain", "residual")]
    body = [report.paragraph(text, "verdict") for text in (*verdicts, report.advantage(results))]
    body += [report.table(report.summary(results)), report.picture(folder / "curves.png", captions["curves.png"])]
    body += [report.heading("Responses"), report.paragraph(report.responses(results), "verdict")]
    body += [report.picture(folder / "responses.png", captions["responses.png"])]
    body.append(report.heading("An added unit"))
    if added:
        figures.plot_added_unit(added, folder / "added_unit.png", "Weight decay on a unit that is not needed")
        body += [report.paragraph(report.added_unit(added), "verdict")]
        body += [report.picture(folder / "added_unit.png", captions["added_unit.png"])]
    else:
        body.append(report.paragraph(f"No residual network of {shallowest} layers came to its end.", "verdict"))
    body += [report.heading("The run"), report.code((folder / "config.json").read_text(encoding="utf-8"))]
    report.write_report(folder / "report.html", f"Does depth harm? Plain and residual networks on {what}", body)


if __name__ == "__main__":
    try:
        main(tyro.cli(Config, description=__doc__))
    except ValueError as error:
        recipe_error("degradation", error)
