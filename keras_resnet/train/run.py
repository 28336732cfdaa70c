"""The folder that a run leaves; nothing half-written stands in it under a final name."""

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


def start_run(folder: str | Path, config: dict[str, Any], **facts: Any) -> Path:
    """Make the run's folder, or open that of a run to continue, and write `config.json` into it: what was run, with
    what, where.

    Args:
        folder: The run's.
        config: The recipe's settings.
        **facts: Anything else to remember, ready for JSON.

    Returns:
        The folder.

    Raises:
        ValueError: where the folder cannot be made.
    """
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(f"cannot make the run's folder {folder}: {error.strerror}.") from None
    packages = ("keras", "tensorflow", "numpy")
    record = {
        "config": config,
        **facts,
        "command": sys.argv,
        "git_revision": _git_revision(),
        "versions": {"python": platform.python_version(), **{name: version(name) for name in packages}},
        "machine": {"processor": _processor(), "cores": os.cpu_count()},
        "started": datetime.now().isoformat(timespec="seconds"),
    }
    with replacing(folder / "config.json") as path:
        path.write_text(json.dumps(record, indent=2, default=str) + "\n", encoding="utf-8")
    return folder


def _processor() -> str:
    """The processor's name as Linux knows it, else its kind."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.machine()


def _git_revision() -> str | None:
    """The revision of the code that runs, None where there is no repository."""
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None
