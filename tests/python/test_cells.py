# SPDX-License-Identifier: BSD-3-Clause
"""What a cell means on workers."""

import os
import sys

import pytest


def test_each_worker_runs_the_cell_with_its_own_number(kind, results) -> None:
    assert results(kind, "worker, workers", workers=3) == [(0, 3), (1, 3), (2, 3)]


def test_there_are_as_many_workers_as_usable_cores_if_no_number_is_given(kind, cell, shell) -> None:
    from xcores import _engine

    cell(f"%%{kind} --quiet -o answers\nworkers")
    cores = len(_engine.usable_cores())
    assert shell.user_ns["answers"] == [cores] * cores


@pytest.mark.parametrize("options", ["-n 3", "--workers 3", "--workers=3", "3 -n 3", "{n}", "$n"])
def test_the_number_of_workers_can_be_given_in_many_ways(kind, cell, shell, options) -> None:
    cell("n = 3")
    assert cell(f"%%{kind} {options} --quiet --out answers\n1").error is None
    assert shell.user_ns["answers"] == [1, 1, 1]


def test_a_namespace_does_not_live_from_cell_to_cell(kind, results) -> None:
    results(kind, "left_over = 1")
    assert results(kind, "'left_over' in globals()") == [False, False]


def test_the_magic_itself_has_no_value(kind, cell) -> None:
    assert cell(f"%%{kind} 2 --quiet\n7").value is None


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("1 + 1", 2),
        ("1 + 1;", None),
        ("1 + 1; # a comment", None),
        ("x = 5", None),
        ("for x in range(3): x", None),
        ("'text; with a semicolon'", "text; with a semicolon"),
        ("(y := 4)", 4),
        ("1, *[2, 3]", (1, 2, 3)),
        ("def f(): return 1\nf()", 1),
        ("'a'\n\n# only a comment after it\n", "a"),
        ("\n\n3", 3),
        ("    x = 1\n    x + 1", 2),
        ("from __future__ import annotations\ndef f(x: nothing): return 2\nf(1)", 2),
    ],
)
def test_the_value_of_the_last_expression_is_the_result(kind, results, body, expected) -> None:
    assert results(kind, body) == [expected] * 2


def test_the_cell_may_await(kind, results) -> None:
    body = "import asyncio\ntask = asyncio.create_task(asyncio.sleep(0, worker))\nawait asyncio.sleep(0)\nawait task"
    assert results(kind, body) == [0, 1]


def test_the_cell_runs_as_main(kind, results) -> None:
    assert results(kind, "ran = False\nif __name__ == '__main__':\n    ran = True\nran") == [True, True]


def test_shell_commands_run_in_the_workers(kind, cell, results) -> None:
    assert results(kind, "lines = !echo one; echo {worker + 1}\nlines") == [["one", "1"], ["one", "2"]]
    ran = cell(f"%%{kind} 2 --quiet\n!echo said by {{worker}}")
    assert sorted(ran.stdout.splitlines()) == ["[0] said by 0", "[1] said by 1"]


@pytest.mark.parametrize(
    ("body", "what"),
    [("%time 1", "%time"), ("x = 1\n%pylab inline", "%pylab"), ("x = 1\nx?", "help"), ("%%time\n1", "%%time")],
)
def test_ipython_magics_in_the_body_are_refused_with_advice(kind, cell, body, what) -> None:
    ran = cell(f"%%{kind} 2\n{body}")
    line = 1 + body[:body.find("?" if what == "help" else what)].count("\n") + 1
    assert ran.text.startswith(f"UsageError: %%{kind}, line {line}: IPython's {what}") and ran.text.count("\n") == 1
    assert ran.displays == []


def test_display_prints_in_a_worker(kind, cell) -> None:
    assert sorted(cell(f"%%{kind} 2 --quiet\ndisplay([worker])").stdout.splitlines()) == ["[0] [0]", "[1] [1]"]


def test_another_magic_above_runs_the_whole(kind, cell, shell) -> None:
    ran = cell(f"%%capture text\n%%{kind} 2 --quiet\nprint(worker)")
    assert ran.error is None
    assert sorted(shell.user_ns["text"].stdout.splitlines()) == ["[0] 0", "[1] 1"]


@pytest.mark.parametrize("start", ["spawn", "forkserver"])
def test_a_process_runs_the_python_of_the_notebook_on_its_path(start, cell, shell) -> None:
    cell(f"%%procs 1 --fresh --start {start} --quiet -o answers\n"
         "import os, sys\nos.path.realpath('/proc/self/exe'), sys.executable, sys.prefix, sys.base_prefix, sys.path")
    here = os.path.realpath("/proc/self/exe"), sys.executable, sys.prefix, sys.base_prefix, sys.path
    assert shell.user_ns["answers"] == [here]


def test_code_sees_plain_arguments(sending_kind, results) -> None:
    assert results(sending_kind, "import sys\nsys.argv") == [[""], [""]]


def test_the_help_says_what_it_is_when_to_use_it_and_shows_an_example(kind, shell) -> None:
    text = shell.find_cell_magic(kind).__doc__
    for words in (f"%%{kind}", "--workers", "--timeout", "--no-plot", "--quiet", "--out", "Use them", "Example"):
        assert words in text


def test_the_latest_report_can_be_had(kind, cell) -> None:
    import json

    import xcores

    cell(f"%%{kind} 2 --quiet\n1")
    report = json.loads(xcores.last_report().to_json())
    assert report["kind"] == kind and len(report["workers"]) == 2


def test_help_works_in_a_worker(kind, cell) -> None:
    assert "Return the number of items in a container." in cell(f"%%{kind} 1\nhelp(len)").text
