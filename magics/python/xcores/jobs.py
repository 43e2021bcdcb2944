# SPDX-License-Identifier: BSD-3-Clause
"""`--background`: cells that go on while others run."""

import asyncio
import concurrent.futures
import contextlib
import itertools
import sys
import threading
import time
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

from xcores.errors import counted
from xcores.options import Options
from xcores.supervision import Supervision

_EXIT_SECONDS = 2.0
"""How long the end of the notebook waits for its jobs."""
_REMEMBERED = 100
"""How many ended jobs `%xcores jobs` lists."""
_numbers = itertools.count(1)
_running: dict[int, "Job"] = {}
_ended: dict[int, "EndedJob"] = {}


@dataclass(frozen=True, slots=True)
class EndedJob:
    """What is remembered of a job that has ended: not its results, which belong to the job and go with it."""

    number: int
    text: str

    def __repr__(self) -> str:
        return self.text


class Job:
    """A cell in the background.

    What its workers print goes on appearing under its cell. It ends with the notebook.
    *Thread*: any.
    """

    def __init__(self, options: Options, supervision: Supervision) -> None:
        self.number = next(_numbers)
        self.options = options
        self._supervision: Supervision | None = supervision
        """Until the end: it holds workers, threads and descriptors."""
        self._answers: list[Any] = []
        self._report: Any = None
        self._future: concurrent.futures.Future[list[Any]] = concurrent.futures.Future()
        self._start = time.monotonic()
        self._seconds: float | None = None
        self._cancelled = False
        self._thread: threading.Thread | None = None

    def done(self) -> bool:
        return self._future.done()

    def cancelled(self) -> bool:
        """It was stopped before its end."""
        return self._cancelled

    def cancel(self) -> bool:
        """Ask the workers to stop, and return at once. False: it had already ended.

        What has finished is in `results`.
        """
        supervision = self._supervision
        if supervision is None or self.done():
            return False
        self._cancelled = True
        supervision.stop("interrupt")
        return True

    def result(self, timeout: float | None = None) -> list[Any]:
        """Wait for the end; the results in the order of the workers or items.

        *Failure*: what the cell itself would have raised; CancelledError; TimeoutError while it goes on.
        """
        return self._future.result(timeout)

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """Wait for the end; what `result` would raise."""
        return self._future.exception(timeout)

    @property
    def results(self) -> list[Any]:
        """After the end, however it came: the results, with an exception in the place of each that is missing."""
        return self._answers

    @property
    def report(self) -> Any:
        """After the end: what happened, as `xcores.last_report` has it."""
        return self._report

    def __await__(self) -> Generator[Any, None, list[Any]]:
        return asyncio.wrap_future(self._future).__await__()

    @property
    def state(self) -> str:
        if not self.done():
            return "stopping" if self._cancelled else "running"
        return "stopped" if self._cancelled else "failed" if self._future.exception() else "done"

    def __repr__(self) -> str:
        seconds = time.monotonic() - self._start if self._seconds is None else self._seconds
        workers = counted(self.options.workers, "worker")
        return f"<job {self.number}: %%{self.options.kind}, {workers}, {self.state}, {seconds:.1f} s>"

    def _work(self, supervision: Supervision, at_end: contextlib.ExitStack) -> None:
        try:
            with at_end:
                failure = supervision.to_the_end()
        except BaseException as error:
            failure = error
        self._answers, self._report = supervision.answers, supervision.report
        self._supervision = None
        self._settle(failure)
        _remember(self)

    def _settle(self, failure: BaseException | None) -> None:
        """Tell all that wait for the end."""
        self._seconds = time.monotonic() - self._start
        if failure is None:
            self._cancelled = False  # it had finished by the time it was asked
            self._future.set_result(self._answers)
            return
        if self._cancelled:
            self._future.set_exception(concurrent.futures.CancelledError(f"job {self.number} was stopped"))
            return
        _show(failure)
        self._future.set_exception(failure)


def _show(failure: BaseException) -> None:
    """Under the cell of the job: nobody may ever ask for its result."""
    if hasattr(failure, "_render_traceback_"):
        text = "\n".join(failure._render_traceback_())
    else:
        import traceback

        text = "".join(traceback.format_exception(failure)).rstrip("\n")
    print(text, file=sys.stderr, flush=True)


def start(options: Options, supervision: Supervision, at_end: contextlib.ExitStack) -> Job:
    """Supervise a run that has been started, on a thread of its own; `at_end` is closed there."""
    job = Job(options, supervision)
    _running[job.number] = job
    job._thread = threading.Thread(target=job._work, args=(supervision, at_end), name=f"xcores job {job.number}",
                                   daemon=True)
    job._thread.start()
    return job


def _remember(job: Job) -> None:
    """Note that `job` has ended, and let go of it."""
    _ended[job.number] = EndedJob(job.number, repr(job))
    _running.pop(job.number, None)
    for number in sorted(_ended)[:-_REMEMBERED]:
        _ended.pop(number, None)


def running() -> list[Job]:
    return [job for job in _running.values() if not job.done()]


def all_jobs() -> list[Job | EndedJob]:
    """Those that run, and the latest that have ended, in the order of their numbers."""
    return sorted([*_running.values(), *_ended.values()], key=lambda job: job.number)


def ended(number: int) -> Job | EndedJob | None:
    return _ended.get(number) or _running.get(number)


def stop_all() -> None:
    """Stop what still runs, and wait for it for a moment."""
    stopping = [job for job in running() if job.cancel()]
    until = time.monotonic() + _EXIT_SECONDS
    for job in stopping:
        if job._thread is not None:
            job._thread.join(max(0.0, until - time.monotonic()))
