# SPDX-License-Identifier: BSD-3-Clause
"""One run of the demonstration: jobs for an executor, without a window."""

import json
import os
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, NamedTuple

import xcores
from xcores.demo import memory
from xcores.demo.functions import run_job
from xcores.demo.presets import PRESETS
from xcores.engine import native
from xcores.executors import ProcessExecutor, SubinterpExecutor, ThreadExecutor

WINDOW = "window"
"""No workers: the window computes in its own thread."""

KINDS = {"threads": ThreadExecutor, "interpreters": SubinterpExecutor, "processes": ProcessExecutor, WINDOW: None}
_SINGULAR = {"threads": "thread", "interpreters": "interpreter", "processes": "process"}

MOST_WORKERS = 64
MOST_JOBS = 1000


@dataclass(frozen=True)
class Order:
    """What is to be run."""

    kind: str
    workers: int
    function: str
    argument: int
    jobs: int

    @property
    def call(self) -> str:
        return f"{self.function}({self.argument:,})".replace(",", "_")

    @property
    def on(self) -> str:
        if self.kind == WINDOW:
            return "the window's own thread"
        return f"{self.workers} {self.kind if self.workers > 1 else _SINGULAR[self.kind]}"


class Outcome(NamedTuple):
    """What one job did. Times are those of the system's monotonic clock, which all processes share."""

    began: float
    ended: float
    cpu_s: float
    process: int
    thread: int
    result: str
    error: str
    """One line; empty: the function returned."""
    trace: str


def usual_workers() -> int:
    """As many as there are cores."""
    return min(MOST_WORKERS, os.process_cpu_count() or 1)


def prepare() -> None:
    """Run and record a job, so that the first run does not load the engine, and its memory is not that of the engine."""
    with xcores.record(), ThreadExecutor(1) as executor:
        executor.submit(run_job, str, ()).result()
    memory.of_application()


class Jobs:
    """The jobs of one order.

    `told` is called for each job, in any thread, with its number and the future of an outcome's fields. All methods are
    for one thread.
    """

    def __init__(self, order: Order, told: Callable[[int, Future[Any]], None]) -> None:
        self.order = order
        self._told = told
        self._numbers: dict[int, int] = {}
        self._next = 0
        self._stopped = False
        self._memory: memory.Memory | None = None
        self._executor: Any = None
        native.shutdown()  # the workers of an earlier run: each run starts its own

    def start(self) -> None:
        """Hand out the jobs. Without an executor `run_next` runs them."""
        self._memory = memory.of_application()
        make = KINDS[self.order.kind]
        if make is None:
            return
        self._executor = make(self.order.workers)
        for job in range(self.order.jobs):
            future = self._executor.submit(run_job, *self._call(job))
            future.add_done_callback(lambda done, job=job: self._told(job, done))

    def run_next(self) -> bool:
        """Run a job here and now; False: there is none left, or there are workers for that."""
        if self.order.kind != WINDOW or self._next == self.order.jobs:
            return False
        future: Future[Any] = Future()
        if self._stopped:
            future.cancel()
        else:
            future.set_result(run_job(*self._call(self._next)))
        self._told(self._next, future)
        self._next += 1
        return True

    def _call(self, job: int) -> tuple[Callable[..., Any], tuple[int, ...]]:
        preset = PRESETS[self.order.function]
        return preset.function, preset.arguments(self.order.argument, job)

    def stop(self) -> None:
        """Cancel the jobs that have not begun. Of those that have, only a process can be made to end."""
        self._stopped = True
        if self._executor is not None:
            self._executor.shutdown(wait=False, cancel_futures=True)
            if self.order.kind == "processes":
                self._executor.kill_workers()

    def end(self) -> None:
        """All jobs have ended."""
        if self._executor is not None:
            self._executor.shutdown(wait=False)

    def memory(self) -> tuple[int, int, int] | None:
        """Bytes now, bytes more than before the start, and processes; None: unknown."""
        at_present = memory.of_application()
        if at_present is None or self._memory is None:
            return None
        return at_present.bytes, at_present.bytes - self._memory.bytes, at_present.processes

    def number_of(self, thread: int) -> int:
        """The number that the worker with this thread has in the report; the next free one if it has none there."""
        if thread not in self._numbers and self._executor is not None:
            workers = json.loads(self.report().to_json())["workers"]
            self._numbers.update((worker["native_thread_id"], worker["index"]) for worker in workers)
        return self._numbers.setdefault(thread, max(self._numbers.values(), default=-1) + 1)

    def report(self) -> Any:
        """What the workers did; None where there are none."""
        return None if self._executor is None else self._executor.report()


def check(order: Order) -> str:
    """Why the order cannot be run; empty: it can."""
    if order.kind not in KINDS:
        return f"there is no kind {order.kind!r}; there are {', '.join(KINDS)}"
    if order.function not in PRESETS:
        return f"there is no function {order.function!r}; there are {', '.join(PRESETS)}"
    most = PRESETS[order.function].most
    if not 1 <= order.argument <= most:
        return f"the argument of {order.function} is 1 to {most}, not {order.argument}"
    if not 1 <= order.workers <= MOST_WORKERS:
        return f"there are 1 to {MOST_WORKERS} workers, not {order.workers}"
    if not 1 <= order.jobs <= MOST_JOBS:
        return f"there are 1 to {MOST_JOBS} jobs, not {order.jobs}"
    return ""
