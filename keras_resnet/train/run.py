"""The folder that a run leaves: made anew, and nothing half-written under a final name."""

import json
import os
import platform
import subprocess
import sys
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from keras_resnet.atomic import replacing


def start_run(root: str | Path, config: dict[str, Any], **facts: Any) -> Path:
    """Make a folder named after the time and write `config.json` into it: what was run, with what, where.

    Args:
        root: Parent folder.
        config: The recipe's settings.
        **facts: Anything else to remember, ready for JSON.

    Returns:
        The new folder.

    Raises:
        ValueError: where the folder cannot be made.
    """
    folder = Path(root) / datetime.now().strftime("%Y-%m-%d_%H-%M-%S")
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        raise ValueError(f"cannot make the run's folder {folder}: {error.strerror}.") from None
    packages = ("keras", "tensorflow", "numpy")
    record = {
        "config": config,
        **facts,
        "command": sys.argv,
        "git_revision": _git_revision(),
        "versions": {"python": platform.python_version(), **{name: version(name) for name in packages}},
        "machine": {"processor": platform.machine(), "cores": os.cpu_count()},
    }
    with replacing(folder / "config.json") as path:
        path.write_text(json.dumps(record, indent=2, default=str) + "\n", encoding="utf-8")
    return folder


def _git_revision() -> str | None:
    """The revision of the code that runs, None where there is no repository."""
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None
