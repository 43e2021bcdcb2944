# SPDX-License-Identifier: BSD-3-Clause
"""What stands under a cell is so, is said once, and says what to do."""

import json
import re
import time

import pytest

import xcores
from xcores import latest


def shown(ran) -> str:
    """The text that stands under the cell at its end."""
    final = {message["id"]: message["data"].get("text/plain", "") for message in ran.displays}
    return "".join(final.values())


def caption(ran) -> str:
    return shown(ran).partition("\n")[0]


def last() -> dict:
    return json.loads(latest.last_report().to_json())


def test_an_item_that_fails_is_told_first_with_what_and_where(cell, kind: str) -> None:
    ran = cell(f"%%{kind} 2 --map range(10) -o out\n10 / (item - 3)")
    assert re.match(r"Item 3 failed in worker \d: ZeroDivisionError: division by zero\. ", caption(ran)), caption(ran)
    assert "interrupted" not in shown(ran)
    assert re.search(r"item 3 failed", shown(ran))


def test_the_numbers_of_a_failed_mapping_add_up(cell) -> None:
    text = cell("%%threads 2 --map range(10) --quiet\n10 / (item - 3)").text
    taken = int(re.search(r"Of (\d+) items?: 1 failed", text)[1])
    parts = re.search(r"Of \d+ items?: (.*)\.", text)[1]
    assert sum(map(int, re.findall(r"\d+", parts))) == taken
    assert f"1 of {taken} items failed" in text
    assert "item 3 (value: 3) in worker" in text and "3, 3," not in text


def test_with_on_error_continue_the_headline_names_the_first_failure_and_counts_the_others(cell) -> None:
    ran = cell("%%threads 2 --map range(10) --on-error continue\n10 / (item % 3)")
    assert re.match(r"Item \d failed in worker \d: ZeroDivisionError: division by zero; 3 more failed\. ", caption(ran))


def test_what_no_interpreter_can_load_is_said_once_with_the_line_to_write_instead(cell) -> None:
    pytest.importorskip("numpy")
    ran = cell("import numpy as np")
    ran = cell("%%subinterp 2 -o sums\nnp.arange(3).sum()")
    assert shown(ran) == "" and not any("image/png" in one["data"] for one in ran.displays)
    assert ran.text.count("numpy") <= 3 and "Write this as the first line of the cell: %%procs 2 -o sums" in ran.text
    assert ".." not in ran.text.replace("...", "")


@pytest.mark.parametrize(("line", "told"), [
    ("%%threads 2 --maps [1]", "there is no option --maps; did you mean --map?"),
    ("%%procs 2 --shared", "--shared is only for %%threads"),
    ("%%threads --gil own", "--gil is only for %%subinterp"),
    ("%%threads 2 --start spawn", "--start is only for %%procs"),
    ("%%compare --shared", "--shared is only for %%threads"),
    ("%%cores 2", "there are no workers, so '2' has no meaning"),
])  # fmt: skip
def test_an_option_that_does_not_exist_is_told_with_what_may_be_meant(cell, line: str, told: str) -> None:
    ran = cell(f"{line}\n1")
    assert type(ran.error).__name__ == "UsageError" and told in str(ran.error)


@pytest.mark.parametrize("line", ["workers=3", "--workers 3", "--workers=3"])
def test_a_setting_may_be_written_as_in_a_cell(cell, line: str) -> None:
    ran = cell(f"%xcores config {line}")
    assert ran.error is None and "workers=3\n" in ran.stdout


def test_results_of_the_others_were_kept(cell) -> None:
    assert "The result of worker 1 was kept." in cell("%%threads 2 --quiet\n1 / worker").text
    assert "The results of workers 1 and 2 were kept." in cell("%%threads 3 --quiet\n1 / worker").text


def test_a_crash_of_one_worker_hides_neither_the_cpu_time_of_the_others_nor_its_cause(cell) -> None:
    ran = cell("%%procs 2\nimport ctypes\nif worker: ctypes.string_at(0)\nsum(range(2_000_000))")
    assert "CPU time unknown" not in shown(ran) and "1 of 2 crashed" in caption(ran)
    assert "Segmentation fault" in ran.text


