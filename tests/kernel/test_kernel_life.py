# SPDX-License-Identifier: BSD-3-Clause
"""Starting, ending, and what a kernel leaves behind."""

import json
import os
import random
import sqlite3
import subprocess
import sys

import pytest
from jupyter_client.blocking import BlockingKernelClient
from jupyter_client.connect import write_connection_file
from jupyter_client.kernelspec import KernelSpecManager
from notebook import TIMEOUT, wait_for_end_of

EXECUTABLE = KernelSpecManager().get_kernel_spec("xcores").argv[0]


def run_program(*arguments):
    return subprocess.run([EXECUTABLE, *arguments], capture_output=True, text=True, timeout=TIMEOUT)


def test_the_kernelspec_is_complete():
    spec = KernelSpecManager().get_kernel_spec("xcores")
    assert (spec.display_name, spec.language, spec.interrupt_mode) == ("Python (xcores)", "python", "message")
    assert os.path.isabs(EXECUTABLE) and os.access(EXECUTABLE, os.X_OK)
    assert {"logo-svg.svg", "logo-32x32.png", "logo-64x64.png"} <= set(os.listdir(spec.resource_dir))


def test_help_and_version_are_printed():
    assert run_program("--version").stdout.startswith("xcores ")
    assert "usage: xcores" in run_program("--help").stdout


@pytest.mark.parametrize("content", [None, "", "{broken", "{}", '{"transport": 5}', '[]'])
def test_a_broken_connection_file_is_named_and_ends_with_code_2(tmp_path, content):
    file = tmp_path / "connection.json"
    if content is not None:
        file.write_text(content)
    ended = run_program("-f", str(file))
    assert ended.returncode == 2 and str(file) in ended.stderr


GOOD = {"transport": "tcp", "ip": "127.0.0.1", "key": "k", "signature_scheme": "hmac-sha256"} | {
    name + "_port": 1 + number for number, name in enumerate(["shell", "iopub", "stdin", "control", "hb"])}
FAULTS = {
    "no key": ({"key": ""}, "--allow-unsigned"),
    "no scheme": ({"signature_scheme": ""}, 'signature_scheme ""'),
    "no signature with a key": ({"signature_scheme": "none"}, 'signature_scheme "none"'),
    "a scheme that there is not": ({"signature_scheme": "hmac-sha257"}, "hmac-sha257"),
    "port 0": ({"hb_port": 0}, "hb_port is 0"),
    "a negative port": ({"shell_port": -1}, "shell_port is -1"),
    "a high port": ({"iopub_port": 99999}, "iopub_port is 99999"),
    "a port as text": ({"stdin_port": "80"}, "stdin_port"),
    "a transport that there is not": ({"transport": "inproc"}, "transport"),
}


@pytest.mark.parametrize(("fault", "told"), FAULTS.values(), ids=FAULTS.keys())
def test_a_connection_file_that_is_not_safe_or_not_possible_is_refused(tmp_path, fault, told):
    file = tmp_path / "connection.json"
    file.write_text(json.dumps(GOOD | fault))
    ended = run_program("-f", str(file))
    assert ended.returncode == 2 and str(file) in ended.stderr and told in ended.stderr


def test_messages_need_no_signature_where_that_is_allowed(new_notebook, monkeypatch):
    monkeypatch.setattr("jupyter_client.session.new_id_bytes", lambda: b"")
    notebook = new_notebook(env=os.environ | {"XCORES_ALLOW_UNSIGNED": "1"})
    assert notebook.client.session.key == b""
    assert notebook.run("6 * 7").result == "42"


@pytest.mark.parametrize("arguments", [[], ["-f"], ["--nonsense"]])
def test_wrong_arguments_end_with_code_2_and_the_usage(arguments):
    ended = run_program(*arguments)
    assert ended.returncode == 2 and "usage: xcores" in ended.stderr


def test_a_port_in_use_is_told_and_not_a_crash(new_notebook):
    ended = run_program("-f", new_notebook().manager.connection_file)
    assert ended.returncode == 1 and "xcores: " in ended.stderr and "in use" in ended.stderr.lower()


