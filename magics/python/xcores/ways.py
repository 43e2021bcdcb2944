# SPDX-License-Identifier: BSD-3-Clause
"""The ways in which `%%compare` runs a cell: what they mean for this cell, and whether they return the same."""

import pickle
from dataclasses import dataclass
from typing import Any

from xcores.cell import Cell


@dataclass(frozen=True, slots=True)
class Way:
    """One way of running the cell; without a kind serially, in the notebook's own interpreter."""

    kind: str | None
    workers: int

    def __str__(self) -> str:
        return f"{self.kind} {self.workers}" if self.kind else "serial"


def reading_of(cell: Cell) -> str:
    """Whether the cell divides its work among the workers. Functions of the notebook do not see these names."""
    reads = {*cell.names.needed, *cell.names.optional}
    return "divided" if "workers" in reads else "numbered" if "worker" in reads else "repeated"


def same(one: Any, other: Any) -> bool | None:
    """Whether two results are equal, with NaN equal to NaN; None where that cannot be told."""
    try:
        told = _told_by_themselves(one, other)
        if told is not None:
            return told
        parts = _parts_of(one, other)
        if parts is not None:
            verdicts = {same(*pair) for pair in parts}
            return False if False in verdicts else None if None in verdicts else True
        # NaN is not equal to itself, and most objects are equal to nothing else: their contents tell more.
        if pickle.dumps(one) == pickle.dumps(other):
            return True
        return None if type(one).__eq__ is object.__eq__ or _equal(one, other) is None else False
    except Exception:
        return None


def _equal(one: Any, other: Any) -> Any:
    try:
        return one == other
    except Exception:
        return None


def _told_by_themselves(one: Any, other: Any) -> bool | None:
    equal = _equal(one, other)
    if equal is True:
        return True
    if isinstance(equal, bool):
        return None
    if hasattr(one, "equals"):  # a table of pandas or another library
        return bool(one.equals(other))
    if getattr(one, "shape", None) != getattr(other, "shape", None):
        return False
    if hasattr(equal, "all"):
        if bool(equal.all()):
            return True
        if getattr(getattr(one, "dtype", None), "names", None):
            return None  # of a record it says only that there is some NaN in it
        return bool((equal | (one != one) & (other != other)).all())
    return None


def _parts_of(one: Any, other: Any) -> list[tuple[Any, Any]] | None:
    """What two lists, tuples or dictionaries consist of, in pairs; None: they are something else, or not alike."""
    kind = type(one)
    if kind is not type(other):
        return None
    if kind.__eq__ in (list.__eq__, tuple.__eq__) and len(one) == len(other):
        return list(zip(one, other, strict=True))
    if kind.__eq__ is dict.__eq__ and one.keys() == other.keys():
        return [(value, other[key]) for key, value in one.items()]
    return None


class Results:
    """What has been returned so far, to compare the rest with."""

    def __init__(self, reading: str) -> None:
        self._reading = reading
        self._known: dict[int, list[Any]] = {}
        self._serial: list[Any] = []
        self._first: dict[int, Way] = {}
        self._odd: dict[Way, list[Any]] = {}
        self.varying: set[Way] = set()
        """Those whose results differ from run to run, so that nothing can be said of them. Of the others only those that
        differ from what they were compared with have been asked."""

    def add(self, way: Way, answers: list[Any]) -> dict[Way, bool]:
        """What is known now of the results of this way, and perhaps of the one it was compared with."""
        if way.kind is None:
            if self._serial and self._differ(answers, self._serial):
                self.varying.add(way)
            if not self._serial or len(answers) > len(self._serial):
                self._serial = answers
            return {}
        expected = self._expected(way)
        if expected is None:
            self._known[way.workers] = answers
            self._first[way.workers] = way
            return {}
        told = [same(one, other) for one, other in zip(answers, expected, strict=True)]
        if None in told:
            return {}
        verdict = {way: all(told)}
        if not all(told):
            if self._differ(answers, self._odd.setdefault(way, answers)):
                self.varying.add(way)
        first = self._first.get(way.workers)
        if all(told) and first is not None:
            verdict[first] = True
        return verdict

    @staticmethod
    def _differ(answers: list[Any], others: list[Any]) -> bool:
        return any(same(one, other) is False for one, other in zip(answers, others, strict=False))

    def _expected(self, way: Way) -> list[Any] | None:
        if self._serial:
            if self._reading == "mapped":
                return self._serial
            if self._reading == "repeated":
                return self._serial[:1] * way.workers
            if self._reading == "numbered":
                return self._serial[:way.workers]
            if way.workers == 1:
                return self._serial
        return self._known.get(way.workers)
