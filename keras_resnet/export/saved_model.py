"""A SavedModel that takes the bytes of image files and answers with scores and labels."""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from keras_resnet.data.preprocess import Preprocessing


def export_saved_model(
    model: keras.Model,
    directory: str | Path,
    *,
    preprocessing: Preprocessing,
    labels: Sequence[str] | None = None,
    top_k: int = 5,
    version: int | None = None,
) -> Path:
    """Write `<directory>/<version>/`, ready for TensorFlow Serving; it appears under that name only when whole.

    Its signature `serving_default` takes `image_bytes`, string `(batch,)`: PNG, JPEG, BMP, or a GIF's first frame. It
    gives `scores` float32 `(batch, classes)`, `class_ids` int32, `classes` string and `top_scores` float32
    `(batch, top_k)`, best first, and `valid` bool `(batch,)`: an image that cannot be decoded has False there and zeros
    in `scores`; it does not harm the others.

    Args:
        model: A classifier that gives probabilities, `(batch, *preprocessing.size, channels)` to `(batch, classes)`.
        directory: Parent of the version folders.
        preprocessing: What the network was trained to be given; it becomes a part of the graph.
        labels: The classes' names (their numbers).
        top_k: How many of the best classes to name (5, or all if there are fewer).
        version: The version's number (the next free one).

    Returns:
        The version's folder.

    Raises:
        ValueError: for labels that are not as many as the classes, or a version that exists or is below 1.
    """
    classes = model.output_shape[-1]
    names = [str(number) for number in range(classes)] if labels is None else list(labels)
    if len(names) != classes:
        raise ValueError(f"labels must name each of the {classes} classes; received {len(names)} names.")
    target = _version_folder(Path(directory), version)
    staged = target.with_name(f".{target.name}.{os.getpid()}")
    archive = keras.export.ExportArchive()
    archive.track(model)
    archive.add_endpoint(
        name="serving_default",
        fn=_bytes_endpoint(model, preprocessing, names, min(top_k, classes)),
        input_signature=[tf.TensorSpec([None], tf.string, name="image_bytes")],
    )
    try:
        archive.write_out(str(staged), verbose=False)
        staged.rename(target)
    finally:
        shutil.rmtree(staged, ignore_errors=True)
    return target


def _version_folder(directory: Path, version: int | None) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    taken = [int(path.name) for path in directory.iterdir() if path.name.isdigit()]
    if version is None:
        version = max(taken, default=0) + 1
    if version < 1 or version in taken:
        raise ValueError(
            f"version must be a new number, at least 1; received {version}, {directory} holds {sorted(taken)}."
        )
    return directory / str(version)


def _bytes_endpoint(model: keras.Model, preprocessing: Preprocessing, names: list[str], top_k: int) -> Any:
    def serve(image_bytes: Any) -> dict[str, Any]:
        images, valid = decode_batch(image_bytes, preprocessing)
        # Some kernels refuse an empty batch, which a server may be sent: one zero image goes through, and is cut off.
        images = tf.cond(tf.size(valid) > 0, lambda: images, lambda: tf.zeros((1, *images.shape[1:])))
        scores = tf.cast(model(images, training=False), tf.float32)[: tf.size(valid)]
        scores = tf.where(valid[:, None], scores, 0.0)
        top_scores, class_ids = tf.math.top_k(scores, top_k)
        classes = tf.gather(tf.constant(names), class_ids)
        return {"scores": scores, "class_ids": class_ids, "classes": classes, "top_scores": top_scores, "valid": valid}

    return serve


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
        image = tf.io.decode_image(content, channels=preprocessing.channels, expand_animations=False)
        image.set_shape([None, None, preprocessing.channels])
        return position, preprocessing(image)

    # A last, empty image stands at position `count`, so that there is always one to batch; it is cut off again.
    empty = tf.data.Dataset.from_tensors((count, tf.zeros(shape)))
    decoded = tf.data.Dataset.from_tensor_slices((tf.range(count), image_bytes)).map(decode).ignore_errors()
    batches = decoded.concatenate(empty).batch(tf.cast(count + 1, tf.int64))
    positions, images = batches.get_single_element()
    images = tf.scatter_nd(positions[:, None], images, tf.concat([[count + 1], shape], axis=0))[:count]
    valid = tf.scatter_nd(positions[:, None], tf.ones_like(positions), [count + 1])[:count] > 0
    return tf.ensure_shape(images, (None, *shape)), valid