def test_a_crash_shows_where_in_python_and_not_the_stack_of_the_interpreter(cell) -> None:
    text = cell("%%procs 1\nimport ctypes\ndef broken():\n    ctypes.string_at(0)\nbroken()").text
    assert re.search(r"Cell In\[\d+\].*, line 4 in broken", text), text
    assert "C stack" not in text and "Binary file" not in text
    assert text.count("\n") < 25, text


def test_wall_time_and_the_time_of_the_cell_are_told_apart(cell, kind: str) -> None:
    ran = cell(f"%%{kind} 2\n1 + 1")
    (line,) = (line for line in shown(ran).splitlines() if line.startswith("wall time"))
    wall, of_the_cell = re.match(r"wall time ([\d.]+ \S+), of which the cell ran ([\d.]+ \S+);", line).groups()
    assert wall != of_the_cell
    (said,) = re.findall(r" busy in ([\d.]+ [^;.]+)", caption(ran)) or [of_the_cell]
    assert said == of_the_cell


def busy(seconds: float) -> None:
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


def test_workers_that_ran_one_after_the_other_are_not_side_by_side() -> None:
    with xcores.ProcessExecutor(2) as executor:
        executor.submit(time.sleep, 0.3)
        executor.submit(busy, 0.3).result()
        executor.submit(busy, 0.3).result()
        text = executor.report().text()
    assert "side by side" not in text.partition("\n")[0], text


def test_the_table_of_an_executor_has_no_column_of_results() -> None:
    with xcores.ThreadExecutor(1) as executor:
        executor.submit(sum, [1]).result()
        text = executor.report().text()
    assert "result" not in text.partition("\n\n")[2].partition("\n")[0] and "None" not in text, text


def test_no_two_lanes_are_on_one_core_at_the_same_moment(cell, kind: str) -> None:
    cell(f"%%{kind} 4\nsum(range(3_000_000))")
    changes = []
    for worker in last()["workers"]:
        spans, now = worker["spans"], 0
        for gap, length, state, core in zip(spans["gap_ns"], spans["length_ns"], spans["state"], spans["core"], strict=True):
            now += gap
            if state == "r" and core is not None:
                changes += [(now, 1, core), (now + length, 0, core)]
            now += length
    there: set[int] = set()
    for _, begins, core in sorted(changes):
        assert not (begins and core in there)
        (there.add if begins else there.discard)(core)


def test_bursts_shorter_than_a_sample_do_not_make_a_gil_free(cell) -> None:
    cell("import time\ndef fib(n): return n if n < 2 else fib(n - 1) + fib(n - 2)")
    ran = cell("%%threads 2\nend = time.time() + 1.5\nwhile time.time() < end: fib(14); time.sleep(.01)")
    line = re.search(r"GIL of the main interpreter: (.*)", shown(ran))[1]
    report = last()
    cpu = sum(worker["cpu_ns"] for worker in report["workers"])
    run = max(worker["run_ns"][1] for worker in report["workers"]) - min(worker["run_ns"][0] for worker in report["workers"])
    if (share := re.search(r"held (.*?) of the time", line)) is not None:
        assert max(map(int, re.findall(r"\d+", share[1]))) / 100 >= cpu / run - 0.02, (line, cpu / run)


def test_a_thread_that_turns_up_in_another_interpreter_has_computed_since_the_recording_began(cell) -> None:
    interpreters = pytest.importorskip("concurrent.interpreters")
    cell("end = __import__('time').thread_time() + 1\nwhile __import__('time').thread_time() < end: pass")
    inside = interpreters.create()
    try:
        with xcores.record() as run:
            inside.exec("sum(range(1_000_000))")
    finally:
        inside.close()
    text = run.report.text()
    shares = [int(share) for share in re.findall(r"(\d+) %", text)]
    assert all(share <= 100 for share in shares), text
    assert float(re.search(r"([\d.]+) of (\d+) cores busy", text)[1]) <= len(json.loads(run.report.to_json())["environment"]["cores"])
    report = json.loads(run.report.to_json())
    assert all(worker["cpu_ns"] <= report["wall_ns"] for worker in report["workers"] if worker.get("lane") != "process"), text
