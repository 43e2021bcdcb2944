# SPDX-License-Identifier: BSD-3-Clause
"""`--map`: the cell once for each item."""

import os
import re

import pytest

from xcores.errors import ItemsFailed, WorkerCrashed, WorkerExited, WorkerInterrupted, WorkerTimedOut
from xcores.snapshots import is_made_on_demand


@pytest.fixture
def mapped(cell, shell):
    """Maps a body over an expression and gives the results; fails the test if the cell fails."""

    def run(kind: str, items: str, body: str, options: str = ""):
        ran = cell(f"%%{kind} 2 --quiet -o answers {options} --map {items}\n{body}")
        assert ran.error is None, ran.text
        return shell.user_ns["answers"]

    return run


@pytest.mark.parametrize("number", [0, 1, 2, 7, 3000])
def test_the_results_come_in_the_order_of_the_items(kind, mapped, number) -> None:
    assert mapped(kind, f"range({number})", "item * 10, index") == [(i * 10, i) for i in range(number)]


@pytest.mark.parametrize(
    ("definition", "items", "expected"),
    [
        ("xs = ['a', 'b']", "xs", ["a", "b"]),
        ("xs = {'k': 1, 'l': 2}", "xs", ["k", "l"]),
        ("xs = {'k': 1, 'l': 2}", "xs.items()", [("k", 1), ("l", 2)]),
        ("xs = (c for c in 'xyz')", "xs", ["x", "y", "z"]),
        ("def xs():\n    yield from (5, 6)", "xs()", [5, 6]),
        ("class Xs:\n    def __getitem__(self, i):\n        return [4, 3][i]", "Xs()", [4, 3]),
        ("xs = 3", '"[x + 1 for x in range(xs)]"', [1, 2, 3]),
        ("xs = [None, True, 2.5, b'b', [1, {2}], None]", "xs", [None, True, 2.5, b"b", [1, {2}], None]),
    ],
)
def test_anything_that_can_be_gone_through_gives_items(kind, cell, mapped, definition, items, expected) -> None:
    cell(definition)
    assert mapped(kind, items, "item") == expected


def test_the_item_can_have_another_name(kind, cell, mapped) -> None:
    cell("item = 'of the notebook'")
    assert mapped(kind, "range(3)", "n, item", "--as n") == [(n, "of the notebook") for n in range(3)]


def test_the_name_of_the_item_is_not_taken_from_the_notebook(sending_kind, cell, mapped) -> None:
    cell("item = index = open('/dev/null')")
    assert mapped(sending_kind, "range(3)", "item + index") == [0, 2, 4]


def test_worker_and_workers_are_there_and_what_is_assigned_stays_for_the_next_item(kind, mapped) -> None:
    body = "if 'seen' not in globals():\n    seen = []\nseen.append(index)\nworker, workers, list(seen)"
    answers = mapped(kind, "range(200)", body)
    by_worker: dict[int, list[int]] = {}
    for index, (worker, workers, seen) in enumerate(answers):
        assert workers == 2
        by_worker.setdefault(worker, []).append(index)
        assert seen == by_worker[worker]


def test_the_result_of_one_item_is_never_that_of_another(kind, mapped) -> None:
    assert mapped(kind, "range(6)", "if item % 2:\n    kept = item\nelse:\n    kept = None\nkept;") == [None] * 6


def test_a_namespace_does_not_live_from_mapped_cell_to_cell(kind, mapped, results) -> None:
    mapped(kind, "range(5)", "left_over = item")
    assert results(kind, "'left_over' in globals()") == [False, False]


def test_functions_and_objects_of_the_notebook_can_be_items(kind, cell, mapped) -> None:
    cell("factor = 7\ndef scaled(x):\n    return x * factor\n"
         "class Point:\n    def __init__(self, x):\n        self.x = x\n"
         "things = [lambda: scaled(2), lambda: Point(3).x]")
    assert mapped(kind, "things", "item()") == [14, 3]
    assert mapped(kind, '"[Point(5)]"', "item.x") == [5]


