"""Image files inside a graph: what cannot be decoded is left out, what would unpack beyond measure is refused unread.

TensorFlow itself refuses an image only from 2^29 pixels on, 1.6 GB as bytes and four times that as float32. A
compressed file of a few kilobytes can claim that much, so the size is read from the header before anything is decoded.
"""

from typing import Any

import tensorflow as tf

from keras_resnet.data.preprocess import Preprocessing

MAX_BYTES = 2**25  # of a file: 32 MiB
MAX_PIXELS = 2**26  # of an image: 8192 x 8192


def decode_batch(image_bytes: Any, preprocessing: Preprocessing) -> tuple[Any, Any]:
    """Decode and preprocess what can be decoded.

    A graph cannot catch an error of one operation; a tf.data pipeline inside it can leave out the elements that fail.
    The others are batched with their positions and put back in place.

    Args:
        image_bytes: string `(batch,)`.
        preprocessing: Size, mean and deviation.

    Returns:
        Images, float32 `(batch, height, width, channels)`, zeros where decoding failed; and whether it succeeded, bool
        `(batch,)`.
    """
    count = tf.shape(image_bytes)[0]
    shape = (*preprocessing.size, preprocessing.channels)

    def decode(position: Any, content: Any) -> tuple[Any, Any]:
        return position, preprocessing(decode_image(content, preprocessing.channels))

    # A last, empty image stands at position `count`, so that there is always one to batch; it is cut off again.
    empty = tf.data.Dataset.from_tensors((count, tf.zeros(shape)))
    decoded = tf.data.Dataset.from_tensor_slices((tf.range(count), image_bytes)).map(decode).ignore_errors()
    batches = decoded.concatenate(empty).batch(tf.cast(count + 1, tf.int64))
    positions, images = batches.get_single_element()
    images = tf.scatter_nd(positions[:, None], images, tf.concat([[count + 1], shape], axis=0))[:count]
    valid = tf.scatter_nd(positions[:, None], tf.ones_like(positions), [count + 1])[:count] > 0
    return tf.ensure_shape(images, (None, *shape)), valid


def decode_image(content: Any, channels: int) -> Any:
    """One PNG, JPEG, BMP or GIF file (its first frame) as uint8 `(height, width, channels)`.

    Grey, palette and alpha become `channels` as TensorFlow's decoders do it: alpha is dropped, 16 bits become 8. The
    EXIF orientation is not applied, as in torchvision and `tf.data`.

    Args:
        content: string, the file.
        channels: 1 (grey) or 3 (RGB).

    Raises:
        tf.errors.InvalidArgumentError: for what is no such file, is damaged, is larger than MAX_BYTES, or claims more
            than MAX_PIXELS.
    """
    size = tf.strings.length(content)
    pixels = claimed_pixels(content)
    checks = [
        tf.debugging.assert_less_equal(size, MAX_BYTES, message="the file is too large"),
        tf.debugging.assert_positive(pixels, message="not a PNG, JPEG, BMP or GIF file"),
        tf.debugging.assert_less_equal(pixels, tf.constant(MAX_PIXELS, tf.int64), message="the image is too large"),
    ]
    with tf.control_dependencies(checks):
        image = tf.io.decode_image(content, channels=channels, expand_animations=False)
    image.set_shape([None, None, channels])
    return image


def claimed_pixels(content: Any) -> Any:
    """Width x height that a file's header states, int64; 0 for a file of no known kind.

    Example:

    >>> int(claimed_pixels(tf.io.encode_png(tf.zeros((7, 9, 3), tf.uint8))))
    63
    >>> int(claimed_pixels(tf.constant("text")))
    0
    """
    return tf.case(
        [
            (_starts(content, b"\x89PNG\r\n\x1a\n", 24), lambda: _product(content, 16, 20, 4, big_endian=True)),
            (_starts(content, b"\xff\xd8\xff", 4), lambda: _jpeg_pixels(content)),
            (_starts(content, b"GIF8", 10), lambda: _product(content, 6, 8, 2)),
            (_starts(content, b"BM", 26), lambda: _product(content, 18, 22, 4)),
        ],
        default=lambda: tf.constant(0, tf.int64),
    )


def _starts(content: Any, magic: bytes, at_least: int) -> Any:
    long_enough = tf.strings.length(content) >= at_least
    return tf.logical_and(long_enough, tf.equal(_slice(content, 0, len(magic)), magic))


def _slice(content: Any, start: int, length: int) -> Any:
    """Bytes of a string, fewer where it ends before: substr itself fails there."""
    size = tf.strings.length(content)
    return tf.strings.substr(content, tf.minimum(start, size), tf.minimum(length, tf.maximum(size - start, 0)))


def _product(content: Any, first: int, second: int, width: int, big_endian: bool = False) -> Any:
    """The product of two signed or unsigned whole numbers of `width` bytes; a BMP's height may be negative."""
    kind = tf.int32 if width == 4 else tf.uint16

    def number(start: int) -> Any:
        decoded = tf.io.decode_raw(_slice(content, start, width), kind, little_endian=not big_endian)
        return tf.abs(tf.cast(decoded[0], tf.int64))

    return number(first) * number(second)


def _jpeg_pixels(content: Any) -> Any:
    shape = tf.cast(tf.image.extract_jpeg_shape(content), tf.int64)
    return shape[0] * shape[1]
