# SPDX-License-Identifier: BSD-3-Clause
"""The checks of part 10: a web server that computes."""

import asyncio
import concurrent.futures
import contextlib
import contextvars
import inspect
import statistics
import threading
from collections.abc import Callable, Sequence
from typing import Any

from xcores.workshop import load
from xcores.workshop.exercises import PATIENCE, NotYet, exercise, limited, listed

# In the first one the place of the median holds neither the longest, nor the shortest, nor a neighbour of the median.
_LATENCIES: tuple[tuple[list[float], int], ...] = (
    ([5, 1, 7, 2, 4, 3, 6], 50), (list(range(200, 0, -1)), 99), (list(range(100, 0, -1)), 99), ([7], 50), ([7], 99), ([1, 2, 3, 100], 100),
)  # fmt: skip


@exercise("10-percentile")
def percentile(answer: Any) -> str:
    """A function of latencies and a percentage that returns the percentile by nearest rank."""
    if not callable(answer):
        raise NotYet(f"The answer is the function itself, without a call: percentile. This is a {type(answer).__name__}.")
    for latencies, percent in _LATENCIES:
        _check_percentile(answer(list(latencies), percent), latencies, percent)
    return "Half of the clients wait longer than the median, and each hundredth longer than the 99th percentile."


def _check_percentile(given: Any, latencies: Sequence[float], percent: int) -> None:
    right = load.percentile(latencies, percent)
    if given == right:
        return
    what = f"the {percent}th percentile of {len(latencies)} latencies"
    if given is None:
        raise NotYet("The function returns nothing yet. Sort the latencies; how many of them must lie at or below the answer?")
    ordered = sorted(latencies)
    rank = ordered.index(right)
    if percent != 50 and given == statistics.fmean(latencies):
        raise NotYet("That is the mean. It hides the few clients that wait long, and these are what a percentile is for.")
    if given == ordered[-1] and rank + 2 < len(ordered):
        raise NotYet(f"That is the longest of all, the 100th percentile, and not {what}.")
    if given == latencies[rank]:
        raise NotYet("That is right for latencies that are in order. They come as the answers came in: sort them.")
    if rank + 1 < len(ordered) and given == ordered[rank + 1]:
        raise NotYet(f"For {what} that is one place too far: the first place has the index 0. How many latencies are at or "
                     "below your answer?")
    if rank and given == ordered[rank - 1]:
        raise NotYet(f"For {what} that is one place too early: round the place up (math.ceil), not down.")
    if isinstance(given, float) and ordered[0] < given < ordered[-1] and given not in ordered:
        raise NotYet("That lies between two latencies. Nearest rank takes one that was measured, and interpolates nothing.")
    raise NotYet(f"You say {given!r} for {what} between {ordered[0]} and {ordered[-1]}; {right!r} is right.")


class _Pending(concurrent.futures.Future[Any]):
    """A future of the executor that `endpoint` gets: to wait for it in the event loop is the mistake it notices."""

    def __init__(self, loop_thread: int, on_error: Callable[[Exception], None]) -> None:
        super().__init__()
        self._loop_thread = loop_thread
        self._on_error = on_error

    def add_done_callback(self, fn: Callable[[concurrent.futures.Future[Any]], object]) -> None:
        def call(future: concurrent.futures.Future[Any]) -> None:
            try:
                fn(future)
            except Exception as error:
                self._on_error(error)

        super().add_done_callback(call)

    def result(self, timeout: float | None = None) -> Any:
        if not self.done() and threading.get_ident() == self._loop_thread:
            raise NotYet("result() waits in the thread of the event loop, which answers no other request meanwhile. "
                         "await loop.run_in_executor(…) waits and lets the loop go on.")
        return super().result(timeout)


