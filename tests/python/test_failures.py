# SPDX-License-Identifier: BSD-3-Clause
"""A worker that fails: what the user sees, what is kept, and that the notebook goes on."""

import pytest

from xcores.errors import WorkerCrashed, WorkerError, WorkerExited, WorkerFailed, WorkerTimedOut, named

ONE_OF_FOUR = "if worker == 1:\n    1 / 0\nworker * 10"


def test_a_worker_that_raises_makes_the_cell_fail_with_an_exception_group(kind, cell) -> None:
    ran = cell(f"%%{kind} 4 --quiet\n{ONE_OF_FOUR}")
    assert isinstance(ran.error, ExceptionGroup)
    assert [type(one) for one in ran.error.exceptions] == [ZeroDivisionError]


def test_the_results_of_the_other_workers_are_kept(kind, cell, shell) -> None:
    cell(f"%%{kind} 4 --quiet -o answers\n{ONE_OF_FOUR}")
    first, failed, *others = shell.user_ns["answers"]
    assert [first, *others] == [0, 20, 30]
    assert isinstance(failed, ZeroDivisionError)


def test_the_traceback_has_the_lines_of_the_cell_and_nothing_of_ours(kind, cell, shell) -> None:
    number = shell.execution_count
    text = cell(f"%%{kind} 4 --quiet\n{ONE_OF_FOUR}").text
    assert f'File "Cell In[{number}]", line 3, in <module>\n    1 / 0\n' in text
    assert text.startswith("WorkersFailed: 1 of 4 workers failed\n")
    assert "worker 1:" in text and "ZeroDivisionError: division by zero" in text
    assert "The results of workers 0, 2 and 3 were kept." in text
    for ours in ("_worker", "runner.py", "magics.py", "run_cell_magic", "site-packages"):
        assert ours not in text


def test_the_traceback_goes_through_functions_of_other_cells(kind, cell, shell) -> None:
    number = shell.execution_count
    cell("def divide(a, b):\n    return a / b")
    text = cell(f"%%{kind} 1 --quiet\ndivide(1, 0)").text
    assert f'File "Cell In[{number + 1}]", line 2, in <module>\n    divide(1, 0)\n' in text
    assert f'File "Cell In[{number}]", line 2, in divide\n    return a / b\n' in text


def test_the_same_traceback_is_shown_once(kind, cell) -> None:
    text = cell(f"%%{kind} 3 --quiet\nraise KeyError('gone')").text
    assert text.count("KeyError: 'gone'") == 1 and "workers 0, 1 and 2:" in text and "kept" not in text


def test_blank_lines_and_a_magic_above_count_as_lines(kind, cell) -> None:
    assert ", line 5, in <module>" in cell(f"%%{kind} 1 --quiet\n\n\n\n1 / 0").text
    assert ", line 3, in <module>" in cell(f"%%time\n%%{kind} 1 --quiet\n1 / 0").text


def test_an_exception_keeps_its_type_its_fields_and_where_it_came_from(kind, cell) -> None:
    error = cell(f"%%{kind} 1 --quiet\nimport json\njson.loads('[1,')").error.exceptions[0]
    assert type(error).__name__ == "JSONDecodeError" and error.pos == 3
    if kind != "threads":
        assert any("Cell In[" in note and "line 3" in note for note in error.__notes__)
    else:
        assert error.__traceback__.tb_frame.f_code.co_filename.startswith("Cell In[")


def test_exceptions_of_the_notebooks_classes_can_be_caught_as_such(kind, cell, shell) -> None:
    cell("class Refused(Exception):\n    pass")
    error = cell(f"%%{kind} 2 --quiet\nraise Refused(worker)").error
    assert [type(one) for one in error.exceptions] == [shell.user_ns["Refused"]] * 2
    assert error.split(shell.user_ns["Refused"])[1] is None


