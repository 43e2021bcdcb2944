# SPDX-License-Identifier: BSD-3-Clause
"""The figures of memory contain what the workers hold. Objects of 50 MB are told from anything else that goes on."""

import gc
import sys

import pytest

import xcores
from xcores import _engine, latest

SIZE = 50_000_000
MADE = f"b'x' * {SIZE}"
LEAST = 0.8 * SIZE  # an interpreter's figure is growth of the process, which may give back something else meanwhile


def memory() -> list[int | None]:
    """Of each worker of the latest run."""
    return [row["memory_bytes"] for row in latest.last_report().figures]


def shown(ran) -> str:
    return "".join(message["data"].get("text/plain", "") for message in ran.displays)


@pytest.fixture(autouse=True)
def nothing_of_earlier_tests() -> None:
    """What they hold would be let go of while the growth of the process is measured."""
    assert _engine.shutdown()
    gc.collect()


@pytest.fixture
def run(sending_kind: str, cell):
    """Runs a cell on the same two workers as before."""

    def run(body: str):
        ran = cell(f"%%{sending_kind} 2 --keep --no-plot\n{body}")
        assert ran.error is None, ran.text
        return ran

    cell(f"%%{sending_kind} 2 --keep --quiet\npass")
    return run


def test_what_a_warm_worker_keeps_is_in_its_memory_until_it_lets_go(run) -> None:
    run(f"data = {MADE}")
    assert all(LEAST < bytes < 2 * SIZE for bytes in memory()), memory()
    run("len(data)")
    assert all(LEAST < bytes < 2 * SIZE for bytes in memory()), memory()
    run("del data")
    run("pass")
    assert all(bytes is None or bytes < LEAST for bytes in memory()), memory()


def test_what_a_cell_holds_at_its_end_is_in_its_memory_and_not_in_that_of_the_next(run, sending_kind: str, cell) -> None:
    # Interpreters share their growth evenly: of two, one may have let go of its data before the other has made its own.
    cell(f"%%{sending_kind} 1 --quiet\ndata = {MADE}\n0")
    assert all(bytes > LEAST for bytes in memory()), memory()
    cell(f"%%{sending_kind} 1 --quiet\n0")
    assert all(bytes is None or bytes < LEAST for bytes in memory()), memory()


def test_results_belong_to_the_notebook(sending_kind: str, cell, shell, run) -> None:
    cell(f"%%{sending_kind} 2 --quiet -o out\n{MADE}")
    cell(f"%%{sending_kind} 2 --quiet\n0")
    assert all(bytes is None or bytes < LEAST for bytes in memory()), memory()
    assert [len(one) for one in shell.user_ns["out"]] == [SIZE, SIZE]


def test_a_module_that_a_warm_worker_has_imported_stays_in_its_memory(sending_kind: str, cell, tmp_path, run) -> None:
    name = f"large_for_{sending_kind}"
    (tmp_path / f"{name}.py").write_text(f"data = {MADE}\n")
    cell(f"%%{sending_kind} 2 --quiet\nimport sys\nsys.path.insert(0, {str(tmp_path)!r})\nimport {name}")
    assert all(LEAST < bytes < 2 * SIZE for bytes in memory()), memory()
    cell(f"%%{sending_kind} 2 --quiet --map range(4)\nitem")
    assert all(LEAST < bytes < 2 * SIZE for bytes in memory()), memory()


def test_the_status_counts_what_idle_workers_hold(sending_kind: str, cell, run) -> None:
    run(f"data = {MADE}")
    row = next(line for line in cell("%xcores status").stdout.splitlines() if line.startswith(sending_kind))
    assert float(row.split()[-2]) > 2 * LEAST / 1e6 and row.endswith("MB")


def test_the_table_says_of_what_the_memory_is(sending_kind: str, run) -> None:
    words = {"subinterp": "MB (growth of the notebook's process)", "procs": "MB with shared pages counted once"}
    assert words[sending_kind] in shown(run(f"data = {MADE}"))


def test_threads_have_no_memory_of_their_own(cell) -> None:
    ran = cell(f"%%threads 2 --no-plot\ndata = {MADE}\n0")
    assert memory() == [None, None] and "memory" not in shown(ran)


def test_a_comparison_compares_what_interpreters_and_processes_hold(cell, shell, tmp_path) -> None:
    (tmp_path / "large_for_all.py").write_text(f"data = {MADE}\n")
    ran = cell("%%compare -n 2 --repeat 1 --no-plot -o comparison\n"
               f"import sys\nsys.path.insert(0, {str(tmp_path)!r})\nimport large_for_all\nlen(large_for_all.data)")
    assert ran.error is None, ran.text
    held = {row["kind"]: row["memory_bytes"] for row in shell.user_ns["comparison"].rows}
    assert held["serial"] is None and held["threads"] is None
    assert all(2 * LEAST < held[kind] < 4 * SIZE for kind in ("subinterp", "procs")), held
    assert "Memory: of interpreters the growth of the notebook's process, of processes all that they hold" in shown(ran)


def hold() -> None:
    sys.__dict__["held_by_test"] = b"x" * SIZE


def test_the_report_of_an_executor_has_the_memory_of_processes_only(kind: str) -> None:
    executors = {"threads": xcores.ThreadExecutor, "subinterp": xcores.SubinterpExecutor, "procs": xcores.ProcessExecutor}
    with executors[kind](1, initializer=len, initargs=("",)) as executor:  # whose worker is not used again
        executor.submit(hold).result()
        (bytes,) = [row["memory_bytes"] for row in executor.report().figures]
        text = executor.report().text()
    sys.__dict__.pop("held_by_test", None)
    if kind == "procs":
        assert bytes > SIZE and "memory" in text
    else:
        assert bytes is None and "memory" not in text
