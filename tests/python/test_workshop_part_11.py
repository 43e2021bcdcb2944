# SPDX-License-Identifier: BSD-3-Clause
"""The checks of part 11 of the workshop say what is wrong with typical answers."""

import concurrent.futures
from collections.abc import Callable
from typing import Any

import pytest

from xcores import workshop


def _share(late: list[float], limit: float) -> float | None:
    return sum(each <= limit for each in late) / len(late) if late else None


@pytest.mark.parametrize(("answer", "says"), [
    (lambda late, limit: None, "returns nothing yet"),
    (lambda late, limit: sum(each <= limit for each in late), "Divide it"),
    (lambda late, limit: 100 * sum(each <= limit for each in late) / len(late), "in percent"),
    (lambda late, limit: sum(each < limit for each in late) / len(late), "exactly limit_ms"),
    (lambda late, limit: sum(each > limit for each in late) / len(late), "too late"),
    (lambda late, limit: sum(each <= 16 for each in late) / len(late), "Does in_time use limit_ms"),
    (lambda late, limit: sum(each <= limit for each in late) / len(late), "over before its first beat"),
    (lambda late, limit: _share(late, limit) or 0, "return None for an empty list"),
    (lambda late, limit: 0.6, "three of four"),
    (0.75, "the function itself"),
])  # fmt: skip
def test_in_time(answer: Any, says: str) -> None:
    verdict = workshop.check("11-in-time", answer)
    assert not verdict and says in verdict.message
    assert workshop.check("11-in-time", _share)


def _started(callback_of: Callable[[Any, Any], Any]) -> Callable[..., None]:
    """A handler that hands out the jobs and gives each future what `callback_of` makes of the window and the future."""

    def start(window: Any, executor: Any, function: Any, items: Any) -> None:
        for item in items:
            future = executor.submit(function, item)
            future.add_done_callback(callback_of(window, future))

    return start


def _waiting(window: Any, executor: Any, function: Any, items: Any) -> None:
    for future in concurrent.futures.as_completed([executor.submit(function, item) for item in items]):
        window.show(future.result())


def _mapping(window: Any, executor: Any, function: Any, items: Any) -> None:
    for result in executor.map(function, items):
        window.show(result)


def _polling(window: Any, executor: Any, function: Any, items: Any) -> None:
    futures = [executor.submit(function, item) for item in items]
    while not all(future.done() for future in futures):
        pass


def _with_loop_variable(window: Any, executor: Any, function: Any, items: Any) -> None:
    for item in items:
        future = executor.submit(function, item)
        future.add_done_callback(lambda done: window.post(window.show, item))


@pytest.mark.parametrize(("answer", "says"), [
    (_waiting, "waits for a job"), (_mapping, "waits for a job"), (_polling, "waits for a job"),
    (lambda window, executor, function, items: None, "No job was handed out"),
    (lambda window, executor, function, items: executor.submit(function, items[0]), "1 jobs were handed out"),
    (lambda window, executor, function, items: [executor.submit(function, item) for item in items], "Give each future a callback"),
    (lambda window, executor, function, items: [executor.submit(function, item) and window.show(item) for item in items],
     "before a job had ended"),
    (_started(lambda window, future: lambda done: window.show(done.result())), "in the thread of the callback"),
    (_started(lambda window, future: lambda done: window.post(window.show, done)), "was given a future"),
    (_started(lambda window, future: lambda done: window.post(window.show(done.result()))), "window.post takes the function"),
    (_started(lambda window, future: lambda: None), "It is called with the future"),
    (_started(lambda window, future: window.post(window.show, 1)), "add_done_callback takes a function"),
    (_with_loop_variable, "not the variable of the loop"),
    (3, "the function itself"),
])  # fmt: skip
def test_handler(answer: Any, says: str) -> None:
    verdict = workshop.check("11-handler", answer)
    assert not verdict and says in verdict.message, verdict.message
    assert workshop.check("11-handler", _started(lambda window, future: lambda done: window.post(window.show, done.result())))


def test_which_kind() -> None:
    right = {"twenty downloads": "threads", "prime numbers in pure Python": "interpreters",
             "a Python function for each row of a pandas table": "processes", "a C library that crashes now and then": "processes"}
    assert workshop.check("11-which-kind", right)
    messages = {}
    for work, kind in right.items():
        for other in {"threads", "interpreters", "processes"} - {kind}:
            verdict = workshop.check("11-which-kind", {**right, work: other})
            assert not verdict and work in verdict.message
            messages[work, other] = verdict.message
        assert "No kind is chosen yet" in workshop.check("11-which-kind", {**right, work: ...}).message
        assert "none of threads, interpreters, processes" in workshop.check("11-which-kind", {**right, work: "fibres"}).message
    assert len(set(messages.values())) == len(messages) == 8
    assert "a dict" in workshop.check("11-which-kind", "threads").message
