# SPDX-License-Identifier: BSD-3-Clause
"""What it costs to hand out work: to workers that wait for it, and item by item."""

from remote import WORKERS, compared, measured, scaled, warm
from rows import Row

ROUNDS = 15
TINY = 10_000
UNEVEN = 2_000


def fan_out() -> list[Row]:
    rows = []
    for workers in WORKERS:
        with warm(workers, with_cluster=True) as remotes:
            times = measured(remotes, f"nothing {workers}", ROUNDS)
        bounds = {"ThreadExecutor": 0.5, "SubinterpExecutor": 0.25, "ProcessExecutor forkserver": 0.35, "ProcessExecutor spawn": 0.35}
        rows.append(compared(f"warm fan-out of an empty job to {workers} workers", "us", scaled(times, 1e6), bounds if workers == 2 else {}))
    return rows


def mapped() -> list[Row]:
    rows = []
    with warm(2) as remotes:
        for name, job, items, rounds, bounds in (
            (f"{TINY:,} tiny jobs through map, 2 workers", "tiny", TINY, 5, {"SubinterpExecutor": 5.0}),
            (f"{UNEVEN:,} uneven jobs through map, 2 workers", "uneven", UNEVEN, 3, {}),
        ):
            times = measured(remotes, f"map 2 {job} {items}", rounds)
            rows.append(compared(name, "jobs/s", {label: items / time for label, time in times.items()}, bounds, "higher"))
    return rows