ENDINGS = {
    "idle": None,
    "a loop": "while True: pass",
    "a sleep": "import time; time.sleep(1000)",
    "an await": "import asyncio; await asyncio.sleep(1000)",
    "a question": "input()",
    "a daemon thread": "import threading; threading.Thread(target=threading.Event().wait, daemon=True).start()",
}


def leave_a_trace_at_exit(path):
    return f"import atexit\natexit.register(lambda: open({str(path)!r}, 'w').close())\nprint('running', flush=True)\n"


@pytest.mark.parametrize("restart", [False, True], ids=["shutdown", "restart"])
@pytest.mark.parametrize("code", ENDINGS.values(), ids=ENDINGS.keys())
def test_a_kernel_ends_cleanly_whatever_it_does(new_notebook, tmp_path, code, restart):
    notebook = new_notebook()
    notebook.start(leave_a_trace_at_exit(tmp_path / "trace") + (code or "")).wait_for_text("running")
    assert notebook.control("shutdown_request", {"restart": restart}) == {"status": "ok", "restart": restart}
    assert notebook.exit_code() == 0
    assert (tmp_path / "trace").exists()


STUBBORN = {
    "a cell that catches everything": "import time\nwhile True:\n    try: time.sleep(1000)\n    except BaseException: pass",
    "an exit handler": "import atexit, threading\natexit.register(threading.Event().wait)",
    "a thread": "import threading; threading.Thread(target=threading.Event().wait).start()",
}


@pytest.mark.parametrize("code", STUBBORN.values(), ids=STUBBORN.keys())
def test_nothing_keeps_a_kernel_alive(new_notebook, code):
    notebook = new_notebook()
    notebook.start(f"print('running', flush=True)\n{code}").wait_for_text("running")
    notebook.control("shutdown_request", {"restart": False})
    assert notebook.exit_code() == 0


def test_exit_in_a_cell_ends_the_kernel_after_its_reply(new_notebook, tmp_path):
    notebook = new_notebook()
    notebook.run(leave_a_trace_at_exit(tmp_path / "trace"))
    cell = notebook.run("exit()")
    assert [payload["source"] for payload in cell.reply["content"]["payload"]] == ["ask_exit"]
    assert notebook.exit_code() == 0 and (tmp_path / "trace").exists()


LET_PUBLISHING_FALL_BEHIND = """
import os
def server_threads():
    tasks = [(task, open(f"/proc/self/task/{task}/comm").read().strip()) for task in os.listdir("/proc/self/task")]
    return {int(task): int(open(f"/proc/self/task/{task}/schedstat").read().split()[0]) for task, name in tasks if name == "xcores server"}
before = server_threads()
for i in range(500): display(i)
publisher = max(before, key=lambda thread: server_threads()[thread] - before[thread])
core = {min(os.sched_getaffinity(0))}
os.sched_setaffinity(0, core)
os.sched_setaffinity(publisher, core)
os.sched_setscheduler(publisher, os.SCHED_IDLE, os.sched_param(0))  # it runs while this thread waits
"""


def test_what_was_published_before_the_end_arrives(new_notebook):
    notebook = new_notebook()
    assert notebook.run(LET_PUBLISHING_FALL_BEHIND).reply["content"]["status"] == "ok"
    cell = notebook.run("for i in range(200): display(i)\nexit()")
    assert cell.types == ["status", "execute_input", *["display_data"] * 200, "status"]
    assert notebook.exit_code() == 0


def test_a_kernel_restarts(new_notebook):
    notebook = new_notebook()
    notebook.run("x = 1")
    notebook.manager.restart_kernel()
    notebook.client.wait_for_ready(timeout=TIMEOUT)
    cell = notebook.run("x")
    assert cell.error == "NameError" and cell.reply["content"]["execution_count"] == 1


