# SPDX-License-Identifier: BSD-3-Clause
"""What the workers of all candidates are given to do."""

import time

LARGE = 100_000_000


def nothing() -> None:
    pass


def pause() -> None:
    """Long enough that every worker has to take one."""
    time.sleep(0.3)


def length(data: object) -> int:
    return len(data)  # type: ignore[arg-type]


def large() -> bytes:
    return bytes(LARGE)


def tiny(number: int) -> float:
    return number / 2


def uneven(number: int) -> int:
    """Most are short; every fiftieth takes a hundred times as long."""
    return sum(range(200_000 if number % 50 == 0 else 2_000))
