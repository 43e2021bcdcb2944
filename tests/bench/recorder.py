# SPDX-License-Identifier: BSD-3-Clause
"""What it costs to record ordinary code: `xcores.record()`, the engine of `%%cores`."""

import statistics
from concurrent.futures import ThreadPoolExecutor

from rows import Row, seconds

import xcores

PAIRS = 25


def count(limit: int) -> int:
    return sum(all(n % d for d in range(2, int(n**0.5) + 1)) for n in range(2, limit))


def slowdown(threads: int) -> float:
    """Per cent; median over interleaved pairs with and without a recording."""

    def work() -> None:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(count, [160_000 // threads] * threads))

    def recorded() -> None:
        with xcores.record():
            work()

    pairs = []
    for number in range(PAIRS + 1):
        plain = seconds(work) if number % 2 else None
        with_recorder = seconds(recorded)
        pairs.append(with_recorder / (plain or seconds(work)) - 1)
    return 100 * statistics.median(pairs[1:])


def overhead() -> float:
    """Milliseconds for a recording of nothing, its report included."""

    def nothing() -> None:
        with xcores.record():
            pass

    return 1000 * statistics.median(seconds(nothing) for _ in range(50))


def recorder() -> list[Row]:
    values = {f"{threads} threads": slowdown(threads) for threads in (2, 8)}
    return [Row("slowdown by xcores.record()", "%", "lower", values), Row("a recording of nothing", "ms", "lower", {"xcores.record()": overhead()})]
