"""From data and a network to a finished run: what the recipes share."""

from dataclasses import asdict, dataclass
from typing import Any

import keras

from keras_resnet.data.bad import BadImages
from keras_resnet.data.pipeline import Transform, training_batches
from keras_resnet.data.preprocess import Preprocessing
from keras_resnet.data.source import Source
from keras_resnet.data.sources import check_same_classes
from keras_resnet.profile import profile
from keras_resnet.train.loop import train
from keras_resnet.train.model import training_model
from keras_resnet.train.results import Card, keep_results, show_batch
from keras_resnet.train.session import Session

ELSEWHERE = ("machine", "run", "data_dir")  # settings of a recipe that may change when its run is continued


@dataclass(frozen=True)
class Data:
    """What is learned, and how its images are shown.

    Args:
        name: For people.
        train: The training images.
        test: The images to test on; of the same classes.
        transform: Makes a training image of a file or of pixels, see `keras_resnet.data.augment`.
        preprocessing: Makes an image to test on.
    """

    name: str
    train: Source
    test: Source
    transform: Transform
    preprocessing: Preprocessing

    def __post_init__(self) -> None:
        check_same_classes(self.train, self.test)


@dataclass(frozen=True)
class Length:
    """How long a run is.

    Args:
        steps: Of the whole run.
        interval: Steps between two evaluations and checkpoints; divides the steps.
    """

    steps: int
    interval: int


def compiled(session: Session, network: keras.Model, optimizer: keras.Optimizer, loss: Any, average: float = 0) -> Any:
    """The network ready for `learn`, in the session's way; call it in the strategy's scope."""
    return training_model(
        network, average, optimizer=optimizer, loss=loss, metrics=["accuracy"], jit_compile=session.xla
    )


def learn(
    session: Session,
    network: keras.Model,
    model: Any,
    data: Data,
    length: Length,
    config: Any,
    *,
    patience: int | None = None,
    **batches: Any,
) -> Card | None:
    """Train, or continue, and leave the results in the session's folder.

    Args:
        session: Where.
        network: A classifier that answers with logits.
        model: What `compiled` made of it.
        data: What.
        length: How long.
        config: The recipe's dataclass, of which `batch`, `seed` and `preset` are used here; all that is not in
            ELSEWHERE must be the same when the run is continued.
        patience: As of `train`.
        **batches: Further options of `training_batches`.

    Returns:
        The card; None where another process writes.

    Raises:
        ValueError: where too many images cannot be read, naming them; and what `train` raises.
    """
    settings = asdict(config)
    shown = (*data.preprocessing.size, data.preprocessing.channels)
    session.console.print(profile(network, shown).stages())
    bad = BadImages.of(data.train)
    batches |= {"batch_size": config.batch, "seed": config.seed, "bad": bad}
    with bad.said():
        if session.chief:
            first = training_batches(data.train, data.transform, steps=1, **batches)
            show_batch(first, data.preprocessing, session.folder)
        evaluation, evaluation_steps = session.evaluation(data.test, data.preprocessing, config.batch, bad)
        history = train(
            model,
            session.training(data.train, data.transform, steps=length.steps, **batches),
            evaluation,
            steps=length.steps,
            interval=length.interval,
            evaluation_steps=evaluation_steps,
            folder=session.folder,
            config={name: value for name, value in settings.items() if name not in ELSEWHERE},
            patience=patience,
            callbacks=session.callbacks(config.batch),
        )
    if not session.chief:
        return None
    card = keep_results(
        model,
        network,
        session.folder,
        history,
        data.test,
        data.preprocessing,
        recipe=f"{session.title}.py {settings.get('preset', '')}".strip(),
        seed=config.seed,
        data=data.name,
        train_images=data.train.size,
        batch_size=config.batch,
    )
    session.console.print(
        f"[bold]accuracy {100 * card.accuracy:.2f} %[/] of the last weights on {card.test_images:,} images; "
        f"the model, its card and pictures lie in {session.folder}"
    )
    return card