def test_an_exception_that_cannot_be_rebuilt_is_told_by_its_text(sending_kind, cell) -> None:
    body = "class Odd(Exception):\n    def __init__(self, a, b): super().__init__(f'{a} and {b}')\nraise Odd(1, 2)"
    ran = cell(f"%%{sending_kind} 1 --quiet\n{body}")
    error = ran.error.exceptions[0]
    assert isinstance(error, WorkerError) and str(error) == "Odd: 1 and 2" and "Odd: 1 and 2" in ran.text


def test_chained_exceptions_are_shown_with_their_causes(kind, cell) -> None:
    body = "try:\n    1 / 0\nexcept ZeroDivisionError as error:\n    raise ValueError('outer') from error"
    text = cell(f"%%{kind} 1 --quiet\n{body}").text
    assert "ZeroDivisionError" in text and "direct cause" in text and "ValueError: outer" in text


@pytest.mark.parametrize(
    ("statement", "words"),
    [("raise SystemExit", "exit code 0"), ("import sys; sys.exit(3)", "exit code 3"), ("exit('bye')", "bye")],
)
def test_leaving_python_in_a_worker_leaves_the_notebook_alone(kind, cell, results, statement, words) -> None:
    ran = cell(f"%%{kind} 2 --quiet -o answers\nif worker:\n    {statement}\n'stays'")
    assert [type(one) for one in ran.error.exceptions] == [WorkerExited]
    assert words in ran.text and "the kernel goes on" in ran.text
    assert results(kind, "worker") == [0, 1]


def test_a_process_that_ends_by_itself_is_replaced(cell, shell, results) -> None:
    ran = cell("%%procs 2 --quiet -o answers\nimport os\nif worker:\n    os._exit(3)\n'stays'")
    assert isinstance(ran.error.exceptions[0], WorkerExited) and "exit code 3" in ran.text and "replaced" in ran.text
    assert shell.user_ns["answers"][0] == "stays"
    assert results("procs", "worker") == [0, 1]


def test_a_process_that_crashes_is_replaced(cell, shell, results) -> None:
    body = "import os, signal\nif worker:\n    os.kill(os.getpid(), signal.SIGSEGV)\n1"
    ran = cell(f"%%procs 2 --quiet -o answers\n{body}")
    assert isinstance(ran.error.exceptions[0], WorkerCrashed) and "SIGSEGV" in ran.text and "replaced" in ran.text
    assert shell.user_ns["answers"][0] == 1
    assert results("procs", "worker") == [0, 1]


def test_a_result_that_cannot_be_sent_back_says_what_to_do(sending_kind, cell, shell) -> None:
    ran = cell(f"%%{sending_kind} 2 --quiet -o answers\n(n for n in range(3)) if worker else 'fine'")
    assert isinstance(ran.error.exceptions[0], WorkerFailed)
    for words in ("generator", "cannot be sent back", "plain data", "%%threads"):
        assert words in ran.text
    assert shell.user_ns["answers"][0] == "fine"


@pytest.mark.parametrize("above", ["import numpy", "pass"])
def test_numpy_in_a_subinterpreter_says_why_not_and_what_works(cell, results, above) -> None:
    pytest.importorskip("numpy")
    if above == "pass":
        cell("import numpy")
    ran = cell(f"%%subinterp 2 --quiet\n{above}\nnumpy.arange(3)")
    for words in ("own GIL", "%%threads or %%procs", "numpy"):
        assert words in ran.text
    assert len(ran.text) < 700
    assert results("subinterp", "worker") == [0, 1]
    assert [int(one.sum()) for one in results("procs", f"{above}\nimport numpy\nnumpy.arange(3)")] == [3, 3]


def test_a_module_that_a_process_loads_once_is_not_said_to_need_another_gil(cell) -> None:
    # What NumPy raises in the second interpreter that shares the main GIL, and afterwards in the notebook too.
    body = """code = "raise ImportError('cannot load module more than once per process')"
exec(code, {"__name__": "array_package.core"})"""
    ran = cell(f"%%subinterp 1 --gil shared --quiet\n{body}")
    for words in ("needs array_package,", "a process can load only one", "%%threads or %%procs"):
        assert words in ran.text
    assert "own GIL" not in ran.text


