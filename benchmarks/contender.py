"""Worker processes as contenders: each waits, costing nothing, until it is asked; so that they can take turns."""

import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from rich.progress import track

WORKER = Path(__file__).with_name("worker.py")


class Contender:
    """One process of `worker.py`, or several that train one network together.

    Args:
        *given: Arguments of `worker.py`.
        workers: How many processes; several find each other through TF_CONFIG, on this machine.
        **environment: Variables that they find set.
    """

    def __init__(self, *given: Any, workers: int = 1, **environment: str) -> None:
        self._said = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed by close
        self._processes = [
            subprocess.Popen(
                [sys.executable, str(WORKER), *map(str, given)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._said,
                text=True,
                env={**os.environ, **environment, **place},
            )
            for place in _places(workers)
        ]
        self.imports = self._answers()[0]
        self.memory = 0.0  # the most so far, of all processes together, in MB

    def ask(self, request: str) -> float:
        """Send a request to every process; the seconds that the slowest took."""
        for process in self._processes:
            print(request, file=process.stdin, flush=True)
        answers = self._answers()
        self.memory = sum(answer["memory"] for answer in answers)
        return max(answer["seconds"] for answer in answers)

    def close(self) -> None:
        """End the processes."""
        for process in self._processes:
            process.kill()
            process.communicate()
        self._said.close()

    def _answers(self) -> list[dict[str, float]]:
        lines = [process.stdout.readline() for process in self._processes if process.stdout]
        if not all(lines):
            self._said.seek(0)
            said = self._said.read()[-2000:]
            self.close()
            raise RuntimeError(f"a worker ended: {said}")
        return [json.loads(line) for line in lines]


def _places(workers: int) -> list[dict[str, str]]:
    if workers == 1:
        return [{}]
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(workers)]
    hosts = [f"127.0.0.1:{one.getsockname()[1]}" for one in sockets]
    for one in sockets:
        one.close()
    tasks = [{"type": "worker", "index": index} for index in range(workers)]
    return [{"TF_CONFIG": json.dumps({"cluster": {"worker": hosts}, "task": task})} for task in tasks]


def in_turn(
    contenders: dict[str, tuple[Contender, int]], product: Contender, rounds: int
) -> tuple[dict[str, list[float]], float]:
    """Seconds of a training step in every round, and the median of a matrix product's in the same rounds.

    Args:
        contenders: {name: (contender, steps of a round)}, which have been warmed up.
        product: Who takes the products.
        rounds: How many.
    """
    times: dict[str, list[float]] = {name: [] for name in contenders}
    limits = []
    for _ in track(range(rounds), "rounds", disable=not sys.stderr.isatty()):
        limits.append(product.ask("product"))
        for name, (contender, steps) in contenders.items():
            times[name].append(contender.ask(f"train {steps}") / steps)
    return times, statistics.median(limits)
