# SPDX-License-Identifier: BSD-3-Clause
"""Exercises and their checks: `check(name, answer)` says whether an answer is right, and if not, what to look at.

The checks of part NN are functions in `xcores.workshop.checks.part_NN`, those of the quiz in `…checks.part_quiz`:

    @exercise("04-lost-updates")
    def lost_updates(answer):
        if answer.total != 40_000:
            raise NotYet(f"{40_000 - answer.total} updates were lost. Which statements read and write the total?")
        return "No update was lost."
"""

import contextvars
import ctypes
import html
import importlib
import itertools
import pkgutil
import threading
import time
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from xcores.workshop import checks

_Check = Callable[[Any], str | None]
_registered: dict[str, _Check] = {}

PATIENCE = 10.0
"""Seconds that a check waits for something that happens at once where the answer is right."""
_LIMIT = 60.0
"""Seconds that a check may take. None that waits for the reader's code waits that long."""
_SLICE = 0.1
"""Seconds between two looks at the clock; also how soon an interrupt ends a check."""


class NotYet(Exception):
    """The answer is not right. The message says, in one or two sentences, what to look at next."""


class Stop(BaseException):
    """Like `NotYet`, for code that catches each Exception and goes on."""


class _Abandoned(SystemExit):
    """Ends a thread in which the reader's code runs, and about which nobody asks any more."""


def limited[Result](call: Callable[[], Result], message: str, seconds: float = 2 * PATIENCE) -> Result:
    """What a call of the reader's code returns. It runs in a daemon thread, so that it can be interrupted and left.

    Raises what the call raises, and NotYet with the message if that takes longer than `seconds`.
    """
    return limited_together([call], message, seconds)[0]


def limited_together[Result](calls: Iterable[Callable[[], Result]], message: str, seconds: float = 2 * PATIENCE) -> list[Result]:
    """Like `limited`, for calls that run at the same time. Of several that raise, the error of the first one is raised."""
    returned: dict[int, Result] = {}
    errors: list[BaseException] = []
    ended: list[threading.Event] = []
    threads: list[threading.Thread] = []

    def run(number: int, call: Callable[[], Result]) -> None:
        try:
            returned[number] = call()
        except BaseException as error:
            errors.append(error)
        finally:
            ended[number].set()

    for number, call in enumerate(calls):
        ended.append(threading.Event())
        context = contextvars.copy_context()
        threads.append(threading.Thread(target=context.run, args=(run, number, call), name="exercise", daemon=True))
    deadline = time.monotonic() + seconds
    try:
        for thread in threads:
            thread.start()
        for each in ended:
            while not each.wait(_SLICE):
                if time.monotonic() >= deadline:
                    raise errors[0] if errors else NotYet(message)
    except BaseException:
        _abandon(threads)
        raise
    if errors:
        raise errors[0]
    return [returned[number] for number in range(len(threads))]


def _abandon(threads: list[threading.Thread]) -> None:
    """Have the threads end at their next Python instruction, so that they do not compute on beside the notebook."""
    for thread in threads:
        if thread.ident is not None and thread.is_alive():
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object(_Abandoned))


def listed[Item](items: Iterable[Item], most: int = 1000) -> list[Item]:
    """A list of the items of an answer. Raises NotYet if there are more than `most`: it may have no end."""
    found = list(itertools.islice(items, most + 1))
    if len(found) > most:
        raise NotYet(f"The {type(items).__name__} has more than {most:,} items, and perhaps no end.")
    return found


def exercise(name: str) -> Callable[[_Check], _Check]:
    """Register a function as the check of the exercise `name`, which begins with its part: "04-…", "quiz-…".

    The function gets the answer. It raises `NotYet` if that is not right, else returns what the reader should take
    away, or None.
    """

    def register(function: _Check) -> _Check:
        if name in _registered:
            raise ValueError(f"there are two checks of the exercise {name!r}")
        _registered[name] = function
        return function

    return register


@dataclass(frozen=True)
class Verdict:
    """What a check found. True in a condition if the answer passed."""

    name: str
    passed: bool
    message: str

    def __bool__(self) -> bool:
        return self.passed

    def __repr__(self) -> str:
        return f"{self.name}: {'passed' if self.passed else 'not yet'}. {self.message}"

    def _repr_html_(self) -> str:
        colour, mark = ("#2e7d32", "✓") if self.passed else ("#b26a00", "→")
        return (f'<div style="border-left: 4px solid {colour}; padding: 4px 12px; margin: 4px 0">'
                f'<b style="color: {colour}">{mark}</b> {html.escape(self.message)}</div>')


def check(name: str, answer: Any = ...) -> Verdict:
    """Check the answer to an exercise. The result is shown as the last expression of a cell; it is true if it passed.

    `...` (the answer of an unsolved exercise) never passes. An exception in code that the check calls is a failed
    check, with its type and text; so is code that does not end.

    Raises ValueError if there is no exercise of that name.
    """
    test = _check_named(name)
    if answer is ...:
        return Verdict(name, False, "Not answered yet. Replace the ... by your answer and run the cell again.")
    try:
        taken_away = limited(lambda: test(answer), "Your answer does not end. Which loop or wait has no end?", _LIMIT)
        return Verdict(name, True, taken_away or "That is right.")
    except (NotYet, Stop) as reason:
        return Verdict(name, False, str(reason))
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # sys.exit(), for example
        return Verdict(name, False, f"Your answer could not be used: {_type_and_text(error)}")


def _type_and_text(error: BaseException) -> str:
    """The last line of a traceback, without the notes that may follow it."""
    report = traceback.TracebackException.from_exception(error)
    report.__notes__ = None
    return list(report.format_exception_only())[-1].strip()


def exercise_names() -> list[str]:
    """The names of all exercises, sorted."""
    for module in pkgutil.iter_modules(checks.__path__):
        importlib.import_module(f"{checks.__name__}.{module.name}")
    return sorted(_registered)


def _check_named(name: str) -> _Check:
    module = f"part_{name.partition('-')[0]}"
    if any(each.name == module for each in pkgutil.iter_modules(checks.__path__)):
        importlib.import_module(f"{checks.__name__}.{module}")
    try:
        return _registered[name]
    except KeyError:
        same_part = [each for each in exercise_names() if each.partition("-")[0] == name.partition("-")[0]]
        known = ", ".join(same_part or exercise_names())
        raise ValueError(f"there is no exercise {name!r}; there are {known}") from None
