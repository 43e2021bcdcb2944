# SPDX-License-Identifier: BSD-3-Clause
"""The checks of part 9: loading data files."""

import heapq
import importlib.util
import tempfile
from collections.abc import Callable, Mapping, Sequence
from numbers import Real
from pathlib import Path
from typing import Any

from xcores.workshop import files
from xcores.workshop.exercises import NotYet, exercise, listed

_ROWS, _SEED = 60, 9

Order = Callable[[Sequence[Path]], Sequence[Path]]


@exercise("09-summary")
def summary(answer: Any) -> str:
    """A function of a path that returns cents by region."""
    if not callable(answer):
        raise NotYet(f"The answer is the function itself, without a call: summary. This is a {type(answer).__name__}.")
    count = 1 if importlib.util.find_spec("openpyxl") is None else 2
    with tempfile.TemporaryDirectory(prefix="xcores-check-") as folder:
        for branch, path in enumerate(files.make(folder, count, _ROWS, _SEED), start=1):
            _check_summary(answer(path), list(files.sales(branch, _ROWS, _SEED)), path.name)
    return "A table of thousands of rows stays in the worker, and four numbers come back."


def _check_summary(given: Any, table: list[files.Sale], name: str) -> None:
    right = files.revenue(table)
    if given is None:
        raise NotYet("The function returns nothing yet. Load the file, add up quantity * cents for each region, "
                     "and return the sums.")
    if isinstance(given, Real):
        raise NotYet("That is one number. The revenue of each region is wanted: a dictionary, region: cents.")
    if isinstance(given, list | tuple) and len(given) == len(table):
        raise NotYet(f"All {len(given)} rows come back, so a worker would have to send all of them. Add them up first.")
    if not isinstance(given, Mapping):
        raise NotYet(f"A dictionary, region: cents, is wanted. This is a {type(given).__name__}.")
    if dict(given) == right:
        return
    unknown = [key for key in given if key not in right]
    if unknown:
        raise NotYet(f"{unknown[0]!r} is no region. A row is (day, product, region, quantity, cents): the region comes third.")
    missing = [region for region in right if region not in given]
    if missing:
        raise NotYet(f"{name} has sales in the region {missing[0]!r}, which is missing from your sums.")
    counted = {"the sum of the prices": 4, "the sum of the quantities": 3}
    for what, column in counted.items():
        if all(given[region] == sum(sale[column] for sale in table if sale[2] == region) for region in right):
            raise NotYet(f"That is {what}. A sale is worth its quantity times its price.")
    if all(given[region] == sum(sale[2] == region for sale in table) for region in right):
        raise NotYet("That is the number of sales. A sale is worth its quantity times its price.")
    region = next(region for region in right if given[region] != right[region])
    raise NotYet(f"In {name}, the region {region!r} took {right[region]} cents; you have {given[region]}.")


_SIZES = {"a.csv": 45_000, "b.xlsx": 2_000, "c.xlsx": 3_000, "d.csv": 40_000, "e.xlsx": 1_000, "f.xlsx": 2_000, "g.xlsx": 10_000}
"""The CSV files are the largest and take the least time: the order of sizes alone makes g.xlsx wait for one of them."""


def _units(path: Path) -> float:
    """How long the check says that a file takes: Excel by its size, CSV a fiftieth of that."""
    return path.stat().st_size / (1_000 if path.suffix == ".xlsx" else 50_000)


def _schedule(paths: Sequence[Path]) -> tuple[float, dict[Path, float]]:
    """When two workers have finished that take the files in this order, and when each file begins."""
    free = [0.0, 0.0]
    begins: dict[Path, float] = {}
    for path in paths:
        begins[path] = heapq.heappop(free)
        heapq.heappush(free, begins[path] + _units(path))
    return max(free), begins


@exercise("09-order")
def order(answer: Any) -> str:
    """A function of a list of paths that returns them in the order in which two workers finish first."""
    if not callable(answer):
        raise NotYet(f"The answer is the function itself, without a call: order. This is a {type(answer).__name__}.")
    with tempfile.TemporaryDirectory(prefix="xcores-check-") as folder:
        paths = []
        for name, size in _SIZES.items():
            paths.append(Path(folder) / name)
            paths[-1].write_bytes(bytes(size))
        given = answer(list(paths))
        if given is None:
            raise NotYet("The function returns nothing. It has to return the list; list.sort() returns None, "
                         "sorted(…) returns a new list.")
        given = listed(given)
        if sorted(map(str, given)) != sorted(map(str, paths)):
            raise NotYet(f"{len(paths)} files went in, and these came out: {', '.join(Path(each).name for each in given)}. "
                         "Each file has to be there, and only one time.")
        end, begins = _schedule(given)
        best, _ = _schedule(sorted(paths, key=_units, reverse=True))
        if end > best:
            last = max(begins, key=lambda path: begins[path] + _units(path))
            raise NotYet(f"With two workers, {last.name} ({_units(last):g} of {sum(map(_units, paths)):.1f} units of work) begins "
                         f"at {begins[last]:.1f} and ends at {end:.1f}, while the other worker has nothing to do; {best:.1f} is possible. "
                         "Which files have to begin early?")
    return "Longest first: what is short at the end evens out what is left."


_RIGHT = {"openpyxl": {"subinterp", "procs"}, "pandas": {"procs"}, "download": {"threads"}}
_HINTS = {
    ("openpyxl", "threads"): "openpyxl is pure Python, and a thread that runs it holds the GIL: see the GIL row of %%threads above.",
    ("pandas", "threads"): "pandas reads Excel files through openpyxl, so most of the time is spent with the GIL held.",
    ("pandas", "subinterp"): "pandas needs NumPy. What did the cell say that tried to import it in an interpreter?",
    ("download", "subinterp"): "A download waits for the network. Does a worker that waits need a GIL of its own?",
    ("download", "procs"): "A download waits for the network. Does a worker that waits need a process of its own?",
}


@exercise("09-choice")
def choice(answer: Any) -> str:
    """Which kind of worker for which case."""
    if not isinstance(answer, Mapping):
        raise NotYet(f"The answer is a dictionary with the keys {', '.join(_RIGHT)}. This is a {type(answer).__name__}.")
    for case, right in _RIGHT.items():
        given = answer.get(case, ...)
        if given is ...:
            raise NotYet(f"There is no answer to {case!r} yet: threads, subinterp or procs?")
        if not isinstance(given, str):
            raise NotYet(f"{case!r}: give one kind, as a string, instead of {type(given).__name__}.")
        kind = given.removeprefix("%%")
        if kind in right:
            continue
        raise NotYet(_HINTS.get((case, kind), f"{given!r} for {case!r} is none of 'threads', 'subinterp', 'procs'."))
    return ("Python code that computes needs a GIL for each worker, an extension module that refuses interpreters needs "
            "processes, and what waits needs threads only.")
