"""How far an export's answers are from those of the Keras model, and whether that may be."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np


class ExportError(ValueError):
    """An export that does not answer as its model does; nothing was kept."""


@dataclass(frozen=True)
class Limit:
    """What an export may differ by.

    Args:
        difference: Largest difference of any score.
        agreement: Smallest share of images whose best class is the model's.
    """

    difference: float
    agreement: float = 0.0

    def __str__(self) -> str:
        return f"a difference of {self.difference:.0e} and {100 * self.agreement:.0f} % the same"


@dataclass(frozen=True)
class Comparison:
    """The scores of two networks, side by side.

    Args:
        images: How many images both answered.
        difference: The largest difference of any score.
        same: For how many images the best class is the same.
    """

    images: int
    difference: float
    same: int

    def config(self) -> dict[str, Any]:
        """The fields, ready for JSON."""
        return asdict(self)

    def within(self, limit: Limit) -> bool:
        """Whether the limit is kept; it never is for scores that are not finite."""
        return bool(self.difference <= limit.difference and self.same >= limit.agreement * self.images)

    def __str__(self) -> str:
        return f"largest difference {self.difference:.1e}, top-1 the same for {self.same} of {self.images} images"


def compare(expected: np.ndarray, found: np.ndarray) -> Comparison:
    """Two arrays of scores `(images, classes)`.

    Raises:
        ValueError: for arrays of different shapes.

    Example:

    >>> print(compare(np.array([[0.2, 0.8]]), np.array([[0.25, 0.75]])))
    largest difference 5.0e-02, top-1 the same for 1 of 1 images
    """
    if expected.shape != found.shape:
        raise ValueError(f"the one gives scores of the shape {expected.shape}, the other {found.shape}.")
    difference = np.abs(expected.astype(np.float64) - found).max(initial=0.0)
    same = (expected.argmax(axis=-1) == found.argmax(axis=-1)).sum()
    return Comparison(len(expected), float(difference), int(same))
