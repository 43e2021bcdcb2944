# SPDX-License-Identifier: BSD-3-Clause
"""`with xcores.record() as run:` in scripts and in parts of cells."""

import json
import subprocess
import sys
import threading

import pytest

import xcores

SCRIPT = """
import threading, time, xcores
def spin():
    end = time.thread_time() + 0.05
    while time.thread_time() < end:
        sum(range(1000))
with xcores.record() as run:
    one = threading.Thread(target=spin, name="a thread of the script")
    one.start()
    one.join()
print(run)
"""


def test_a_script_without_ipython_prints_the_picture(tmp_path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    ran = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert "a thread of the script" in ran.stdout and "MainThread" in ran.stdout and "core 0" in ran.stdout


def test_the_report_comes_at_the_end() -> None:
    with xcores.record() as run:
        assert run.report is None and "not ended" in str(run)
    assert json.loads(run.report.to_json())["kind"] == "cores" and run.report is xcores.last_report()


def test_a_recording_that_raises_keeps_its_report_and_the_exception() -> None:
    with pytest.raises(KeyError), xcores.record() as run:
        raise KeyError("mine")
    assert run.report is not None


def test_recordings_may_overlap_and_both_know_the_names() -> None:
    with xcores.record() as outer, xcores.record() as inner:
        one = threading.Thread(target=sum, args=([],), name="between")
        one.start()
        one.join()
        long = threading.Event()
        two = threading.Thread(target=long.wait, name="to the end")
        two.start()
    long.set()
    two.join()
    for run in (outer, inner):
        assert run._names[two.native_id] == "to the end"
    assert threading.Thread.start.__module__ == "threading"


def test_a_recording_is_made_once() -> None:
    with xcores.record() as run:
        pass
    with pytest.raises(RuntimeError, match="again"), run:
        pass


@pytest.mark.parametrize("end", ["raise SystemExit(5)", "pass"], ids=["in the block", "after it"])
def test_a_fork_ends_as_without_a_recording_and_has_no_report(tmp_path, end) -> None:
    script = tmp_path / "script.py"
    script.write_text(f"""
import os, xcores
with xcores.record() as run:
    if (child := os.fork()) == 0:
        {end}
    else:
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
print("child" if child == 0 else status, run.report is None)
""")
    ran = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=120, check=True)
    assert sorted(ran.stdout.split()) == (["5", "False"] if "raise" in end else ["0", "False", "True", "child"])


@pytest.mark.parametrize("rate", [0, -1, 1e9, float("nan")])
def test_an_impossible_rate_is_refused(rate) -> None:
    with pytest.raises(ValueError, match="sample_hz"), xcores.record(rate):
        pass


def test_the_last_expression_of_a_cell_is_a_table_and_a_picture(cell) -> None:
    ran = cell("import xcores\nwith xcores.record() as run:\n    sum(range(1000))\nrun")
    assert [sorted(one["data"]) for one in ran.displays] == [["text/html", "text/plain"], ["application/vnd.xcores.run+json", "image/png", "text/plain"]]


def test_threads_that_come_and_go_by_the_hundred_do_no_harm() -> None:
    with xcores.record() as run:
        for _ in range(300):
            one = threading.Thread(target=sum, args=(range(2000),))
            one.start()
            one.join()
    report = json.loads(run.report.to_json())
    assert report["workers"][0]["name"] == "MainThread" and len(report["workers"]) <= 256
