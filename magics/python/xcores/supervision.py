# SPDX-License-Identifier: BSD-3-Clause
"""Supervises a cell: passes its output on, keeps the view up to date, and turns its end into results."""

import io
import re
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from xcores import _engine, _transfer, _worker, changes, output
from xcores._changes import changes_in
from xcores.display import Show, View
from xcores.errors import WorkersFailed, failure_of, interruption, shown_traceback, usage_error
from xcores.interrupts import Interrupts
from xcores.latest import remember
from xcores.mapping import Mapping
from xcores.options import Options

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

_WAIT_SECONDS = 0.1
"""How long an interrupt may go unnoticed."""
_GRACE_SECONDS = 0.4
"""How long a worker that was asked to stop may take, while the notebook waits for it."""
_BACKGROUND_GRACE_SECONDS = 3.0
"""And while it does not."""


class Supervision:
    """One cell under way, `--repeat` included.

    *Thread*: one; `stop` from any.
    *Failure*: a signal handler of the user's may raise anywhere, also when `start` returns; so `run` has to be entered as
    a context before.
    """

    def __init__(self, shell: "InteractiveShell", options: Options, job: tuple[bytes, list[Any]],
                 make_mapping: Callable[[], Mapping] | None, interrupts: Interrupts) -> None:
        self.options = options
        self.interrupts = interrupts
        self.answers: list[Any] = []
        self.report: Any = None
        self._job = job
        self._make_mapping = make_mapping
        self._view = View(shell, options.show, patient=options.background)
        self._lines = output.Labeller()
        self._output = output.CellOutput()
        self._stopping: str | None = None
        self._stop_lock = threading.Lock()
        self.run = _engine.Run()
        self._mapping: Mapping | None = None

    def start(self) -> None:
        """*Failure*: a usage error."""
        options = self.options
        self._mapping = self._make_mapping and self._make_mapping()
        if options.kind == "threads":
            self._output = output.CellOutput()
            _worker.plans[self._job[0]]["output"] = self._output
        try:
            self.run.start(
                options.kind, [self._job] * options.workers, timeout=options.timeout,
                sample_hz=options.sample_hz, keep=options.keep,
                grace=_BACKGROUND_GRACE_SECONDS if options.background else _GRACE_SECONDS,
                fresh=options.fresh and self.report is None, items=self._mapping and self._mapping.queue,
                pin=options.pin, gil=options.gil, start_method=options.start_method)
        except (RuntimeError, ValueError) as error:
            if self.run.started:
                raise  # by a signal handler
            raise usage_error(f"%%{options.kind} could not start {options.workers} workers: {error}") from None
        self._view.watch(self.run)

    def stop(self, reason: str) -> None:
        """Have the workers stop."""
        with self._stop_lock:
            self._stopping = self._stopping or reason
            self.run.stop(reason)

    def to_the_end(self) -> BaseException | None:
        """The exception that the cell ends in, if any. The run has been started."""
        reports = []
        while True:
            failure = self._one_run()
            reports.append(self.report)
            if failure is not None or len(reports) == self.options.repeat:
                break
            with self._stop_lock:
                if self._stopping is None:
                    self.start()
                    continue
            break
        if self.options.repeat > 1:
            self.report = _engine.median_of(reports)
        remember(self.report)
        ran = any(row["run_s"] is not None for row in self.report.figures)
        if isinstance(failure, WorkersFailed) and not ran:
            self._view.clear()  # the error says it once
            failure.advice = _advice(self.options, failure)
        else:
            self._view.finish(self.report, below=self._lines.has_written, picture=ran)
        if failure is None and self.options.show is not Show.NOTHING:
            output.note(changes.note(self._changed_names(), self.options))
        return failure

    def _changed_names(self) -> set[str]:
        """The notebook's names of which the workers have changed their copies."""
        if self.options.kind == "threads":
            return set(_worker.plans.get(bytes(self._job[0]), {}).get("changed", ()))
        replies = filter(None, map(self.run.reply, range(self.options.workers)))
        return {name for data, _ in replies for name in changes_in(data)}

    def _one_run(self) -> BaseException | None:
        timer = self._timer()
        raised = self._wait_for_end()
        if timer is not None:
            timer.cancel()
            timer.join()  # the next run must not be stopped by it
        self.report = self.run.report()
        outcomes = self.report.outcomes
        if self._mapping is not None:
            self._mapping.gather(self._rebuilt)
            self.answers = self._mapping.answers()
        else:
            self.answers = [self._rebuilt(worker, outcome, self.run.reply(worker))
                            for worker, outcome in enumerate(outcomes)]
        self._output.over = True
        self._lines.feed(self.run.read_output())
        self._lines.finish(range(self.options.workers))
        return raised or self._failure(outcomes)

    def _wait_for_end(self) -> BaseException | None:
        """What a signal handler of the user's raised, if one did: it stops the workers as an interrupt does."""
        try:
            while not self._step():
                if self.interrupts.requested and self._stopping is None:
                    self.stop("interrupt")
        except BaseException as error:
            self.run.end()
            return error
        return None

    def _timer(self) -> threading.Timer | None:
        """The engine enforces time limits while it is waited for, which is not so while a generator makes an item."""
        if self._mapping is None or self.options.timeout is None:
            return None

        def expire() -> None:
            self.run.stop("timeout")
            self.interrupts.expire()

        timer = threading.Timer(self.options.timeout, expire)
        timer.daemon = True
        timer.start()
        return timer

    def _step(self) -> bool:
        """Wait for a while, then show what is new. True at the end of the run."""
        if self._mapping is not None:
            self._mapping.feed(self.interrupts)
        ended = self.run.wait(min(_WAIT_SECONDS, self._view.seconds_to_next()))
        self._lines.feed(self.run.read_output())
        if self._mapping is not None:
            self._mapping.gather(self._rebuilt)
        if not ended:
            self._view.refresh(self.run)
        return ended

    def _rebuilt(self, worker: int, outcome: dict[str, Any], reply: tuple[bytes, list[memoryview]] | None) -> Any:
        return rebuilt(self.options.kind, worker, outcome, reply)

    def _failure(self, outcomes: list[dict[str, Any]]) -> BaseException | None:
        failed = [worker for worker, outcome in enumerate(outcomes) if outcome["kind"] != "returned"]
        mapping = self._mapping
        if self.interrupts.requested:
            stopped = [worker for worker in failed if outcomes[worker]["kind"] == "interrupted"]
            abandoned = [worker for worker in stopped if outcomes[worker]["abandoned"]]
            return interruption(stopped, abandoned, mapping.kept() if mapping else "")
        problem = mapping and mapping.failure(timed_out=self.interrupts.is_over)
        if (problem is not None and not never_began(outcomes)) or not failed:
            return problem
        errors = {worker: self.answers[worker] if mapping is None else failure_of(worker, outcomes[worker])
                  for worker in failed}
        traces = {worker: shown_traceback(outcomes[worker], errors[worker]) for worker in failed}
        return WorkersFailed.of(errors, traces, len(outcomes))


