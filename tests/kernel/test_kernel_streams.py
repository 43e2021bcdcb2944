# SPDX-License-Identifier: BSD-3-Clause
"""What cells and their threads print."""

import pytest
from notebook import plain


def test_twenty_thousand_prints_arrive_whole(notebook):
    expected = "".join(f"{i}\n" for i in range(20000))
    cell = notebook.run("for i in range(20000): print(i)")
    assert cell.stdout == expected
    assert len(cell.contents("stream")) < 200  # and not one by one
    assert notebook.run("for i in range(20000): print(i, flush=True)").stdout == expected


def test_a_text_larger_than_the_buffer_arrives_whole(notebook):
    assert notebook.run("print('x' * 3_000_000)").stdout == "x" * 3_000_000 + "\n"


def test_text_appears_while_the_cell_still_runs(notebook, gate):
    cell = notebook.start(f"print('early')\n{gate.wait_code}\nprint('late')")
    cell.wait_for_text("early")
    assert "late" not in cell.stdout
    gate.open()
    assert cell.wait().stdout == "early\nlate\n"


def test_stdout_and_stderr_keep_their_order(notebook):
    cell = notebook.run("import sys\nfor i in range(100): print(i, file=(sys.stdout, sys.stderr)[i % 2])")
    assert [int(content["text"]) for content in cell.contents("stream")] == list(range(100))
    assert [content["name"] for content in cell.contents("stream")] == ["stdout", "stderr"] * 50


def test_text_and_displays_keep_their_order(notebook):
    cell = notebook.run("for i in range(50):\n    print(i)\n    display(i)")
    assert cell.types[2:-1] == ["stream", "display_data"] * 50


def test_text_of_a_failing_cell_comes_before_its_error(notebook):
    cell = notebook.run("print('before')\n1 / 0")
    assert cell.types[2:4] == ["stream", "error"]


def test_a_thread_prints_under_the_cell_that_started_it_also_between_cells(notebook, gate):
    cell = notebook.run(
        f"import threading\ndef background():\n    {gate.wait_code}\n    print('from a thread')\n"
        "thread = threading.Thread(target=background)\nthread.start()"
    )
    assert cell.stdout == ""
    notebook.run("print('another cell')")
    gate.open()  # no cell runs now
    cell.wait_for_text("from a thread")


def test_a_task_prints_under_the_cell_that_made_it(notebook):
    first = notebook.run("import asyncio\nasync def say(): print('from the task')\ntask = asyncio.create_task(say())")
    notebook.run("await task")
    assert first.wait_for_text("from the task")


def test_many_threads_print_whole_lines(notebook):
    cell = notebook.run(
        "import sys, threading\n"
        "def work(name):\n    for i in range(500): sys.stdout.write(f'{name} {i}\\n')\n"
        "threads = [threading.Thread(target=work, args=(name,)) for name in 'abcd']\n"
        "for thread in threads: thread.start()\nfor thread in threads: thread.join()"
    )
    lines = cell.stdout.splitlines()
    for name in "abcd":
        assert [line for line in lines if line.startswith(name)] == [f"{name} {i}" for i in range(500)]
    assert len(lines) == 2000


def test_the_traceback_of_a_thread_appears(notebook):
    cell = notebook.run("import threading\ndef fail(): raise ValueError('in a thread')\n"
                        "thread = threading.Thread(target=fail); thread.start(); thread.join()")
    assert "ValueError: in a thread" in plain(cell.stderr) and cell.status == "ok"


def test_any_text_can_be_printed(notebook):
    assert notebook.run("print('äß 漢字 🙂\\x00')").stdout == "äß 漢字 🙂\x00\n"
    assert notebook.run("print('lone \\ud800')").stdout == "lone \\ud800\n"


@pytest.mark.parametrize(
    "expression, expected",
    [
        ("sys.stdout.isatty()", "False"),
        ("sys.stdout.encoding", "'utf-8'"),
        ("sys.stdout.writable(), sys.stdout.readable()", "(True, False)"),
        ("isinstance(sys.stdout, io.TextIOBase)", "True"),
        ("sys.stdout.write('abc')", "3"),
    ],
)
def test_the_streams_are_text_streams(notebook, expression, expected):
    assert notebook.run(f"import io, sys\n{expression}").result == expected


def test_the_streams_have_no_descriptor_and_say_so(notebook):
    assert notebook.run("import sys\nsys.stdout.fileno()").error == "UnsupportedOperation"
    assert notebook.run("sys.stdout.write(b'bytes')").error == "TypeError"


def test_closing_a_stream_does_not_silence_the_notebook(notebook):
    assert notebook.run("import sys\nsys.stdout.close()\nprint('still here')").stdout == "still here\n"


def test_a_forked_child_does_not_disturb_the_notebook(notebook):
    cell = notebook.run("import os, warnings\nwarnings.simplefilter('ignore')\nprint('parent')\npid = os.fork()\n"
                        "if pid == 0:\n    print('child'); os._exit(0)\nos.waitpid(pid, 0)[1]")
    assert (cell.stdout, cell.result) == ("parent\n", "0")
