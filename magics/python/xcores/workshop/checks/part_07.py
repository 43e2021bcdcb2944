# SPDX-License-Identifier: BSD-3-Clause
"""Checks of part 7, interpreters."""

import array
import contextlib
from collections.abc import Callable, Iterator
from concurrent import interpreters
from typing import Any

from xcores.workshop.exercises import NotYet, Stop, exercise

_REFUSAL = "does not support loading in subinterpreters"
_CANDIDATES = ("json", "decimal", "sqlite3", "readline", "tracemalloc", "faulthandler", "no_such_module_here")


@contextlib.contextmanager
def _interpreter() -> Iterator[interpreters.Interpreter]:
    interpreter = interpreters.create()
    try:
        yield interpreter
    finally:
        interpreter.close()


def _failure_of_import(module: str) -> str:
    """What an import in a new interpreter says; empty: it loads."""
    with _interpreter() as interpreter:
        try:
            interpreter.exec(f"import {module}")
        except interpreters.ExecutionFailed as failure:
            return str(failure)
    return ""


@exercise("07-refuses")
def refuses_a_module(refuses: Callable[[str], Any]) -> str:
    """`refuses(module)` says whether the module refuses to load in an interpreter with its own GIL."""
    _check_function(refuses, "refuses")
    for module in _CANDIDATES:
        failure = _failure_of_import(module)
        try:
            answer = refuses(module)
        except interpreters.ExecutionFailed:
            raise NotYet(f"refuses({module!r}) raises ExecutionFailed. Catch it, and look at its text: it says whether the "
                         "module refuses or is missing.") from None
        _compare_refusal(module, answer, failure)
    return "An import in a new interpreter is the whole test, and the message names the module that is the cause."


def _compare_refusal(module: str, answer: Any, failure: str) -> None:
    if answer is None:
        raise NotYet(f"refuses({module!r}) returns None. Make an interpreter, let it import the module with exec(), and "
                     "return True or False.")
    expected = _REFUSAL in failure
    if bool(answer) is expected:
        return
    if expected:
        raise NotYet(f"refuses({module!r}) is false, but the import fails in an interpreter of concurrent.interpreters. Did "
                     "the import run there, and not in the notebook?")
    if failure:
        raise NotYet(f"refuses({module!r}) is true, but that module is missing rather than refused. What does the text of "
                     "ExecutionFailed say in the two cases?")
    raise NotYet(f"refuses({module!r}) is true, but the module loads. Return True only where exec() raises.")


def _check_function(answer: Any, name: str) -> None:
    if not callable(answer):
        raise NotYet(f"The answer is the function {name}.")


@exercise("07-in-place")
def in_place(double: Callable[[memoryview], Any]) -> str:
    """`double(view)` doubles numbers of the notebook from another interpreter."""
    _check_function(double, "double")
    numbers = array.array("d", [1, 2.5, -3, 0])
    returned = _called_elsewhere(double, (memoryview(numbers),), lambda value: value)
    found, expected = numbers.tolist(), [2, 5, -6, 0]
    if found == expected:
        return "The other interpreter wrote to the memory of this one. Nothing was copied, either way."
    if found == [1, 2.5, -3, 0]:
        if returned is None:
            raise NotYet("The numbers are as they were. Assign to the elements: view[index] = ….")
        raise NotYet(f"The function returns {type(returned).__name__}, a copy of its own, and the notebook's numbers are as "
                     "they were. Assign to view[index] instead.")
    raise NotYet(f"[1, 2.5, -3, 0] became {found} instead of {expected}. Each number should be doubled once.")