def test_results_of_the_notebooks_classes_are_of_these_classes(kind, cell, mapped, shell) -> None:
    cell("class Point:\n    def __init__(self, x):\n        self.x = x")
    assert {type(one) for one in mapped(kind, "range(4)", "Point(item)")} == {shell.user_ns["Point"]}


def test_large_items_and_results_arrive_whole(kind, cell, mapped) -> None:
    cell("blocks = [bytes([n]) * 300_000 for n in range(4)]")
    answers = mapped(kind, "blocks", "bytes(item) + b'!'")
    assert [(one[0], len(one), one[-1:]) for one in answers] == [(n, 300_001, b"!") for n in range(4)]


def test_an_endless_iterable_is_taken_from_only_as_needed(kind, cell, shell) -> None:
    cell("taken = 0\ndef endless():\n    global taken\n    while True:\n        taken += 1\n        yield taken")
    ran = cell(f"%%{kind} 1 --quiet -o answers --map endless()\nif item == 50:\n    raise StopAsyncIteration\nitem")
    assert isinstance(ran.error, ItemsFailed)
    answers, taken = shell.user_ns["answers"], shell.user_ns["taken"]
    assert answers[0] == 1 and isinstance(answers[49], StopAsyncIteration)
    assert len(answers) == taken < 30_000


def test_an_exception_in_a_generator_is_shown_as_its_own_after_the_items_before_it(kind, cell, shell) -> None:
    number = shell.execution_count
    cell("def items():\n    yield 1\n    yield 2\n    raise LookupError('no more')")
    ran = cell(f"%%{kind} 2 --quiet -o answers --map items()\nitem * 2")
    assert isinstance(ran.error, LookupError)
    assert f"Cell In[{number}], line 4" in ran.text and "mapping.py" not in ran.text and "supervision.py" not in ran.text
    assert shell.user_ns["answers"] == [2, 4]


def test_an_error_stops_the_rest_and_keeps_what_has_finished(kind, cell, shell) -> None:
    ran = cell(f"%%{kind} 2 --quiet -o answers --map range(200_000)\n1 / (item - 3)")
    assert isinstance(ran.error, ItemsFailed)
    assert [type(one) for one in ran.error.exceptions] == [ZeroDivisionError]
    answers = shell.user_ns["answers"]
    assert isinstance(answers[3], ZeroDivisionError) and len(answers) < 200_000
    assert re.search(r"item 3 \(value: 3\) in worker \d:", ran.text) and "line 2, in <module>" in ran.text and " done and kept" in ran.text
    for index, one in enumerate(answers):
        if index != 3:
            stopped = isinstance(one, WorkerInterrupted) and ("not begun" in str(one) or "an item failed" in str(one))
            assert stopped or one == 1 / (index - 3)


def test_with_continue_all_others_are_done_and_the_first_errors_are_shown(kind, cell, shell) -> None:
    body = "if item % 10 == 5:\n    raise ValueError(f'bad {item}')\nitem"
    ran = cell(f"%%{kind} 2 --quiet -o answers --map range(100) --on-error continue\n{body}")
    assert ran.text.startswith("ItemsFailed: 10 of 100 items failed\n")
    assert ran.text.count("Traceback") == 3 and "7 more items failed." in ran.text and "10 failed, 90 done and kept." in ran.text
    assert re.search(r"item 5 \(value: 5\) in worker \d:", ran.text) and "ValueError: bad 5" in ran.text
    answers = shell.user_ns["answers"]
    assert [n for n, one in enumerate(answers) if isinstance(one, ValueError)] == list(range(5, 100, 10))
    assert all(one == n for n, one in enumerate(answers) if n % 10 != 5)


