# SPDX-License-Identifier: BSD-3-Clause
"""The checks of part 10: a web server that computes."""

import asyncio
import concurrent.futures
import inspect
import statistics
import threading
from collections.abc import Callable, Sequence
from typing import Any

from xcores.workshop import load
from xcores.workshop.exercises import NotYet, exercise

_STILL_SECONDS = 20.0
"""How long the event loop may take to answer before it is said to stand still."""


@exercise("10-percentile")
def percentile(answer: Any) -> str:
    """A function of latencies and a percentage that returns the percentile by nearest rank."""
    if not callable(answer):
        raise NotYet(f"The answer is the function itself, without a call: percentile. This is a {type(answer).__name__}.")
    for latencies, percent in ([4, 2, 5, 1, 3], 50), (list(range(200, 0, -1)), 99), ([7], 50), ([7], 99), ([1, 2, 3, 100], 100):
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

    def __init__(self, loop_thread: int) -> None:
        super().__init__()
        self._loop_thread = loop_thread

    def result(self, timeout: float | None = None) -> Any:
        if not self.done() and threading.get_ident() == self._loop_thread:
            raise NotYet("result() waits in the thread of the event loop, which answers no other request meanwhile. "
                         "await loop.run_in_executor(…) waits and lets the loop go on.")
        return super().result(timeout)


class _Executor(concurrent.futures.Executor):
    """Runs each job in a thread of its own, and remembers that it was asked."""

    def __init__(self) -> None:
        self.jobs = 0
        self._loop_thread = threading.get_ident()

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> concurrent.futures.Future[Any]:
        if not callable(fn):
            raise NotYet("The executor got a result, not a function: work(argument) runs here, in the event loop. "
                         "Hand over work and argument as two arguments.")
        self.jobs += 1
        future = _Pending(self._loop_thread)

        def job() -> None:
            try:
                future.set_result(fn(*args, **kwargs))
            except BaseException as error:
                future.set_exception(error)

        threading.Thread(target=job, daemon=True).start()
        return future


@exercise("10-endpoint")
def endpoint(answer: Any) -> str:
    """A coroutine function (executor, work, argument) that has the executor do the work, and returns its result."""
    if not inspect.iscoroutinefunction(answer):
        raise NotYet("The answer is the function itself, and it begins with async def.")
    with concurrent.futures.ThreadPoolExecutor(1) as pool:  # the notebook may have an event loop in this thread
        pool.submit(asyncio.run, _call_endpoint(answer)).result()
    return "The loop hands the work over, answers others, and comes back when the result is there."


async def _call_endpoint(answer: Callable[..., Any]) -> None:
    loop, loop_thread = asyncio.get_running_loop(), threading.get_ident()
    executor = _Executor()
    ran_in: list[int] = []
    stood_still = False

    def work(argument: int) -> int:
        nonlocal stood_still
        ran_in.append(threading.get_ident())
        if ran_in[-1] != loop_thread:
            answered = threading.Event()
            loop.call_soon_threadsafe(answered.set)
            stood_still = not answered.wait(_STILL_SECONDS)
        return argument * argument

    given = await answer(executor, work, 12)
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
    status, _, _ = _ask(answer, "/favicon.ico")
    if status[:3] != "404":
        raise NotYet(f"/favicon.ico is no page of this application: 404 Not Found is the answer, not {status!r}.")
    return "Two arguments and a list of bytes: each WSGI server can run it, in a worker of any kind."


def _ask(application: Callable[..., Any], path: str) -> tuple[str, dict[str, str], bytes]:
    from wsgiref.util import setup_testing_defaults

    environ: dict[str, Any] = {"PATH_INFO": path}
    setup_testing_defaults(environ)
    started: list[tuple[str, dict[str, str]]] = []

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Callable[[bytes], object]:
        started.append((status, {name.lower(): value for name, value in headers}))
        return lambda data: None

    parts = application(environ, start_response)
    if parts is None:
        raise NotYet("The application returns nothing. It returns the body: a list of bytes.")
    if isinstance(parts, str | bytes):
        raise NotYet("The body is a list of bytes, such as [b\"25\"], not a single string.")
    body = list(parts)
    if not started:
        raise NotYet(f"{path}: start_response was not called. It takes a status such as \"200 OK\" and a list of headers.")
    if not isinstance(started[-1][0], str):
        raise NotYet(f"The status is a string such as \"200 OK\", not {started[-1][0]!r}.")
    if not all(isinstance(part, bytes) for part in body):
        raise NotYet("The body consists of bytes: str(number).encode() makes some.")
    return *started[-1], b"".join(body)
