"""The UCI handwritten digits as a TensorFlow data set: 1,797 real images that scikit-learn carries, no download.

Importing this module registers the data set: `tfds.load("uci_digits", split="train")`.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow_datasets as tfds


class UciDigits(tfds.core.GeneratorBasedBuilder):
    """8x8 grey images of handwritten digits, white ink on black; a fifth of each digit is held out as `test`.

    `image`: uint8 `(8, 8, 1)`, the source's 0 to 16 scaled to 0 to 255; `label`: 0 to 9; `id`: position in the source.
    """

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES: dict[str, str] = {"1.0.0": "1,437 for training, 360 held out, stratified."}  # noqa: RUF012
    name = "uci_digits"

    def _info(self) -> Any:
        return tfds.core.DatasetInfo(
            builder=self,
            description="Optical recognition of handwritten digits (Alpaydin and Kaynak 1998), as in scikit-learn.",
            features=tfds.features.FeaturesDict(
                {
                    "image": tfds.features.Image(shape=(8, 8, 1), dtype=np.uint8, encoding_format="png"),
                    "label": tfds.features.ClassLabel(num_classes=10),
                    "id": np.int64,
                }
            ),
            supervised_keys=("image", "label"),
            homepage="https://archive.ics.uci.edu/dataset/80/optical+recognition+of+handwritten+digits",
            license="CC BY 4.0",
        )

    def _split_generators(self, dl_manager: Any) -> dict[str, Iterator[tuple[int, dict[str, Any]]]]:
        from sklearn.datasets import load_digits
        from sklearn.model_selection import train_test_split

        data = load_digits()
        train, test = train_test_split(np.arange(len(data.target)), test_size=0.2, stratify=data.target, random_state=0)
        return {"train": self._generate_examples(data, train), "test": self._generate_examples(data, test)}

    def _generate_examples(self, data: Any, ids: np.ndarray) -> Iterator[tuple[int, dict[str, Any]]]:
        for number in sorted(map(int, ids)):
            image = np.rint(data.images[number] * (255 / 16)).astype(np.uint8)
            yield number, {"image": image[..., None], "label": int(data.target[number]), "id": number}
