# SPDX-License-Identifier: BSD-3-Clause
"""`%%cores`: any cell, as it is, and what all threads and processes did meanwhile."""

import json
import threading
from typing import Any

import pytest

import xcores

SPIN = """
import threading, time
def spin(seconds=0.1):
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        sum(range(1000))
    return threading.current_thread().name
"""


@pytest.fixture
def look(cell):
    """Runs a cell under `%%cores` and gives the lanes of its report by name."""

    def run(body: str, options: str = "--no-plot") -> dict[str, Any]:
        ran = cell(f"%%cores {options}\n{body}")
        assert ran.error is None, ran.text
        return lanes()

    return run


def lanes() -> dict[str, Any]:
    report = json.loads(xcores.last_report().to_json())
    assert report["kind"] == "cores"
    return {lane["name"]: lane for lane in report["workers"]}


def of_kind(found: dict[str, Any], kind: str) -> list[Any]:
    return [lane for lane in found.values() if lane["lane"] == kind]


def time_in(lane: Any, state: str = "", gil: str = "") -> int:
    spans = lane["spans"]
    rows = zip(spans["length_ns"], spans["state"], spans["gil"], strict=True)
    return sum(length for length, its_state, its_gil in rows if its_state in (state or its_state) and its_gil in (gil or its_gil))


def test_a_thread_pool_shows_its_threads_by_name_and_the_main_thread_blocked(look) -> None:
    found = look(SPIN + """
from concurrent.futures import ThreadPoolExecutor
with ThreadPoolExecutor(2, thread_name_prefix="pool") as pool:
    names = set(pool.map(lambda _: spin(), range(4)))
""")
    assert {"MainThread", "pool_0"} <= set(found) and of_kind(found, "process") == []
    main = found["MainThread"]
    assert time_in(main, "b") > time_in(main) / 2
    assert time_in(found["pool_0"], gil="h") > 0


def test_threads_that_spin_wait_for_the_gil_in_turn(look) -> None:
    found = look(SPIN + """
threads = [threading.Thread(target=spin, args=(0.2,), name=f"spinner {n}") for n in range(2)]
for one in threads: one.start()
for one in threads: one.join()
""")
    report = json.loads(xcores.last_report().to_json())
    (gil,) = report["gils"]
    assert gil["name"] == "main interpreter" and gil["handovers"] > 2
    for number in range(2):
        lane = found[f"spinner {number}"]
        assert time_in(lane, gil="h") > 0 and time_in(lane, "g") > 0
        assert lane["cpu_ns"] > 0.1e9  # as of the last look before it ended


def test_no_two_threads_hold_one_gil_at_once(look) -> None:
    look(SPIN + """
threads = [threading.Thread(target=spin) for n in range(3)]
for one in threads: one.start()
for one in threads: one.join()
""")
    report = json.loads(xcores.last_report().to_json())
    held = []
    for lane in report["workers"]:
        at = 0
        for gap, length, gil in zip(lane["spans"]["gap_ns"], lane["spans"]["length_ns"], lane["spans"]["gil"], strict=True):
            at += gap
            held += [(at, at + length)] * (gil == "h")
            at += length
    held.sort()
    assert held
    # Each thread is looked at a moment after the one before it: spans may touch, not overlap by a sample.
    period = report["sampling"]["period_ns"]
    assert all(later[0] - earlier[1] > -period for earlier, later in zip(held, held[1:], strict=False))


def test_a_matrix_product_runs_without_the_gil(look, cell) -> None:
    cell("import numpy\nmatrix = numpy.ones((700, 700))")
    found = look("for _ in range(3): matrix @ matrix")
    running = [lane for lane in found.values() if lane["lane"] != "process"]
    assert sum(time_in(lane, "r", "n") for lane in running) > sum(time_in(lane, "r", "h") for lane in running)


def test_asyncio_shows_the_threads_of_to_thread(look) -> None:
    found = look(SPIN + """
import asyncio
names = await asyncio.gather(asyncio.to_thread(spin), asyncio.to_thread(spin))
""")
    assert "asyncio_0" in found and time_in(found["asyncio_0"], gil="h") > 0


def test_a_multiprocessing_pool_shows_its_processes(look, shell, monkeypatch) -> None:
    monkeypatch.setattr(shell.user_module, "__spec__", None, raising=False)  # as in any real __main__
    found = look("""
import math, multiprocessing
with multiprocessing.Pool(2) as pool:
    sizes = pool.map(math.factorial, [20_000] * 40, chunksize=5)
""")
    processes = of_kind(found, "process")
    assert len(processes) >= 2
    assert sum(lane["cpu_ns"] for lane in processes) > found["MainThread"]["cpu_ns"]
    assert all(set(lane["spans"]["gil"]) <= {"?"} for lane in processes)


def test_joblib_shows_its_processes(look) -> None:
    found = look("""
import math, joblib
sizes = joblib.Parallel(n_jobs=2)(joblib.delayed(math.factorial)(20_000) for _ in range(40))
""")
    assert len(of_kind(found, "process")) >= 2


