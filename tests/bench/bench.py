# SPDX-License-Identifier: BSD-3-Clause
"""`./dev bench [NAME…]`: measures xcores and its peers in one run on the same work; prints a table, writes build/bench.json.

A benchmark is a function that gives rows. Figures are medians of interleaved rounds, so that a disturbance of the machine meets all
of them alike; compare columns of one run, never figures of two runs.
"""

import argparse
import json
import os
import pathlib
import platform
import sys

import cpu
import data
import executors
import instrument
import kernel
import mapping
import recorder
from rows import Row

BENCHMARKS = {
    "cpu": cpu.cpu_bound,
    "data": data.data,
    "executors": executors.all_rows,
    "instrument": instrument.instrument,
    "kernel": kernel.round_trips,
    "map": mapping.mapped,
    "recorder": recorder.recorder,
}


def environment() -> dict[str, object]:
    model = next((line.split(": ", 1)[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "")
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cpu": model,
        "usable_cores": len(os.sched_getaffinity(0)),
        "load_before": os.getloadavg()[0],
    }


def as_text(rows: list[Row]) -> str:
    """One line a row and column: rows have different columns, so a wide table would be mostly empty."""
    lines = []
    for row in rows:
        lines.append(f"{row.name} [{row.unit}, {row.better} is better]")
        base = next(iter(row.values.values()))
        for name, value in row.values.items():
            lines.append(f"    {name:<34}{value:>12.4g}   {value / base:>7.2f} x the first")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(prog="./dev bench", description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(BENCHMARKS)}; all without")
    parser.add_argument("--json", type=pathlib.Path, default=pathlib.Path("build/bench.json"))
    names = parser.parse_args().names or list(BENCHMARKS)
    if unknown := [name for name in names if name not in BENCHMARKS]:
        parser.error(f"no benchmark called {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}")
    about = environment()
    print(", ".join(f"{key} {value}" for key, value in about.items()), flush=True)
    rows = []
    for name in names:
        new = BENCHMARKS[name]()
        rows += new
        print(as_text(new), flush=True)
    path = parser.parse_args().json
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({"environment": about, "rows": [row.as_json() for row in rows]}, indent=1))
    print(f"written to {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
