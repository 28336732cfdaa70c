"""What the measurements on a GPU share: the time that is left, a progress bar, and files that are whole."""

import json
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from rich.progress import track

from keras_resnet.atomic import replacing


class UserError(Exception):
    """A mistake of whoever gave the command; the message says what to do."""


class Deadline:
    """When to begin nothing more.

    Args:
        minutes: From now on; None: never.
    """

    def __init__(self, minutes: float | None) -> None:
        self.end = float("inf") if minutes is None else time.monotonic() + 60 * minutes

    @property
    def seconds(self) -> float:
        """That are left, at least 0."""
        return max(0.0, self.end - time.monotonic())

    @property
    def over(self) -> bool:
        """Whether none is left."""
        return not self.seconds


def bar(values: Iterable[Any], title: str, total: int | None = None) -> Iterable[Any]:
    """A progress bar where somebody looks."""
    return track(values, title, total=total, disable=not sys.stderr.isatty())


def write_json(path: Path, report: dict[str, Any]) -> None:
    """Whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