@pytest.mark.parametrize("moment", ["while the kernel starts", "while it is idle"])
def test_a_kernel_ends_with_the_process_that_started_it(tmp_path, moment):
    file, _ = write_connection_file(str(tmp_path / "connection.json"), key=b"0123456789abcdef")
    parent = (
        "import os, subprocess, sys\nos.environ['JPY_PARENT_PID'] = str(os.getpid())\n"
        f"print(subprocess.Popen([{EXECUTABLE!r}, '-f', {file!r}], stdout=subprocess.DEVNULL).pid, flush=True)\nsys.stdin.read()"
    )
    process = subprocess.Popen([sys.executable, "-c", parent], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    kernel = int(process.stdout.readline())
    if moment == "while it is idle":
        client = BlockingKernelClient(connection_file=file)
        client.load_connection_file()
        client.hb_channel.time_to_dead = TIMEOUT  # else a start that takes longer than a second counts as a death
        client.start_channels()
        client.wait_for_ready(timeout=TIMEOUT)
        client.stop_channels()
    process.kill()
    process.wait(timeout=TIMEOUT)
    wait_for_end_of(kernel)


def test_a_kernel_leaves_no_files_where_it_runs(new_notebook, tmp_path):
    folder = tmp_path / "here"
    folder.mkdir()
    notebook = new_notebook(cwd=str(folder))
    assert notebook.run("import os\nos.getcwd()").result == repr(str(folder))
    notebook.run("1 / 0")
    notebook.control("shutdown_request", {"restart": False})
    assert notebook.exit_code() == 0 and list(folder.iterdir()) == []


def test_modules_beside_the_notebook_can_be_imported(new_notebook, tmp_path):
    (tmp_path / "beside_the_notebook.py").write_text("answer = 42")
    assert new_notebook(cwd=str(tmp_path)).run("import beside_the_notebook\nbeside_the_notebook.answer").result == "42"


def test_missing_magics_are_told_once_and_the_kernel_works(new_notebook, tmp_path):
    (tmp_path / "xcores").mkdir()
    (tmp_path / "xcores" / "__init__.py").write_text("raise ImportError('no engine here')")
    notebook = new_notebook(env=dict(os.environ, PYTHONPATH=str(tmp_path)))
    first = notebook.run("1 + 1")
    assert "no engine here" in first.stderr and "%%threads" in first.stderr and first.result == "2"
    assert notebook.run("2 + 2").stderr == ""


def test_a_locked_history_is_neither_waited_for_nor_moved_away(new_notebook, tmp_path):
    environment = dict(os.environ, IPYTHONDIR=str(tmp_path))
    first = new_notebook(env=environment)
    first.run("remembered = 1")
    first.control("shutdown_request", {"restart": False})
    assert first.exit_code() == 0
    (file,) = tmp_path.rglob("history.sqlite")
    with sqlite3.connect(file) as database:
        assert ("remembered = 1",) in database.execute("SELECT source_raw FROM history").fetchall()
        database.execute("BEGIN EXCLUSIVE")
        second = new_notebook(env=environment)
        assert second.run("6 * 7").result == "42"
        assert second.ask("history_request", {"hist_access_type": "tail", "n": 3}).wait().status == "ok"
    assert not [path for path in tmp_path.rglob("*corrupt*")]


MIXED = [
    "x = 1",
    "sum(range(1000))",
    "for i in range(200): print(i)",
    "1 / 0",
    "display(1); display(2)",
    "import asyncio; await asyncio.sleep(0)",
    "%timeit -n 1 -r 1 pass",
    "data = bytearray(1_000_000); len(data)",
    "raise ExceptionGroup('g', [ValueError()])",
    "def (",
    "import threading; t = threading.Thread(target=print, args=('t',)); t.start(); t.join()",
    "len?",
]


def test_three_hundred_mixed_cells_leave_the_memory_flat(new_notebook):
    notebook = new_notebook()
    shuffled = random.Random(20).choices(MIXED, k=300)
    sizes = []
    for code in shuffled:
        failing = code in ("1 / 0", "def (") or code.startswith("raise")
        assert (notebook.run(code).status == "error") == failing, code
        sizes.append(notebook.memory())
    assert max(sizes[-20:]) - max(sizes[80:100]) < 6  # MB
