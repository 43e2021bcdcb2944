# SPDX-License-Identifier: BSD-3-Clause
"""What measuring and showing cost."""

import functools
import statistics

import kernel
from cell import FIB, run
from rows import Row, Target, interleaved, seconds

from xcores import last_report

PAIRS = 61
"""What else happens on a machine makes single pairs differ by several per cent."""


def slowdown(workers: int, work: str = FIB) -> dict[str, float]:
    """Per cent by which the same work takes longer with the sampler than without; median over interleaved pairs."""
    ratios = {}
    for magic in ("threads", "subinterp", "procs"):
        pairs = []
        for number in range(PAIRS + 1):
            times = {}
            for rate in (("1000", "0") if number % 2 else ("0", "1000")):
                times[rate] = seconds(lambda rate=rate: run(magic, f"{workers} --quiet --sample {rate}", work))
            pairs.append(times["1000"] / times["0"] - 1)
        ratios[f"xcores {magic}"] = 100 * statistics.median(pairs[1:])
    return ratios


def drawing() -> dict[str, float]:
    """Milliseconds to render the report of ten seconds of eight workers."""
    run("threads", "8 --no-plot", "import time\nend = time.monotonic() + 10\nwhile time.monotonic() < end: pass")
    report = last_report()
    report.png()
    drawn = {"png": report.png, "text": report.text, "html": report.html, "all that a notebook keeps of the picture": report.picture_bundle}
    return {name: 1000 * statistics.median(seconds(render) for _ in range(9)) for name, render in drawn.items()}


def whole_cells() -> dict[str, float]:
    """Milliseconds of cells in the kernel, as a front end sees them."""
    with kernel.opened("xcores") as client:
        cells = {"pass": "pass", "%%subinterp 2 with pass": "%%subinterp 2\npass"}
        times = interleaved({name: functools.partial(kernel.execute, client, code) for name, code in cells.items()}, 21)
    milliseconds = {name: 1000 * value for name, value in times.items()}
    plain, fanned_out = milliseconds.values()
    return milliseconds | {"more than pass": fanned_out - plain}


def at_most(bound: float, name: str, unit: str, values: dict[str, float]) -> Row:
    return Row(name, unit, "lower", values, dict.fromkeys(values, Target(bound=bound)))


def instrument() -> list[Row]:
    rows = [at_most(1.0, f"slowdown by the sampler, {workers} workers", "%", slowdown(workers)) for workers in (2, 8)]
    drawn = at_most(2.0, "drawing 10 s of 8 workers", "ms", drawing())
    drawn.targets |= {"png": Target(bound=60.0), "all that a notebook keeps of the picture": Target()}
    cells = Row("a whole cell", "ms", "lower", whole_cells(), {"more than pass": Target(bound=30.0)})
    return [*rows, drawn, cells]
