"""Pretrained tags become files on this machine: downloaded once, checked against their publisher's hash at every use.

Files on huggingface.co go through `huggingface_hub` and its cache (`HF_HOME`, `HF_HUB_OFFLINE`, `HF_ENDPOINT`,
resumed downloads), those of keras.applications through `keras.utils.get_file` and Keras' own cache. Those of our own
are in the package.
"""

import difflib
import os
import re
from pathlib import Path

from keras_resnet.weights.errors import WeightsError
from keras_resnet.weights.files import check_sha256
from keras_resnet.weights.tags import OPEN_LICENCES, TAGS, Pretrained

FILE = "model.safetensors"


def pretrained(tag: str) -> Pretrained:
    """What is known of a tag: its preprocessing, licence, classes, published accuracy.

    Raises:
        WeightsError: for an unknown tag, with the nearest ones.

    Example:

    >>> pretrained("resnet50.tv2_in1k").preprocessing.resize_to
    (232, 232)
    """
    if tag not in TAGS:
        raise WeightsError(f"unknown tag {tag!r}; {nearest(tag)}")
    return TAGS[tag]


def tags_of(network: str) -> list[Pretrained]:
    """All pretrained weights of a network, the most accurate first."""
    found = [entry for entry in TAGS.values() if entry.network == network]
    return sorted(found, key=lambda entry: -(entry.top1 or 0))


def best_tag(network: str) -> str:
    """What `weights="imagenet"` means: the most accurate 1000-class weights under an open licence.

    Raises:
        WeightsError: where there are none.

    Example:

    >>> best_tag("resnet34")
    'resnet34.ra4_e3600_r224_in1k'
    """
    for entry in tags_of(network):
        if entry.licence in OPEN_LICENCES and entry.classes == 1000:
            return entry.tag
    raise WeightsError(f"nobody publishes open ImageNet weights for {network}.")


def nearest(name: str) -> str:
    """A hint for a mistyped tag."""
    network = name.partition(".")[0]
    near = [entry.tag for entry in tags_of(network)][:4] or difflib.get_close_matches(name, TAGS, n=3, cutoff=0.5)
    return f"did you mean {', '.join(near)}?" if near else "keras-resnet list shows the tags."


def fetch(tag: str) -> Path:
    """The file of a tag, downloaded if it is not there yet, and verified.

    Raises:
        WeightsError: where it cannot be had or is not the one that was published; a bad file is removed.
    """
    entry = pretrained(tag)
    if entry.sha256:
        check_sha256(Path(entry.url), entry.sha256)
        return Path(entry.url)
    try:
        path = _from_hugging_face(entry) if entry.repository else _from_keras(entry)
    except WeightsError:
        raise
    except Exception as error:  # of two libraries and of what lies under them
        reason = " ".join(str(error).split())[:300]
        raise WeightsError(
            f"{tag} cannot be had: {type(error).__name__}: {reason} Nothing was cached. Try again, or fetch "
            f"{entry.url} by other means and give the path of that file in place of the tag."
        ) from error
    return path


def _from_hugging_face(entry: Pretrained) -> Path:
    """Large files are stored under their SHA-256, which is thus known offline too."""
    from huggingface_hub import constants, hf_hub_download

    path = Path(hf_hub_download(entry.repository, FILE))
    blob = path.resolve()
    if not blob.is_relative_to(Path(constants.HF_HUB_CACHE).resolve()):
        raise WeightsError(f"{path} leads out of the cache, to {blob}; refused. Remove it and try again.")
    if re.fullmatch(r"[0-9a-f]{64}", blob.name):
        try:
            check_sha256(blob, blob.name)
        except WeightsError as error:
            blob.unlink()
            path.unlink(missing_ok=True)
            raise WeightsError(f"{entry.tag}: {error} It was removed; try again.") from None
    return path


def _from_keras(entry: Pretrained) -> Path:
    import keras

    name = entry.url.rpartition("/")[2]
    home = Path(os.environ.get("KERAS_HOME", "~/.keras")).expanduser()
    target = home / "models" / name
    if target.is_symlink():
        raise WeightsError(f"{target} is a symbolic link; refused. Remove it and try again.")
    target.parent.mkdir(parents=True, exist_ok=True)  # else Keras turns to a folder in /tmp that anyone may fill
    try:
        return Path(keras.utils.get_file(name, entry.url, cache_dir=home, cache_subdir="models", file_hash=entry.md5))
    except Exception:
        target.unlink(missing_ok=True)  # Keras leaves a file of the wrong hash where it is
        raise
