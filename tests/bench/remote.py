# SPDX-License-Identifier: BSD-3-Clause
"""Candidates in processes of their own, and rows that compare them."""

import atexit
import contextlib
import functools
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from candidates import CANDIDATES
from rows import Row, Target, medians

WORKERS = (1, 2, 4)
CLUSTER = "ipyparallel %%px"
ALL = [name for name in CANDIDATES if name != CLUSTER]
POOLS = tuple(name for name in ALL if name.startswith("ProcessPoolExecutor"))
PEERS = {
    "ThreadExecutor": ("ThreadPoolExecutor",),
    "SubinterpExecutor": ("InterpreterPoolExecutor",),
    "ProcessExecutor forkserver": POOLS,
    "ProcessExecutor spawn": POOLS,
    "%%threads": ("ThreadPoolExecutor",),
    "%%subinterp": ("InterpreterPoolExecutor",),
    "%%procs forkserver": POOLS,
    "%%procs spawn": POOLS,
}
"""With what each of ours is compared: the best of these."""


class Remote:
    """A candidate in its own process."""

    def __init__(self, name: str) -> None:
        script = Path(__file__).with_name("candidate.py")
        path = os.pathsep.join([str(script.parent), os.environ.get("PYTHONPATH", "")])
        self.name = name
        environment = {**os.environ, "PYTHONPATH": path}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)  # modules are compiled once, as usual
        self.process = subprocess.Popen([sys.executable, str(script), name], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True, env=environment)

    def answer(self) -> str:
        assert self.process.stdout
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.name} ended")
        return line

    def __call__(self, action: str) -> float:
        assert self.process.stdin
        self.process.stdin.write(f"{action}\n")
        self.process.stdin.flush()
        return float(self.answer())

    def end(self) -> None:
        assert self.process.stdin and self.process.stdout
        self.process.stdin.close()
        self.process.wait(60)
        self.process.stdout.close()


@contextlib.contextmanager
def running(names: Iterable[str]) -> Iterator[dict[str, Remote]]:
    remotes = {name: Remote(name) for name in names}
    try:
        for one in remotes.values():
            one.answer()  # all are there before the first is measured
        yield remotes
    finally:
        for one in remotes.values():
            one.end()


@functools.cache
def cluster() -> tuple[Remote, float]:
    """The cluster of ipyparallel, which all benchmarks share, since engines take seconds to start; and how many it took."""
    remote = Remote(CLUSTER)
    atexit.register(remote.end)
    remote.answer()
    return remote, remote(f"first {max(WORKERS)}")


@contextlib.contextmanager
def warm(workers: int, names: Iterable[str] = ALL, with_cluster: bool = False) -> Iterator[dict[str, Remote]]:
    """Candidates all of whose workers have had a job."""
    with running(names) as remotes:
        for one in remotes.values():
            one(f"first {workers}")
            one(f"warm {workers}")
        yield remotes | ({CLUSTER: cluster()[0]} if with_cluster else {})


def measured(remotes: dict[str, Remote], action: str, rounds: int, warm_up: int = 1) -> dict[str, float]:
    return medians({name: functools.partial(one, action) for name, one in remotes.items()}, rounds, warm_up)


def compared(name: str, unit: str, values: dict[str, float], bounds: dict[str, float], better: str = "lower",
             peers: dict[str, tuple[str, ...]] = PEERS) -> Row:
    """A row in which each of ours stands beside its peers; `bounds` are the targets."""
    return Row(name, unit, better, values, {label: Target(named, bounds.get(label)) for label, named in peers.items() if label in values})


def scaled(values: dict[str, float], factor: float) -> dict[str, float]:
    return {name: value * factor for name, value in values.items()}