def _advice(options: Options, failure: WorkersFailed) -> str:
    """The first line of the cell rewritten, where a module does not load in interpreters."""
    if options.kind != "subinterp" or not any("ImportError" in str(error) for error in failure.exceptions):
        return ""
    line = re.sub(r"\s*--gil(=|\s+)\w+", "", f" {options.line}").rstrip()
    return f"Write this as the first line of the cell: %%procs{line}"


def never_began(outcomes: list[dict[str, Any]]) -> bool:
    """No worker could even take in what the cell needs: that is what to tell."""
    return all(outcome["kind"] == "failed" for outcome in outcomes)


def rebuilt(kind: str, worker: int, outcome: dict[str, Any], reply: tuple[bytes, list[memoryview]] | None) -> Any:
    """What a worker sent back, or the exception that stands for it."""
    if outcome["kind"] != "returned":
        return failure_of(worker, outcome, None if reply is None else _original(kind, reply))
    if reply is None:
        return _unusable(worker, outcome, "the result was lost")
    try:
        return _value(kind, reply)
    except Exception as error:
        return _unusable(worker, outcome, f"the result cannot be rebuilt here: {type(error).__name__}: {error}")


def _value(kind: str, reply: tuple[bytes, list[memoryview]]) -> Any:
    data, buffers = reply
    if kind == "threads":
        return _worker.results.pop(data)
    return _transfer.Reader(io.BytesIO(data), buffers).load()


def _original(kind: str, reply: tuple[bytes, list[memoryview]]) -> BaseException | None:
    """The exception of the worker itself, where it could be sent."""
    try:
        value = _value(kind, reply)
    except Exception:
        return None
    return value if isinstance(value, BaseException) else None


def _unusable(worker: int, outcome: dict[str, Any], why: str) -> Exception:
    outcome.update(kind="failed", type="", message=why, traceback="", abandoned=False)
    return failure_of(worker, outcome)
