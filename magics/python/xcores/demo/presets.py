# SPDX-License-Identifier: BSD-3-Clause
"""The functions to choose from, each with an argument that takes a fraction of a second."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from xcores.demo import functions


@dataclass(frozen=True)
class Preset:
    """A function of `xcores.demo.functions`, and what the window says of it."""

    title: str
    function: Callable[..., Any]
    argument: int
    most: int
    """The greatest argument."""
    says: str
    unit: str = ""
    knows_job: bool = False
    """Whether the function also gets the number of its job."""

    def arguments(self, argument: int, job: int) -> tuple[int, ...]:
        return (argument, job) if self.knows_job else (argument,)


PRESETS = {
    "fib": Preset("fib(n): recursive Python", functions.fib, 27, 40,
                  "Pure Python: a worker that runs it holds its GIL."),
    "primes": Preset("count the primes below n", functions.count_primes, 10_000, 10_000_000,
                     "Pure Python: a worker that runs it holds its GIL."),
    "sum": Preset("sum(range(n)): one C call", functions.sum_at_once, 2_000_000, 1_000_000_000,
                  "One call of a function written in C, which keeps the GIL until it returns."),
    "pieces": Preset("sum(range(n)) in pieces", functions.sum_in_pieces, 2_000_000, 1_000_000_000,
                     f"Many short calls of C code, of {functions.PIECE:,} numbers each: between two of them another thread can have the GIL."),
    "wait": Preset("wait, as for a server", functions.wait, 20, 600_000,
                   "Waits without the GIL and without a core.", " ms"),
    "digest": Preset("SHA-256 of n megabytes", functions.digest, 20, 2_000,
                     "Computes in C code that releases the GIL.", " MB"),
    "fail": Preset("fail in each n-th job", functions.fail_each, 10, 1_000,
                   "Raises a ValueError in each n-th job.", knows_job=True),
}