def _called_elsewhere[Result](function: Callable[..., Any], arguments: tuple[Any, ...],
                              then: Callable[[Any], Result]) -> Result:
    """Call the function in another interpreter, and `then` here with what it returned, while that is still open."""
    with _interpreter() as interpreter:
        try:
            returned = interpreter.call(function, *arguments)
        except interpreters.ExecutionFailed as failure:
            what = f"{failure.excinfo.type.__name__}: {failure.excinfo.msg}".strip().splitlines()
            advice = " No other name of the notebook exists there." if what[0].startswith("NameError") else ""
            message = what[0] if len(what) == 1 else f"{what[0]} … {what[-1]}"
            raise NotYet(f"In the other interpreter the function failed: {message}.{advice}") from None
        except interpreters.NotShareableError as error:
            raise NotYet(f"This cannot be sent between interpreters ({error}). The function may use builtins and what it "
                         "imports itself, and no other name of the notebook; it need not return anything.") from None
        return then(returned)


_PATIENT_CALLS = 3
"""So often an empty queue says what is wrong by an Exception, which a worker may catch, and go on."""


class _Queue:
    """Like a queue between interpreters, but it never waits."""

    def __init__(self, items: list[Any], when_empty: str) -> None:
        self.items = items
        self._when_empty = when_empty
        self._refused = 0

    def get(self, *_: Any, **__: Any) -> Any:
        if not self.items:
            self._refused += 1
            raise (NotYet if self._refused < _PATIENT_CALLS else Stop)(self._when_empty)
        return self.items.pop(0)

    get_nowait = get

    def put(self, item: Any, *_: Any, **__: Any) -> None:
        self.items.append(item)

    put_nowait = put

    def empty(self) -> bool:
        return not self.items

    def qsize(self) -> int:
        return len(self.items)


@exercise("07-worker-loop")
def worker_loop(square_all: Callable[[Any, Any], Any]) -> str:
    """`square_all(jobs, results)` serves a queue until it gets None."""
    _check_function(square_all, "square_all")
    _check_with_lists(square_all)
    jobs, results = interpreters.create_queue(), interpreters.create_queue()
    for job in (5, 12, None):
        jobs.put(job)
    # What an interpreter has put into a queue is lost when it is closed, so take it out before.
    found = _called_elsewhere(square_all, (jobs, results), lambda _: _emptied(results))
    if found != [25, 144]:
        raise NotYet(f"In another interpreter 5 and 12 gave {found} instead of [25, 144].")
    return ("One None for each worker ends it: no worker has to ask whether the queue is empty, which may be untrue a "
            "moment later.")


def _emptied(queue: interpreters.Queue) -> list[Any]:
    return [queue.get_nowait() for _ in range(queue.qsize())]


def _check_with_lists(square_all: Callable[[Any, Any], Any]) -> None:
    """Try it here first, where a worker that does not stop cannot wait forever."""
    jobs = _Queue([3, 0, -4, None, 7], "After None the worker went on and asked for another job; with a real queue it would "
                                       "wait forever. Leave the loop when the job is None.")
    results = _Queue([], "The worker takes something from results. It should only put there.")
    try:
        square_all(jobs, results)
    except TypeError as error:
        if "NoneType" in str(error):
            raise NotYet("The worker computed with None. Compare what it gets with None before it uses it.") from None
        raise
    left = jobs.items
    if left == [3, 0, -4, None, 7]:
        raise NotYet("No job was taken. Get jobs in a loop: jobs.get().")
    if left == [None, 7] or not results.items:
        raise NotYet(f"The jobs 3, 0 and -4 gave {results.items}, and {len(left)} items are left in jobs. Take jobs until "
                     "you get None, and put each square into results.")
    if left == [0, -4, None, 7]:
        raise NotYet("The worker took one job and stopped. Take jobs in a loop, until you get None.")
    if left != [7]:
        raise NotYet(f"The worker stopped too early or too late: {left} is left in jobs, and only 7 should be. Mind the job 0, "
                     "which is false in a condition; compare with `is None`.")
    if None in results.items:
        raise NotYet("The worker put None into results. None only tells it to stop.")
    if results.items != [9, 0, 16]:
        raise NotYet(f"The jobs 3, 0 and -4 gave {results.items} instead of [9, 0, 16].")
