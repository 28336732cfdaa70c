"""Image files to pixels in a graph; what would unpack beyond measure is refused unread.

TensorFlow itself refuses an image only from 2^29 pixels on, 1.6 GB as bytes and four times that as float32. A
compressed file of a few kilobytes can claim that much, so the size is read from the header before anything is decoded.
"""

from typing import Any

import tensorflow as tf

from keras_resnet.data.gif import first_frame
from keras_resnet.data.headers import claimed_shape, is_gif, is_jpeg

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
        pixels = tf.case(
            [
                (is_jpeg(image), lambda: tf.io.decode_jpeg(image, 3, dct_method="INTEGER_ACCURATE")),
                (is_gif(image), lambda: _decode_gif(image)),
            ],
            default=lambda: tf.io.decode_image(image, 3, expand_animations=False),
        )
    pixels = tf.ensure_shape(pixels, (None, None, 3))
    return pixels if channels == 3 else luma(pixels)


def _decode_gif(content: Any) -> Any:
    content, frame = first_frame(content)
    check = tf.raw_ops.Assert(condition=frame <= MAX_PIXELS, data=[tf.constant("a GIF's frame is too large:"), frame])
    with tf.control_dependencies([] if check is None else [check]):
        return tf.io.decode_image(content, 3, expand_animations=False)


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
    refusal = f"not a PNG, JPEG, BMP, GIF or still WebP file, or beyond {MAX_PIXELS} pixels or {MAX_BYTES} bytes:"
    # The bare operation: tf.debugging.Assert puts a condition around it, as long as the check itself.
    check = tf.raw_ops.Assert(condition=fine, data=[tf.constant(refusal), pixels, size])
    with tf.control_dependencies([] if check is None else [check]):  # None: executed at once
        return tf.identity(shape)
