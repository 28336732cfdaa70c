"""Labelled images, still in their files or as arrays: from TFDS, from a folder, from memory; through one function."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from keras_resnet.data import tfds_sources
from keras_resnet.data.evaluation import SUFFIXES
from keras_resnet.data.source import Indexed, Source

MEMORY_LIMIT = 2**31  # bytes on disk up to which a TFDS set is kept in memory


def load_source(
    data: str | Path | tuple[Any, ...],
    split: str = "train",
    data_dir: str | Path | None = None,
    *,
    channels: int = 3,
    memory_limit: int = MEMORY_LIMIT,
) -> Source:
    """Labelled images from TFDS, from a folder, or from memory.

    Args:
        data: A name of TFDS, "uci_digits" among them; or a folder with a sub-folder for each class, in one named as the
            split where there is such; or a pair of arrays (images, labels): uint8 `(size, height, width, channels)`
            and whole numbers `(size,)`, with the classes' names as a third, where they have names. A name that TFDS
            knows is never taken for a folder.
        split: "train", "test", "validation" (or "val", the same), and of TFDS whatever else it can slice, such as
            "train[:90%]". Arrays have none.
        data_dir: Where TFDS keeps its sets (None: its own default). What is not there yet is downloaded.
        channels: 1 (grey) or 3 (RGB) to decode a folder's images to (3).
        memory_limit: Size on disk, in bytes, up to which a TFDS set is kept in memory (2 GiB). A larger one is
            streamed: its order is shuffled less thoroughly, and resuming skips what was read before.

    Raises:
        ValueError: for anything that is no such set, in words.

    Example:

    >>> source = load_source((np.zeros((3, 8, 8, 1), "uint8"), [0, 1, 1]))
    >>> source.size, source.classes, source.channels, source.encoded
    (3, ('0', '1'), 1, False)
    """
    if isinstance(data, tuple | list):
        return _from_arrays(*data)
    if isinstance(data, str) and tfds_sources.known(data):
        return tfds_sources.load(data, split, data_dir, memory_limit)
    if Path(data).is_dir():
        return _from_folder(Path(data), split, channels)
    raise ValueError(f"{str(data)!r} is neither a data set of TFDS nor a folder.")


def check_same_classes(*sources: Source) -> None:
    """Raise ValueError unless all have the same classes in the same order: those of training and of testing must agree.

    Example:

    >>> images = np.zeros((2, 8, 8, 1), "uint8")
    >>> check_same_classes(load_source((images, [0, 1], ["a", "b"])), load_source((images, [0, 1], ["a", "c"])))
    Traceback (most recent call last):
        ...
    ValueError: the classes differ: 'b' only in one of the sets, 'c' only in another.
    """
    first = sources[0].classes
    for other in sources[1:]:
        if set(first) ^ set(other.classes):
            missing = ", ".join(map(repr, sorted(set(first) - set(other.classes))[:5])) or "none"
            added = ", ".join(map(repr, sorted(set(other.classes) - set(first))[:5])) or "none"
            raise ValueError(f"the classes differ: {missing} only in one of the sets, {added} only in another.")
        if first != other.classes:
            raise ValueError("the classes are the same, but stand in another order.")


def _from_arrays(images: Any, labels: Any = None, classes: Sequence[str] | None = None) -> Source:
    images, labels = np.asarray(images), np.asarray(labels)
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[-1] not in (1, 3):
        raise ValueError(
            "images must be uint8 (size, height, width, channels) with 1 or 3 channels; "
            f"received {images.dtype} {images.shape}."
        )
    if labels.shape != images.shape[:1] or labels.dtype.kind not in "iu" or not labels.size or labels.min() < 0:
        raise ValueError(
            f"labels must be {len(images)} whole numbers, at least one, none negative; "
            f"received {labels.dtype} {labels.shape}."
        )
    names = [str(label) for label in range(labels.max() + 1)] if classes is None else list(classes)
    if labels.max() >= len(names):
        raise ValueError(f"there are {len(names)} classes, but a label is {labels.max()}.")
    return Indexed(images, labels, names, images.shape[-1], name="array")


def _from_folder(folder: Path, split: str, channels: int) -> Source:
    splits = {"train", "test", *tfds_sources.SYNONYMS}
    if split not in splits:
        raise ValueError(f"a folder's split must be one of {', '.join(sorted(splits))}; received {split!r}.")
    present = [name for name in splits if (folder / name).is_dir()]
    chosen = next((name for name in (split, *tfds_sources.SYNONYMS.get(split, ())) if name in present), None)
    if present and not chosen:
        raise ValueError(f"{folder} has no split {split!r}; it has {', '.join(sorted(present))}.")
    folder = folder / chosen if chosen else folder
    names = sorted(path.name for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    files = [sorted(path for path in (folder / name).rglob("*") if path.suffix.lower() in SUFFIXES) for name in names]
    if not names:
        raise ValueError(f"{folder} has no sub-folders; it must hold one for each class.")
    empty = [name for name, paths in zip(names, files, strict=True) if not paths]
    if empty:
        raise ValueError(f"no images ({', '.join(SUFFIXES)}) in {', '.join(str(folder / name) for name in empty[:5])}.")
    paths = [str(path) for paths in files for path in paths]
    labels = [label for label, paths in enumerate(files) for _ in paths]
    return Indexed(paths, labels, names, channels, paths=True)
