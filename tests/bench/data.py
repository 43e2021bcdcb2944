# SPDX-License-Identifier: BSD-3-Clause
"""What it costs to move data into workers and out of them."""

from remote import WORKERS, compared, measured, scaled, warm
from rows import Row, Target

ROUNDS = 5


def data() -> list[Row]:
    rows = []
    for workers in WORKERS:
        with warm(workers, with_cluster=True) as remotes:
            times = measured(remotes, f"argument {workers} bytes", ROUNDS)
            large = compared(f"100 MB bytes to each of {workers} workers", "ms", scaled(times, 1e3),
                             {"ProcessExecutor forkserver": 0.15, "ProcessExecutor spawn": 0.15} if workers == 2 else {})
            if workers == 2:
                large.targets["SubinterpExecutor"] = Target(bound=1.0)  # ms
            times = measured(remotes, f"argument {workers} ints", ROUNDS)
            ints = compared(f"list of 200,000 ints to each of {workers} workers", "ms", scaled(times, 1e3),
                            {"SubinterpExecutor": 0.5} if workers == 2 else {})
            rows += [large, ints]
            if workers == 2:
                rows.append(compared("100 MB bytes from a worker", "ms", scaled(measured(remotes, "result 2", ROUNDS), 1e3), {}))
    return rows
