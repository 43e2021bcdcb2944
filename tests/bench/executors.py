# SPDX-License-Identifier: BSD-3-Clause
"""The executors beside those of the standard library: what handing work out costs."""

import concurrent.futures
import contextlib
import multiprocessing
import os
import statistics
from collections.abc import Callable, Iterator

import xcores
from rows import Row, interleaved
from xcores.engine import native

WORKERS = 2
TINY_JOBS = 10_000
MAKERS: dict[str, Callable[[], concurrent.futures.Executor]] = {
    "xcores threads": lambda: xcores.ThreadExecutor(WORKERS),
    "ThreadPoolExecutor": lambda: concurrent.futures.ThreadPoolExecutor(WORKERS),
    "xcores subinterp": lambda: xcores.SubinterpExecutor(WORKERS),
    "InterpreterPoolExecutor": lambda: concurrent.futures.InterpreterPoolExecutor(WORKERS),
    "xcores procs": lambda: xcores.ProcessExecutor(WORKERS),
    "ProcessPoolExecutor fork": lambda: process_pool("fork"),
    "ProcessPoolExecutor spawn": lambda: process_pool("spawn"),
    "ProcessPoolExecutor forkserver": lambda: process_pool("forkserver"),
}


def process_pool(start: str) -> concurrent.futures.Executor:
    return concurrent.futures.ProcessPoolExecutor(WORKERS, mp_context=multiprocessing.get_context(start))


def fan_out(executor: concurrent.futures.Executor, function: Callable[..., object], *arguments: object) -> None:
    """One job a worker, then all results."""
    for future in [executor.submit(function, *arguments) for _ in range(WORKERS)]:
        future.result()


@contextlib.contextmanager
def warm(names: list[str]) -> Iterator[dict[str, concurrent.futures.Executor]]:
    with contextlib.ExitStack() as stack:
        executors = {name: stack.enter_context(MAKERS[name]()) for name in names}
        # CPython cannot fork a process that has interpreters: forked workers come first.
        native.shutdown()
        for name in sorted(executors, key=lambda name: "fork" not in name):
            for _ in range(20):
                fan_out(executors[name], os.getpid)
        yield executors


def measured(name: str, unit: str, scale: float, rounds: int,
             action: Callable[[concurrent.futures.Executor], object]) -> Row:
    with warm(list(MAKERS)) as executors:
        actions = {label: (lambda one=one: action(one)) for label, one in executors.items()}
        times = interleaved(actions, rounds)
    return Row(name, unit, "lower", {label: time * scale for label, time in times.items()})


def repeated(executor: concurrent.futures.Executor) -> None:
    for _ in range(100):
        fan_out(executor, os.getpid)


def empty_jobs() -> list[Row]:
    return [measured("executors: warm fan-out of an empty job to 2 workers", "us", 1e4, 15, repeated)]


def tiny_jobs() -> list[Row]:
    row = measured(f"executors: {TINY_JOBS} tiny jobs through map", "jobs/s", 1.0, 3,
                   lambda executor: sum(1 for _ in executor.map(abs, range(TINY_JOBS))))
    row.better = "higher"
    row.values = {label: TINY_JOBS / seconds for label, seconds in row.values.items()}
    return [row]


def numbers() -> list[Row]:
    values = list(range(200_000))
    return [measured("executors: a list of 200,000 ints to each of 2 workers", "ms", 1e3, 9,
                     lambda executor: fan_out(executor, len, values))]


def cold() -> list[Row]:
    """A new executor, from nothing to the first result; of ours also without workers that are ready from before."""

    def first(make: Callable[[], concurrent.futures.Executor]) -> None:
        native.shutdown()
        with make() as executor:
            executor.submit(os.getpid).result()

    actions = {label: (lambda make=make: first(make)) for label, make in MAKERS.items()}
    times = interleaved(actions, 7)
    return [Row("executors: first result of a new executor", "ms", "lower", {k: v * 1e3 for k, v in times.items()})]


def all_rows() -> list[Row]:
    return empty_jobs() + tiny_jobs() + numbers() + cold()
