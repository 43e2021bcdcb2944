# SPDX-License-Identifier: BSD-3-Clause
"""The exercises of part 11: a window that answers."""

import threading
from collections.abc import Callable
from typing import Any, NoReturn

from xcores.workshop.exercises import NotYet, exercise


@exercise("11-in-time")
def in_time(answer: Callable[[list[float], float], float | None]) -> str:
    """A function that computes the share of beats that are at most so late."""
    _must_be_called(answer, "in_time")
    late, limit = [0.0, 5.0, 16.0, 17.0], 16.0
    share = answer(late, limit)
    if share is None or share is ...:
        raise NotYet("in_time returns nothing yet. How many of the delays are at most limit_ms, and how many delays are there?")
    if share == 3:
        raise NotYet("That is how many beats were on time. Divide it by the number of beats.")
    if share == 75:
        raise NotYet("That is in percent. Return the share: 0.75, not 75.")
    if share == 0.5:
        raise NotYet("A beat that is exactly limit_ms late is still on time: 16 of 16 ms. Which comparison do you use?")
    if share == 0.25:
        raise NotYet("That is the share of beats that came too late.")
    if share != 0.75:
        raise NotYet(f"Of the delays {late} three of four are at most {limit} ms, but in_time returns {share!r}.")
    if answer([1.0, 40.0], 100.0) != 1.0:
        raise NotYet("With a limit of 100 ms, delays of 1 and 40 ms are both on time. Does in_time use limit_ms?")
    try:
        none = answer([], limit)
    except (ArithmeticError, LookupError, TypeError, ValueError) as error:
        raise NotYet(f"For an empty list in_time raises {type(error).__name__}. A run can be over before its first beat is due: "
                     "return None where there are no delays.") from None
    if none is not None:
        raise NotYet(f"Without any beat nothing is known: return None for an empty list, not {none!r}.")
    return "Median and mean hide the beats that people notice. A share within a limit does not."


@exercise("11-handler")
def handler(answer: Callable[..., Any]) -> str:
    """A function that hands out jobs and has the window show their results."""
    _must_be_called(answer, "start")
    window, executor, items = _Window(), _Executor(), [3, 1, 2]
    answer(window, executor, _square, items)
    if not executor.jobs:
        raise NotYet("No job was handed out. Call executor.submit(function, item) for each item.")
    if window.shown or window.posted:
        raise NotYet("The window was given something before a job had ended. What calls you when a future is done?")
    if len(executor.jobs) != len(items):
        raise NotYet(f"There are {len(items)} items, but {len(executor.jobs)} jobs were handed out.")
    for job in reversed(executor.jobs):  # the last one ends first, as may happen
        worker = threading.Thread(target=job.end)
        worker.start()
        worker.join()
    if errors := [job.error for job in executor.jobs if job.error is not None]:
        raise errors[0] if isinstance(errors[0], NotYet) else NotYet(
            f"What you gave to add_done_callback raised {type(errors[0]).__name__}: {errors[0]}. It is called with the future.")
    if window.shown:
        raise NotYet("window.show ran in the thread of the callback. Widgets are for the window's thread: "
                     "window.post(window.show, result) has it run there.")
    window.process_events()
    if not window.shown:
        raise NotYet("All jobs have ended, and the window shows nothing. Give each future a callback: add_done_callback.")
    if any(isinstance(shown, _Future) for shown in window.shown):
        raise NotYet("The window was given a future. Give it future.result(), which is there when the callback runs.")
    if sorted(map(repr, window.shown)) != sorted(repr(_square(item)) for item in items):
        raise NotYet(f"The window shows {window.shown}; the results are {[_square(item) for item in items]}. Does each callback "
                     "use the future that it is called with, and not the variable of the loop?")
    return "Nothing waits: the handler returns at once, and each result comes to the window as an event."


