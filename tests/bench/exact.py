# SPDX-License-Identifier: BSD-3-Clause
"""How close recorded and sampled runs come to what the threads note themselves.

Each trial runs in a process of its own, in turns with recording allowed and switched off (`XCORES_EXACT`).
"""

import json
import os
import pathlib
import statistics
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import instrument
from cell import run, shell
from rows import Row, Target

from xcores import _engine, last_run, recording_access

TRIALS = 5
SLEEP_NS = 2_000_000

COMPUTES = """
import time
end = time.monotonic() + 1
while time.monotonic() < end: pass
time.thread_time_ns()
"""

CONVOY = """
import time
noted = []
if worker == 0:
    end = time.monotonic() + 1
    while time.monotonic() < end: pass
else:
    for _ in range(100):
        noted.append(time.monotonic_ns())
        time.sleep(0.002)
        noted.append(time.monotonic_ns())
noted
"""

RELEASES_OFTEN = """
import os
with open("/dev/zero", "rb", buffering=0) as file:
    for _ in range(200_000): os.read(file.fileno(), 1)
"""


def spans(worker: dict) -> Iterator[tuple[int, int, str, str]]:
    """(start, end, state, GIL) of each span, in nanoseconds since the run began."""
    found = worker["spans"]
    time = 0
    for gap, length, state, gil in zip(found["gap_ns"], found["length_ns"], found["state"], found["gil"], strict=True):
        start = time + gap
        time = start + length
        yield start, time, state, gil


def absences(worker: dict) -> list[tuple[int, int]]:
    """The times between two spans with the GIL."""
    held = [(start, end) for start, end, _, gil in spans(worker) if gil == "h"]
    return [(end, start) for (_, end), (start, _) in zip(held, held[1:], strict=False) if start > end]


def errors_of_absences(worker: dict, noted: list[int]) -> list[float]:
    """Microseconds by which each recorded absence is longer or shorter than what the thread noted; a second where there is none."""
    start, end = worker["run_ns"]
    recorded = [until - since for since, until in absences(worker) if since > start and until < end and until - since >= SLEEP_NS]
    measured = [after - before for before, after in zip(noted[0::2], noted[1::2], strict=True)]
    missing = [1e6] * abs(len(measured) - len(recorded))
    return [abs(length - expected) / 1000 for length, expected in zip(recorded, measured, strict=False)] + missing


def unknown_share(worker: dict) -> float:
    """Per cent of the run of which the state or the GIL is unknown."""
    start, end = worker["run_ns"]
    unknown = sum(max(0, min(span[1], end) - max(span[0], start)) for span in spans(worker) if "?" in span[2:])
    return 100 * unknown / (end - start)


def error_on_core(worker: dict) -> float:
    """Per cent of the run by which the time on a core differs from the thread's CPU clock."""
    start, end = worker["run_ns"]
    running = sum(max(0, min(span[1], end) - max(span[0], start)) for span in spans(worker) if span[2] == "r")
    return 100 * abs(running - worker["cpu_ns"]) / (end - start)


def trial() -> dict[str, float]:
    run("threads", "2 --quiet -o noted", CONVOY)
    _, sleeper = last_run().report["workers"]
    errors = errors_of_absences(sleeper, shell().user_ns["noted"][1])
    unknown = unknown_share(sleeper)
    run("threads", "2 --quiet", COMPUTES)
    workers = last_run().report["workers"]
    return {
        "absence": statistics.median(errors),
        "absence, 9 of 10 within": statistics.quantiles(errors, n=10)[-1],
        "on core": max(map(error_on_core, workers)),
        "unknown": max([unknown, *map(unknown_share, workers)]),
    }


def in_process(function: str, switch: str) -> Any:
    """What a function of this module gives in a process with XCORES_EXACT set."""
    code = f"import json, exact; print(json.dumps(exact.{function}()))"
    done = subprocess.run([sys.executable, "-c", code], env=os.environ | {"XCORES_EXACT": switch}, cwd=pathlib.Path(__file__).parent,
                          check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def refusal() -> str:
    return recording_access.sentence() if _engine.recording_refusal() else ""


def trials(switches: dict[str, str]) -> dict[str, dict[str, float]]:
    """Medians of what a trial gives."""
    found: dict[str, list[dict[str, float]]] = {name: [] for name in switches}
    for _ in range(TRIALS):
        for name, switch in switches.items():
            found[name].append(in_process("trial", switch))
    return {name: {key: statistics.median(each[key] for each in all_of) for key in all_of[0]} for name, all_of in found.items()}


def slowdown_of_many_releases() -> dict[str, float]:
    return instrument.slowdown(1, RELEASES_OFTEN)


def exact() -> list[Row]:
    switches = {"recorded": "1", "sampled": "0"}
    if refused := in_process("refusal", "1"):
        print(refused, flush=True)
        del switches["recorded"]
    measured = trials(switches)

    def row(key: str, name: str, unit: str, bound: float) -> Row:
        return Row(name, unit, "lower", {kind: found[key] for kind, found in measured.items()}, {"recorded": Target(bound=bound)})

    slowdown = in_process("slowdown_of_many_releases", next(iter(switches.values())))
    return [
        row("absence", "a time without the GIL, of 2 ms and more: error, median", "us", 50.0),
        row("absence, 9 of 10 within", "the same, 9 of 10 within", "us", 50.0),
        row("on core", "time on a core of 1 s: error", "%", 0.1),
        row("unknown", "state or GIL unknown", "%", 0.0),
        Row("slowdown of 200,000 tiny reads", "%", "lower", slowdown, dict.fromkeys(slowdown, Target(bound=2.0))),
    ]
