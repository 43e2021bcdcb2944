# SPDX-License-Identifier: BSD-3-Clause
"""How the failures of workers become exceptions of the notebook, and how they are shown."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell


_SHOWN_ITEMS = 3
_AN_ITEM_FAILED = "stopped because an item failed"
"""What the engine says of those that had to stop for it."""


class WorkerError(RuntimeError):
    """A worker ended without a result. Stands in for its own exception where that cannot be rebuilt in the notebook."""

    def __init__(self, message: str, worker: int, outcome: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.worker = worker
        self.outcome = outcome or {}

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (str(self), self.worker, self.outcome)


class WorkerExited(WorkerError):
    """The worker called `sys.exit`, or its process exited."""


class WorkerCrashed(WorkerError):
    """A signal such as a segmentation fault ended the process of the worker."""


class WorkerTimedOut(WorkerError):
    """The worker was stopped because the time limit was reached."""


class WorkerInterrupted(WorkerError):
    """The worker was stopped because the user asked."""


class WorkerFailed(WorkerError):
    """The cell could not be run, or its result could not be sent: not the fault of what the cell does."""


class WorkersFailed(ExceptionGroup):
    """Some workers of a cell failed. The members are their exceptions, in the order of the workers."""

    tracebacks: dict[int, str]
    workers: int
    advice: str = ""
    """What to write instead; empty: nothing is known."""

    @classmethod
    def of(cls, failures: dict[int, Exception], tracebacks: dict[int, str], workers: int) -> "WorkersFailed":
        count = len(failures)
        one = cls(f"{count} of {workers} worker{'s' * (workers != 1)} failed", list(failures.values()))
        one.tracebacks = tracebacks
        one.workers = workers
        return one

    def derive(self, excs: Sequence[Exception]) -> ExceptionGroup:
        return ExceptionGroup(self.message, excs)

    def _render_traceback_(self) -> list[str]:
        """Each different traceback once, with the workers it came from."""
        same: dict[str, list[int]] = {}
        for worker, text in self.tracebacks.items():
            same.setdefault(text.rstrip("\n"), []).append(worker)
        lines = [f"{type(self).__name__}: {self.message}"]
        for text, workers in same.items():
            lines += ["", f"{named(workers)}:", *text.split("\n")]
        kept = [worker for worker in range(self.workers) if worker not in self.tracebacks]
        if kept:
            lines += ["", f"{'The results' if len(kept) > 1 else 'The result'} of {named(kept)} "
                          f"{'were' if len(kept) > 1 else 'was'} kept."]
        return [*lines, *(["", self.advice] if self.advice else [])]


@dataclass(frozen=True, slots=True)
class ItemFailure:
    """One item of a mapped cell that gave no result."""

    index: int
    text: str
    """Its repr, shortened."""
    worker: int
    outcome: dict[str, Any]
    error: Exception


class ItemsFailed(ExceptionGroup):
    """Some items of a mapped cell failed. The members are their exceptions, in the order of the items."""

    failures: list[ItemFailure]
    kept: str

    @classmethod
    def of(cls, failures: list[ItemFailure], returned: int, stopped: int, not_begun: int, *,
           timed_out: bool) -> "ItemsFailed":
        """Without `failures`: they were stopped before the last one."""
        taken = len(failures) + returned + stopped + not_begun
        message = f"{len(failures):,} of {counted(taken, 'item')} failed"
        members = [failure.error for failure in failures]
        if not members:
            message = "--timeout was reached" if timed_out else "stopped before the last item"
            members = [WorkerTimedOut(message, -1) if timed_out else WorkerInterrupted(message, -1)]
        one = cls(message, members)
        one.failures = failures
        rest = [*([f"{len(failures):,} failed"] if failures else []), f"{returned:,} done and kept",
                *([f"{stopped:,} stopped"] if stopped else []), *([f"{not_begun:,} not begun"] if not_begun else [])]
        one.kept = f"Of {counted(taken, 'item')}: {', '.join(rest)}."
        return one

    def derive(self, excs: Sequence[Exception]) -> ExceptionGroup:
        return ExceptionGroup(self.message, excs)

    def _render_traceback_(self) -> list[str]:
        """The first failures with what caused them; the others are counted."""
        lines = [f"{type(self).__name__}: {self.message}"]
        for one in self.failures[:_SHOWN_ITEMS]:
            trace = shown_traceback(one.outcome, one.error).rstrip("\n")
            lines += ["", f"item {one.index} (value: {one.text}) in worker {one.worker}:", *trace.split("\n")]
        more = len(self.failures) - _SHOWN_ITEMS
        return [*lines, *(["", f"{counted(more, 'more item')} failed."] if more > 0 else []), "", self.kept]


class CellSyntaxError(SyntaxError):
    """A syntax error in the body of a cell magic, shown like one in any other cell."""

    @classmethod
    def of(cls, error: SyntaxError | ValueError) -> "CellSyntaxError":
        made = cls(*error.args)
        made.original = type(error) if isinstance(error, SyntaxError) else SyntaxError
        return made


def named(workers: Sequence[int]) -> str:
    """`worker 3`, `workers 0, 1 and 3`, `workers 0 to 7`."""
    if len(workers) == 1:
        return f"worker {workers[0]}"
    if len(workers) > 3 and list(workers) == list(range(workers[0], workers[-1] + 1)):
        return f"workers {workers[0]} to {workers[-1]}"
    return f"workers {', '.join(map(str, workers[:-1]))} and {workers[-1]}"


def counted(number: int, what: str) -> str:
    """`1 item`, `2,000 items`."""
    return f"{number:,} {what}{'s' * (number != 1)}"


def usage_error(message: str) -> Exception:
    """An error that IPython shows as one line, without a traceback."""
    from IPython.core.error import UsageError

    return UsageError(message)


def interruption(stopped: Sequence[int], abandoned: Sequence[int], kept: str = "") -> KeyboardInterrupt:
    """The KeyboardInterrupt of a cell whose workers have been stopped; it shows itself without our own frames."""
    reacted = [worker for worker in stopped if worker not in abandoned]
    parts = [f"{named(reacted)} stopped"] if reacted else []
    if abandoned:
        parts.append(f"{named(abandoned)} did not react and {'was' if len(abandoned) == 1 else 'were'} {_LEFT_BEHIND}")
    parts += [kept] if kept else []
    text = "; ".join(parts) or "all workers had already ended"
    error = KeyboardInterrupt(text)
    error._render_traceback_ = lambda: [f"KeyboardInterrupt: {text}"]
    return error


_LEFT_BEHIND = "left behind (sleep, a wait or C code cannot be interrupted); the next cell gets a new worker instead"

_MAKERS: dict[str, tuple[type[WorkerError], str]] = {
    "exited": (WorkerExited, "the process of the worker exited ({message}); it is replaced"),
    "crashed": (WorkerCrashed, "the process of the worker was ended by {message}; it is replaced, the kernel goes on"),
    "timed_out": (WorkerTimedOut, "stopped because --timeout was reached"),
    "interrupted": (WorkerInterrupted, "stopped by an interrupt"),
    "failed": (WorkerFailed, "{message}"),
    "raised": (WorkerError, "{type}: {message}"),
}


def failure_of(worker: int, outcome: dict[str, Any], original: BaseException | None = None) -> Exception:
    """The exception for a worker that ended as `outcome` says; `original` is its own, where that could be sent."""
    note = f"\nIn worker {worker}:\n{outcome['traceback']}".rstrip() if outcome["traceback"] else ""
    if isinstance(original, Exception):
        if original.__traceback__ is None and note:
            original.add_note(note)
        return original
    kind, text = _MAKERS.get(outcome["kind"], _MAKERS["failed"])
    if outcome["type"] == "SystemExit":
        text = "the cell called exit ({message}); the kernel goes on"
    elif outcome["kind"] == "interrupted" and outcome["message"] == _AN_ITEM_FAILED:
        text = "{message}"
    message = text.format(message=outcome["message"] or outcome["kind"], type=outcome["type"])
    if outcome["abandoned"]:
        message += f"; it did not react and was {_LEFT_BEHIND}"
    error = kind(message, worker, outcome)
    if outcome["kind"] == "raised" and note:
        error.add_note(note)
    return error


def shown_traceback(outcome: dict[str, Any], error: Exception) -> str:
    """What the cell shows for one failed worker: where it was, and how it ended."""
    where = outcome["traceback"].rstrip("\n")
    if outcome["kind"] == "raised" and where:
        return where
    end = f"{type(error).__name__}: {error}"
    above = where.rpartition("\n")[0]
    return f"{above}\n{end}" if above else end


_SHOWN = (WorkersFailed, ItemsFailed, CellSyntaxError)


def install(shell: "InteractiveShell") -> None:
    """Have `shell` show our exceptions compactly. Without this it shows each with all the frames above the cell."""
    before = (shell.custom_exceptions, getattr(shell, "CustomTB", None))

    def show(self: Any, kind: type, error: BaseException, trace: Any, tb_offset: int | None = None) -> list[str]:
        if not isinstance(error, _SHOWN):
            return before[1](kind, error, trace, tb_offset)
        self._get_exc_info((kind, error, trace))
        if isinstance(error, CellSyntaxError):
            kind = error.original
            text = self.SyntaxTB.structured_traceback(kind, error, [])
        else:
            text = error._render_traceback_()
        self._showtraceback(kind, error, text)
        return text

    shell.set_custom_exc(_SHOWN + before[0], show)
    shell._xcores_exceptions_before = before


def uninstall(shell: "InteractiveShell") -> None:
    before = shell.__dict__.pop("_xcores_exceptions_before", None)
    if before is not None and shell.custom_exceptions[:len(_SHOWN)] == _SHOWN:
        shell.custom_exceptions, shell.CustomTB = before
