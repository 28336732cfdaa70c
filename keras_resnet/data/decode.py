"""Image files to pixels in a graph; what would unpack beyond measure is refused unread.

TensorFlow itself refuses an image only from 2^29 pixels on, 1.6 GB as bytes and four times that as float32. A
compressed file of a few kilobytes can claim that much, so the size is read from the header before anything is decoded.
"""

from typing import Any

import tensorflow as tf

MAX_BYTES = 2**25  # of a file: 32 MiB
MAX_PIXELS = 2**26  # of an image: 8192 x 8192


def decode(image: Any, channels: int = 3) -> Any:
    """A PNG, JPEG, BMP or GIF file (its first frame), or an image that is decoded already, as uint8.

    Grey, palette, alpha and CMYK become `channels` as TensorFlow's decoders do it: alpha is dropped, 16 bits become 8.
    The EXIF orientation is not applied, as in torchvision. JPEG is decoded as Pillow's libjpeg does it, exactly.

    Args:
        image: string, the file; or uint8 `(height, width, channels)`, which is returned as it is.
        channels: 1 (grey) or 3 (RGB) of what is decoded.

    Raises:
        tf.errors.InvalidArgumentError: for what is no such file, is damaged, is larger than MAX_BYTES, or claims more
            than MAX_PIXELS.

    Example:

    >>> decode(tf.io.encode_png(tf.zeros((7, 9, 3), tf.uint8))).shape
    TensorShape([7, 9, 3])
    """
    if image.dtype != tf.string:
        return image
    with tf.control_dependencies([checked_shape(image)]):
        pixels = tf.cond(
            tf.io.is_jpeg(image),
            lambda: tf.io.decode_jpeg(image, channels, dct_method="INTEGER_ACCURATE"),
            lambda: tf.io.decode_image(image, channels, expand_animations=False),
        )
    return tf.ensure_shape(pixels, (None, None, channels))


def checked_shape(content: Any) -> Any:
    """(height, width) of an image file by its header, int64; an error of TensorFlow's where it is to be refused."""
    shape = claimed_shape(content)
    pixels = tf.reduce_prod(shape)
    checks = [
        tf.debugging.assert_less_equal(tf.strings.length(content), MAX_BYTES, message="the file is too large"),
        tf.debugging.assert_positive(pixels, message="not a PNG, JPEG, BMP or GIF file"),
        tf.debugging.assert_less_equal(pixels, tf.constant(MAX_PIXELS, tf.int64), message="the image is too large"),
    ]
    with tf.control_dependencies(checks):
        return tf.identity(shape)


def claimed_shape(content: Any) -> Any:
    """(height, width) that a file's header states, int64; zeros for a file of no known kind.

    Example:

    >>> claimed_shape(tf.io.encode_png(tf.zeros((7, 9, 3), tf.uint8))).numpy().tolist()
    [7, 9]
    >>> claimed_shape(tf.constant("text")).numpy().tolist()
    [0, 0]
    """
    return tf.case(
        [
            (_starts(content, b"\xff\xd8\xff", 4), lambda: tf.cast(tf.image.extract_jpeg_shape(content)[:2], tf.int64)),
            (_starts(content, b"\x89PNG\r\n\x1a\n", 24), lambda: _numbers(content, 20, 16, 4, big_endian=True)),
            (_starts(content, b"GIF8", 10), lambda: _numbers(content, 8, 6, 2)),
            (_starts(content, b"BM", 26), lambda: _numbers(content, 22, 18, 4)),
        ],
        default=lambda: tf.zeros(2, tf.int64),
    )


def _starts(content: Any, magic: bytes, at_least: int) -> Any:
    long_enough = tf.strings.length(content) >= at_least
    return tf.logical_and(long_enough, tf.equal(_slice(content, 0, len(magic)), magic))


def _slice(content: Any, start: int, length: int) -> Any:
    """Bytes of a string, fewer where it ends before: substr itself fails there."""
    size = tf.strings.length(content)
    return tf.strings.substr(content, tf.minimum(start, size), tf.minimum(length, tf.maximum(size - start, 0)))


def _numbers(content: Any, first: int, second: int, width: int, big_endian: bool = False) -> Any:
    """Two whole numbers of `width` bytes that start at these bytes; a BMP's height may be negative."""
    kind = tf.int32 if width == 4 else tf.uint16

    def number(start: int) -> Any:
        decoded = tf.io.decode_raw(_slice(content, start, width), kind, little_endian=not big_endian)
        return tf.abs(tf.cast(decoded[0], tf.int64))

    return tf.stack([number(first), number(second)])
