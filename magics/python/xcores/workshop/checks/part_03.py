# SPDX-License-Identifier: BSD-3-Clause
"""Part 3: why there is a GIL."""

import gc
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from xcores.workshop.exercises import NotYet, exercise, listed


class _Target:
    """What the answer is to refer to."""


@exercise("03-referrers")
def referrers(answer: Any) -> str:
    """A function whose result refers to its argument four times, in one container."""
    if not callable(answer):
        raise NotYet(f"Hand over the function arrange itself, instead of {type(answer).__name__}.")
    target = _Target()
    before = sys.getrefcount(target), len(gc.get_referrers(target))
    kept = answer(target)
    references = sys.getrefcount(target) - before[0]
    listed = len(gc.get_referrers(target)) - before[1]
    if kept is ... or kept is None:
        what = "an Ellipsis, the ... of its body" if kept is ... else "None"
        raise NotYet(f"arrange returns {what}. Let it return something that holds target several times.")
    if kept is target:
        raise NotYet("arrange returns target itself: a new name for it, and no container. Return something that holds it.")
    figures = f"The count rises by {references}, the number of referrers by {listed}."
    if (references, listed) == (4, 1):
        return "One container that holds an object four times is four references and one referrer."
    if references == 0:
        raise NotYet(f"{figures} What you return does not refer to target.")
    if listed == 0:
        raise NotYet(f"{figures} The collector does not see what holds target. Use a container, such as a list.")
    if listed == references:
        raise NotYet(f"{figures} Each reference is in an object of its own. How often may one list hold the same object?")
    if listed > 1:
        raise NotYet(f"{figures} {listed} objects refer to target. Put all the references into a single one.")
    raise NotYet(f"{figures} A single container is right; it should hold target 4 times.")


_STEPS = ("load", "add", "store", "load", "subtract", "store")


@dataclass(frozen=True)
class _Game:
    """What came of an order of steps."""

    count: int
    freed_at: int | None
    """The step that stored 0."""
    lost: int
    """How often a thread stored over what the other one had stored since it loaded."""


def _played(order: str) -> _Game:
    count, lost = 1, 0
    loaded, registers, done = {"A": 0, "B": 0}, {"A": 0, "B": 0}, {"A": 0, "B": 0}
    for number, thread in enumerate(order, 1):
        match _STEPS[done[thread]]:
            case "load":
                loaded[thread] = registers[thread] = count
            case "add":
                registers[thread] += 1
            case "subtract":
                registers[thread] -= 1
            case "store":
                lost += count != loaded[thread]
                count = registers[thread]
                if count == 0:
                    return _Game(0, number, lost)
        done[thread] += 1
    return _Game(count, None, lost)


@exercise("03-orders")
def orders(answer: Any) -> str:
    """An order of twelve steps after which an object that is in use has been freed."""
    if not isinstance(answer, str):
        if not isinstance(answer, Iterable):
            raise NotYet(f'Give a string of twelve letters, such as "AAAAAABBBBBB", instead of {type(answer).__name__}.')
        answer = "".join(str(letter) for letter in listed(answer))
    if set(answer) - {"A", "B"}:
        raise NotYet(f"{min(set(answer) - {'A', 'B'})!r} is no thread: use the letters A and B only.")
    if (answer.count("A"), answer.count("B")) != (6, 6):
        raise NotYet(f"Each thread has six steps; your order has {answer.count('A')} of A and {answer.count('B')} of B.")
    game = _played(answer)
    if game.freed_at is not None:
        return f"Step {game.freed_at} stores 0: the object is freed, and the owner still refers to it."
    if game.count > 1:
        raise NotYet(
            f"The count ends at {game.count}: a dropped reference was lost, so the object is never freed. Lose an added one instead."
        )
    if game.lost:
        raise NotYet(
            "The count ends at 1, although updates were lost: what was lost in adding was lost in dropping too. Let the threads "
            "drop their references one after the other."
        )
    raise NotYet("The count ends at 1, which is right. Let a thread load before the other one has stored what it added.")


_IMMORTAL = {"None", "the empty tuple", "the int 7", "the type str"}
_MORTAL = {
    "the int 1000000": "Only small integers are kept for good. Ask sys._is_immortal about a large one made by int().",
    "a new list": "A list that you make is freed when nothing refers to it.",
    "a class of yours": "Built-in types live as long as Python does; a class of yours is freed like other objects.",
    "a string interned at run time": "Interned is not immortal: the table drops a string that nothing else refers to.",
}


@exercise("03-immortal")
def immortal(answer: Any) -> str:
    """The set of the names of those candidates that are immortal."""
    if isinstance(answer, str) or not isinstance(answer, Iterable):
        raise NotYet(f'Give a set of names, such as {{"None", "a new list"}}, instead of {type(answer).__name__}.')
    if isinstance(answer, Mapping):
        raise NotYet("That is a dictionary. Give a set of those names alone that are immortal.")
    names = set(listed(answer))
    unknown = names - _IMMORTAL - _MORTAL.keys()
    if unknown:
        raise NotYet(f"{min(unknown, key=str)!r} is none of the candidates. Use their names, the keys of the dictionary.")
    wrong = [name for name in _MORTAL if name in names]
    if wrong:
        raise NotYet(f"Not {wrong[0]}. {_MORTAL[wrong[0]]}")
    if not names:
        raise NotYet("The set is empty. Try sys._is_immortal(candidates[\"None\"]) first.")
    missing = len(_IMMORTAL - names)
    if missing:
        raise NotYet(f"Those are right, but {missing} more {'is' if missing == 1 else 'are'} immortal. What does every program share?")
    return "Immortal objects are those that the interpreter itself provides, and that never change."