def test_asking_for_input_says_what_to_do_instead(kind, cell) -> None:
    assert "call input() in a cell before this one" in cell(f"%%{kind} 1 --quiet\ninput('name? ')").text


def test_a_time_limit_stops_the_workers_that_reach_it(kind, cell, shell, results) -> None:
    ran = cell(f"%%{kind} 2 --quiet --timeout 0.2 -o answers\nwhile worker: pass\n'fast'")
    assert [type(one) for one in ran.error.exceptions] == [WorkerTimedOut]
    assert "--timeout" in ran.text and shell.user_ns["answers"][0] == "fast"
    assert results(kind, "worker") == [0, 1]


def test_a_failure_that_is_not_ours_is_shown_as_ever(kind, cell) -> None:
    text = cell("raise LookupError('plain cell')").text
    assert "LookupError" in text and "plain cell" in text


@pytest.mark.parametrize(
    ("workers", "text"),
    [([3], "worker 3"), ([0, 2], "workers 0 and 2"), ([0, 1, 3], "workers 0, 1 and 3"), (range(8), "workers 0 to 7")],
)
def test_workers_are_named_shortly(workers, text) -> None:
    assert named(workers) == text


def test_a_long_traceback_shows_both_ends(kind, cell) -> None:
    body = "def a(n):\n    return b(n + 1)\ndef b(n):\n    return a(n) if n < 300 else 1 / 0\na(0)"
    text = cell(f"%%{kind} 1 --quiet\n{body}").text
    assert text.count("in a\n") + text.count("in b\n") == 39 and "in <module>" in text
    assert "  [561 frames not shown]\n" in text and text.rstrip().endswith("ZeroDivisionError: division by zero")


def test_a_deep_recursion_is_told_in_few_lines(kind, cell) -> None:
    text = cell(f"%%{kind} 1 --quiet\ndef f():\n    return f()\nf()").text
    assert "RecursionError" in text and "Previous line repeated" in text and len(text) < 2_000


def test_exceptions_whose_causes_lead_back_to_themselves_are_told_once(kind, cell) -> None:
    body = "a, b = ValueError('first'), ValueError('second')\na.__cause__, b.__cause__ = b, a\nraise a"
    text = cell(f"%%{kind} 1 --quiet\n{body}").text
    assert text.count("ValueError: first") == 1 and text.count("ValueError: second") == 1


@pytest.mark.parametrize("body", ["raise ValueError('x' * 10_000_000)", "error = ValueError('x')\nerror.add_note('x' * 10_000_000)\nraise error",
                                  "raise ExceptionGroup('x', [ValueError('x' * 1_000_000) for _ in range(100)])"])
def test_a_long_message_is_shortened(kind, cell, body) -> None:
    text = cell(f"%%{kind} 1 --quiet\n{body}").text
    assert "characters not shown]" in text and len(text) < 250_000


def test_a_chain_of_very_many_exceptions_is_shortened(kind, cell) -> None:
    body = ("error = None\nfor n in range(400):\n    try:\n        raise ValueError(f'{n:_>1000}') from error\n"
            "    except ValueError as caught:\n        error = caught\nraise error")
    text = cell(f"%%{kind} 1 --quiet\n{body}").text
    assert "characters not shown]" in text and len(text) < 250_000 and "399" in text


@pytest.mark.parametrize(("body", "advice"), [
    ("async def fetch():\n    return 1\nfetch()", "Await it: let the cell end in `await …`"),
    ("(n for n in range(3))", "Let the cell end in plain data, such as `list(…)`, or"),
    ("async def fetch():\n    yield 1\nfetch()", "Let the cell end in plain data, such as `[value async for value in …]`, or"),
])
def test_a_result_that_needs_one_more_step_is_refused_with_that_step(sending_kind, cell, body, advice) -> None:
    text = cell(f"%%{sending_kind} 1 --quiet\n{body}").text
    assert advice in text and "never awaited" not in text
