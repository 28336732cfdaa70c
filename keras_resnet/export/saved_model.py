"""A SavedModel that takes the bytes of image files and answers with scores and labels."""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import keras

from keras_resnet.data.preprocess import Preprocessing
from keras_resnet.export.signatures import Endpoints


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

    Signatures, whose inputs and outputs carry the names given here:

    - `serving_default`: `image_bytes`, string `(batch,)`: PNG, JPEG, BMP, or a GIF's first frame. Gives `scores`
      float32 `(batch, classes)`, `class_ids` int32, `classes` string and `top_scores` float32 `(batch, top_k)`, best
      first, and `valid` bool `(batch,)`: an image that cannot be decoded, or claims more than 67 million pixels, has
      False there and zeros in `scores`; it does not harm the others.
    - `predict_images`: `images`, uint8 `(batch, height, width, channels)` of any size. The same without `valid`.
    - `predict_tensor`: `tensor`, float32, preprocessed already. The same without `valid`.
    - `features`: `image_bytes`. Gives `features` float32 `(batch, width of the classifier's input)` and `valid`.
    - `tf_example`: `examples`, serialized tf.Example with the feature `image/encoded`. As `serving_default`.

    The labels lie in `assets/labels.txt` as well, one a line.

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
        ValueError: for labels that are not as many as the classes, preprocessing to another size than the model's, or a
            version that exists or is below 1.
    """
    classes = model.output_shape[-1]
    names = [str(number) for number in range(classes)] if labels is None else list(labels)
    if len(names) != classes:
        raise ValueError(f"labels must name each of the {classes} classes; received {len(names)} names.")
    given = (*preprocessing.size, preprocessing.channels)
    if any(size not in (None, have) for size, have in zip(model.input_shape[1:], given, strict=True)):
        raise ValueError(f"preprocessing gives {given}, the model takes {model.input_shape[1:]}.")
    target = _version_folder(Path(directory), version)
    staged = target.with_name(f".{target.name}.{os.getpid()}")
    archive = keras.export.ExportArchive()
    archive.track(model)
    for name, (function, spec) in Endpoints(model, preprocessing, names, min(top_k, classes)).all().items():
        archive.add_endpoint(name=name, fn=function, input_signature=[spec])
    try:
        archive.write_out(str(staged), verbose=False)
        (staged / "assets").mkdir(exist_ok=True)
        (staged / "assets" / "labels.txt").write_text("".join(f"{name}\n" for name in names), encoding="utf-8")
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
