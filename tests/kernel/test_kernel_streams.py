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


def test_the_streams_have_the_descriptors_of_the_process(notebook):
    assert notebook.run("import sys\nsys.stdout.fileno(), sys.stderr.fileno()").result == "(1, 2)"
    assert notebook.run("sys.stdout.write(b'bytes')").error == "TypeError"


OUTSIDE = {
    "subprocess": "import subprocess\nsubprocess.run(['echo', 'hi'])",
    "subprocess with the stream": "import subprocess, sys\nsubprocess.run(['echo', 'hi'], stdout=sys.stdout)",
    "os.system": "import os\nos.system('echo hi')",
    "os.write": "import os\nos.write(1, b'hi\\n')",
    "C library": "import ctypes\nctypes.CDLL(None).puts(b'hi')",
    "C library without a line end": "import ctypes\nctypes.CDLL(None).printf(b'hi'); print()",
    "multiprocessing": "import multiprocessing as m\np = m.get_context('fork').Process(target=print, args=('hi',))\np.start(); p.join()",
    "interpreter": "from concurrent import interpreters\ni = interpreters.create()\ni.exec('print(\"hi\", flush=True)')\ni.close()",
    "first stdout": "import sys\nprint('hi', file=sys.__stdout__)",
    "bytes": "import sys\nsys.stdout.buffer.write(b'hi\\n')",
    "lines": "import sys\nsys.stdout.writelines(['h', 'i', '\\n'])",
    "wrapped bytes": "import io, sys\nw = io.TextIOWrapper(sys.stdout.buffer, write_through=True)\nw.write('hi\\n'); w.detach()",
}


@pytest.mark.parametrize("way", OUTSIDE)
def test_what_is_written_past_print_appears_under_the_cell(notebook, way):
    cell = notebook.run(f"import warnings\nwarnings.simplefilter('ignore')\n{OUTSIDE[way]};")
    assert (cell.status, cell.stdout, cell.stderr) == ("ok", "hi\n", "")


@pytest.mark.parametrize("magic", ["threads", "subinterp", "procs"])
def test_programs_that_workers_start_print_under_the_cell(notebook, magic):
    cell = notebook.run(f"%%{magic} 2 --quiet\nimport subprocess, sys\nsubprocess.run(['echo', 'hi'])\n"
                        "subprocess.run(['echo', 'ho'], stdout=sys.stdout)")
    assert cell.status == "ok" and cell.stdout.count("hi\n") == cell.stdout.count("ho\n") == 2


def test_stderr_of_a_program_is_stderr(notebook):
    cell = notebook.run("import os\nos.system('echo out; echo err >&2');")
    assert (cell.stdout, cell.stderr) == ("out\n", "err\n")


def test_programs_print_between_what_is_printed_before_and_after(notebook):
    cell = notebook.run("import subprocess\nfor i in range(20):\n    print('before', i)\n"
                        "    subprocess.run(['echo', f'program {i}'])\n    print('after', i)")
    assert cell.stdout == "".join(f"before {i}\nprogram {i}\nafter {i}\n" for i in range(20))


def test_what_is_left_running_shows_under_the_cell_that_runs_and_delays_none(notebook, gate):
    first = notebook.run(f"import subprocess\nprogram = subprocess.Popen(['sh', '-c', 'echo begun; cat {gate.path}; echo over'])")
    first.wait_for_text("begun")
    second = notebook.run("print('second')")
    assert "over" not in first.stdout + second.stdout
    gate.open()
    third = notebook.run("program.wait()")
    assert third.result == "0" and (first.stdout, second.stdout + third.stdout) == ("begun\n", "second\nover\n")


def test_a_character_in_pieces_arrives_whole(notebook):
    cell = notebook.run("import os, sys\nfor piece in (b'\\xc3', b'\\xa4', b'\\xe2\\x82', b'\\xac\\n'):\n    sys.stdout.buffer.write(piece)\n    os.write(2, piece)")
    assert (cell.stdout, cell.stderr) == ("ä€\n", "ä€\n")


def test_bytes_that_are_no_text_harm_nothing(notebook):
    cell = notebook.run("import os\nos.write(1, bytes(range(256)) * 4); os.write(1, b'\\xe2\\x82');")
    assert cell.status == "ok" and "\ufffd" in cell.stdout and "\x00" in cell.stdout
    assert notebook.run("import os\nos.write(1, b'next\\n');").stdout == "next\n"


def test_a_flood_of_a_program_arrives_whole_and_the_kernel_stays_small(notebook):
    before = notebook.memory()
    cell = notebook.run("import subprocess\nsubprocess.run('yes 0123456789abcde | head -c 32000000', shell=True);")
    assert cell.stdout == "0123456789abcde\n" * 2_000_000
    assert notebook.memory() < before + 200


def test_a_fault_handler_may_be_enabled_and_asked(notebook):
    cell = notebook.run("import faulthandler\nfaulthandler.dump_traceback()")
    assert cell.status == "ok" and "most recent call first" in cell.stderr


@pytest.mark.parametrize("code, told", [
    ("import ctypes; ctypes.string_at(0)", "Segmentation fault"),
    ("import faulthandler; faulthandler.enable(); import ctypes; ctypes.string_at(0)", "Segmentation fault"),
    ("import os; os.write(2, b'last words'); os.abort()", "last words"),
])
def test_what_crashes_the_kernel_is_in_its_log(new_notebook, tmp_path, code, told):
    with open(tmp_path / "log", "w") as log:
        notebook = new_notebook(stderr=log)
    notebook.client.execute(code)
    notebook.exit_code()
    assert told in (tmp_path / "log").read_text()


