# SPDX-License-Identifier: BSD-3-Clause
"""What measuring and showing cost."""

import statistics

from cell import FIB, run, shell
from rows import Row, interleaved, seconds

from xcores import last_report

PAIRS = 25


def slowdown(workers: int) -> dict[str, float]:
    """Median over interleaved pairs of how much longer the same work takes with the sampler than without."""
    ratios = {}
    for magic in ("threads", "subinterp", "procs"):
        pairs = []
        for number in range(PAIRS + 1):
            times = {}
            for rate in (("1000", "0") if number % 2 else ("0", "1000")):
                times[rate] = seconds(lambda rate=rate: run(magic, f"{workers} --quiet --sample {rate}", FIB))
            pairs.append(times["1000"] / times["0"] - 1)
        ratios[f"xcores {magic}"] = 100 * statistics.median(pairs[1:])
    return ratios


def drawing() -> dict[str, float]:
    """Milliseconds to render the report of ten seconds of eight workers."""
    run("threads", "8 --no-plot --timeout 10", "while True: pass")
    report = last_report()
    report.png()
    return {name: 1000 * statistics.median(seconds(render) for _ in range(9)) for name, render in (("png", report.png), ("text", report.text), ("html", report.html))}


def instrument() -> list[Row]:
    rows = [Row(f"slowdown by the sampler, {workers} workers", "%", "lower", slowdown(workers)) for workers in (2, 8)]
    rows.append(Row("drawing 10 s of 8 workers", "ms", "lower", drawing()))
    cells = {"pass": lambda: shell().run_cell("pass"), "%%subinterp 2 with pass": lambda: shell().run_cell("%%subinterp 2\npass")}
    rows.append(Row("a whole cell", "ms", "lower", {name: 1000 * value for name, value in interleaved(cells, 21).items()}))
    return rows
