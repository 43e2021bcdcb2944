# SPDX-License-Identifier: BSD-3-Clause
"""The futures of the executors: those of the standard library, made for waiting rather than for being told.

A standard future has a lock and a condition from the start, and the worker must take the GIL to set it. This one waits
in the engine without the GIL, and becomes a standard one only when somebody wants to be told (`wait`, `as_completed`,
callbacks, asyncio): then a thread of ours settles it.
"""

import concurrent.futures
import contextlib
import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures._base import CANCELLED_AND_NOTIFIED, FINISHED, PENDING, RUNNING
from typing import Any, TypeVar

from xcores.engine import native

T = TypeVar("T")


class _Late:
    """An attribute that is made when it is first asked for, and from then on belongs to the instance."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        return self if instance is None else instance.__dict__.setdefault(self._name, self._make())


class _Condition(_Late):
    """The condition of a future. Who asks for it wants to be told, so from now on the future is a standard one."""

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        if instance is None:
            return self
        made = threading.Condition()
        instance.__dict__.setdefault("_state", PENDING)
        condition = instance.__dict__.setdefault(self._name, made)
        if condition is made:
            instance._become_standard()
        return condition


class _State:
    """The state of a future that nobody wants to be told of; any other has it as an attribute."""

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        if instance is None:
            return self
        job = instance._job
        if job.cancelled:
            return CANCELLED_AND_NOTIFIED
        return FINISHED if job.done else RUNNING if job.running else PENDING


class Future(concurrent.futures.Future[T]):
    """The result of a job that an executor of xcores was given.

    Stands in for `concurrent.futures.Future` everywhere: `wait`, `as_completed`, `asyncio.wrap_future`.
    """

    _condition: Any = _Condition(threading.Condition)
    _state: Any = _State()
    _waiters: Any = _Late(list)
    _done_callbacks: Any = _Late(list)
    _result = None
    _exception = None

    def __init__(self, job: Any = None) -> None:
        self._job = job
        if job is None:  # made by hand, as tests do
            super().__init__()

    def result(self, timeout: float | None = None) -> T:
        try:
            if self._job is None:
                return super().result(timeout)
            return self._job.result(timeout)
        finally:
            if self._job is not None:
                self._catch_up()
            self = None  # breaks the cycle with the traceback of the exception

    def exception(self, timeout: float | None = None) -> BaseException | None:
        if self._job is None:
            return super().exception(timeout)
        try:
            return self._job.exception(timeout)
        finally:
            self._catch_up()

    def cancel(self) -> bool:
        if self._job is None:
            return super().cancel()
        if not self._job.cancel():
            return False
        self._catch_up()
        return True

    def cancelled(self) -> bool:
        return super().cancelled() if self._job is None else self._job.cancelled

    def running(self) -> bool:
        return super().running() if self._job is None else self._job.running

    def done(self) -> bool:
        return super().done() if self._job is None else self._job.done

    def __repr__(self) -> str:
        if self._job is not None and self._job.done:
            self._condition  # noqa: B018 (from here on the standard text is right)
        elif self._job is not None:
            return f"<{type(self).__name__} at {id(self):#x} state={'running' if self._job.running else 'pending'}>"
        return super().__repr__()

    def _become_standard(self) -> None:
        if self._job is None:
            return
        if self._job.done:
            self._settle()
        else:
            ensure_teller()
            self._job.watch(self)

    def _catch_up(self) -> None:
        """What the engine knows, the standard half is to know as well before anybody looks; and what was printed
        before the result is to be read before it."""
        if native.has_output():
            flush_output()
        if "_condition" in self.__dict__ and self._job.done:
            self._settle()

    def _settle(self) -> None:
        """Make the standard half of the future know how the job ended; whoever comes first does."""
        mine = object()
        if self.__dict__.setdefault("_settled", mine) is not mine:
            return
        if self._job.cancelled:
            super().cancel()
            super().set_running_or_notify_cancel()
            return
        error = self._job.exception()
        if error is None:
            super().set_result(self._job.result())
        else:
            super().set_exception(error)
            error = None


_writing = threading.Lock()
_teller: threading.Thread | None = None


def flush_output() -> None:
    """Write what jobs in other interpreters and processes have printed, for whoever submitted them."""
    with _writing:
        for stream, text, origin in native.take_output():
            with contextlib.nullcontext() if origin is None else origin[0](origin[1]):
                target = sys.stderr if stream == 2 else sys.stdout
                if target is not None:
                    target.write(text)
                    target.flush()


def origin_maker() -> Callable[[], Any]:
    """Makes, for each job, what tells under which cell it prints: how to print there, and for whom. None outside of
    notebooks."""
    if "xcores.output" not in sys.modules:
        return lambda: None
    origins = sys.modules["xcores.output"].origins()
    return lambda: (origins.entered, origins.here())


def _begin_anew() -> None:
    """In the child of a fork, which has none of the threads."""
    global _teller, _writing
    _teller, _writing = None, threading.Lock()


def ensure_teller() -> None:
    """Have the thread that settles futures and writes output."""
    global _teller
    if _teller is None:
        with _writing:
            if _teller is None:
                os.register_at_fork(after_in_child=_begin_anew)
                _teller = threading.Thread(target=_tell, name="xcores futures", daemon=True)
                _teller.start()


def _tell() -> None:
    if "xcores.output" in sys.modules:
        sys.modules["xcores.output"].origins().enter({})  # it serves every cell, not the one that happened to need it first
    while native.wait_for_notices():
        flush_output()
        for future in native.take_over():
            future._settle()
        future = None


def end_teller() -> None:
    """At the end of the process, when no job is left: all who wait are told, then the thread ends."""
    native.close_notices()
    if _teller is not None:
        _teller.join()
    flush_output()


def failed(error: BaseException) -> Future[Any]:
    """A future for what could not even be sent."""
    future: Future[Any] = Future()
    future.set_exception(error)
    return future
