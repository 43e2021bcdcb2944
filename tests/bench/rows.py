# SPDX-License-Identifier: BSD-3-Clause
"""What a benchmark gives, and how it measures."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass
class Row:
    name: str
    unit: str
    better: str  # "lower" | "higher"
    values: dict[str, float]

    def as_json(self) -> dict[str, object]:
        return vars(self)


def seconds(action: Callable[[], object]) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def interleaved(actions: dict[str, Callable[[], object]], rounds: int, warm_up: int = 1) -> dict[str, float]:
    """Median seconds of each action, taken in turns."""
    for _ in range(warm_up):
        for action in actions.values():
            action()
    times: dict[str, list[float]] = {name: [] for name in actions}
    for _ in range(rounds):
        for name, action in actions.items():
            times[name].append(seconds(action))
    return {name: statistics.median(values) for name, values in times.items()}
