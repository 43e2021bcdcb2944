# SPDX-License-Identifier: BSD-3-Clause
"""The ways in which `%%compare` runs a cell: what they mean for this cell, and whether they return the same."""

import pickle
import types
from dataclasses import dataclass
from typing import Any

from xcores.cell import Cell
from xcores.names import names_of_code


@dataclass(frozen=True, slots=True)
class Way:
    """One way of running the cell; without a kind serially, in the notebook's own interpreter."""

    kind: str | None
    workers: int

    def __str__(self) -> str:
        return f"{self.kind} {self.workers}" if self.kind else "serial"


def reading_of(cell: Cell, notebook: dict[str, Any]) -> str:
    """Whether the cell, or a function of the notebook that it uses, divides its work among the workers."""
    reads: set[str] = set()
    waiting = [*cell.names.needed, *cell.names.optional]
    while waiting:
        name = waiting.pop()
        if name in reads:
            continue
        reads.add(name)
        value = notebook.get(name)
        if isinstance(value, types.FunctionType) and value.__globals__ is notebook:
            waiting += names_of_code(value.__code__).reads
    return "divided" if "workers" in reads else "numbered" if "worker" in reads else "repeated"


def same(one: Any, other: Any) -> bool | None:
    """Whether two results are equal; None where that cannot be told."""
    try:
        equal = one == other
        if isinstance(equal, bool):
            if equal:
                return True
        elif hasattr(equal, "all"):
            return bool(equal.all())
        # NaN is not equal to itself, and most objects are equal to nothing else: their contents tell more.
        if pickle.dumps(one) == pickle.dumps(other):
            return True
        return None if type(one).__eq__ is object.__eq__ else False
    except Exception:
        return None


class Results:
    """What has been returned so far, to compare the rest with."""

    def __init__(self, reading: str) -> None:
        self._reading = reading
        self._known: dict[int, list[Any]] = {}
        self._serial: list[Any] = []
        self._first: dict[int, Way] = {}

    def add(self, way: Way, answers: list[Any]) -> dict[Way, bool]:
        """What is known now of the results of this way, and perhaps of the one it was compared with."""
        if way.kind is None:
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
        first = self._first.get(way.workers)
        if all(told) and first is not None:
            verdict[first] = True
        return verdict

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
