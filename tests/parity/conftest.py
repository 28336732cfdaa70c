"""The table of differences that `pytest tests/parity -s` prints."""

from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np
import pytest

from tests.peers import timm, torch, torchvision  # noqa: F401

ROWS: list[tuple[str, str, float]] = []


def installed(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "absent"


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
    print("\n\n" + ", ".join(f"{name} {installed(name)}" for name in packages))
    print("\n| peer | network | max abs difference / max abs logit |\n|-|-|-|")
    for peer, network, difference in ROWS:
        print(f"| {peer} | {network} | {difference:.1e} |")
