# SPDX-License-Identifier: BSD-3-Clause
"""Tells whether what an executor has sent along with a function is still what the function uses."""

import operator
import types
from collections.abc import Iterable
from typing import Any

from xcores import reloads

_MISSING = object()


class Watch:
    """The global and enclosed variables of some functions, as they are when this is made.

    It notices that one of them refers to another object, not that an object has changed. Cheap: asked for every job.
    """

    __slots__ = ("_cells", "_contents", "_globals", "_stamp")

    def __init__(self, functions: Iterable[types.FunctionType] = ()) -> None:
        self._stamp = reloads.stamp()
        names: dict[int, tuple[dict[str, Any], set[str]]] = {}
        cells: list[types.CellType] = []
        for function in functions:
            from xcores.names import names_of_code  # expensive, and not needed for what goes by name

            scope = function.__globals__
            names.setdefault(id(scope), (scope, set()))[1].update(names_of_code(function.__code__).reads)
            cells += function.__closure__ or ()
        self._globals = [(scope.get, tuple(read), tuple(map(scope.get, read))) for scope, read in names.values() if read]
        self._cells = tuple(cells)
        self._contents = tuple(map(_contents, self._cells))

    def has_changed(self) -> bool:
        if self._stamp is not reloads.listener.stamp and self._stamp is not reloads.stamp():
            return True
        for get, names, values in self._globals:
            if any(map(operator.is_not, map(get, names), values)):
                return True
        return bool(self._cells) and any(map(operator.is_not, map(_contents, self._cells), self._contents))


def _contents(cell: types.CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # not bound
        return _MISSING
