"""A small imagenet2012 of TFDS, made by TFDS' own builder out of archives in the form of the real ones."""

import io
import tarfile
from pathlib import Path
from unittest.mock import patch

import numpy as np

WNIDS = ("n01440764", "n02123045", "n07753592")  # tench, tabby, banana
COLOURS = ((40, 90, 160), (150, 110, 70), (220, 200, 60))


def photograph(label: int, number: int, size: tuple[int, int] | None = None) -> np.ndarray:
    """Something like a photograph, uint8 `(height, width, 3)`: a colour that tells the class, shading and noise."""
    generator = np.random.default_rng([label, number])
    height, width = size or tuple(generator.integers(48, 96, 2))
    down, across = np.mgrid[0:height, 0:width] / max(height, width)
    shading = 40 * np.sin(6 * (down * generator.normal() + across * generator.normal()) + generator.uniform(0, 6))
    pixels = np.array(COLOURS[label % 3]) + shading[..., None] + generator.normal(0, 8, (height, width, 3))
    return pixels.clip(0, 255).astype(np.uint8)


def jpeg(pixels: np.ndarray, quality: int = 90) -> bytes:
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=quality)
    return file.getvalue()


def make_imagenet(folder: Path, train: int = 12, validation: int = 4, shards: int = 3) -> Path:
    """Write `<folder>/imagenet2012/5.1.0`, which `tfds.load("imagenet2012", data_dir=folder)` opens.

    Args:
        folder: Of the data sets; made where it does not exist.
        train: Training images of each of the three classes.
        validation: Validation images of each.
        shards: Files of each split.

    Returns:
        The folder.
    """
    import tensorflow_datasets as tfds
    from tensorflow_datasets.datasets.imagenet2012 import imagenet_common

    archives = folder / "archives"
    archives.mkdir(parents=True)
    by_class = {
        f"{wnid}.tar": _tar({f"{wnid}_{number}.JPEG": jpeg(photograph(label, number)) for number in range(train)})
        for label, wnid in enumerate(WNIDS)
    }
    (archives / "ILSVRC2012_img_train.tar").write_bytes(_tar(by_class))
    names = [f"ILSVRC2012_val_{number + 1:08d}.JPEG" for number in range(3 * validation)]
    held_out = {name: jpeg(photograph(number % 3, 1000 + number)) for number, name in enumerate(names)}
    (archives / "ILSVRC2012_img_val.tar").write_bytes(_tar(held_out))
    labels = {name: WNIDS[number % 3] for number, name in enumerate(names)}  # in place of the official list

    tfds.disable_progress_bar()
    config = tfds.download.DownloadConfig(manual_dir=archives, num_shards=shards)
    with patch.object(imagenet_common, "get_validation_labels", return_value=labels):
        tfds.builder("imagenet2012", data_dir=folder).download_and_prepare(download_config=config)
    return folder


def _tar(files: dict[str, bytes]) -> bytes:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return archive.getvalue()
