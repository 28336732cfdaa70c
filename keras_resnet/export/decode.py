"""A batch of image files inside a graph: what cannot be decoded is left out, and harms no other."""

from typing import Any

import tensorflow as tf

from keras_resnet.data.decode import decode
from keras_resnet.data.preprocess import Preprocessing

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

    def numbered(position: Any, content: Any) -> tuple[Any, Any]:
        return position, prepare(content, preprocessing)

    # A last, empty image stands at position `count`, so that there is always one to batch; it is cut off again.
    empty = tf.data.Dataset.from_tensors((count, tf.zeros(shape)))
    decoded = tf.data.Dataset.from_tensor_slices((tf.range(count), image_bytes)).map(numbered).ignore_errors()
    batches = decoded.concatenate(empty).batch(tf.cast(count + 1, tf.int64))
    positions, images = batches.get_single_element()
    images = tf.scatter_nd(positions[:, None], images, tf.concat([[count + 1], shape], axis=0))[:count]
    valid = tf.scatter_nd(positions[:, None], tf.ones_like(positions), [count + 1])[:count] > 0
    return tf.ensure_shape(images, (None, *shape)), valid


def prepare(content: Any, preprocessing: Preprocessing) -> Any:
    """One image file as the network takes it, float32 `(*preprocessing.size, channels)`.

    Equal to `preprocessing(decode(...))`, but for images more than 16 times as long as the crop needs: they are
    cut to that length around the middle first, since 1 x 5000 pixels, resized to a height of 256, would fill 4 GB.

    Raises:
        tf.errors.InvalidArgumentError: as `decode`.
    """
    image = decode(content, preprocessing.channels)
    sides = tf.shape(image)[:2]
    target = tf.constant(preprocessing.resize_to)
    other, other_target = tf.reverse(sides, [0]), tf.constant(preprocessing.resize_to[::-1])
    longest = _LONGEST * tf.maximum(1, -(-other * target // other_target))  # the other side's share, rounded up
    cut = tf.maximum(0, (sides - longest) // 2)
    image = image[cut[0] : sides[0] - cut[0], cut[1] : sides[1] - cut[1]]
    return preprocessing(image)