_KINDS = ("threads", "interpreters", "processes")
_WORKS = {
    "twenty downloads": ("threads", {
        "interpreters": "Downloads wait, and what waits holds no GIL. Twenty interpreters to wait in? Something is lighter.",
        "processes": "Downloads wait, and what waits holds no GIL. Twenty processes to wait in? Something is lighter.",
    }),
    "prime numbers in pure Python": ("interpreters", {
        "threads": "Threads that compute in Python take the GIL from the window: see the runs of fib above.",
        "processes": "Processes keep the window answering. Which kind does so too, without processes to start and to end?",
    }),
    "a Python function for each row of a pandas table": ("processes", {
        "threads": "A Python function for each row holds the GIL, so the window waits for it.",
        "interpreters": "pandas and NumPy refuse to load in an interpreter with a GIL of its own.",
    }),
    "a C library that crashes now and then": ("processes", {
        "threads": "A crash in a thread ends the whole application, with its window.",
        "interpreters": "Interpreters are parts of one process: a crash in one ends the window too.",
    }),
}  # fmt: skip


@exercise("11-which-kind")
def which_kind(answer: dict[str, str]) -> str:
    """The lightest kind of worker for each work that keeps the window answering."""
    if not isinstance(answer, dict):
        raise NotYet(f"The answer is a dict from the work to the kind of worker, not {type(answer).__name__}.")
    if missing := [work for work in _WORKS if answer.get(work, ...) is ...]:
        raise NotYet(f"No kind is chosen yet for: {', '.join(missing)}.")
    for work, (right, reasons) in _WORKS.items():
        chosen = answer[work]
        if chosen not in _KINDS:
            raise NotYet(f"For {work}: {chosen!r} is none of {', '.join(_KINDS)}.")
        if chosen != right:
            raise NotYet(f"For {work}: {reasons[chosen]}")
    return "The window's own thread is not among them: whatever takes longer than a frame belongs elsewhere."


def _must_be_called(answer: Any, name: str) -> None:
    if not callable(answer):
        raise NotYet(f"Hand over the function itself: workshop.check(…, {name}), without parentheses behind its name.")


def _square(number: int) -> int:
    return number * number


class _Window:
    """Stands in for a window: `post` is what a signal of Qt does."""

    def __init__(self) -> None:
        self.shown: list[Any] = []
        self.posted: list[tuple[Callable[..., Any], tuple[Any, ...]]] = []

    def show(self, result: Any) -> None:
        self.shown.append(result)

    def post(self, call: Callable[..., Any], *arguments: Any) -> None:
        if not callable(call):
            raise NotYet("window.post takes the function and its arguments: window.post(window.show, result). "
                         "window.show(result) in its place runs at once, in the wrong thread.")
        self.posted.append((call, arguments))

    def process_events(self) -> None:
        for call, arguments in self.posted:
            call(*arguments)


def _waits(*_: Any, **__: Any) -> NoReturn:
    raise NotYet("start waits for a job to end, and the window is frozen meanwhile. Hand out the jobs, say what is to happen "
                 "when each is done (add_done_callback), and return.")


class _Executor:
    """Its jobs end when the check says so, not before `start` has returned."""

    def __init__(self) -> None:
        self.jobs: list[_Future] = []

    def submit(self, function: Callable[..., Any], /, *arguments: Any, **named: Any) -> "_Future":
        self.jobs.append(_Future(lambda: function(*arguments, **named)))
        return self.jobs[-1]

    map = __enter__ = __exit__ = shutdown = _waits


class _Future:
    def __init__(self, call: Callable[[], Any]) -> None:
        self._call = call
        self._callbacks: list[Callable[[Any], Any]] = []
        self._done = False
        self._asked = 0
        self._result: Any = None
        self.error: Exception | None = None

    def end(self) -> None:
        try:
            self._result, self._done = self._call(), True
            for callback in self._callbacks:
                callback(self)
        except Exception as error:
            self.error = error

    def add_done_callback(self, function: Callable[[Any], Any]) -> None:
        if not callable(function):
            raise NotYet("add_done_callback takes a function, which is called with the future when it is done. "
                         f"It was given {type(function).__name__}.")
        self._callbacks.append(function)

    def result(self, timeout: float | None = None) -> Any:
        return self._result if self._done else _waits()

    def exception(self, timeout: float | None = None) -> BaseException | None:
        return None if self._done else _waits()

    def done(self) -> bool:
        self._asked += 1
        return _waits() if self._asked > 1000 and not self._done else self._done

    def running(self) -> bool:
        return not self.done()

    def cancelled(self) -> bool:
        return False

    @property
    def _condition(self) -> Any:
        """What `wait` and `as_completed` of the standard library ask for."""
        return _waits()
