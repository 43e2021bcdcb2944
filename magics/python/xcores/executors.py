# SPDX-License-Identifier: BSD-3-Clause
"""Executors for code outside cells: a web server, a desktop application, a script, any kernel.

They are `concurrent.futures.Executor`s with the workers of the magics: threads, interpreters with a GIL of their own, or
processes. Put one where a `ThreadPoolExecutor`, `InterpreterPoolExecutor` or `ProcessPoolExecutor` stands::

    from xcores import SubinterpExecutor

    with SubinterpExecutor() as executor:
        print(sum(executor.map(count_primes, ranges)))
        print(executor.report().text())

What they do differently: functions and classes of a notebook or a script's `__main__` work everywhere (they are sent,
with the names they use, once an executor); `map` hands out many tiny items at a time and few long ones; workers are
warm if others have used them before; `report()` tells where the time went.
"""

import base64
import concurrent.futures
import contextlib
import functools
import io
import logging
import os
import sys
import threading
import time
import types
import weakref
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Any, TypeVar

from xcores import _transfer
from xcores.by_value import ByValue
from xcores.drop_in import calls_each, executor_repr, start_method_of
from xcores.engine import configure, native
from xcores.errors import WorkerError, WorkerFailed
from xcores.futures import Future, end_teller, ensure_teller, failed, flush_output, origin_maker
from xcores.plan import plan_text
from xcores.snapshots import is_made_on_demand, snapshots_of
from xcores.watch import Watch

__all__ = ["Future", "ProcessExecutor", "SubinterpExecutor", "ThreadExecutor"]

T = TypeVar("T")
_SEVERAL_USES = (types.FunctionType, types.BuiltinFunctionType, type)
"""Callables that are likely to be submitted again as the same object."""


class RemoteTraceback(Exception):
    """The cause of an exception that was raised in a worker: the traceback there, as text."""

    def __str__(self) -> str:
        return f'\n"""\n{self.args[0]}"""'