class _Executor(concurrent.futures.Executor):
    """Runs each job in a thread of its own, and remembers that it was asked, and what callbacks raised."""

    def __init__(self, on_error: Callable[[Exception], None]) -> None:
        self.jobs = 0
        self._on_error = on_error
        self._loop_thread = threading.get_ident()

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> concurrent.futures.Future[Any]:
        if not callable(fn):
            raise NotYet("The executor got a result, not a function: work(argument) runs here, in the event loop. "
                         "Hand over work and argument as two arguments.")
        self.jobs += 1
        future = _Pending(self._loop_thread, self._on_error)

        def job() -> None:
            try:
                future.set_result(fn(*args, **kwargs))
            except BaseException as error:
                future.set_exception(error)

        threading.Thread(target=job, daemon=True).start()
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        raise NotYet("The endpoint shuts the executor down, by shutdown() or at the end of `with executor:`. The requests that follow "
                     "need it too: leave it open.")


_ENDLESS = "The endpoint does not end. What does it await that never comes? loop.run_in_executor(…) returns a future that can be awaited."


@exercise("10-endpoint")
def endpoint(answer: Any) -> str:
    """A coroutine function (executor, work, argument) that has the executor do the work, and returns its result."""
    if not inspect.iscoroutinefunction(answer):
        raise NotYet("The answer is the function itself, and it begins with async def.")
    loops: list[asyncio.AbstractEventLoop] = []
    try:
        limited(lambda: asyncio.run(_call_endpoint(answer, loops), loop_factory=asyncio.SelectorEventLoop), _ENDLESS, 2 * PATIENCE)
    finally:
        for loop in loops:
            with contextlib.suppress(RuntimeError):  # it is closed
                loop.call_soon_threadsafe(lambda: None)  # wakes its thread if that has been left
    return "The loop hands the work over, answers others, and comes back when the result is there."


async def _call_endpoint(answer: Callable[..., Any], loops: list[asyncio.AbstractEventLoop]) -> None:
    loop, loop_thread = asyncio.get_running_loop(), threading.get_ident()
    loops.append(loop)
    is_misused = _watch(loop)
    errors: list[Exception] = []

    def failed(error: Exception) -> None:
        errors.append(error)
        loop.call_soon_threadsafe(task.cancel)

    executor = _Executor(failed)
    ran_in: list[int] = []
    stood_still = False

    def work(argument: int) -> int:
        nonlocal stood_still
        ran_in.append(threading.get_ident())
        if ran_in[-1] != loop_thread:
            answered = threading.Event()
            loop.call_soon_threadsafe(answered.set)
            stood_still = not answered.wait(PATIENCE)
        return argument * argument

    task = asyncio.ensure_future(answer(executor, work, 12))
    try:
        given = await task
    except asyncio.CancelledError:
        if not errors:
            raise
    if errors:
        raise NotYet(f"What you gave to add_done_callback raised {type(errors[0]).__name__}: {errors[0]}.")
    if is_misused():
        raise NotYet("A callback of the executor's future runs in another thread, and a future of asyncio is not for other threads: the loop is "
                     "not told that it is set, and may sleep on. loop.run_in_executor(…) returns a future that can be awaited.")
    if loop_thread in ran_in:
        raise NotYet("The work ran in the thread of the event loop, so no other request was answered meanwhile. "
                     "loop.run_in_executor(executor, work, argument) runs it elsewhere.")
    if asyncio.isfuture(given) or isinstance(given, concurrent.futures.Future) or inspect.isawaitable(given):
        if not asyncio.isfuture(given) and inspect.iscoroutine(given):
            given.close()
        raise NotYet("It returns what will have the result at some time, not the result: await is missing.")
    if not ran_in:
        raise NotYet("The work did not run at all. loop.run_in_executor(executor, work, argument) runs it.")
    if not executor.jobs:
        raise NotYet("The work ran in asyncio's own pool of threads, which share the GIL with the loop. Hand it to the "
                     "executor that the function gets.")
    if stood_still:
        raise NotYet("The event loop stood still while the work ran. Wait for the result with await.")
    if given != 144:
        raise NotYet(f"The work returned 144 for the argument 12, and the endpoint {given!r}. Return what the work returns.")


