# SPDX-License-Identifier: BSD-3-Clause
"""One candidate in a process of its own, so that candidates cannot disturb each other.

Reads actions from standard input (a line: action, workers, what else it needs) and answers each with a figure: seconds, or bytes.
"""

import gc
import os
import statistics
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jobs
from candidates import CANDIDATES
from rows import seconds

ARGUMENTS: dict[str, Callable[[], object]] = {
    "bytes": lambda: os.urandom(1000) * (jobs.LARGE // 1000),
    "ints": lambda: list(range(200_000)),
}


def own_memory() -> int:
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")


def descendants(process: int) -> list[int]:
    found = []
    for task in Path(f"/proc/{process}/task").iterdir():
        for child in (task / "children").read_text().split():
            found += [int(child), *descendants(int(child))]
    return found


def proportional_memory(process: int) -> int:
    lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))


def memory() -> float:
    """Bytes of this process and of those below it; pages they share are counted once."""
    return own_memory() + sum(proportional_memory(process) for process in descendants(os.getpid()))


def perform(candidate: Any, action: str, workers: int, details: list[str]) -> float:
    repeats = 1
    if action == "memory":
        return memory()
    if action == "argument":  # a new one each time: the same again could be remembered
        details = [ARGUMENTS[details[0]]()]  # type: ignore[list-item]
    elif action == "map":
        details[1:] = [int(details[1])]  # type: ignore[list-item]
    elif action == "nothing":
        repeats = candidate.repeats
    do = getattr(candidate, action)
    return statistics.median(seconds(lambda: do(workers, *details)) for _ in range(repeats))


def main() -> None:
    with os.fdopen(os.dup(1), "w") as answers:
        os.dup2(2, 1)  # standard output is for answers only
        candidate = CANDIDATES[sys.argv[1]]()
        print("ready", file=answers, flush=True)
        for line in sys.stdin:
            action, workers, *details = line.split()
            print(perform(candidate, action, int(workers), details), file=answers, flush=True)
        candidate.close()


if __name__ == "__main__":
    main()
