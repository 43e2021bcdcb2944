# SPDX-License-Identifier: BSD-3-Clause
"""What it costs to start workers and to move data into them and out of them."""

import contextlib
import os
import statistics
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from candidate import CANDIDATES
from rows import Row

ROUNDS = 7


class Remote:
    """A candidate in its own process."""

    def __init__(self, name: str) -> None:
        script = Path(__file__).with_name("candidate.py")
        path = os.pathsep.join([str(script.parent), os.environ.get("PYTHONPATH", "")])
        self.process = subprocess.Popen([sys.executable, str(script), name], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True, env={**os.environ, "PYTHONPATH": path})

    def __call__(self, action: str) -> float:
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(f"{action}\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())

    def end(self) -> None:
        assert self.process.stdin and self.process.stdout
        self.process.stdin.close()
        self.process.wait(60)
        self.process.stdout.close()


@contextlib.contextmanager
def running(names: Iterable[str]) -> Iterator[dict[str, Remote]]:
    remotes = {name: Remote(name) for name in names}
    try:
        yield remotes
    finally:
        for one in remotes.values():
            one.end()


def medians(remotes: dict[str, Remote], action: str) -> dict[str, float]:
    for one in remotes.values():
        one(action)
    rounds = [{name: one(action) for name, one in remotes.items()} for _ in range(ROUNDS)]
    return {name: statistics.median(each[name] for each in rounds) for name in remotes}


def in_milliseconds(seconds: dict[str, float]) -> dict[str, float]:
    return {name: value * 1e3 for name, value in seconds.items()}


def moving() -> list[Row]:
    rows = []
    with running(CANDIDATES) as remotes:
        for one in remotes.values():
            one("open")
        for title, action in (
            ("100 MB bytes to each of 2 workers", "argument large_bytes"),
            ("list of 200,000 ints to each of 2 workers", "argument many_ints"),
            ("100 MB bytes from a worker", "result"),
        ):
            rows.append(Row(title, "ms", "lower", in_milliseconds(medians(remotes, action))))
        for one in remotes.values():
            one("close")
    return rows


def starting() -> list[Row]:
    """Each time in a new process: some candidates keep servers."""
    rounds = []
    for _ in range(ROUNDS):
        with running(CANDIDATES) as remotes:
            rounds.append({name: one("open") for name, one in remotes.items()})
            for one in remotes.values():
                one("close")
    times = {name: statistics.median(each[name] for each in rounds) for name in CANDIDATES}
    return [Row("first result of 2 new workers", "ms", "lower", in_milliseconds(times))]


def memory() -> list[Row]:
    few, many = 2, 8
    totals = {}
    for workers in (few, many):
        with running(CANDIDATES) as remotes:
            totals[workers] = {name: one(f"memory {workers}") for name, one in remotes.items()}
            for one in remotes.values():
                one("close")
    values = {name: (totals[many][name] - totals[few][name]) / (many - few) / 1e6 for name in CANDIDATES}
    return [Row("memory for each further worker", "MB", "lower", values)]


def data() -> list[Row]:
    return moving() + starting() + memory()