def _watch(loop: asyncio.AbstractEventLoop) -> Callable[[], bool]:
    """Whether another thread has used the loop, or a future of it, as only its own thread may; the loop is told all the same."""
    loop_thread, call_soon = threading.get_ident(), loop.call_soon
    others: list[int] = []

    def watched(callback: Callable[..., object], *args: Any, context: contextvars.Context | None = None) -> asyncio.Handle:
        if threading.get_ident() == loop_thread:
            return call_soon(callback, *args, context=context)
        others.append(threading.get_ident())
        return loop.call_soon_threadsafe(callback, *args, context=context)

    loop.call_soon = watched  # type: ignore[method-assign, assignment]
    return lambda: bool(others)


@exercise("10-wsgi")
def wsgi(answer: Any) -> str:
    """A WSGI application that answers /primes/LIMIT with a number, and anything else with 404."""
    if not callable(answer):
        raise NotYet(f"A WSGI application is something that can be called. This is a {type(answer).__name__}.")
    for path, number in ("/primes/100", "25"), ("/primes/10", "4"):
        status, headers, body = _ask(answer, path)
        if status[:3] != "200":
            raise NotYet(f"{path} was answered with {status!r}; 200 OK is what it needs.")
        if body.decode("utf-8", "replace").strip() != number:
            raise NotYet(f"There are {number} primes below {path.rpartition('/')[2]}, and {path} was answered with {body!r}.")
        length = headers.get("content-length")
        if length is not None and length != str(len(body)):
            raise NotYet(f"Content-Length says {length}, and the body has {len(body)} bytes.")
    for path in "/favicon.ico", "/other/100", "/primes/", "/primes/x":
        try:
            status, _, _ = _ask(answer, path)
        except (LookupError, ValueError) as error:
            raise NotYet(f"{path} raises {type(error).__name__}: {error}. It is no page of this application: 404 Not Found is the answer.") from None
        if status[:3] != "404":
            raise NotYet(f"{path} is no page of this application: 404 Not Found is the answer, not {status!r}.")
    return "Two arguments and a list of bytes: each WSGI server can run it, in a worker of any kind."


def _ask(application: Callable[..., Any], path: str) -> tuple[str, dict[str, str], bytes]:
    from wsgiref.util import setup_testing_defaults

    environ: dict[str, Any] = {"PATH_INFO": path}
    setup_testing_defaults(environ)
    started: list[tuple[str, dict[str, str]]] = []

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Callable[[bytes], object]:
        if started and exc_info is None:
            raise NotYet(f"{path}: start_response was called twice. A server refuses that: find out first which status it is.")
        started.append((status, _read_headers(headers)))
        return lambda data: None

    parts = application(environ, start_response)
    if parts is None:
        raise NotYet("The application returns nothing. It returns the body: a list of bytes.")
    if isinstance(parts, str | bytes):
        raise NotYet("The body is a list of bytes, such as [b\"25\"], not a single string.")
    body = listed(parts)
    if not started:
        raise NotYet(f"{path}: start_response was not called. It takes a status such as \"200 OK\" and a list of headers.")
    if not isinstance(started[-1][0], str):
        raise NotYet(f"The status is a string such as \"200 OK\", not {started[-1][0]!r}.")
    if not all(isinstance(part, bytes) for part in body):
        raise NotYet("The body consists of bytes: str(number).encode() makes some.")
    return *started[-1], b"".join(body)


def _read_headers(headers: Any) -> dict[str, str]:
    """The headers by name, in lower case."""
    if not isinstance(headers, list) or not all(isinstance(pair, tuple) and len(pair) == 2 for pair in headers):
        raise NotYet(f'The headers are a list of pairs, such as [("Content-Type", "text/plain")], not {headers!r}.')
    for pair in headers:
        for part in pair:
            if not isinstance(part, str):
                raise NotYet(f"The name and the value of a header are strings: {part!r} in {pair!r} is {type(part).__name__}. "
                             "str(number) makes one.")
    return {name.lower(): value for name, value in headers}