class _Executor(concurrent.futures.Executor):
    """What the three executors have in common."""

    _kind = ""
    _made: dict[str, Any] = {}
    """How its workers are made, where there is a choice."""
    _exiting = False
    _thread_name = ""
    """How the names of threads begin, in interpreters."""

    def __init__(self, max_workers: int | None = None, *, initializer: Callable[..., object] | None = None,
                 initargs: tuple[Any, ...] = (), sample_hz: float = 100.0) -> None:
        """Workers start as jobs come, `max_workers` at most (default: as many as there are cores).

        `initializer(*initargs)` runs in each worker before its first job; if it raises, the executor is broken.
        `sample_hz`: how often `report()` looks at the workers; 0: never.
        """
        if max_workers is None:
            max_workers = self._default_workers()
        if not isinstance(max_workers, int):
            raise TypeError(f"max_workers must be a whole number, not {max_workers!r}")
        if max_workers <= 0:
            raise ValueError("max_workers must be greater than 0")
        if max_workers > native.worker_limit:
            raise ValueError(f"max_workers must be at most {native.worker_limit}")
        if initializer is not None and not callable(initializer):
            raise TypeError("initializer must be a callable")
        _prepare()
        self._max_workers = max_workers
        self._told = False
        self._functions: dict[int, tuple[weakref.ref[Any], Any, Watch]] = {}
        initial = None if initializer is None else self._function(initializer)
        self._queue = native.JobQueue(self._kind, max_workers, sample_hz, initial, tuple(initargs), **self._made)
        self._put = self._queue.submit
        self._here = origin_maker() if self._kind != "threads" else _nowhere
        if self._kind != "threads":
            ensure_teller()  # for what jobs print

    @staticmethod
    def _default_workers() -> int:
        return os.process_cpu_count() or 1

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        known = self._functions.get(id(fn))
        try:
            function = self._function(fn) if known is None or known[2].has_changed() else known[1]
            return Future(self._put(function, args, kwargs, self._here()))
        except Exception as error:
            self._check_usable()
            return failed(error)

    submit.__doc__ = concurrent.futures.Executor.submit.__doc__

    def map(self, fn: Callable[..., T], *iterables: Iterable[Any], timeout: float | None = None,
            chunksize: int | None = None, buffersize: int | None = None) -> Iterator[T]:
        """Like the built-in `map`, but in the workers and eagerly; results come in the order of the items.

        `chunksize`: how many items a worker takes at a time; by default many short or few long ones.
        `timeout`: seconds from now until the last result; then the iterator raises `TimeoutError`.
        `buffersize`: so many items at most are taken from the iterables before their results are asked for.
        """
        if chunksize is not None and chunksize < 1:
            raise ValueError("chunksize must be >= 1.")
        iterables, lends = self._iterators(iterables)
        if buffersize is not None:
            return super().map(fn, *iterables, timeout=timeout, buffersize=buffersize)
        end = None if timeout is None else time.monotonic() + timeout
        known = self._functions.get(id(fn))
        function = self._function(fn) if known is None or known[2].has_changed() else known[1]
        try:
            _route.lends = lends
            job = self._queue.submit_all(function, zip(*iterables), chunksize or 0, self._here())
        except RuntimeError:
            self._check_usable()
            raise
        finally:
            _route.lends = False
        return iter(()) if job is None else _results(job, end)

    def _iterators(self, iterables: tuple[Iterable[Any], ...]) -> tuple[tuple[Iterator[Any], ...], bool]:
        """Of each an iterator, and whether all items are there already, so that they need no copies."""
        iterators = tuple(map(iter, iterables))
        if self._kind == "threads":
            return iterators, True
        made = [is_made_on_demand(*pair) for pair in zip(iterables, iterators, strict=True)]
        return tuple(_marked(one) if is_made else one for one, is_made in zip(iterators, made, strict=True)), not any(made)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        self._queue.close()
        if cancel_futures:
            self._queue.cancel_all()
        if wait:
            try:
                self._queue.wait()
            except KeyboardInterrupt:
                self._stop_running()
                raise
            flush_output()

    shutdown.__doc__ = concurrent.futures.Executor.shutdown.__doc__

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: Any) -> bool | None:
        if kind is not None and issubclass(kind, KeyboardInterrupt) and not self._stop_running():
            return None
        return super().__exit__(kind, error, trace)

    def _stop_running(self) -> bool:
        """An interrupt ends what the executor does, as Ctrl-C in a terminal ends the processes of a standard one.

        Threads are waited for, as those of a standard one. False: an interpreter sleeps or runs C code, and goes on.
        """
        if self._kind == "threads":
            return True
        self._queue.close()
        return self._queue.stop_running()

    def report(self) -> Any:
        """What the workers have done since the executor was made (`text()`, `svg()`, `to_json()`, …)."""
        return self._queue.report()

    def __repr__(self) -> str:
        return executor_repr(self, self._kind, self._max_workers, self._queue)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        report = self.report()
        if not report.outcomes:
            return {"text/plain": repr(self)}
        from html import escape

        picture = base64.b64encode(report.png()).decode()
        html = f'{report.html()}<img src="data:image/png;base64,{picture}" alt="{escape(report.caption)}">'
        return {"text/plain": report.text(), "text/html": html}

    @property
    def _broken(self) -> str:
        """Why the executor is not usable any more; empty: it is. Named as in the standard executors."""
        reason = self._queue.broken
        if reason and not self._told:
            self._told = True
            logging.getLogger("concurrent.futures").critical(reason)
        return reason

    def _check_usable(self) -> None:
        """Raise what a standard executor raises when it takes no jobs."""
        if self._broken:
            raise _broken_pool(self._kind)(self._broken)
        if _Executor._exiting:
            raise RuntimeError("cannot schedule new futures after interpreter shutdown")
        if self._queue.closed:
            raise RuntimeError("cannot schedule new futures after shutdown")

    def _function(self, fn: Callable[..., Any]) -> Any:
        watches: list[Watch] = []
        otherwise = None
        if self._kind == "subinterp":
            otherwise = ByValue(fn, functools.partial(_dumped_with_names, self._kind, self._thread_name, [])).without
        dumped = functools.partial(_dumped_function, self._kind, self._thread_name, watches)
        function = native.Function(self._kind, fn, dumped, otherwise)
        # Threads get the object itself, which must not stay alive on account of us.
        if self._kind != "threads" and isinstance(fn, _SEVERAL_USES):
            known, key = self._functions, id(fn)
            known[key] = (weakref.ref(fn, lambda _: known.pop(key, None)), function, watches[0])
        return function


