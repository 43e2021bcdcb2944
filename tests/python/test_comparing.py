# SPDX-License-Identifier: BSD-3-Clause
"""`%%compare`."""

import json
import os
import pathlib
import signal
from threading import Lock

import jsonschema
import pytest

from xcores import comparing
from xcores.ways import Results, Way, same

SCHEMAS = pathlib.Path(__file__).parents[2] / "share/xcores"
JSON = "application/vnd.xcores.comparison+json"


@pytest.fixture
def compared(cell, shell):
    """Compares a cell; gives its Comparison."""

    def run(body: str, line: str = "-n 2 --repeat 1"):
        ran = cell(f"%%compare {line} -o comparison\n{body}")
        assert ran.error is None, ran.text
        return shell.user_ns["comparison"]

    return run


def shown(ran) -> str:
    """The text that stands under the cell at its end."""
    final = {message["id"]: message["data"].get("text/plain", "") for message in ran.displays}
    return "".join(final.values())


def pictures(ran) -> list:
    return [message for message in ran.displays if "image/png" in message["data"]]


def failures(comparison) -> dict[str, str]:
    return {row["kind"]: row["failure"] for row in comparison.rows}


def results(comparison) -> dict[str, str]:
    return {row["kind"]: row["results"] for row in comparison.rows if row["kind"] != "serial"}


def test_the_cell_runs_serially_and_in_every_kind_and_number(compared) -> None:
    ways = [(row["kind"], row["workers"]) for row in compared("workers", "-n 1,2 --repeat 1").rows]
    assert ways == [("serial", 1), *((kind, count) for kind in ("threads", "subinterp", "procs") for count in (1, 2))]


def test_only_the_kinds_that_are_named_are_compared(compared) -> None:
    assert [row["kind"] for row in compared("1", "procs threads -n 2").rows] == ["serial", "threads", "procs"]


def test_every_way_is_measured_as_often_as_asked_after_a_first_run_that_starts_it(compared, shell) -> None:
    shell.user_ns["calls"] = calls = []
    compared("calls.append((worker, workers))", "threads -n 2 --repeat 3")
    assert calls.count((0, 1)) == 4 and calls.count((1, 2)) == 4


def test_display_is_a_table_then_a_chart_with_the_figures(cell) -> None:
    table, chart = cell("%%compare -n 2 --repeat 1\n1 + 1").displays[-2:]
    assert table["data"].keys() == {"text/html", "text/plain"}
    assert chart["data"].keys() == {"image/png", "text/plain", JSON}
    assert chart["data"][JSON]["recommendation"]["sentence"] in table["data"]["text/plain"]


def test_no_plot_leaves_the_chart_out(cell) -> None:
    assert not any("image/png" in one["data"] for one in cell("%%compare threads -n 2 --no-plot\n1").displays)


