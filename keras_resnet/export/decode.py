"""Image files inside a graph: what cannot be decoded is left out, what would unpack beyond measure is refused unread.

TensorFlow itself refuses an image only from 2^29 pixels on, 1.6 GB as bytes and four times that as float32. A
compressed file of a few kilobytes can claim that much, so the size is read from the header before anything is decoded.
"""

from typing import Any

import tensorflow as tf

from keras_resnet.data.preprocess import Preprocessing
from keras_resnet.export.gif import first_frame
from keras_resnet.export.headers import KINDS, claimed_pixels, is_gif, is_webp

MAX_BYTES = 2**25  # of a file: 32 MiB
MAX_PIXELS = 2**26  # of an image: 8192 x 8192
_LONGEST = 16  # times what the crop shows; more of an image's length is cut off before it is resized


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
        return position, prepare(content, preprocessing)

    # A last, empty image stands at position `count`, so that there is always one to batch; it is cut off again.
    empty = tf.data.Dataset.from_tensors((count, tf.zeros(shape)))
    decoded = tf.data.Dataset.from_tensor_slices((tf.range(count), image_bytes)).map(decode).ignore_errors()
    batches = decoded.concatenate(empty).batch(tf.cast(count + 1, tf.int64))
    positions, images = batches.get_single_element()
    images = tf.scatter_nd(positions[:, None], images, tf.concat([[count + 1], shape], axis=0))[:count]
    valid = tf.scatter_nd(positions[:, None], tf.ones_like(positions), [count + 1])[:count] > 0
    return tf.ensure_shape(images, (None, *shape)), valid


def prepare(content: Any, preprocessing: Preprocessing) -> Any:
    """One image file as the network takes it, float32 `(*preprocessing.size, channels)`.

    Equal to `preprocessing(decode_image(...))`, but for images more than 16 times as long as the crop needs: they are
    cut to that length around the middle first, since 1 x 5000 pixels, resized to a height of 256, would fill 4 GB.

    Raises:
        tf.errors.InvalidArgumentError: as `decode_image`.
    """
    image = decode_image(content, preprocessing.channels)
    sides = tf.shape(image)[:2]
    target = tf.constant(preprocessing.resize_to)
    longest = _LONGEST * tf.maximum(1, -(-sides[::-1] * target // target[::-1]))  # the other side's share, rounded up
    cut = tf.maximum(0, (sides - longest) // 2)
    image = image[cut[0] : sides[0] - cut[0], cut[1] : sides[1] - cut[1]]
    return preprocessing(image)


def decode_image(content: Any, channels: int) -> Any:
    """One PNG, JPEG, BMP, GIF (its first frame) or still WebP file as uint8 `(height, width, channels)`.

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
    with tf.control_dependencies([tf.debugging.assert_less_equal(size, MAX_BYTES, message="the file is too large")]):
        nothing = tf.constant(0, tf.int64)
        content, frame = tf.cond(is_gif(content), lambda: first_frame(content), lambda: (content, nothing))
    pixels = claimed_pixels(content)
    checks = [
        tf.debugging.assert_positive(pixels, message=f"not a {KINDS} file"),
        tf.debugging.assert_less_equal(
            tf.maximum(pixels, frame), tf.constant(MAX_PIXELS, tf.int64), message="too large"
        ),
    ]
    with tf.control_dependencies(checks):
        image = tf.cond(
            tf.logical_or(is_webp(content), is_gif(content)),
            lambda: _decode_colour(content, channels),
            lambda: tf.io.decode_image(content, channels=channels, expand_animations=False),
        )
    return tf.ensure_shape(image, (None, None, channels))


def _decode_colour(content: Any, channels: int) -> Any:
    """TensorFlow decodes GIF and WebP in colour only."""
    image = tf.io.decode_image(content, channels=3, expand_animations=False)
    image.set_shape((None, None, 3))
    return image if channels == 3 else tf.image.rgb_to_grayscale(image)
