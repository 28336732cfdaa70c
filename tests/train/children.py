"""Starting, killing and reading the processes of `child.py`."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

CHILD = Path(__file__).with_name("child.py")


def start(folder, *options, environment=None, **keywords):
    folder.mkdir(exist_ok=True)
    return subprocess.Popen(
        [sys.executable, str(CHILD), str(folder), *map(str, options)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **(environment or {})},
        **keywords,
    )


def finish(process, timeout=180):
    """(output, error, result): the result is what a run that came to its end printed last, else None."""
    output, error = process.communicate(timeout=timeout)
    return output, error, json.loads(output.splitlines()[-1]) if process.returncode == 0 else None


def run(folder, *options, **keywords):
    return finish(start(folder, *options, **keywords))


def start_cluster(folder, count, *options):
    """So many workers on this machine, as TF_CONFIG describes them."""
    hosts = [f"127.0.0.1:{port}" for port in _free_ports(count)]
    tasks = ({"cluster": {"worker": hosts}, "task": {"type": "worker", "index": index}} for index in range(count))
    return [start(folder, *options, environment={"TF_CONFIG": json.dumps(task)}) for task in tasks]


def _free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports
