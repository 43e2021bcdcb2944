# SPDX-License-Identifier: BSD-3-Clause
"""What the workers of all candidates are given to do."""

LARGE = 100_000_000


def nothing() -> None:
    pass


def length(data: object) -> int:
    return len(data)  # type: ignore[arg-type]


def large() -> bytes:
    return bytes(LARGE)