class ThreadExecutor(_Executor):
    """Jobs run on threads of this process, which share its GIL and its objects. In place of `ThreadPoolExecutor`."""

    _kind = "threads"

    def __init__(self, max_workers: int | None = None, thread_name_prefix: str = "",
                 initializer: Callable[..., object] | None = None, initargs: tuple[Any, ...] = (),
                 *, sample_hz: float = 100.0) -> None:
        if thread_name_prefix and (initializer is None or callable(initializer)):
            initargs = (thread_name_prefix, initializer, initargs)
            initializer = _name_thread
        super().__init__(max_workers, initializer=initializer, initargs=initargs, sample_hz=sample_hz)

    @staticmethod
    def _default_workers() -> int:
        return min(32, (os.process_cpu_count() or 1) + 4)  # jobs of threads mostly wait


class SubinterpExecutor(_Executor):
    """Jobs run in interpreters of this process, each with a GIL of its own. In place of `InterpreterPoolExecutor`.

    Arguments and results are copied, except large data, which is shared: bytes, bytearrays and arrays arrive as values that
    behave as such, NumPy arrays as read-only memoryviews. A result that can be changed is copied on the way back. Extension
    modules that refuse to load there (NumPy, pandas) need `ProcessExecutor`.
    `gil="shared"`: all interpreters run under the main one's GIL, as before Python 3.12.
    """

    _kind = "subinterp"

    def __init__(self, max_workers: int | None = None, thread_name_prefix: str = "",
                 initializer: Callable[..., object] | None = None, initargs: tuple[Any, ...] = (),
                 *, sample_hz: float = 100.0, gil: str = "own") -> None:
        self._made = {"gil": gil}
        self._thread_name = thread_name_prefix
        super().__init__(max_workers, initializer=initializer, initargs=initargs, sample_hz=sample_hz)


class ProcessExecutor(_Executor):
    """Jobs run in processes of their own. In place of `ProcessPoolExecutor`.

    Better than that one when a worker dies (a crash in C code, `os._exit`, the system's out-of-memory killer): only the
    future of the job that it ran fails, with a `BrokenProcessPool`; all other jobs go on, and a new worker replaces it.

    Large data goes through shared memory, both ways; `submit` takes it as it is then. Workers are forked from a process of
    xcores that holds a started Python (`start_method="forkserver"`), never from this one, or each is started anew
    (`"spawn"`).
    """

    _kind = "procs"

    def __init__(self, max_workers: int | None = None, mp_context: Any = None,
                 initializer: Callable[..., object] | None = None, initargs: tuple[Any, ...] = (), *,
                 max_tasks_per_child: int | None = None, sample_hz: float = 100.0, start_method: str = "forkserver") -> None:
        """`mp_context`: a context of `multiprocessing`, in place of its `start_method`. `max_tasks_per_child`: a process
        is replaced after so many jobs."""
        self._made = {"start_method": start_method_of(mp_context, start_method), "calls_each": calls_each(max_tasks_per_child)}
        super().__init__(max_workers, initializer=initializer, initargs=initargs, sample_hz=sample_hz)

    def kill_workers(self) -> None:
        """End the processes at once. Jobs that they run fail with `BrokenProcessPool`; those not begun are cancelled."""
        self._queue.kill_workers()

    terminate_workers = kill_workers


def _nowhere() -> None:
    return None


class _Route(threading.local):
    """How arguments travel that this thread sends."""

    lends = False
    """They are items of a container, whose large data processes read when they come to it."""
    copies = False
    """The next ones are items that were made on demand: whoever made them may use their memory again."""


_route = _Route()


def _marked(iterator: Iterator[Any]) -> Iterator[Any]:
    for value in iterator:
        _route.copies = True
        yield value


def _dumped(kind: str, value: Any) -> tuple[bytes, list[Any]]:
    """Arguments for workers of `kind`. A process takes its own later, and must get what they are now; interpreters
    share the memory."""
    data, buffers = _transfer.dumped(value, kind=kind)
    if buffers and (_route.copies or kind == "procs" and not _route.lends):
        buffers = snapshots_of(buffers)
    _route.copies = False
    return data, buffers


