# SPDX-License-Identifier: BSD-3-Clause
"""Runs one cell on several workers, from its text to the results in the notebook."""

import atexit
import functools
import io
import itertools
import marshal
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xcores import _engine, _transfer, _worker, output
from xcores.capture import Capture, Notebook, Unsendable, shared_values, worker_input
from xcores.cell import Cell, read_cell
from xcores.display import Show, View
from xcores.errors import WorkersFailed, failure_of, interruption, shown_traceback, usage_error
from xcores.interrupts import Interrupts

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

_WAIT_SECONDS = 0.1
"""How long an interrupt may go unnoticed."""
_tokens = itertools.count(1)
_last_report: Any = None


@dataclass(frozen=True, slots=True)
class Options:
    kind: str
    workers: int
    out: str | None = None
    timeout: float | None = None
    show: Show = Show.TABLE_AND_PICTURE
    sample_hz: float = 1000.0


def last_report() -> Any:
    """The report of the latest run in this notebook, or None before the first."""
    return _last_report


def run_cell(shell: "InteractiveShell", options: Options, body: str) -> None:
    """Run `body` on the workers; show what they print, how they ended and where the time went.

    *Thread*: the main thread, which is the one that publishes.
    *Failure*: usage errors before anything starts; at the end `WorkersFailed` or KeyboardInterrupt, all results kept.
    """
    cell = read_cell(shell, options.kind, body)
    _configure()
    notebook = Notebook(shell.user_ns, shell.user_ns_hidden, _labeller(shell))
    token = b"%d" % next(_tokens)
    shared = options.kind == "threads"
    try:
        job = _shared_input(cell, notebook, token) if shared else _sent_input(options, cell, notebook)
        output.install()
        with Interrupts() as interrupts:
            end = _Supervision(shell, options, _started(options, job), interrupts).to_the_end()
    finally:
        _worker.plans.pop(token, None)
    if end is not None:
        raise end


def _started(options: Options, job: tuple[bytes, list[Any]]) -> Any:
    try:
        return _engine.start(options.kind, [job] * options.workers, timeout=options.timeout,
                             sample_hz=options.sample_hz)
    except (RuntimeError, ValueError) as error:
        raise usage_error(f"%%{options.kind} could not start {options.workers} workers: {error}") from None


@functools.cache
def _configure() -> None:
    _engine.configure(worker_source())
    atexit.register(_engine.shutdown)


def worker_source() -> str:
    """The source of the worker's module, as text that is quick to compile: each new interpreter has to."""
    lines = ["import marshal"]
    for module in (_transfer, _worker):
        path = Path(str(module.__file__))
        code = compile(path.read_text(encoding="utf-8"), f"<{module.__name__}>", "exec", dont_inherit=True, optimize=2)
        lines.append(f"exec(marshal.loads({marshal.dumps(code)!r}))")
    return "\n".join(lines)


def _labeller(shell: "InteractiveShell") -> Callable[[str], str | None]:
    def label(filename: str) -> str | None:
        known = shell.compile.format_code_name(filename)
        return " ".join(known) if known else None

    return label


class _Labels:
    """A mapping from file names to labels that asks when asked."""

    def __init__(self, label: Callable[[str], str | None]) -> None:
        self._label = label

    def get(self, filename: str, default: str) -> str:
        return self._label(filename) or default


def _shared_input(cell: Cell, notebook: Notebook, token: bytes) -> tuple[bytes, list[Any]]:
    _worker.plans[token] = {
        "code": cell.code,
        "filename": cell.filename,
        "label": _Labels(notebook.label),
        "token": token,
        "values": shared_values(cell.names, notebook),
    }
    return token, []


def _sent_input(options: Options, cell: Cell, notebook: Notebook) -> tuple[bytes, list[Any]]:
    try:
        capture = Capture(cell.names, notebook)
    except Unsendable as error:
        raise usage_error(f"%%{options.kind} cannot send {error}.\nMake it inside the cell instead, or use %%threads, "
                          "whose workers share the notebook's objects.") from None
    plan = {
        "code": marshal.dumps(cell.code),
        "filename": cell.filename,
        "label": capture.labels,
        "token": uuid.uuid4().hex,
        "sources": {**capture.sources, cell.filename: cell.source},
    }
    return worker_input(plan, capture)


class _Supervision:
    """One run under way: passes its output on, keeps the view up to date, and turns its end into results."""

    def __init__(self, shell: "InteractiveShell", options: Options, run: Any, interrupts: Interrupts) -> None:
        self.shell = shell
        self.options = options
        self.run = run
        self.interrupts = interrupts
        self.view = View(shell, options.show)
        self.lines = output.Labeller()

    def to_the_end(self) -> BaseException | None:
        """The exception that the cell ends in, if any."""
        global _last_report
        stopping = False
        while not self.step():
            if self.interrupts.requested and not stopping:
                self.run.stop("interrupt")
                stopping = True
        report = self.run.report()
        _last_report = report
        outcomes = report.outcomes
        answers = [self.answer(worker, outcome) for worker, outcome in enumerate(outcomes)]
        if self.options.out is not None:
            self.shell.user_ns[self.options.out] = answers
        self.lines.finish(range(self.options.workers))
        self.view.finish(report)
        return self.failure(outcomes, answers)

    def step(self) -> bool:
        """Wait for a while, then show what is new. True at the end of the run."""
        ended = self.run.wait(min(_WAIT_SECONDS, self.view.seconds_to_next()))
        self.lines.feed(self.run.read_output())
        if not ended:
            self.view.refresh(self.run)
        return ended

    def answer(self, worker: int, outcome: dict[str, Any]) -> Any:
        """The result of a worker, or the exception that stands for it."""
        reply = self.run.reply(worker)
        if outcome["kind"] != "returned":
            return failure_of(worker, outcome, None if reply is None else self.original(reply))
        if reply is None:
            return self.unusable(worker, outcome, "the result was lost")
        try:
            return self.value(reply)
        except Exception as error:
            return self.unusable(worker, outcome, f"the result cannot be rebuilt here: {type(error).__name__}: {error}")

    def unusable(self, worker: int, outcome: dict[str, Any], why: str) -> Exception:
        outcome.update(kind="failed", type="", message=why)
        return failure_of(worker, outcome)

    def value(self, reply: tuple[bytes, list[memoryview]]) -> Any:
        data, buffers = reply
        if self.options.kind == "threads":
            return _worker.results.pop(data)
        return _transfer.Reader(io.BytesIO(data), buffers).load()

    def original(self, reply: tuple[bytes, list[memoryview]]) -> BaseException | None:
        """The exception of the worker itself, where it could be sent."""
        try:
            value = self.value(reply)
        except Exception:
            return None
        return value if isinstance(value, BaseException) else None

    def failure(self, outcomes: list[dict[str, Any]], answers: list[Any]) -> BaseException | None:
        failed = [worker for worker, outcome in enumerate(outcomes) if outcome["kind"] != "returned"]
        if self.interrupts.requested:
            stopped = [worker for worker in failed if outcomes[worker]["kind"] == "interrupted"]
            return interruption(stopped, [worker for worker in stopped if outcomes[worker]["abandoned"]])
        if not failed:
            return None
        tracebacks = {worker: shown_traceback(outcomes[worker], answers[worker]) for worker in failed}
        return WorkersFailed.of({worker: answers[worker] for worker in failed}, tracebacks, len(answers))
