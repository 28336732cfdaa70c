"""A GIF without its later frames: TensorFlow unpacks them all, even where it is asked for the first alone.

Each frame states a size of its own, and a few kilobytes of LZW unpack to millions of pixels, so that a small file could
fill any memory. Section numbers are those of GIF89a.
"""

from typing import Any

import tensorflow as tf

_EXTENSION, _IMAGE = 0x21, 0x2C


def first_frame(content: Any) -> tuple[Any, Any]:
    """A GIF that ends after its first frame, and that frame's width x height, int64.

    Args:
        content: string, a GIF of at least 13 bytes.

    Raises:
        tf.errors.InvalidArgumentError: where the file ends before its first frame does.
    """
    data = tf.cast(tf.io.decode_raw(content, tf.uint8), tf.int32)

    def after_blocks(position: Any) -> Any:
        """Behind a chain of sub-blocks (section 15): each says its length, the last is empty."""
        (last,) = tf.while_loop(lambda at: data[at] > 0, lambda at: (at + 1 + data[at],), (position,))
        return last + 1

    start = 13 + _table_bytes(data[10])  # behind the screen descriptor and the global colour table (sections 18, 19)
    (start,) = tf.while_loop(lambda at: tf.equal(data[at], _EXTENSION), lambda at: (after_blocks(at + 2),), (start,))
    is_image = tf.debugging.assert_equal(data[start], _IMAGE, message="a GIF without an image")
    with tf.control_dependencies([is_image]):
        end = after_blocks(start + 11 + _table_bytes(data[start + 9]))  # sections 20 to 22
    width, height = (tf.cast(data[start + at] + 256 * data[start + at + 1], tf.int64) for at in (5, 7))
    return tf.strings.join([tf.strings.substr(content, 0, end), b";"]), width * height


def _table_bytes(flags: Any) -> Any:
    """Size of a colour table, 0 where its flag (bit 7) is not set."""
    return tf.where(flags >= 128, 3 * 2 ** (flags % 8 + 1), 0)
