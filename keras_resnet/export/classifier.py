"""What is deployed: a network with the preprocessing and the labels that belong to its weights."""

from collections.abc import Sequence
from dataclasses import dataclass

import keras
import numpy as np

from keras_resnet.data.preprocess import Preprocessing
from keras_resnet.weights import hub

_LARGE = 160  # smallest input side that is cropped from a larger image by default, as ImageNet networks are
_BATCH = 16


@dataclass(frozen=True)
class Classifier:
    """A network, what its images go through, and what its classes are called.

    Args:
        model: `(batch, *preprocessing.size, channels)` to scores `(batch, classes)`.
        preprocessing: What stands before it.
        labels: The classes' names.

    Raises:
        ValueError: for labels that are not as many as the classes, or preprocessing to another size than the model's.
    """

    model: keras.Model
    preprocessing: Preprocessing
    labels: tuple[str, ...]

    def __post_init__(self) -> None:
        classes = self.model.output_shape[-1]
        if len(self.labels) != classes:
            raise ValueError(f"labels must name each of the {classes} classes; received {len(self.labels)} names.")
        given = (*self.preprocessing.size, self.preprocessing.channels)
        taken = self.model.input_shape[1:]
        if len(taken) != 3 or any(size not in (None, have) for size, have in zip(taken, given, strict=True)):
            raise ValueError(f"preprocessing gives {given}, the model takes {taken}.")

    def scores(self, prepared: np.ndarray) -> np.ndarray:
        """The Keras model's own answer to preprocessed images, float32 `(batch, classes)`."""
        parts = [self.model(prepared[at : at + _BATCH], training=False) for at in range(0, len(prepared), _BATCH)]
        return np.concatenate([keras.ops.convert_to_numpy(part) for part in parts]).astype(np.float32)


def classifier(
    model: keras.Model,
    preprocessing: Preprocessing | str | None = None,
    labels: Sequence[str] | None = None,
) -> Classifier:
    """A model with what belongs to its weights, where that is not given.

    Args:
        model: The network.
        preprocessing: A value; or the tag whose preprocessing it is; or None: that of the tag whose weights the model
            was given, else ImageNet's mean and deviation at the model's input size (224 where it has none).
        labels: Names; or None: those of the tag, else the classes' numbers.

    Raises:
        ValueError: for what does not fit the model, or an unknown tag.

    Example:

    >>> from keras_resnet.models import create_model
    >>> cifar = classifier(create_model("cifar_resnet20"))
    >>> cifar.preprocessing.size, cifar.labels[3]
    ((32, 32), '3')
    """
    tag = preprocessing if isinstance(preprocessing, str) else getattr(model, "pretrained_tag", None)
    if isinstance(preprocessing, str) or (preprocessing is None and tag is not None):
        preprocessing = hub.pretrained(str(tag)).preprocessing
    classes = model.output_shape[-1]
    if labels is None:
        known = hub.pretrained(tag).labels if tag else ()
        labels = known if len(known) == classes else [str(number) for number in range(classes)]
    return Classifier(model, preprocessing or usual_preprocessing(model.input_shape[1:]), tuple(labels))


def usual_preprocessing(shape: tuple[int | None, ...]) -> Preprocessing:
    """ImageNet's mean and deviation at an input shape; sides of 160 and more are cropped from 8/7 of them.

    Raises:
        ValueError: for what is not an image of 1 or 3 channels.
    """
    if len(shape) != 3 or shape[2] not in (1, 3):
        raise ValueError(f"the network is not for grey or colour images: its input is {shape}; give a preprocessing.")
    size = (shape[0] or 224, shape[1] or 224)
    crop_pct = 0.875 if min(size) >= _LARGE else 1.0
    if shape[2] == 1:
        return Preprocessing(size, mean=(0.449,), std=(0.226,), crop_pct=crop_pct)  # of the three channels' mean
    return Preprocessing(size, crop_pct=crop_pct)