def test_messages_of_the_kernel_itself_are_in_its_log(new_notebook, tmp_path):
    with open(tmp_path / "log", "w") as log:
        notebook = new_notebook(stderr=log)
    cell = notebook.run("print('shown')")
    notebook.client.session.send(notebook.client.shell_channel.socket, notebook.client.session.msg("no_such_request"))
    assert notebook.run("print('shown')").stdout == cell.stdout == "shown\n"
    text = (tmp_path / "log").read_text()
    assert "no_such_request" in text and "shown" not in text


def test_streams_can_be_configured_as_files_can(notebook):
    code = ("import io, sys\nsys.stdout.reconfigure(encoding='latin-1', line_buffering=True)\n"
            "sys.stdout.buffer.write(b'\\xe4')\nsys.stdout.reconfigure(encoding='utf-8')\n"
            "sys.stdout.detach().write('ö'.encode())\nprint('ü')")
    assert notebook.run(code).stdout == "äöü\n"


def test_a_job_of_a_pool_prints_under_the_cell_that_submitted_it(notebook):
    notebook.run("from concurrent.futures import ThreadPoolExecutor\npool = ThreadPoolExecutor(1)\npool.submit(print, 'a').result()")
    cell = notebook.run("pool.submit(print, 'b').result()")
    assert cell.stdout == "b\n"


@pytest.mark.parametrize("executor", ["ProcessExecutor", "SubinterpExecutor", "ThreadExecutor"])
def test_a_job_of_an_executor_prints_under_the_cell_that_submitted_it(notebook, executor):
    notebook.run("from xcores import ProcessExecutor, SubinterpExecutor, ThreadExecutor\nSubinterpExecutor(1).submit(abs, -1).result()")
    notebook.run(f"e = {executor}(1)\ne.submit(print, 'first').result()")
    cell = notebook.run("future = e.submit(print, 'second')")
    cell.wait_for_text("second")
    assert notebook.run("future.result(); e.shutdown()").stdout == ""


def test_closing_a_stream_does_not_silence_the_notebook(notebook):
    assert notebook.run("import sys\nsys.stdout.close()\nprint('still here')").stdout == "still here\n"


def test_a_forked_child_does_not_disturb_the_notebook(new_notebook):
    cell = new_notebook().run("import os, warnings\nwarnings.simplefilter('ignore')\nprint('parent')\npid = os.fork()\n"
                        "if pid == 0:\n    print('child'); os._exit(0)\nos.waitpid(pid, 0)[1]")
    assert (cell.stdout, cell.result) == ("parent\nchild\n", "0")


MAGICS = ["threads", "subinterp", "procs"]


def test_a_log_handler_older_than_the_first_magic_prints_with_the_label_of_the_worker(new_notebook):
    notebook = new_notebook()
    notebook.run("import logging, sys\nlogging.basicConfig(stream=sys.stdout, format='%(message)s', force=True)")
    cell = notebook.run("%%threads 2 --quiet\nlogging.warning('careful')")
    assert sorted(cell.stdout.splitlines()) == ["[0] careful", "[1] careful"]


@pytest.mark.parametrize("write", ["print('\\r99 %\\r7 %', end='', flush=True)",
                                   "print('\\r7 %', end='', file=sys.stderr, flush=True)", "print('7 %', end=' ', flush=True)"])
@pytest.mark.parametrize("magic", MAGICS)
def test_a_line_without_an_end_is_seen_while_the_worker_runs(notebook, gate, magic, write):
    cell = notebook.start(f"%%{magic} 1\nimport sys\n{write}\n{gate.wait_code}\nprint('\\r100 %')")
    live = lambda: "".join(content["data"].get("text/plain", "") for kind in ("display_data", "update_display_data")
                           for content in cell.contents(kind))
    cell.wait_for(lambda: "7 %" in live())
    assert "99 %" not in live() and "7 %" not in cell.stdout + cell.stderr
    gate.open()
    assert "[0] 100 %\n" in cell.wait().stdout


@pytest.mark.parametrize("magic", MAGICS)
def test_table_and_picture_are_one_block_below_all_that_was_printed(notebook, gate, magic):
    cell = notebook.start(f"%%{magic} 1\nimport sys\n{gate.wait_code}\nprint('late'); print('err', file=sys.stderr)")
    cell.wait_for(lambda: cell.contents("update_display_data"))
    gate.open()
    shown = [message for message in cell.wait().messages if message["msg_type"] in ("stream", "display_data")]
    assert [message["msg_type"] for message in shown][-2:] == ["display_data"] * 2
    assert "text/html" in shown[-2]["content"]["data"] and "image/png" in shown[-1]["content"]["data"]
    assert cell.contents("update_display_data")[-1]["data"]["text/html"] == ""


def test_what_a_thread_of_a_worker_prints_after_the_cell_appears_under_it_with_its_label(notebook, gate):
    cell = notebook.run("%%threads 1 --quiet\nimport threading\ndef later():\n"
                        f"    {gate.wait_code}\n    print('late')\nthreading.Thread(target=later).start()")
    assert notebook.run("1").status == "ok" and cell.stdout == ""
    gate.open()
    cell.wait_for_text("[0] late\n")
