# SPDX-License-Identifier: BSD-3-Clause
"""Exercises of part 2: the order of events, and PEPs that were proposed but not yet released."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from xcores.workshop.exercises import NotYet, exercise, listed

_IN_ORDER = ("GIL", "C interpreters", "two cores", "multiprocessing", "Gilectomy", "own GIL")
_HINTS = {
    ("GIL", "C interpreters"): "the GIL came with the first threads, in the year after the first release.",
    ("GIL", "two cores"): "the GIL is older than any processor with two cores on a chip.",
    ("C interpreters", "two cores"): "C programs could run several interpreters from Python 1.5 on, in the 1990s.",
    ("multiprocessing", "Gilectomy"): "Python 2.6 has multiprocessing; the Gilectomy removed the GIL from a Python 3.",
    ("Gilectomy", "own GIL"): "interpreters with a GIL of their own came with 3.12, years after the Gilectomy.",
}

_Event = dict[str, Any]
_OpenPeps = Callable[[Sequence[_Event], str], Iterable[int]]


@exercise("02-order")
def order(answer: Any) -> str:
    """The six short names, oldest first."""
    if isinstance(answer, str) or not isinstance(answer, Sequence):
        raise NotYet('The answer is a list of six texts, such as ["GIL", "two cores", …].')
    names = list(answer)
    missing = [name for name in _IN_ORDER if name not in names]
    unknown = [name for name in names if name not in _IN_ORDER]
    if unknown:
        raise NotYet(f"{unknown[0]!r} is none of the six names. They are: {', '.join(sorted(_IN_ORDER))}.")
    if missing or len(names) != len(_IN_ORDER):
        raise NotYet(f"There are six names, each once; {', '.join(missing) or 'one of them'} "
                     f"{'is missing' if missing else 'occurs twice'}.")
    if names == list(reversed(_IN_ORDER)):
        raise NotYet("That is the right order, but newest first. The oldest comes first.")
    for position, (earlier, later) in enumerate(zip(names, names[1:], strict=False)):
        if _IN_ORDER.index(earlier) > _IN_ORDER.index(later):
            hint = _HINTS.get((later, earlier), "find both labels in the picture and follow their lines to the axis.")
            raise NotYet(f"Up to {earlier!r}, number {position + 1}, all is in order. "
                         f"{earlier!r} before {later!r} is not: {hint}")
    return "Right: the lock, and interpreters that share it, are older than the hardware for which they became a problem."


@exercise("02-open-peps")
def open_peps(answer: _OpenPeps) -> str:
    """A function of events and a day: the PEPs that were created and not released, sorted."""
    if not callable(answer):
        raise NotYet("The answer is the function itself: answer = open_peps, without calling it.")
    events: list[_Event] = [  # a set of 9 and 16 is not in order
        {"date": "1992", "title": "no PEP"},
        {"date": "2001-02-03", "peps": [16], "step": "created"},
        {"date": "2001-05-06", "peps": [9], "step": "created"},
        {"date": "2001-08-01", "peps": [9], "step": "accepted"},
        {"date": "2002-01-01", "peps": [9, 16, 30], "step": "released"},
        {"date": "2003-01-01", "peps": [40], "step": "created"},
    ]
    expected: list[tuple[str, list[int], str]] = [
        ("2000-12-31", [], "Nothing had been created on that day."),
        ("2001-12-31", [9, 16], "Both had been created. An event \"accepted\" is not a release."),
        ("2002-01-01", [], "Both were released on that very day, and \"on or before\" includes it."),
        ("2001-02-03", [16], "PEP 16 was created on that very day, and \"on or before\" includes it."),
        ("2009-01-01", [40], "Only PEP 40 was created and never released."),
    ]
    for day, peps, reason in expected:
        try:
            found = answer(events, day)
        except KeyError as error:
            raise NotYet(f"Not every event has {error}: events without a PEP have neither \"peps\" nor \"step\". "
                         "event.get(\"peps\", []) helps.") from None
        if found is None:
            raise NotYet("The function returns None. Does it have a return statement?")
        numbers = listed(found)
        if numbers == [] and peps:
            raise NotYet(f"For {day} the function returns nothing, and should return {peps}. {reason} "
                         "Collect the created ones first, then take the released ones away.")
        if sorted(numbers) == peps and numbers != peps:
            raise NotYet("The numbers are right, but not sorted.")
        if numbers != peps:
            raise NotYet(f"For {day} the function returns {numbers} instead of {peps}. {reason}")
    return "Right. On the last day of 2023 the interpreters' module and the build without a GIL were still to come."
