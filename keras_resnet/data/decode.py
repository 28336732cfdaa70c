"""Image files to pixels in a graph; what would unpack beyond measure is refused unread.

TensorFlow itself refuses an image only from 2^29 pixels on, 1.6 GB as bytes and four times that as float32. A
compressed file of a few kilobytes can claim that much, so the size is read from the header before anything is decoded.
"""

from typing import Any

import tensorflow as tf

MAX_BYTES = 2**25  # of a file: 32 MiB
MAX_PIXELS = 2**26  # of an image: 8192 x 8192


def decode(image: Any, channels: int = 3) -> Any:
    """A JPEG, PNG, BMP, GIF (its first frame) or still WebP file, or an image that is decoded already, as uint8.

    Palette, alpha and CMYK become RGB as TensorFlow's decoders do it: alpha is dropped, 16 bits become 8. The EXIF
    orientation is not applied, as in torchvision. JPEG is decoded as Pillow does it, exactly; grey is Pillow's too.

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
            is_jpeg(image),
            lambda: tf.io.decode_jpeg(image, 3, dct_method="INTEGER_ACCURATE"),
            lambda: tf.io.decode_image(image, 3, expand_animations=False),
        )
    pixels = tf.ensure_shape(pixels, (None, None, 3))
    return pixels if channels == 3 else luma(pixels)


def luma(image: Any) -> Any:
    """Grey by ITU-R 601 as Pillow rounds it, `(height, width, 1)`; the image itself where it has one channel."""
    if image.shape[-1] == 1:
        return image
    red, green, blue = tf.unstack(tf.cast(image, tf.int32), axis=-1)
    return tf.cast((19595 * red + 38470 * green + 7471 * blue + 0x8000) // 2**16, tf.uint8)[..., None]


def checked_shape(content: Any) -> Any:
    """(height, width) of an image file by its header, int32; an error of TensorFlow's where it is to be refused."""
    shape = claimed_shape(content)
    pixels, size = tf.reduce_prod(tf.cast(shape, tf.int64)), tf.strings.length(content)
    fine = (pixels > 0) & (pixels <= MAX_PIXELS) & (size <= MAX_BYTES)
    refusal = f"not a PNG, JPEG, BMP, GIF or WebP file, or beyond {MAX_PIXELS} pixels or {MAX_BYTES} bytes:"
    # The bare operation: tf.debugging.Assert puts a condition around it, as long as the check itself.
    check = tf.raw_ops.Assert(condition=fine, data=[tf.constant(refusal), pixels, size])
    with tf.control_dependencies([] if check is None else [check]):  # None: executed at once
        return tf.identity(shape)


def is_jpeg(content: Any) -> Any:
    """Whether a file begins as a JPEG does; of text and of an empty file too."""
    return tf.equal(tf.strings.substr(content, 0, 3), b"\xff\xd8\xff")


def claimed_shape(content: Any) -> Any:
    """(height, width) that a file's header states, int32; zeros for a file of no known kind.

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
            (_starts(content, b"GIF8", 10), lambda: _numbers(content, 8, 6, 2)),
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
    """Of WebP's three forms: lossy, lossless and extended."""
    header = tf.cast(tf.io.decode_raw(_slice(content, 20, 11), tf.uint8), tf.int32)

    def number(start: int, shift: int = 0, bits: int = 14) -> Any:
        """Of `bits` bits, some bits after a byte of the header."""
        value = tf.reduce_sum(header[start : start + 3] * [1, 2**8, 2**16])
        return value // 2**shift % 2**bits

    kind = _slice(content, 8, 8)
    return tf.case(
        [
            (tf.equal(kind, b"WEBPVP8 "), lambda: tf.stack([number(8), number(6)])),
            (tf.equal(kind, b"WEBPVP8L"), lambda: tf.stack([number(2, 6), number(1)]) + 1),
            (tf.equal(kind, b"WEBPVP8X"), lambda: tf.stack([number(7, 0, 24), number(4, 0, 24)]) + 1),
        ],
        default=lambda: tf.zeros(2, tf.int32),
    )
