"""What the headers of image files state, read inside a graph before anything is decoded.

PNG: ISO/IEC 15948, section 11.2.2; BMP: BITMAPINFOHEADER; GIF: GIF89a, sections 18 and 20; WebP: RFC 9649, section 2.
"""

from typing import Any

import tensorflow as tf


def is_jpeg(content: Any) -> Any:
    """Whether a file begins as a JPEG does; of text and of an empty file too."""
    return tf.equal(tf.strings.substr(content, 0, 3), b"\xff\xd8\xff")


def is_gif(content: Any) -> Any:
    """Whether a GIF begins here; too short a file is none."""
    return _starts(content, b"GIF8", 13)


def claimed_shape(content: Any) -> Any:
    """(height, width) that a file's header states, int32; zeros for a file of no known kind, and for an animated WebP.

    Example:

    >>> claimed_shape(tf.io.encode_png(tf.zeros((7, 9, 3), tf.uint8))).numpy().tolist()
    [7, 9]
    >>> claimed_shape(tf.constant("text")).numpy().tolist()
    [0, 0]
    """
    return tf.cond(  # JPEG first and alone: the usual case, fast
        is_jpeg(content), lambda: tf.image.extract_jpeg_shape(content)[:2], lambda: _other_shape(content)
    )


def _other_shape(content: Any) -> Any:
    return tf.case(
        [
            (_starts(content, b"\x89PNG\r\n\x1a\n", 24), lambda: _numbers(content, 20, 16, 4, big_endian=True)),
            (is_gif(content), lambda: _numbers(content, 8, 6, 2)),
            (_starts(content, b"BM", 26), lambda: _numbers(content, 22, 18, 4)),
            (_starts(content, b"RIFF", 31), lambda: _webp_shape(content)),
        ],
        default=lambda: tf.zeros(2, tf.int32),
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
        return tf.abs(tf.cast(decoded[0], tf.int32))

    return tf.stack([number(first), number(second)])


def _webp_shape(content: Any) -> Any:
    """Of WebP's three forms: lossy, lossless and extended.

    An animation is refused here: TensorFlow 2.21 decodes none to three channels, and with channels=0 corrupts its heap.
    """
    header = tf.cast(tf.io.decode_raw(_slice(content, 20, 11), tf.uint8), tf.int32)

    def number(start: int, shift: int = 0, bits: int = 14) -> Any:
        """Of `bits` bits, some bits after a byte of the header."""
        value = tf.reduce_sum(header[start : start + 3] * [1, 2**8, 2**16])
        return value // 2**shift % 2**bits

    extended = tf.stack([number(7, 0, 24), number(4, 0, 24)]) + 1
    animated = tf.bitwise.bitwise_and(header[0], 2) > 0
    kind = _slice(content, 8, 8)
    return tf.case(
        [
            (tf.equal(kind, b"WEBPVP8 "), lambda: tf.stack([number(8), number(6)])),
            (tf.equal(kind, b"WEBPVP8L"), lambda: tf.stack([number(2, 6), number(1)]) + 1),
            (tf.equal(kind, b"WEBPVP8X"), lambda: tf.where(animated, 0, extended)),
        ],
        default=lambda: tf.zeros(2, tf.int32),
    )
