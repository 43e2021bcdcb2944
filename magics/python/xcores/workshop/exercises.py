# SPDX-License-Identifier: BSD-3-Clause
"""Exercises and their checks: `check(name, answer)` says whether an answer is right, and if not, what to look at.

The checks of part NN are functions in `xcores.workshop.checks.part_NN`, those of the quiz in `…checks.part_quiz`:

    @exercise("04-lost-updates")
    def lost_updates(answer):
        if answer.total != 40_000:
            raise NotYet(f"{40_000 - answer.total} updates were lost. Which statements read and write the total?")
        return "No update was lost."
"""

import html
import importlib
import pkgutil
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from xcores.workshop import checks

_Check = Callable[[Any], str | None]
_registered: dict[str, _Check] = {}


class NotYet(Exception):
    """The answer is not right. The message says, in one or two sentences, what to look at next."""


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
    check, with its last line.

    Raises ValueError if there is no exercise of that name.
    """
    test = _check_named(name)
    if answer is ...:
        return Verdict(name, False, "Not answered yet. Replace the ... by your answer and run the cell again.")
    try:
        return Verdict(name, True, test(answer) or "That is right.")
    except NotYet as reason:
        return Verdict(name, False, str(reason))
    except Exception as error:
        last_line = traceback.format_exception_only(error)[-1].strip()
        return Verdict(name, False, f"Your answer could not be used: {last_line}")


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