def _results(job: Any, end: float | None) -> Iterator[Any]:
    first = 0
    try:
        while first < job.size:
            values, error = job.results(first, None if end is None else end - time.monotonic())
            if native.has_output():
                flush_output()
            first += len(values)
            values.reverse()
            while values:
                yield values.pop()  # keeps no reference to what it gives
            if error is not None:
                try:
                    raise error
                finally:
                    error = None
    finally:
        job.cancel()


def _name_thread(prefix: str, initializer: Callable[..., object] | None, initargs: tuple[Any, ...]) -> None:
    threading.current_thread().name = f"{prefix}_{threading.get_native_id()}"
    if initializer is not None:
        initializer(*initargs)


def _dumped_function(kind: str, thread_name: str, watches: list[Watch],
                     function: Callable[..., Any]) -> tuple[bytes, list[Any]]:
    """`function` with all that it needs of `__main__`, for `_calls.function` of workers of `kind`. `watches` gets what
    tells whether that changes."""
    if "cloudpickle" not in sys.modules and isinstance(function, _SEVERAL_USES):
        # The imports below take as long as half an interpreter.
        by_name = _transfer.dumped_plainly(function, kind)
        if by_name is not None:
            data, buffers = by_name
            watches.append(Watch())
            return plan_text(_plan(thread_name), [], []) + data, buffers
    return _dumped_with_names(kind, thread_name, watches, function)


def _plan(thread_name: str) -> dict[str, Any]:
    return {"sources": {}, "labels": {}, "missing": [], "thread_name": thread_name}


def _dumped_with_names(kind: str, thread_name: str, watches: list[Watch], function: Callable[..., Any],
                       by_value: Collection[str] = ()) -> tuple[bytes, list[Any]]:
    from xcores.capture import Capture, Notebook, labeller, worker_input
    from xcores.names import CellNames

    main = sys.modules["__main__"].__dict__
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    hidden = {} if shell is None else shell.user_ns_hidden
    notebook = Notebook(main, hidden, (lambda filename: None) if shell is None else labeller(shell))
    capture = Capture(CellNames(), notebook, kind, function, by_value)
    watches.append(Watch(capture.functions))
    missing = [name for name in capture.read if name not in main]
    plan = {**_plan(thread_name), "sources": capture.sources, "labels": capture.labels, "missing": missing}
    return worker_input(plan, capture)


def _loaded(data: memoryview, buffers: tuple[memoryview, ...]) -> Any:
    return _transfer.Reader(io.BytesIO(data), buffers).load()


def _failure(kind: str, type_name: str, message: str, traceback: str, original: Any) -> BaseException:
    """The exception of a job that ended as the engine says."""
    if type_name.startswith("broken "):
        return _broken_pool(type_name.partition(" ")[2])(message)
    if kind == "raised":
        error = original if isinstance(original, BaseException) else WorkerError(f"{type_name}: {message}", 0)
        error.__cause__ = RemoteTraceback(traceback)
        return error
    if kind in ("crashed", "exited"):
        return _broken_pool("procs")(f"the process of the worker ended while it ran this job ({message}); "
                                     "other jobs are not affected, and it is replaced")
    return WorkerFailed(message, 0)


def _broken_pool(kind: str) -> type[concurrent.futures.BrokenExecutor]:
    """The standard exception of the executor that this kind stands in for. Its module takes long to import."""
    if kind == "procs":
        from concurrent.futures.process import BrokenProcessPool

        return BrokenProcessPool
    if kind == "subinterp":
        from concurrent.futures.interpreter import BrokenInterpreterPool

        return BrokenInterpreterPool
    from concurrent.futures.thread import BrokenThreadPool

    return BrokenThreadPool


@functools.cache
def _prepare() -> None:
    configure()
    dumped = {kind: functools.partial(_dumped, kind) for kind in ("subinterp", "procs")}
    native.set_job_helpers(dumped, _loaded, _failure, concurrent.futures.CancelledError)
    # As the standard executors do: jobs end before threads are joined and modules go.
    threading._register_atexit(_at_exit)


def _at_exit() -> None:
    _Executor._exiting = True
    try:
        native.drain()
    except KeyboardInterrupt:
        if not native.stop_running():
            _end_interrupted()
        raise
    finally:
        end_teller()


def _end_interrupted() -> None:
    """The end of the program where Python would end interpreters in which something still runs, and crash."""
    import atexit
    import signal

    end_teller()
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.kill(os.getpid(), signal.SIGINT)