def test_a_program_is_a_lane_until_it_ends(look) -> None:
    found = look("import subprocess, sys\nsubprocess.run([sys.executable, '-c', 'sum(range(20_000_000))'])")
    (process,) = of_kind(found, "process")
    assert process["cpu_ns"] > 0 and time_in(process, "r") > 0 and process["process_id"]


def test_interpreters_have_gils_of_their_own(look) -> None:
    look("""
from concurrent.futures import InterpreterPoolExecutor
with InterpreterPoolExecutor(2) as pool:
    sums = list(pool.map(sum, [range(8_000_000)] * 4))
""")
    report = json.loads(xcores.last_report().to_json())
    own = [gil for gil in report["gils"] if gil["name"].startswith("interpreter ")]
    assert own and all(report["workers"][lane]["name"].startswith("InterpreterPoolExecutor") for gil in own for lane in gil["workers"])


def test_hashing_runs_without_the_gil(look) -> None:
    found = look("import hashlib, threading\n"
                 "one = threading.Thread(target=lambda: hashlib.pbkdf2_hmac('sha256', b'x', b'y', 4_000_000), name='hash')\n"
                 "one.start(); one.join()")
    assert time_in(found["hash"], "r", "n") > time_in(found["hash"], "r", "h")


def test_threads_that_serve_the_notebook_are_left_out(look) -> None:
    found = look(SPIN + "spin()")
    assert list(found) == ["MainThread"]


# The cell is any other cell.


def test_the_last_expression_is_displayed_and_names_stay(cell, shell) -> None:
    ran = cell("%%cores --no-plot\nkept = 20\nkept + 1")
    assert ran.value == 21 and "21" in ran.stdout and shell.user_ns["kept"] == 20


def test_an_error_is_raised_once_from_the_line_the_user_sees_and_the_table_is_shown(cell) -> None:
    ran = cell("%%cores\nfirst = 1\n1 / 0")
    assert isinstance(ran.error, ZeroDivisionError) and ran.text.count("ZeroDivisionError") <= 2
    assert ran.error.__traceback__ is not None and ", line 3" in ran.text
    assert "image/png" in ran.displays[-1]["data"]


def test_syntax_errors_are_those_of_the_cell(cell) -> None:
    ran = cell("%%cores\nfirst = 1\n1 +")
    assert isinstance(ran.error, SyntaxError) and ran.error.lineno == 3 and ran.displays == []


def test_magics_and_future_imports_work_in_the_cell(cell, shell) -> None:
    ran = cell("%%cores --no-plot\nfrom __future__ import annotations\n%env XCORES_TEST=5\nwhere = !echo here")
    assert ran.error is None and shell.user_ns["where"] == ["here"]


def test_other_cell_magics_go_below(cell) -> None:
    ran = cell("%%cores --no-plot\n%%time\nsum(range(10))")
    assert ran.error is None and "Wall time" in ran.stdout and len(ran.displays) == 1


def test_other_cell_magics_go_above(cell) -> None:
    ran = cell("%%time\n%%cores --no-plot\nx = sum(range(10))")
    assert ran.error is None and "Wall time" in ran.stdout and len(ran.displays) == 1


def test_capture_takes_the_displays(cell, shell) -> None:
    assert cell("%%capture captured\n%%cores\n1 + 1").displays == []
    assert [sorted(one.data) for one in shell.user_ns["captured"].outputs][-2:] == [
        ["text/html", "text/plain"], ["application/vnd.xcores.run+json", "image/png", "text/plain"]]


def test_workers_in_the_cell_have_their_own_report_above(cell) -> None:
    ran = cell("%%cores --no-plot\n%%threads 2 --no-plot\nsum(range(1000))")
    assert ran.error is None
    assert ["worker" in one["data"]["text/plain"].splitlines()[2].split()[:1] for one in ran.displays[-2:]] == [True, False]


@pytest.mark.parametrize("options", ["--sample 5", "--sample 0", "--sample often", "--what", "3"])
def test_bad_options_are_told_and_nothing_runs(cell, shell, options) -> None:
    ran = cell(f"%%cores {options}\nnever = 1")
    assert ran.error is not None and "%%cores" in str(ran.error) and "never" not in shell.user_ns and ran.displays == []


def test_an_empty_cell_is_told(cell) -> None:
    assert "empty" in str(cell("%%cores\n\n").error)


def test_help_shows_the_options(shell, cell) -> None:
    assert "--sample" in shell.find_cell_magic("cores").__doc__


def test_no_plot_leaves_the_picture_out(cell) -> None:
    assert [sorted(one["data"]) for one in cell("%%cores --no-plot\n1").displays] == [["text/html", "text/plain"]]


def test_the_cell_after_is_not_recorded(cell) -> None:
    cell("%%cores --no-plot\n1")
    before = xcores.last_report()
    assert cell("2").displays == [] and xcores.last_report() is before


def test_nothing_is_left_in_threading(cell) -> None:
    before = threading.Thread.start
    cell("%%cores --no-plot\n1 / 0")
    assert threading.Thread.start is before


def test_unloading_takes_the_magic_away(shell, cell) -> None:
    shell.extension_manager.unload_extension("xcores")
    ran = cell("%%cores\n1")
    assert ran.displays == [] and "not found" in ran.text
