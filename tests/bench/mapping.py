# SPDX-License-Identifier: BSD-3-Clause
"""Cells that are mapped over items, beside the standard pools' `map`."""

import functools
from concurrent.futures import InterpreterPoolExecutor, ProcessPoolExecutor, ThreadPoolExecutor

from cell import run
from rows import Row, interleaved

TINY = 10_000
UNEVEN = 2_000
MAGICS = ("threads", "subinterp", "procs")


def half(number: int) -> float:
    return number / 2


def uneven(number: int) -> int:
    """Most are short; every fiftieth takes a hundred times as long."""
    return sum(range(200_000 if number % 50 == 0 else 2_000))


UNEVEN_CELL = "sum(range(200_000 if item % 50 == 0 else 2_000))"


def rates(name: str, items: int, body: str, function, rounds: int) -> Row:
    pools = {"ThreadPoolExecutor": ThreadPoolExecutor(2), "InterpreterPoolExecutor": InterpreterPoolExecutor(2), "ProcessPoolExecutor": ProcessPoolExecutor(2)}
    actions = {f"xcores {magic}": functools.partial(run, magic, f"2 --quiet --map range({items})", body) for magic in MAGICS}
    actions |= {name: lambda pool=pool: list(pool.map(function, range(items))) for name, pool in pools.items()}
    times = interleaved(actions, rounds)
    for pool in pools.values():
        pool.shutdown()
    return Row(name, "items/s", "higher", {name: items / time for name, time in times.items()})


def mapped() -> list[Row]:
    return [
        rates(f"{TINY:,} tiny items", TINY, "item / 2", half, rounds=5),
        rates(f"{UNEVEN:,} uneven items", UNEVEN, UNEVEN_CELL, uneven, rounds=3),
    ]
