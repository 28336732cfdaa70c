"""What a set of labelled images is to a pipeline."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, NamedTuple

import tensorflow as tf

from keras_resnet.data.order import Plan, shuffled


class Example(NamedTuple):
    """One labelled image of a pipeline, as tensors."""

    image: Any  # string: a file's content, or its path where `Source.read` opens it; or uint8 (height, width, channels)
    label: Any  # int64
    name: Any  # string, to say which image is damaged


class Source(ABC):
    """A set of labelled images.

    Attributes:
        classes: Names, by label.
        size: Number of images.
        channels: Of an image, 1 or 3.
        encoded: Whether images are files still to be decoded.
    """

    classes: tuple[str, ...]
    size: int
    channels: int
    encoded: bool

    @abstractmethod
    def training(self, plan: Plan, seed: int) -> Any:
        """A `tf.data.Dataset` of (position, Example) for the plan's positions, in order."""

    @abstractmethod
    def evaluation(self) -> Any:
        """A `tf.data.Dataset` of Example: every image once, in order."""

    def read(self, image: Any) -> Any:
        """What `Example.image` stands for: the content of a file, or pixels."""
        return image


class Indexed(Source):
    """Images that can be had in any order at once, as tensors in memory or as the paths of files.

    Args:
        images: uint8 `(size, height, width, channels)`; or string `(size,)`, contents or, with `paths`, paths of files.
        labels: Whole numbers `(size,)`.
        classes: Names, by label.
        channels: Of an image, 1 or 3.
        name: Of the set, to name its images by; not needed for paths.
        paths: Whether `images` are paths.
    """

    def __init__(
        self, images: Any, labels: Any, classes: Sequence[str], channels: int, *, name: str = "", paths: bool = False
    ) -> None:
        with tf.device("CPU"):
            self.images, self.labels = tf.convert_to_tensor(images), tf.convert_to_tensor(labels, tf.int64)
        self.classes, self.channels, self.size = tuple(classes), channels, len(labels)
        self.encoded = self.images.dtype == tf.string
        self._name, self._paths = name, paths

    def at(self, index: Any) -> Example:
        """The image with this index, an int64 scalar tensor."""
        image = self.images[index]
        name = image if self._paths else tf.strings.join([self._name, tf.strings.as_string(index)], " ")
        return Example(image, self.labels[index], name)

    def training(self, plan: Plan, seed: int) -> Any:
        """As in Source."""
        return plan.positions().map(
            lambda position: (position, self.at(shuffled(plan.image(position), self.size, seed)))
        )

    def evaluation(self) -> Any:
        """As in Source."""
        return tf.data.Dataset.range(self.size).map(self.at)

    def read(self, image: Any) -> Any:
        """As in Source."""
        return tf.io.read_file(image) if self._paths else image
