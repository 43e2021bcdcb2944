# SPDX-License-Identifier: BSD-3-Clause
"""Whole cells, through the magics, as a user runs them."""

import functools
import subprocess
import sys

from IPython.core.interactiveshell import InteractiveShell
from rows import Row, interleaved

FIB = """
def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)
fib(33)
"""


@functools.cache
def shell() -> InteractiveShell:
    made = InteractiveShell.instance()
    made.run_line_magic("load_ext", "xcores")
    return made


def run(magic: str, options: str, body: str) -> None:
    shell().run_cell_magic(magic, options, body)


def two_processes() -> None:
    """The same work by two plain Python processes started by hand: the most that this machine gives."""
    started = [subprocess.Popen([sys.executable, "-S", "-c", FIB]) for _ in range(2)]
    for one in started:
        if one.wait() != 0:
            raise RuntimeError("python ended with an error")


def cpu_bound() -> list[Row]:
    actions = {f"xcores {magic}": functools.partial(run, magic, "2 --quiet", FIB) for magic in ("threads", "subinterp", "procs")}
    actions["two python processes"] = two_processes
    times = interleaved(actions, rounds=9)
    base = times["xcores threads"]
    return [
        Row("fib(33) in each of 2 workers: time", "s", "lower", times),
        Row("fib(33) in each of 2 workers: times as fast as threads", "ratio", "higher", {name: base / time for name, time in times.items()}),
    ]