def test_an_item_whose_result_cannot_be_sent_fails_alone(sending_kind, cell, shell) -> None:
    ran = cell(f"%%{sending_kind} 2 --quiet -o answers --map range(4) --on-error continue\n"
               "(x for x in '') if item == 2 else item")
    assert "cannot be sent back" in ran.text and "1 of 4 items failed" in ran.text
    answers = shell.user_ns["answers"]
    assert [*answers[:2], answers[3]] == [0, 1, 3]


def test_leaving_python_in_an_item_fails_that_item(kind, cell, shell) -> None:
    ran = cell(f"%%{kind} 2 --quiet -o answers --map range(4) --on-error continue\nif item == 1:\n    exit(3)\nitem")
    answers = shell.user_ns["answers"]
    assert isinstance(answers[1], WorkerExited) and "exit code 3" in ran.text
    assert [answers[0], *answers[2:]] == [0, 2, 3]


def test_an_item_that_cannot_be_sent_is_named_and_those_before_are_done(sending_kind, cell, shell) -> None:
    cell("things = [1, open('/dev/null'), 3]")
    ran = cell(f"%%{sending_kind} 2 --quiet -o answers --map things\nitem")
    assert ran.text.startswith("UsageError: --map: item 1, a _io.TextIOWrapper, cannot be sent") and "%%threads" in ran.text
    assert shell.user_ns["answers"] == [1]


def test_what_was_not_begun_is_counted_to_the_last_item(kind, cell) -> None:
    text = cell(f"%%{kind} 2 --quiet --map range(5000)\n1 / (item - 3)").text
    assert text.startswith("ItemsFailed: 1 of 5,000 items failed\n")
    counted = re.search(r"Of 5,000 items: 1 failed, (.*)\.", text)[1]
    assert 1 + sum(int(number.replace(",", "")) for number in re.findall(r"[\d,]*\d", counted)) == 5000, counted


def test_a_process_that_dies_loses_its_item_only_and_is_replaced(cell, shell) -> None:
    body = "import os, signal\nif item == 70:\n    os.kill(os.getpid(), signal.SIGSEGV)\nif item == 90:\n    os._exit(4)\nitem"
    ran = cell(f"%%procs 2 --quiet -o answers --map range(200) --on-error continue\n{body}")
    assert [type(one) for one in ran.error.exceptions] == [WorkerCrashed, WorkerExited]
    assert re.search(r"item 70 \(value: 70\) in worker \d:", ran.text) and "SIGSEGV" in ran.text and "exit code 4" in ran.text
    answers = shell.user_ns["answers"]
    assert all(one == n for n, one in enumerate(answers) if n not in (70, 90))


def test_an_interrupt_keeps_what_has_finished(kind, cell, shell) -> None:
    cell("import os, itertools\nnotebook = os.getpid()")
    body = "import os, signal\nif item == 40:\n    os.kill(notebook, signal.SIGINT)\n    while True: pass\nitem"
    ran = cell(f"%%{kind} 1 --quiet -o answers --map itertools.count()\n{body}")
    assert isinstance(ran.error, KeyboardInterrupt) and "items so far done, and kept" in ran.text
    answers = shell.user_ns["answers"]
    assert answers[:40] == list(range(40)) and isinstance(answers[40], WorkerInterrupted)
    assert cell(f"%%{kind} 2 --quiet -o answers --map range(3)\nitem").error is None


def test_an_interrupt_ends_a_generator_that_does_not_end(kind, cell, shell) -> None:
    cell("import os, signal\ndef stuck():\n    yield 1\n    os.kill(os.getpid(), signal.SIGINT)\n    while True: pass")
    ran = cell(f"%%{kind} 2 --quiet -o answers --map stuck()\nitem")
    assert isinstance(ran.error, KeyboardInterrupt)
    assert len(shell.user_ns["answers"]) == 1


