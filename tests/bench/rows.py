# SPDX-License-Identifier: BSD-3-Clause
"""What a benchmark gives, and how it measures."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass
class Target:
    """What a figure is compared with: the best of `peers`, or itself where there are none. `bound` is what was aimed at, if anything."""

    peers: tuple[str, ...] = ()
    bound: float | None = None


@dataclass
class Row:
    name: str
    unit: str
    better: str  # "lower" | "higher"
    values: dict[str, float]
    targets: dict[str, Target] = field(default_factory=dict)

    def compared(self, label: str) -> dict[str, object] | None:
        """The value of `label` beside its target; None without one."""
        target = self.targets.get(label)
        peers = {name: self.values[name] for name in target.peers if name in self.values} if target else {}
        if target is None or (target.peers and not peers):
            return None
        lower = self.better == "lower"
        best = (min if lower else max)(peers, key=peers.__getitem__) if peers else None
        figure = self.values[label] / peers[best] if best else self.values[label]
        met = None if target.bound is None else figure <= target.bound if lower else figure >= target.bound
        return {"peer": best, "figure": figure, "bound": target.bound, "met": met}

    def as_json(self) -> dict[str, object]:
        compared = {label: self.compared(label) for label in self.targets}
        return {**vars(self), "targets": {label: found for label, found in compared.items() if found}}

    def as_text(self) -> str:
        """A line for each value: rows have different columns, so a wide table would be mostly empty."""
        base = next(iter(self.values.values()))
        lines = [f"{self.name} [{self.unit}, {self.better} is better]"]
        for label, value in self.values.items():
            note = self._note(label) if self.targets else f"{value / base:>7.2f} x the first"
            lines.append(f"    {label:<34}{value:>12.4g}   {note}".rstrip())
        return "\n".join(lines)

    def _note(self, label: str) -> str:
        found = self.compared(label)
        if found is None:
            return ""
        aim = f"target {'≤' if self.better == 'lower' else '≥'} {found['bound']:g}" if found["bound"] is not None else ""
        aim += {True: ": met", False: ": missed", None: ""}[found["met"]]  # type: ignore[index]
        if found["peer"] is None:
            return f"({aim})"
        return f"{found['figure']:.3g} of {found['peer']}{f' ({aim})' if aim else ''}"


def seconds(action: Callable[[], object]) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def medians(actions: dict[str, Callable[[], float]], rounds: int, warm_up: int = 1) -> dict[str, float]:
    """Median of what each action gives; actions are taken in turns."""
    for _ in range(warm_up):
        for action in actions.values():
            action()
    figures = [{name: action() for name, action in actions.items()} for _ in range(rounds)]
    return {name: statistics.median(each[name] for each in figures) for name in actions}


def interleaved(actions: dict[str, Callable[[], object]], rounds: int, warm_up: int = 1) -> dict[str, float]:
    """Median seconds of each action, taken in turns."""
    return medians({name: lambda action=action: seconds(action) for name, action in actions.items()}, rounds, warm_up)
