# SPDX-License-Identifier: BSD-3-Clause
"""CPU-bound cells in the kernel, as a user runs them, beside the most that this machine gives: two plain processes of Python."""

import functools
import statistics
import subprocess
import sys
from collections.abc import Callable

import kernel
import sending
from rows import Row, Target, interleaved, seconds

FIB = """
def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)
fib(33)
"""
WORK = {
    "fib(33)": FIB,  # each of these takes about 0.3 s: beside that, starting a cell is nothing
    "9 queens": """
def queens(n, row=0, columns=0, left=0, right=0):
    if row == n:
        return 1
    free = ~(columns | left | right) & ((1 << n) - 1)
    found = 0
    while free:
        place = free & -free
        free ^= place
        found += queens(n, row + 1, columns | place, (left | place) << 1, (right | place) >> 1)
    return found
for _ in range(160):
    queens(9)
""",
    "spectral norm 130": """
def product(v, transposed):
    n = range(len(v))
    if transposed:
        return [sum(v[j] / ((i + j) * (i + j + 1) // 2 + j + 1) for j in n) for i in n]
    return [sum(v[j] / ((i + j) * (i + j + 1) // 2 + i + 1) for j in n) for i in n]
u = [1.0] * 130
for _ in range(48):
    v = product(product(u, False), True)
    u = product(product(v, False), True)
""",
    "JSON parsing": """
import json
text = json.dumps([{"id": i, "name": f"name {i}", "values": [i, i / 2, None, True]} for i in range(2000)])
for _ in range(270):
    json.loads(text)
""",
    "regular expressions": """
import re
text = " ".join(f"user{i}@example{i % 7}.org, {i}-{i % 12:02}-{i % 28:02};" for i in range(3000))
for _ in range(290):
    len(re.findall(r"[a-z]+[0-9]*@[a-z0-9.]+|[0-9]+-[0-9]{2}-[0-9]{2}", text))
""",
}
FANNED_OUT = ("threads", "subinterp", "procs")


def processes(count: int, body: str) -> None:
    """The same work by plain Python processes started by hand."""
    started = [subprocess.Popen([sys.executable, "-S", "-c", body]) for _ in range(count)]
    for one in started:
        if one.wait() != 0:
            raise RuntimeError("python ended with an error")


def against_threads(cell: Callable[[str], float]) -> list[Row]:
    actions = {f"xcores {magic}": functools.partial(cell, f"%%{magic} 2 --quiet\n{FIB}") for magic in FANNED_OUT}
    times = interleaved(actions, rounds=9)
    base = times["xcores threads"]
    name = "fib(33) in each of 2 workers"
    return [
        Row(f"{name}: time", "s", "lower", times),
        Row(f"{name}: times as fast as threads", "ratio", "higher", {name: base / time for name, time in times.items()},
            {f"xcores {magic}": Target(bound=1.8) for magic in FANNED_OUT[1:]}),
    ]


def against_one_worker(cell: Callable[[str], float], name: str, body: str) -> list[Row]:
    actions: dict[str, Callable[[], object]] = {}
    for count in (1, 2):
        for magic in FANNED_OUT[1:]:
            actions[f"xcores {magic}", count] = functools.partial(cell, f"%%{magic} {count} --quiet\n{body}")
        actions["python processes", count] = functools.partial(processes, count, body)
    rounds = [{key: seconds(action) for key, action in actions.items()} for _ in range(10)][1:]
    labels = dict.fromkeys(label for label, _ in actions)
    # Of each round by itself, so that a machine that slows down meanwhile does not matter.
    speedup = {label: statistics.median(2 * one[label, 1] / one[label, 2] for one in rounds) for label in labels}
    limit = speedup.pop("python processes")
    return [
        Row(f"{name}: speed-up of 2 workers over 1", "ratio", "higher", {"two python processes": limit, **speedup},
            dict.fromkeys(speedup, Target(bound=1.9))),
        Row(f"{name}: speed-up, of what the machine gives", "ratio", "higher", {label: value / limit for label, value in speedup.items()}),
    ]


def forty_jobs(cell: Callable[[str], float]) -> list[Row]:
    body = FIB.replace("fib(33)", "fib(27)")
    mapped = {f"xcores {magic}": functools.partial(cell, f"%%{magic} 8 --quiet --map range(40)\n{body}") for magic in FANNED_OUT}
    serial = {"a plain loop": functools.partial(cell, body.replace("fib(27)", "for _ in range(40): fib(27)"))}
    return [Row("40 jobs of fib(27) on 8 workers", "s", "lower", interleaved(serial | mapped, rounds=5))]


def cpu_bound() -> list[Row]:
    with kernel.opened("xcores") as client:
        cell = functools.partial(kernel.execute, client)
        rows = against_threads(cell)
        for name, body in WORK.items():
            rows += against_one_worker(cell, name, body)
        return rows + forty_jobs(cell) + sending.sent_against_local(cell, FIB)