def test_a_time_limit_keeps_what_has_finished(kind, cell, shell) -> None:
    cell(f"%%{kind} 1 --quiet\n1")  # the limit counts from the start, so let the worker be there
    ran = cell(f"%%{kind} 1 --quiet -o answers --timeout 0.5 --map range(100)\nwhile item == 20: pass\nitem")
    answers = shell.user_ns["answers"]
    assert isinstance(answers[20], WorkerTimedOut) and "--timeout" in ran.text
    assert answers[:20] == list(range(20))


def test_a_time_limit_ends_a_generator_that_waits(kind, cell, shell) -> None:
    read_end, write_end = os.pipe()
    cell(f"import os\ndef waiting():\n    yield 1\n    os.read({read_end}, 1)")
    cell(f"%%{kind} 2 --quiet\n1")
    ran = cell(f"%%{kind} 2 --quiet -o answers --timeout 0.5 --map waiting()\nitem")
    os.write(write_end, b"x")
    assert "--timeout" in ran.text and shell.user_ns["answers"] == [1]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("--map nowhere", "there is no variable `nowhere`"),
        ("--map 5", "of type int, which has no items"),
        ("--map 'x +'", "is not a Python expression"),
        ("--map range(3) --as worker", "`worker` is taken"),
        ("--as n", "--as is for cells with --map"),
        ("--on-error continue", "--on-error is for cells with --map"),
        ("--map range(3) --on-error wait", "invalid choice: 'wait'"),
        ("--map iter([1]) --repeat 2", "gone through again"),
    ],
)
def test_a_wrong_option_is_one_line_that_says_what_is_wrong(kind, cell, options, words) -> None:
    ran = cell(f"%%{kind} 2 {options}\n1")
    assert ran.text.startswith(f"UsageError: %%{kind}") and words in ran.text and ran.text.count("\n") == 1


def test_an_expression_that_raises_is_shown_as_ever(kind, cell) -> None:
    assert isinstance(cell(f"%%{kind} 2 --map 1/0\nitem").error, ZeroDivisionError)


def test_the_table_says_how_many_items_each_worker_did(kind, cell) -> None:
    import json

    import xcores

    table = cell(f"%%{kind} 2 --no-plot --map range(50)\nitem").displays[-1]["data"]["text/plain"]
    assert "50 of 50 items done" in table and " items\n" in table
    report = json.loads(xcores.last_report().to_json())
    assert report["items"] == {"done": 50, "failed": 0, "total": 50, "first_failure": None}
    assert sum(worker["items"] for worker in report["workers"]) == 50


def test_an_item_may_await(kind, mapped) -> None:
    assert mapped(kind, "range(5)", "import asyncio\nawait asyncio.sleep(0, item)") == list(range(5))


REUSED = """
import numpy as np
class Reused:
    def __iter__(self):
        values = np.zeros(1 << 18)
        for number in range(8):
            values[:] = number
            yield values
def reused():
    held = bytearray(1 << 21)
    for number in range(8):
        held[:] = bytes([number]) * len(held)
        yield [memoryview(held)]
"""


@pytest.mark.parametrize("items", ["Reused()", "iter(Reused())", "(one for one in Reused())", "map(memoryview, Reused())"])
def test_what_makes_the_items_may_use_their_memory_again(sending_kind, cell, mapped, items) -> None:
    pytest.importorskip("numpy")
    cell(REUSED)
    body = "import time; time.sleep(0.01); float(memoryview(item)[0])"
    assert mapped(sending_kind, f'"{items}"', body) == list(range(8))
    assert mapped(sending_kind, "reused()", "import time; time.sleep(0.01); item[0][-1]") == list(range(8))


@pytest.mark.parametrize("items", ["large", "iter(large)", "zip(large, [1])", "enumerate(large)", "{1: large}.values()"])
def test_items_that_are_there_already_are_not_copied(items) -> None:
    iterable = eval(items, {"large": [bytearray(1 << 20)]})
    assert not is_made_on_demand(iterable, iter(iterable))
