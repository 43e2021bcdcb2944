# SPDX-License-Identifier: BSD-3-Clause
"""Exercises of part 8: biased reference counts, what extension modules declare, and when free threading pays."""

import math
from collections.abc import Callable, Iterable, Mapping
from numbers import Real
from typing import Any

from xcores.workshop.exercises import NotYet, exercise, listed

_Step = tuple[str, str]


class _Count:
    """The reference count of an object that thread A has made, as in the free-threaded build."""

    def __init__(self) -> None:
        self.local = 1
        self.shared = 0
        self.owner: str | None = "A"
        self.state = "default"

    def apply(self, thread: str, operation: str) -> None:
        """One step. Raises NotYet where no program could take it."""
        if self.state == "freed":
            raise NotYet(f"The object is gone before {thread} does its {operation}: nobody can use it any more.")
        if operation == "merge":
            self._merge(thread)
        elif operation == "incref":
            if thread == self.owner:
                self.local += 1
            else:
                self.shared += 1
        elif thread == self.owner:
            self._drop_local()
        else:
            self._drop_shared()

    def _drop_local(self) -> None:
        self.local -= 1
        if self.local == 0:
            self.owner = None
            self.state = "freed" if self.shared == 0 else "merged"

    def _drop_shared(self) -> None:
        if self.state == "default" and self.shared == 0:
            self.state = "queued"  # the queue takes the reference over
            return
        self.shared -= 1
        if self.state == "merged" and self.shared == 0:
            self.state = "freed"

    def _merge(self, thread: str) -> None:
        if self.state != "queued":
            raise NotYet(f"There is nothing to merge when {thread} merges: the object is not in the queue of its owner.")
        if thread != self.owner:
            raise NotYet("Only the owner, A, merges: the local count is written by no other thread.")
        self.shared += self.local - 1  # the queue gives its reference back
        self.local, self.owner = 0, None
        self.state = "freed" if self.shared == 0 else "merged"


def _steps(answer: Any) -> list[_Step]:
    if isinstance(answer, str) or not isinstance(answer, Iterable):
        raise NotYet('The answer is a list of steps, such as [("A", "incref"), ("B", "decref")].')
    steps: list[_Step] = []
    for step in listed(answer):
        match step:
            case (("A" | "B") as thread, ("incref" | "decref" | "merge") as operation):
                steps.append((thread, operation))
            case _:
                raise NotYet(f'{step!r} is no step. A step is a pair of a thread, "A" or "B", '
                             'and "incref", "decref" or "merge".')
    if not steps:
        raise NotYet("The list is empty. The object has one reference; begin with the thread that drops it.")
    return steps


@exercise("08-queued")
def queued(answer: Any) -> str:
    """Steps after which an object has been in its owner's queue, and is freed."""
    count = _Count()
    was_queued = False
    references = 1
    steps = _steps(answer)
    for thread, operation in steps:
        references += {"incref": 1, "decref": -1, "merge": 0}[operation]
        if references < 0:
            raise NotYet(f"{thread} drops a reference that does not exist: before that step there was none left.")
        count.apply(thread, operation)
        was_queued = was_queued or count.state == "queued"
    if not was_queued:
        if count.state == "freed":
            raise NotYet("The object is freed, but it was never in the queue. It gets there when a thread that does not own "
                         "it drops a reference while the shared count is 0.")
        raise NotYet(f"The object was never in the queue. At the end local is {count.local} and shared {count.shared}. "
                     "Which thread must drop a reference that it has not counted itself?")
    if count.state == "queued":
        raise NotYet("The object is in the queue of its owner, and stays there. Which step does the owner take next?")
    if count.state != "freed":
        raise NotYet(f"The object was queued and merged, but {count.shared} of its references are left. "
                     "Drop these too, or make fewer.")
    if len(steps) > 2:
        raise NotYet("That works. There is a shorter list, of two steps: what happens if A hands its only reference to B?")
    return ("Right: a reference that A has counted and B drops is what needs the queue. Objects that one thread makes and "
            "another one throws away, as in a pipeline, take this way, and are freed a little later.")


