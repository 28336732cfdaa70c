"""The table of differences that `pytest tests/parity -s` prints."""

from collections.abc import Iterator
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest

from tests.peers import timm, torch, torchvision  # noqa: F401

ROWS: list[tuple[str, str, float]] = []


@pytest.fixture(scope="session")
def record() -> Iterator[Any]:
    """Compare logits, keep the figure, and print the table of all at the end."""

    def compare(peer: str, network: str, theirs: Any, ours: Any, tolerance: float = 1e-4) -> None:
        theirs, ours = np.asarray(theirs, np.float64), np.asarray(ours, np.float64)
        assert np.isfinite(theirs).all()
        assert theirs.std() > 0
        difference = float(np.abs(ours - theirs).max() / np.abs(theirs).max())
        ROWS.append((peer, network, difference))
        assert difference <= tolerance

    yield compare
    packages = ("keras", "tensorflow", "torch", "torchvision", "timm", "keras-hub")
    print("\n\n" + ", ".join(f"{name} {version(name)}" for name in packages if find_spec(name.replace("-", "_"))))
    print("\n| peer | network | max abs difference / max abs logit |\n|-|-|-|")
    for peer, network, difference in ROWS:
        print(f"| {peer} | {network} | {difference:.1e} |")
