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
import exact
import handing
import instrument
import kernel
import recorder
import sending
import starting

BENCHMARKS = {
    "fan-out": handing.fan_out,
    "map": handing.mapped,
    "data": data.data,
    "cold": starting.cold,
    "memory": starting.memory,
    "cpu": cpu.cpu_bound,
    "jobs": lambda: sending.jobs(cpu.WORK),
    "kernel": kernel.round_trips,
    "instrument": instrument.instrument,
    "recorder": recorder.recorder,
    "exact": exact.exact,
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
        print("\n".join(row.as_text() for row in new), flush=True)
    path = parser.parse_args().json
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({"environment": about, "rows": [row.as_json() for row in rows]}, indent=1))
    print(f"written to {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
