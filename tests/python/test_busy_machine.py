# SPDX-License-Identifier: BSD-3-Clause
"""With another process on each core, what the cells of the notebooks say is still so."""

import contextlib
import json
import os
import pathlib
import re
import subprocess
import sys
from collections.abc import Iterator

import pytest

from xcores import latest

NOTEBOOKS = pathlib.Path(__file__).parents[2] / "notebooks"
COMPARISON = "application/vnd.xcores.comparison+json"
SPIN = """
import os, sys, time
end = time.monotonic() + 240
while time.monotonic() < end and os.getppid() == int(sys.argv[1]):
    sum(range(20_000))
"""
PERCENT = r"(\d+) %"
ROUNDING = 0.006
SLACK = 0.05
"""Samples and clocks are not read at the same moment."""


@pytest.fixture(scope="module")
def load() -> Iterator[None]:
    with contextlib.ExitStack() as stack:
        for _ in os.sched_getaffinity(0):
            process = subprocess.Popen([sys.executable, "-c", SPIN, str(os.getpid())])
            stack.callback(process.wait)
            stack.callback(process.kill)
        yield


def code_of(name: str) -> list[str]:
    cells = json.loads((NOTEBOOKS / f"{name}.ipynb").read_text())["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


def text_of(ran) -> str:
    final = {message["id"]: message["data"].get("text/plain", "") for message in ran.displays}
    return "".join(final.values())


def length(phase: list[int] | None) -> int:
    return phase[1] - phase[0] if phase else 0


def runs_of(report: dict) -> list[tuple[int, int]]:
    return [tuple(worker["run_ns"]) for worker in report["workers"] if worker["run_ns"]]


def check_cores(text: str, report: dict) -> None:
    for busy, cores in re.findall(r"([\d.]+) of (\d+|a) cores? busy", text):
        ran = runs_of(report)
        whole = max(end for _, end in ran) - min(start for start, _ in ran)
        cpu = sum(worker["cpu_ns"] or 0 for worker in report["workers"])
        there = len(report["environment"]["cores"]) if cores == "a" else int(cores)
        assert float(busy) <= there
        assert float(busy) == pytest.approx(min(cpu / whole, len(report["environment"]["cores"])), abs=ROUNDING)


def check_waits(caption: str, report: dict) -> None:
    shares = [int(share) / 100 for part in re.findall(r"waited[^;.]* of (?:its|their) runs?", caption)
              for share in re.findall(PERCENT, part)]
    off_core = [1 - worker["cpu_ns"] / length(worker["run_ns"]) for worker in report["workers"] if worker["cpu_ns"]]
    assert all(share <= max(off_core) + SLACK for share in shares), caption


def check_overlap(caption: str, report: dict) -> None:
    if "side by side" in caption:
        ran = sorted(runs_of(report))
        assert any(after[0] < before[1] for before, after in zip(ran, ran[1:], strict=False)), caption


def check_gil(text: str, report: dict) -> None:
    """Pure Python runs with the GIL: the most that may have been held is not less than the CPU time."""
    for line in re.findall(r"GIL of the main interpreter: held (.*?) of the time", text):
        ran = runs_of(report)
        whole = max(end for _, end in ran) - min(start for start, _ in ran)
        cpu = sum(worker["cpu_ns"] for worker in report["workers"])
        shares = [int(number) for number in re.findall(r"\d+", line)]
        most = 1 if line.startswith("over") else max(shares) / 100
        rounded = 0.05 if "about" in line else 0
        assert most >= min(1, cpu / whole) - SLACK - rounded, line


def check_run(text: str, *, is_python: bool) -> None:
    report = json.loads(latest.last_report().to_json())
    caption = text.partition("\n")[0]
    assert all(int(share) <= 100 for share in re.findall(PERCENT, text)), text
    assert "though there are" not in text
    check_cores(caption, report)
    check_waits(caption, report)
    check_overlap(caption, report)
    if is_python:
        check_gil(text, report)


def check_comparison(figures: dict, rows: list[dict], text: str) -> None:
    sentence = figures["recommendation"]["sentence"]
    serial = {row["workers"]: row["time_s"] for row in rows if row["kind"] == "serial"}
    for row in rows:
        if row["kind"] != "serial" and row["time_s"]:
            assert row["speedup"] == pytest.approx(serial[1] / row["time_s"], rel=1e-6)
    lost = max(row["core_wait"] or 0 for row in rows)
    assert ("Other programs took up to" in text) == (lost >= 0.05)
    assert text.startswith("Other programs took up to") == (lost >= 0.05), "the banner comes first"
    for kind, workers, factor in re.findall(r"%%(\w+) (\d+)(?:: | was )([\d.]+) times as fast as serial", sentence):
        (row,) = (row for row in rows if row["kind"] == kind and row["workers"] == int(workers))
        assert float(factor) == pytest.approx(row["speedup"], abs=0.06 if row["speedup"] < 9.95 else 0.6), sentence
        if sentence.startswith("Use"):
            assert row["speedup"] >= 1.09, sentence
    for share in re.findall(PERCENT, text):
        assert int(share) <= 100, text


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", ["quickstart", "which-one"])
def test_what_the_cells_of_a_notebook_say_on_a_busy_machine_is_so(cell, shell, load, name: str) -> None:
    seen = 0
    for source in code_of(name):
        ran = cell(source)
        text = text_of(ran)
        if source.startswith("%%compare"):
            out = re.search(r"-o (\w+)", source)[1]
            (figures,) = (one["data"][COMPARISON] for one in ran.displays if COMPARISON in one["data"])
            check_comparison(figures, shell.user_ns[out].rows, text)
            seen += 1
        elif source.startswith("%%"):
            check_run(text, is_python="is_prime" in source or "steps" in source)
            seen += 1
    assert seen >= 5
