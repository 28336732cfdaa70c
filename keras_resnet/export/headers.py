"""What the headers of image files state, read inside a graph before anything is decoded.

PNG: ISO/IEC 15948, section 11.2.2; BMP: BITMAPINFOHEADER; GIF: GIF89a, sections 18 and 20; WebP: RFC 9649, section 2.
"""

from typing import Any

import tensorflow as tf

KINDS = "PNG, JPEG, BMP, GIF or still WebP"


def claimed_pixels(content: Any) -> Any:
    """Width x height that a file's header states, int64; 0 for a file of no known kind, and for an animated WebP.

    Example:

    >>> int(claimed_pixels(tf.io.encode_png(tf.zeros((7, 9, 3), tf.uint8))))
    63
    >>> int(claimed_pixels(tf.constant("text")))
    0
    """
    return tf.case(
        [
            (starts(content, b"\x89PNG\r\n\x1a\n", 24), lambda: _product(content, 16, 20, 4, big_endian=True)),
            (starts(content, b"\xff\xd8\xff", 4), lambda: _jpeg_pixels(content)),
            (is_gif(content), lambda: _product(content, 6, 8, 2)),
            (starts(content, b"BM", 26), lambda: _product(content, 18, 22, 4)),
            (is_webp(content), lambda: _webp_pixels(content)),
        ],
        default=lambda: tf.constant(0, tf.int64),
    )


def is_gif(content: Any) -> Any:
    """Whether a GIF begins here, bool."""
    return starts(content, b"GIF8", 13)


def is_webp(content: Any) -> Any:
    """Whether a WebP begins here, bool."""
    return tf.logical_and(starts(content, b"RIFF", 30), tf.equal(_slice(content, 8, 4), b"WEBP"))


def starts(content: Any, magic: bytes, at_least: int) -> Any:
    """Whether a string begins with `magic` and has so many bytes, bool."""
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


def _webp_pixels(content: Any) -> Any:
    """The first chunk says the size: lossy in 14 bits each, lossless in 14 bits less one, extended in 24 bits less one.

    An animation is refused here: TensorFlow 2.21 decodes none to three channels, and with channels=0 corrupts its heap.
    """
    data = tf.cast(tf.io.decode_raw(_slice(content, 0, 30), tf.uint8), tf.int64)
    chunk = _slice(content, 12, 4)

    def number(start: int, count: int) -> Any:
        return tf.add_n([data[start + index] * 256**index for index in range(count)])

    lossless = number(21, 4)
    animated = tf.bitwise.bitwise_and(data[20], 2) > 0
    extended = tf.where(animated, tf.constant(0, tf.int64), (number(24, 3) + 1) * (number(27, 3) + 1))
    return tf.case(
        [
            (tf.equal(chunk, b"VP8 "), lambda: number(26, 2) % 2**14 * (number(28, 2) % 2**14)),
            (tf.equal(chunk, b"VP8L"), lambda: (lossless % 2**14 + 1) * (lossless // 2**14 % 2**14 + 1)),
            (tf.equal(chunk, b"VP8X"), lambda: extended),
        ],
        default=lambda: tf.constant(0, tf.int64),
    )
