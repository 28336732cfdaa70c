"""A SavedModel that takes the bytes of image files and answers with scores and labels."""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import keras
import tensorflow as tf

from keras_resnet.data.preprocess import Preprocessing
from keras_resnet.export import card as cards
from keras_resnet.export.classifier import classifier
from keras_resnet.export.compare import Limit
from keras_resnet.export.frozen import Precision, frozen, is_frozen, serving_network
from keras_resnet.export.reference import reference_images
from keras_resnet.export.signatures import Endpoints
from keras_resnet.export.verify import verified_card
from keras_resnet.export.warmup import write_warmup

LIMITS = {"float32": Limit(1e-4), "bfloat16": Limit(0.1)}


def export_saved_model(
    model: keras.Model,
    directory: str | Path,
    *,
    preprocessing: Preprocessing | str | None = None,
    labels: Sequence[str] | None = None,
    top_k: int = 5,
    version: int | None = None,
    precision: Precision = "float32",
    warmup: bool = True,
    images: Sequence[bytes] = (),
) -> Path:
    """Write `<directory>/<version>/`, ready for TensorFlow Serving; it appears under that name only when whole and
    verified.

    Signatures, whose inputs and outputs carry the names given here:

    - `serving_default`: `image_bytes`, string `(batch,)`: PNG, JPEG, BMP, a still WebP, or a GIF's first frame. Gives
      `scores` float32 `(batch, classes)`, `class_ids` int32, `classes` string and `top_scores` float32 `(batch,
      top_k)`, best first, and `valid` bool `(batch,)`: an image that cannot be decoded, or claims more than 67 million
      pixels, has False there and zeros in `scores`; it does not harm the others.
    - `predict_images`: `images`, uint8 `(batch, height, width, channels)` of any size. The same without `valid`.
    - `predict_tensor`: `tensor`, float32, preprocessed already. The same without `valid`.
    - `features`: `image_bytes`. Gives `features` float32 `(batch, width of the classifier's input)` and `valid`.
    - `tf_example`: `examples`, serialized tf.Example with the feature `image/encoded`. As `serving_default`.

    Batch norms are folded into the convolutions and the weights are constants, which makes it faster than the model it
    was made from. The labels lie in `assets/labels.txt` as well, one a line; requests that warm a server up in
    `assets.extra`; and in `model_card.json` what was exported, and what it must answer to two pictures that are there
    too.

    Args:
        model: A classifier that gives probabilities, `(batch, *preprocessing.size, channels)` to `(batch, classes)`.
        directory: Parent of the version folders.
        preprocessing: What the network was trained to be given, or a tag such as "resnet50.tv2_in1k" whose it is; it
            becomes a part of the graph (that of the tag whose weights the model has, else ImageNet's mean and deviation
            at the model's input size).
        labels: The classes' names (ImageNet's for a tag's 1000 classes, else their numbers).
        top_k: How many of the best classes to name (5, or all if there are fewer).
        version: The version's number (the next free one).
        precision: "bfloat16" computes in half the width, and is for processors that can, such as those with
            AVX512-BF16 or AMX; elsewhere it is slow ("float32").
        warmup: Whether to write warm-up requests (True).
        images: Image files, as bytes, that the export is compared on with the model, besides the two pictures of the
            card.

    Returns:
        The version's folder.

    Raises:
        ValueError: for labels that are not as many as the classes, preprocessing to another size than the model's, or a
            version that exists or is below 1.
        ExportError: a ValueError, where the export does not answer as the model does; nothing is kept.
    """
    deployed = classifier(model, preprocessing, labels)
    names = deployed.labels
    if top_k < 1:
        raise ValueError(f"top_k must be at least 1; received {top_k}.")
    target = version_folder(Path(directory), version)
    staged = target.with_name(f".{target.name}.{os.getpid()}")
    network = serving_network(model, precision)
    module = tf.Module()
    shape = (None, *deployed.preprocessing.size, deployed.preprocessing.channels)
    module.network = frozen(network, tf.TensorSpec(shape, tf.float32, name="tensor"))
    if not is_frozen(network):
        module.weights = [variable.value for variable in network.variables]
    endpoints = Endpoints(module.network, deployed.preprocessing, names, min(top_k, len(names))).all()
    try:
        tf.saved_model.save(module, str(staged), signatures=endpoints)
        (staged / "assets").mkdir(exist_ok=True)
        (staged / "assets" / "labels.txt").write_text("".join(f"{name}\n" for name in names), encoding="utf-8")
        if warmup:
            write_warmup(staged, reference_images(deployed.preprocessing.channels))
        kind = f"saved_model {precision}"
        cards.write_card(staged / cards.FILE, verified_card(staged, deployed, kind, LIMITS[precision], images))
        staged.rename(target)
    finally:
        shutil.rmtree(staged, ignore_errors=True)
    return target


def version_folder(directory: Path, version: int | None) -> Path:
    """The folder of a version that is still free, None for the next one; its parent is made.

    Raises:
        ValueError: for a version that exists or is below 1.
    """
    directory.mkdir(parents=True, exist_ok=True)
    taken = [int(path.name) for path in directory.iterdir() if path.name.isdigit()]
    if version is None:
        version = max(taken, default=0) + 1
    if version < 1 or version in taken:
        raise ValueError(
            f"version must be a new number, at least 1; received {version}, {directory} holds {sorted(taken)}."
        )
    return directory / str(version)