@exercise("08-needs-gil")
def needs_gil(answer: Callable[[Mapping[int, int]], bool]) -> str:
    """A function of the slots of a module definition: does its import turn the GIL on?"""
    if not callable(answer):
        raise NotYet("The answer is the function itself: answer = needs_gil, without calling it.")
    cases: list[tuple[dict[int, int], bool, str]] = [
        ({2: 4096, 3: 2, 4: 1}, False, "Py_mod_gil is there, with the value 1, Py_MOD_GIL_NOT_USED."),
        ({}, True, "A module without slots has declared nothing, and what is not declared counts as: needs the GIL."),
        ({2: 4096, 3: 2}, True, "Support for interpreters with their own GIL (slot 3) says nothing about Py_mod_gil (slot 4)."),
        ({2: 4096, 3: 1}, True, "The value 1 is that of slot 3, which is about interpreters. Only the value of Py_mod_gil (slot 4) counts."),
        ({2: 4096, 4: 0}, True, "Py_mod_gil is there, but its value 0 is Py_MOD_GIL_USED."),
        ({85: 4096, 86: 2, 87: 1}, False, "A module compiled for 3.15 has the new number of Py_mod_gil, 87."),
        ({85: 4096, 86: 1}, True, "Slot 86 is about interpreters, with its new number. Py_mod_gil (slot 87) is not there."),
        ({85: 4096, 87: 0}, True, "With the new number, too, the value counts."),
    ]
    for slots, expected, reason in cases:
        try:
            found = answer(slots)
        except KeyError as error:
            raise NotYet(f"Not every module has the slot {error}. slots.get(number) returns None "
                         "where it is missing.") from None
        if found is None:
            raise NotYet("The function returns None. Does it have a return statement?")
        if bool(found) is not expected:
            raise NotYet(f"For {slots} the function returns {found!r}, and should return {expected}. {reason}")
    return "Right. Silence counts as yes: one such import, anywhere in a program, and the GIL is on for all its threads."


@exercise("08-break-even")
def break_even(answer: Callable[[float, float, int], float]) -> str:
    """A function of the price, the parallel part and the cores: times as fast as the default build."""
    if not callable(answer):
        raise NotYet("The answer is the function itself: answer = speed_up, without calling it.")
    cases: list[tuple[float, float, int, str]] = [
        (0.0, 0.0, 8, "Without a price and without a parallel part nothing changes."),
        (0.08, 0.0, 8, "Nothing is parallel, so the price is all that is left: 1 / 1.08."),
        (0.0, 1.0, 4, "All is parallel and nothing costs more: as many times as fast as there are cores."),
        (0.10, 1.0, 4, "The price is paid on each core too: 4 / 1.10."),
        (0.08, 0.5, 2, "Half of the time is shared out to two cores, the other half is not, and all of it costs 8 % more."),
        (0.40, 0.9, 4, "The serial part is 0.1, the parallel part 0.9 / 4, and both cost 40 % more."),
    ]
    for price, parallel, cores, reason in cases:
        expected = 1 / ((1 + price) * (1 - parallel + parallel / cores))
        found = answer(price, parallel, cores)
        if not isinstance(found, Real):
            raise NotYet(f"The function returns {found!r}, and should return a number.")
        if math.isclose(found, expected, rel_tol=1e-6):
            continue
        call = f"speed_up({price}, {parallel}, {cores})"
        if math.isclose(found, 1 / expected, rel_tol=1e-6):
            raise NotYet(f"{call} is the new time divided by the old. Times as fast is the old divided by the new.")
        raise NotYet(f"{call} returns {found:.4g}, and should return {expected:.4g}. {reason}")
    return "Right. The price is paid always, the gain comes from the parallel part alone."
