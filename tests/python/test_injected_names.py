# SPDX-License-Identifier: BSD-3-Clause
"""The names that a worker gives to a cell are the cell's: functions of the notebook see the notebook's."""

import pytest


@pytest.mark.parametrize(("setup", "body", "expected"), [
    ("def worker(n): return n * 10\ndef call(n): return worker(n)", "call(worker)", [0, 10]),
    ("workers = ['ann', 'bob']\ndef first(): return workers[0]", "first(), workers", [("ann", 2)] * 2),
    ("worker = 'mine'\ndef deep():\n    return [worker for _ in range(1)]", "deep(), worker", [(["mine"], 0), (["mine"], 1)]),
    ("worker = 'mine'\nclass Team:\n    def name(self): return worker", "Team().name(), worker", [("mine", 0), ("mine", 1)]),
    ("worker = 5\ndef grow():\n    global worker\n    worker += 1\n    return worker",
     "first = grow()\nfirst, worker, first == 6", [(6, 0, True), (6, 1, True)]),
    ("worker = 7\ndef mine(): return worker", "def own(): return worker\nown(), mine(), [worker for _ in 'a']",
     [(0, 7, [0]), (1, 7, [1])]),
    ("worker = 7\ndef mine(): return worker", "worker += 10\nworker, mine()", [(10, 7), (11, 7)]),
    ("worker = 7\ndef mine(): return worker",
     "class Own:\n    number = worker\n    def get(self): return worker\nOwn.number, Own().get(), Own.__qualname__, mine()",
     [(0, 0, "Own", 7), (1, 1, "Own", 7)]),
    ("worker = 7\ndef mine(): return worker", "eval('worker'), mine()", [(0, 7), (1, 7)]),
    ("worker = 7\ndef mine(): return worker", "import asyncio\nawait asyncio.sleep(0)\nworker, mine()", [(0, 7), (1, 7)]),
    ("worker = 7\ndef mine(): return worker", "lines = !echo {worker} $worker\nlines[0], mine()", [("0 0", 7), ("1 1", 7)]),
    ("input = [3, 4]\ndef total(): return sum(input)", "input[0], total()", [(3, 7)] * 2),
    ("exit = {'a': 1}\nquit = 2\ndisplay = 'd'", "exit['a'], quit, display", [(1, 2, "d")] * 2),
])  # fmt: skip
def test_a_function_of_the_notebook_sees_what_it_sees_there(kind, cell, results, shell, setup, body, expected) -> None:
    cell(setup)
    answers = results(kind, body)
    if kind == "threads" and "global" in setup:  # it is the notebook's own that grows there
        assert sorted(answer[0] for answer in answers) == [6, 7]
        return
    assert answers == expected


@pytest.mark.parametrize(("setup", "options", "body", "expected"), [
    ("item = 10\ndef scaled(n): return n * item", "--map [1,2]", "scaled(item)", [10, 20]),
    ("index = 100\ndef use(): return index", "--map range(3)", "use(), index", [(100, 0), (100, 1), (100, 2)]),
    ("name = 'mine'\ndef use(): return name", "--map ['a','b'] --as name", "use() + name", ["minea", "mineb"]),
    ("item = 10\nfunctions = [lambda: item]", "--map functions", "item()", [10]),
    ("item = 3", "--map [1,2]", "if 'own' not in globals():\n    def own(): return item\nown()", [1, 2]),
    ("item = 3\ndef use(): return item", "--map [1,2]", "if 'own' not in globals():\n    def own(): return item\nown(), use()",
     [(1, 3), (2, 3)]),
    ("item = 3\ndef use(): return item", "--map [1,2]", "seen = globals().get('seen', 0) + item\nseen, use()", [(1, 3), (3, 3)]),
])  # fmt: skip
def test_the_item_is_the_cells_alone(kind, cell, shell, setup, options, body, expected) -> None:
    cell(setup)
    ran = cell(f"%%{kind} 1 --quiet -o answers {options}\n{body}")
    assert ran.error is None, ran.text
    assert shell.user_ns["answers"] == expected


@pytest.mark.parametrize("options", ["", "--map [1]"])
@pytest.mark.parametrize("name", ["worker", "workers"])
def test_a_function_that_reads_what_only_the_cell_has_gets_a_name_error(kind, cell, name, options) -> None:
    cell(f"def part(): return {name}")
    ran = cell(f"%%{kind} 1 --quiet {options}\n{name}\npart()")
    assert f"NameError: name '{name}' is not defined" in ran.text
    assert f"`{name}` belongs to the cell" in ran.text


@pytest.mark.parametrize(("setup", "body", "line"), [
    ("def worker(n): return n", "worker(5)", "`worker` is the number of the worker here; it hides the notebook's `worker`."),
    ("workers = ['ann', 'bob']", "workers[0]", "`workers` is the number of workers here; it hides the notebook's `workers`."),
    ("workers = ['ann', 'bob']", "x = 1\nx = (x,\n   workers.index('é', 'ann'))", "it hides the notebook's `workers`."),
])  # fmt: skip
def test_an_error_of_a_hidden_name_says_so(kind, cell, setup, body, line) -> None:
    cell(setup)
    assert line in cell(f"%%{kind} 1 --quiet\n{body}").text


def test_other_errors_do_not_blame_hidden_names(kind, cell) -> None:
    cell("def worker(n): return n\nworkers = []")
    assert "hides" not in cell(f"%%{kind} 1 --quiet\nfirst = worker, workers\nlen(5)").text
    assert "hides" not in cell(f"%%{kind} 1 --quiet\nworker = len\nworker()").text.replace("`worker` is", "")


@pytest.mark.parametrize("line", ["from math import *", "global worker"])
def test_what_cannot_be_had_together_is_one_clear_line(sending_kind, cell, line) -> None:
    cell("worker = 7\ndef mine(): return worker")
    ran = cell(f"%%{sending_kind} 1 --quiet\n{line}\nmine()")
    assert "the notebook has a use of its own for `worker`, and then this is not possible in a cell" in ran.text
    assert "Use other names in the notebook." in ran.text
    assert cell(f"%%{sending_kind} 1 --quiet\nfrom math import *\nsqrt(4)").error is None


def test_kept_names_and_hidden_ones_do_not_mix(sending_kind, cell, shell) -> None:
    cell("worker = 7\ndef mine(): return worker")
    for body in ("kept = worker\nkept", "(kept, worker)", "(kept, worker, mine())", "(kept, worker)"):
        ran = cell(f"%%{sending_kind} 2 --keep --quiet -o answers\n{body}")
        assert ran.error is None, ran.text
        assert [answer if isinstance(answer, int) else answer[1] for answer in shell.user_ns["answers"]] == [0, 1]


def test_a_shared_cell_and_its_functions_have_the_workers_numbers(cell, shell) -> None:
    cell("worker = 'mine'\ndef function(): return worker")
    ran = cell("%%threads 2 --shared --quiet -o answers\ndef own(): return worker\nown() == worker, function()")
    assert ran.error is None, ran.text
    assert [answer[1] for answer in shell.user_ns["answers"]] == ["mine"] * 2
    assert shell.user_ns["worker"] == "mine"