def test_the_figures_fit_the_published_schema(compared) -> None:
    comparison = compared("workers")
    schema = json.loads((SCHEMAS / "comparison-1.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(json.loads(comparison._view.to_json()), schema)


@pytest.mark.parametrize(("body", "reading"), [
    ("sum(range(worker, 10, workers))", "divided"),
    ("worker * 2", "numbered"),
    ("2 * 2", "repeated"),
    ("workers = 3\nworkers * 2", "repeated"),
    ("share(10)", "repeated"),
])  # fmt: skip
def test_what_is_compared_follows_from_the_names_the_cell_reads(cell, compared, body: str, reading: str) -> None:
    cell("def share(n):\n    return inner(n)\ndef inner(n):\n    return n // workers if 'workers' in globals() else n")
    assert json.loads(compared(body, "subinterp -n 2 --repeat 1")._view.to_json())["reading"] == reading


def test_a_mapped_cell_shares_its_items_out_and_is_compared_with_one_after_the_other(cell, compared) -> None:
    cell("files = ['a', 'bb', 'ccc']")
    comparison = compared("(index, len(name))", "-n 1,2 --map files --as name --repeat 2")
    assert json.loads(comparison._view.to_json())["reading"] == "mapped"
    assert set(results(comparison).values()) == {"same"}
    assert all(row["time_s"] is not None for row in comparison.rows)
    assert [(row["kind"], row["workers"]) for row in comparison.rows[:3]] == [("serial", 1), ("threads", 1), ("threads", 2)]


def test_an_item_that_fails_in_every_way_is_told_once(cell) -> None:
    ran = cell("%%compare -n 2 --repeat 1 --map '[1, 0]'\n1 / item")
    assert isinstance(ran.error, ZeroDivisionError)
    assert "division by zero" not in shown(ran) and not pictures(ran)


def test_what_comes_back_of_items_is_counted_as_moved(compared) -> None:
    rows = compared("'x' * 1_000_000", "subinterp procs -n 2 --repeat 1 --map range(4)").rows
    moved = {row["kind"]: row["moved_bytes"] for row in rows}
    assert all(4_000_000 <= moved[kind] < 4_100_000 for kind in ("subinterp", "procs"))


def test_results_of_items_that_differ_are_named(compared) -> None:
    comparison = compared("import threading\nitem, threading.current_thread() is threading.main_thread()",
                          "threads -n 2 --map range(3)")
    assert results(comparison) == {"threads": "different"}


def test_no_items_are_compared_too(compared) -> None:
    assert set(results(compared("item", "--map [] -n 2 --repeat 1")).values()) == {"same"}


def test_items_that_are_used_up_after_the_first_time_are_refused(cell) -> None:
    ran = cell("%%compare --map 'iter([1])'\nitem")
    assert type(ran.error).__name__ == "UsageError" and "Make it a list" in str(ran.error)


def test_numbered_parts_have_a_serial_time_for_each_number_of_them(compared) -> None:
    rows = compared("worker", "threads -n 2,3").rows
    assert [(row["kind"], row["workers"]) for row in rows[:2]] == [("serial", 2), ("serial", 3)]
    assert rows[0]["time_s"] <= rows[1]["time_s"]


def test_equal_results_of_all_kinds_are_told(compared) -> None:
    assert set(results(compared("[worker, {'of': workers}]")).values()) == {"same"}
    assert set(results(compared("worker ** 2")).values()) == {"same"}
    assert set(results(compared("'always'")).values()) == {"same"}


def test_a_kind_that_returns_something_else_is_named(compared) -> None:
    comparison = compared("import threading\nthreading.current_thread() is threading.main_thread() and worker")
    assert "different" in results(comparison).values()
    assert "returned something else" in comparison.sentence


@pytest.mark.parametrize("body", ["import random\nrandom.random()", "import os\nos.urandom(8), worker, workers"])
def test_results_that_differ_from_run_to_run_accuse_nobody(compared, body: str) -> None:
    comparison = compared(body)
    assert "differ from run to run (random numbers?)" in comparison.sentence
    assert "something else" not in comparison.sentence
    assert "different" not in results(comparison).values()


def test_the_speedup_is_the_ratio_of_the_times_shown_for_every_number_of_workers(compared) -> None:
    rows = compared("sum(range(worker, 400_000, workers))", "-n 1,2,4 --repeat 3").rows
    for row in rows[1:]:
        assert row["speedup"] == pytest.approx(rows[0]["time_s"] / row["time_s"])


@pytest.mark.parametrize("line", ["2", "threads 2", "2 threads"])
def test_a_plain_number_is_the_number_of_workers(compared, line: str) -> None:
    assert {row["workers"] for row in compared("1", f"{line} --repeat 1").rows[1:]} == {2}


def test_results_that_cannot_be_compared_are_not_called_equal(compared) -> None:
    assert set(results(compared("import threading\nthreading.Lock()", "threads -n 2")).values()) == {"unknown"}


def test_one_kind_that_fails_is_a_row_and_not_the_end(compared) -> None:
    pytest.importorskip("numpy")
    failed = failures(compared("import numpy\nint(numpy.arange(workers).sum())"))
    assert "numpy" in failed["subinterp"]
    assert failed["threads"] == failed["procs"] == failed["serial"] == ""


def test_what_cannot_be_sent_is_a_row_and_not_the_end(cell, compared) -> None:
    cell("import threading\nlock = threading.Lock()")
    failed = failures(compared("lock.locked()"))
    assert failed["threads"] == "" and "cannot send `lock`" in failed["procs"]


def test_a_way_that_takes_too_long_is_a_row(compared) -> None:
    failed = failures(compared("import time\nif workers == 2: time.sleep(60)", "procs -n 2 --timeout 0.5"))
    assert "WorkerTimedOut" in failed["procs"]


@pytest.mark.parametrize("body", ["1 / 0", "no_such_name"])
def test_a_cell_that_fails_everywhere_alike_shows_its_own_error_and_nothing_else(cell, body: str) -> None:
    ran = cell(f"%%compare -n 2\n{body}")
    assert isinstance(ran.error, (ZeroDivisionError, NameError))
    assert shown(ran) == "" and not pictures(ran)


def test_a_cell_that_fails_everywhere_in_its_own_way_shows_how_and_no_chart(cell) -> None:
    ran = cell("%%compare -n 2\nimport os\nraise ValueError(os.urandom(4).hex())")
    assert isinstance(ran.error, ValueError)
    assert shown(ran).count("ValueError") >= 4 and not pictures(ran)


def test_what_the_cell_prints_is_not_shown(cell) -> None:
    assert "hello" not in cell("%%compare -n 2 --repeat 1\nprint('hello')\n1").text


def test_the_cell_leaves_nothing_in_the_notebook(cell, shell) -> None:
    cell("%%compare -n 2 --repeat 1\nleft_behind = 1")
    assert "left_behind" not in shell.user_ns


@pytest.mark.parametrize("line", ["fibers", "-n 0", "2 3", "2 -n 2", "--shared", "--maps", "-n 1,x", "--repeat 0", "-n 2 -o 1x", "--timeout no", "-n 999", "--as x", "--map no_such"])
def test_a_wrong_line_is_told_without_a_traceback(cell, line: str) -> None:
    ran = cell(f"%%compare {line}\n1")
    assert type(ran.error).__name__ == "UsageError" and "%%compare" in str(ran.error)


def test_an_interrupt_keeps_what_was_measured(cell, shell, tmp_path) -> None:
    shell.user_ns["interrupt"] = lambda: os.kill(os.getpid(), signal.SIGINT)
    shell.user_ns["rounds"] = rounds = []
    body = """import time
if workers == 2 and worker == 1: rounds.append(1)
if len(rounds) == 3:
    interrupt()
    while True: time.sleep(0.01)"""
    ran = cell(f"%%compare threads -n 2 --repeat 50 -o comparison\n{body}")
    assert isinstance(ran.error, KeyboardInterrupt)
    rows = shell.user_ns["comparison"].rows
    assert all(row["time_s"] is not None for row in rows)
    assert "Interrupted before the end" in ran.displays[-2]["data"]["text/plain"]


def test_an_interrupt_of_the_serial_part_ends_the_comparison(cell, shell) -> None:
    shell.user_ns["interrupt"] = lambda: os.kill(os.getpid(), signal.SIGINT)
    ran = cell("%%compare threads -n 2\nif workers == 1: interrupt()\nwhile workers == 1: pass")
    assert isinstance(ran.error, KeyboardInterrupt)


def test_while_it_goes_on_there_is_a_line_which_becomes_the_table(cell, shell) -> None:
    displays = cell("%%compare threads -n 2 --repeat 2\nimport time\ntime.sleep(0.2)").displays
    first, table = displays[0], displays[-2]
    assert "of 6 runs" in first["data"]["text/plain"] and first["id"] == table["id"] and table["update"]


def test_equality_copes_with_what_does_not_compare() -> None:
    class Odd:
        def __eq__(self, other: object) -> bool:
            raise RuntimeError

        __hash__ = None

    class Vague:
        def __eq__(self, other: object):
            return self

        __hash__ = None

        def all(self) -> bool:
            return True

    assert same(float("nan"), float("nan")) is True
    assert same([1, 2], [1, 2]) is True and same([1, 2], [1, 3]) is False
    assert same(Odd(), Odd()) is None and same(print, len) is False and same(lambda: 1, lambda: 2) is None
    assert same(Vague(), Vague()) is True


NAN = """
import numpy as np, pandas as pd
from collections import namedtuple
nan = float('nan')
Pair = namedtuple('Pair', 'left right')
class Holder:
    def __init__(self, value): self.value = value
"""


@pytest.mark.parametrize(("text", "other"), [
    ("np.array([1.0, {}])", "2.0"), ("np.float64({})", "2.0"), ("pd.Series([1.0, {}])", "2.0"), ("[np.array([{}]), 1]", "2.0"),
    ("{{'a': np.array([{}, 1j])}}", "2.0"), ("pd.DataFrame({{'a': [1.0, {}], 'b': ['x', 'y']}})", "2.0"),
    ("np.array([({}, 1.0)], 'f8,f8')", "2.0"), ("[np.arange(3) + {}]", "2.0"), ("Pair(np.float32({}), 1)", "2.0"),
    ("pd.DataFrame({{'a': [1, {}]}}, index=['x', 'y'])", "2"), ("np.array(['a', str({})])", "2"), ("(1.5, {})", "2.0"),
    ("np.array([np.datetime64('NaT' if {} != 2 else '2020')])", "2"), ("np.array([1, {}], object)", "2"),
    ("pd.Index([1, {}])", "2"), ("np.array([{}, 5])", "2"),
])  # fmt: skip
def test_nan_is_equal_to_nan_wherever_it_stands(text, other) -> None:
    pytest.importorskip("pandas")
    scope = {}
    exec(NAN, scope)

    def made(number: str) -> object:
        return eval(text.format(number), dict(scope, nan=float("nan")))

    assert same(made("nan"), made("nan")) is True and same(made(other), made(other)) is True
    assert same(made("nan"), made(other)) is False and same(made("3"), made(other)) is False
    assert same([made("nan"), Lock()], [made("nan"), Lock()]) is None


def test_arrays_that_differ_in_shape_or_in_one_field_are_not_equal() -> None:
    numpy = pytest.importorskip("numpy")
    records = [numpy.array([(float("nan"), number)], "f8,f8") for number in (1, 2)]
    assert same(*records) is False
    assert same(numpy.zeros(3), numpy.zeros((1, 3))) is False and same(numpy.zeros(3), numpy.zeros(4)) is False


def test_frames_with_nan_are_the_same_in_all_kinds(cell, compared) -> None:
    pytest.importorskip("pandas")
    cell("import pandas as pd")
    body = "pd.DataFrame({'a': [1.0, float('nan')]}), pd.Series([float('nan')])"
    assert set(results(compared(body, "threads procs -n 2")).values()) == {"same"}


def test_divided_work_is_compared_with_the_first_kind_of_the_same_number() -> None:
    known = Results("divided")
    threads, procs = Way("threads", 2), Way("procs", 2)
    assert known.add(Way(None, 1), [6]) == {}
    assert known.add(threads, [2, 4]) == {}
    assert known.add(procs, [2, 4]) == {procs: True, threads: True}
    assert known.add(procs, [2, 5]) == {procs: False}
    assert known.add(Way("threads", 1), [6]) == {Way("threads", 1): True}


def test_the_usual_numbers_of_workers_go_up_to_the_cores(monkeypatch) -> None:
    for cores, counts in ((1, [1]), (2, [1, 2]), (6, [1, 2, 4, 6]), (8, [1, 2, 4, 8])):
        monkeypatch.setattr(comparing._engine, "usable_cores", lambda cores=cores: list(range(cores)))
        assert comparing._default_counts() == counts
