"""Images that cannot be read: named in the log, replaced so that batches keep their size, and not too many of them."""

import io
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from keras_resnet.data.source import Example, Source

log = logging.getLogger("keras_resnet.data")


class BadImages:
    """Counts the different images of a run that could not be read, and says which.

    Args:
        limit: How many are borne; the next one ends the run.

    Attributes:
        names: Of the images found, with what is wrong with each.
        failure: What ended the run, in words; empty before. TensorFlow raises an error of its own with this inside.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.names: dict[str, str] = {}
        self.failure = ""

    @classmethod
    def of(cls, source: Source) -> "BadImages":
        """The usual limit: 10 images, or one in a thousand where that is more.

        Example:

        >>> from keras_resnet.data.sources import load_source
        >>> BadImages.of(load_source((np.zeros((3, 8, 8, 1), "uint8"), [0, 1, 1]))).limit
        10
        """
        return cls(max(10, source.size // 1000))

    @contextmanager
    def said(self) -> Iterator[None]:
        """Turn the error that TensorFlow raises beyond the limit into a ValueError that names the files."""
        try:
            yield
        except tf.errors.InvalidArgumentError:
            if self.failure:
                raise ValueError(self.failure) from None
            raise

    def report(self, name: bytes, image: bytes) -> None:
        """Take note of one, given as `Example` has it, and log it the first time.

        Raises:
            ValueError: beyond the limit, naming files.
        """
        known, reason = name.decode(errors="replace"), _fault(image, is_path=name == image)
        if known not in self.names:
            self.names[known] = reason
            log.warning("%s: %s. It is replaced by a grey image without a label.", known, reason)
        if len(self.names) > self.limit and not self.failure:
            shown = "; ".join(f"{one}: {why}" for one, why in list(self.names.items())[:10])
            self.failure = f"{len(self.names)} images cannot be read, more than the {self.limit} borne. {shown}"
        if self.failure:
            raise ValueError(self.failure)

    def report_all(self, numbers: np.ndarray, names: np.ndarray, images: np.ndarray) -> np.ndarray:
        """`report` for several; gives back the numbers."""
        for name, image in zip(names, images, strict=True):
            self.report(name, image)
        return numbers


def careful(prepare: Callable[[Any, Example], tuple[Any, ...]], bad: BadImages) -> Callable[..., tuple[Any, ...]]:
    """Make a function of one image a function of a batch of them that survives those that cannot be read: all that it
    gives for them is zeros, the mean colour and no label.

    A graph cannot catch the error of an operation, but a dataset can leave out the elements that fail. It is one for a
    whole batch: for each image, it would cost half as much as the image itself.

    Args:
        prepare: (position, Example) to tensors of shapes that are known beforehand.
        bad: Takes note.

    Returns:
        The same of positions and an Example of many.

    Raises:
        ValueError: from that function, where a shape is not known.
    """

    def function(positions: Any, examples: Example) -> tuple[Any, ...]:
        count = tf.shape(positions, tf.int64)[0]
        elements = tf.data.Dataset.from_tensor_slices((positions, examples)).enumerate()
        prepared = elements.map(lambda number, one: (number, *prepare(*one)), os.cpu_count() or 1)
        _, *specs = prepared.element_spec
        if not all(spec.shape.is_fully_defined() for spec in specs):
            raise ValueError(f"the transform's images must all have one known size; received {specs[0].shape}.")
        # Behind the last stands an element of zeros, so that there is always one to batch; it is cut off again.
        last = tf.data.Dataset.from_tensors((count, *(tf.zeros(spec.shape, spec.dtype) for spec in specs)))
        numbers, *values = prepared.ignore_errors().concatenate(last).batch(count + 1).get_single_element()

        def restored() -> list[Any]:
            missing = tf.sets.difference(tf.range(count)[None], numbers[None]).values
            given = [numbers, tf.gather(examples.name, missing), tf.gather(examples.image, missing)]
            # Called stateless, it is spared the serial execution of what may change state under op determinism; its
            # result is used, since TensorFlow leaves out a stateless operation whose result is not.
            places = tf.ensure_shape(tf.numpy_function(bad.report_all, given, tf.int64, stateful=False), [None])
            return [_at(places, value, count) for value in values]

        whole = tf.equal(tf.shape(numbers, tf.int64)[0], count + 1)
        values = tf.cond(whole, lambda: [value[:count] for value in values], restored)
        return tuple(
            tf.ensure_shape(value, (positions.shape[0], *spec.shape)) for value, spec in zip(values, specs, strict=True)
        )

    return function


def _at(numbers: Any, values: Any, count: Any) -> Any:
    """Values in the places that the numbers say, zeros in the others; without the last place."""
    shape = tf.concat([[count + 1], tf.shape(values, tf.int64)[1:]], axis=0)
    return tf.scatter_nd(numbers[:, None], values, shape)[:count]


def _fault(image: bytes, is_path: bool) -> str:
    """What is wrong with an image, in words."""
    from PIL import Image, UnidentifiedImageError

    try:
        content = Path(image.decode()).read_bytes() if is_path else image
    except OSError as error:
        return f"cannot be opened ({error.strerror})"
    if not content:
        return "an empty file"
    try:
        with Image.open(io.BytesIO(content)) as picture:
            size = f"{picture.width} x {picture.height} pixels"
            picture.load()
    except Image.DecompressionBombError:
        return "claims more pixels than are borne"
    except UnidentifiedImageError:
        return "not an image"
    except Exception as error:  # Pillow's decoders raise many kinds
        return f"not an image that can be read ({error})" if str(error) else "not an image that can be read"
    return f"{size} that Pillow can read, but decoding or the transform cannot"
