"""Images that cannot be read: named in the log, replaced so that batches keep their size, and not too many of them."""

import io
import logging
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

    def report(self, name: bytes, image: bytes) -> np.int32:
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
        return np.int32(len(self.names))


def careful(prepare: Callable[[Example], Any], bad: BadImages) -> Callable[[Example], tuple[Any, Any]]:
    """Make a function of an example survive images that cannot be read: it then gives zeros, the mean colour.

    A graph cannot catch the error of an operation, but the elements of a dataset that fail can be left out: here of one
    that holds a single image, with zeros behind it. It costs some 0.1 ms of an image's several.

    Args:
        prepare: Example to float32 pixels of a shape that is known beforehand.
        bad: Takes note.

    Returns:
        Example to (pixels, whether they are the image's own).

    Raises:
        ValueError: from that function, where the shape is not known.
    """

    def function(example: Example) -> tuple[Any, Any]:
        pixels = tf.data.Dataset.from_tensors(example).map(prepare)
        shape = pixels.element_spec.shape
        if not shape.is_fully_defined():
            raise ValueError(f"the transform's images must all have one known size; received {shape}.")
        own = pixels.map(lambda image: (image, True)).ignore_errors()
        grey = tf.data.Dataset.from_tensors(0).map(lambda _: (tf.zeros(shape), False))  # made only when it is asked
        image, good = own.concatenate(grey).take(1).get_single_element()

        # Called stateless, it is spared the serial execution of what may change state under op determinism.
        def note() -> Any:
            return tf.numpy_function(bad.report, [example.name, example.image], tf.int32, stateful=False)

        with tf.control_dependencies([tf.cond(good, lambda: tf.constant(0), note)]):
            return tf.identity(image), good

    return function


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
