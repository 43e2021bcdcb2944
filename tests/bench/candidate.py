# SPDX-License-Identifier: BSD-3-Clause
"""One way to run work on two workers, in a process of its own, so that candidates cannot disturb each other.

Reads the name of an action from each line of standard input, does it, and answers with a figure: seconds, or bytes.
"""

import gc
import multiprocessing
import os
import sys
import time
from collections.abc import Callable
from concurrent import futures
from pathlib import Path
from typing import Any

import jobs

WORKERS = 2
ARGUMENTS: dict[str, Callable[[], object]] = {
    "large_bytes": lambda: os.urandom(1000) * (jobs.LARGE // 1000),
    "many_ints": lambda: list(range(200_000)),
}


class Pool:
    """An executor of the standard library, or `multiprocessing.Pool`."""

    def __init__(self, make: Callable[[int], Any]) -> None:
        self.make = make
        self.pool: Any = None
        self.arguments = {name: make() for name, make in ARGUMENTS.items()}

    def open(self, workers: int) -> None:
        self.pool = self.make(workers)
        self.all(jobs.nothing, count=workers)

    def close(self) -> None:
        if isinstance(self.pool, futures.Executor):
            self.pool.shutdown()
        else:
            self.pool.terminate()

    def all(self, job: Callable[..., object], *arguments: object, count: int = WORKERS) -> None:
        if isinstance(self.pool, futures.Executor):
            for one in [self.pool.submit(job, *arguments) for _ in range(count)]:
                one.result()
        else:
            for one in [self.pool.apply_async(job, arguments) for _ in range(count)]:
                one.get()

    def argument(self, name: str) -> None:
        self.all(jobs.length, self.arguments[name])

    def result(self) -> None:
        self.all(jobs.large, count=1)


class Cells:
    """The magics, in a notebook whose session is warm: the first result is that of new workers."""

    def __init__(self, magic: str, options: str) -> None:
        from IPython.core.interactiveshell import InteractiveShell

        self.magic, self.options = magic, options
        self.shell = InteractiveShell.instance()
        self.shell.run_line_magic("load_ext", "xcores")
        self.shell.user_ns.update({name: make() for name, make in ARGUMENTS.items()}, jobs=jobs)
        import cloudpickle  # noqa: F401, PLC0415

        self.shell.run_cell_magic("threads", "1 --quiet", "0")

    def run(self, body: str, workers: int = WORKERS) -> None:
        self.shell.run_cell_magic(self.magic, f"{workers} --quiet -o out {self.options}", body)

    def open(self, workers: int) -> None:
        self.run("None", workers)

    def close(self) -> None:
        from xcores import _engine

        _engine.shutdown(10)

    def argument(self, name: str) -> None:
        self.run(f"len({name})")

    def result(self) -> None:
        self.run(f"bytes({jobs.LARGE})", 1)


def process_pool(method: str) -> Callable[[], Pool]:
    context = multiprocessing.get_context(method)
    return lambda: Pool(lambda workers: futures.ProcessPoolExecutor(workers, mp_context=context))


CANDIDATES: dict[str, Callable[[], Any]] = {
    "xcores threads": lambda: Cells("threads", ""),
    "ThreadPoolExecutor": lambda: Pool(futures.ThreadPoolExecutor),
    "xcores subinterp": lambda: Cells("subinterp", ""),
    "InterpreterPoolExecutor": lambda: Pool(futures.InterpreterPoolExecutor),
    "xcores procs spawn": lambda: Cells("procs", "--start spawn"),
    "xcores procs forkserver": lambda: Cells("procs", "--start forkserver"),
    "ProcessPoolExecutor fork": process_pool("fork"),
    "ProcessPoolExecutor spawn": process_pool("spawn"),
    "ProcessPoolExecutor forkserver": process_pool("forkserver"),
    "multiprocessing.Pool": lambda: Pool(multiprocessing.Pool),
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


def memory(candidate: Any, workers: int) -> float:
    """Bytes of this process and of those below it, with so many workers; pages they share are counted once."""
    candidate.open(workers)
    return own_memory() + sum(proportional_memory(process) for process in descendants(os.getpid()))


def perform(candidate: Any, action: str) -> float:
    what, _, detail = action.partition(" ")
    if what == "memory":
        return memory(candidate, int(detail))
    start = time.perf_counter()
    if what == "open":
        candidate.open(WORKERS)
    elif what == "close":
        candidate.close()
    elif what == "argument":
        candidate.argument(detail)
    else:
        candidate.result()
    return time.perf_counter() - start


def main() -> None:
    candidate = CANDIDATES[sys.argv[1]]()
    for line in sys.stdin:
        print(perform(candidate, line.strip()), flush=True)


if __name__ == "__main__":
    main()
