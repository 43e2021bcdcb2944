# SPDX-License-Identifier: BSD-3-Clause
"""What it costs to have workers: until the first result of new ones, and in memory."""

import statistics

from remote import ALL, CLUSTER, PEERS, WORKERS, cluster, compared, running, scaled
from rows import Row, Target

ROUNDS = 5
SAME_METHOD = PEERS | {
    f"{ours} {method}": (f"ProcessPoolExecutor {method}", f"multiprocessing.Pool {method}")
    for ours in ("ProcessExecutor", "%%procs")
    for method in ("forkserver", "spawn")
}


def cold() -> list[Row]:
    """Each time in a new process: some candidates keep servers."""
    rows = []
    for workers in WORKERS:
        rounds = []
        for _ in range(ROUNDS):
            with running(ALL) as remotes:
                rounds.append({name: one(f"first {workers}") for name, one in remotes.items()})
        times = {name: statistics.median(each[name] for each in rounds) for name in ALL}
        if workers == max(WORKERS):
            times[CLUSTER] = cluster()[1]
        bounds = dict.fromkeys(("SubinterpExecutor", "ProcessExecutor forkserver", "ProcessExecutor spawn"), 0.5) if workers == 2 else {}
        rows.append(compared(f"first results of {workers} new workers", "ms", scaled(times, 1e3), bounds, peers=SAME_METHOD))
    return rows


def memory() -> list[Row]:
    few, many = 2, 8
    totals = {}
    for workers in (few, many):
        with running(ALL) as remotes:
            for one in remotes.values():
                one(f"first {workers}")
                one(f"warm {workers}")
            totals[workers] = {name: one(f"memory {workers}") for name, one in remotes.items()}
    values = {name: (totals[many][name] - totals[few][name]) / (many - few) / 1e6 for name in ALL}
    row = compared("memory for each further worker", "MB", values, {})
    row.targets["SubinterpExecutor"] = Target(bound=3.5)
    return [row]
