# SPDX-License-Identifier: BSD-3-Clause
"""Interrupts, as protocol message and as signal."""

import contextlib
import os
import queue
import signal
import threading

import pytest

ENDLESS = {
    "a loop": "while True: pass",
    "a sleep": "import time; time.sleep(100)",
    "an await": "import asyncio; await asyncio.sleep(100)",
    "a lock": "import threading; threading.Event().wait()",
    "a child process": "import subprocess; subprocess.run(['sleep', '100'])",
}


@pytest.fixture(params=["message", "signal"])
def interrupt(request, notebook):
    if request.param == "message":
        return notebook.interrupt
    return lambda: os.kill(notebook.process.pid, signal.SIGINT)


@pytest.mark.parametrize("code", ENDLESS.values(), ids=ENDLESS.keys())
def test_an_interrupt_ends_the_cell_and_the_next_one_is_right(notebook, interrupt, code):
    cell = notebook.start(f"print('running', flush=True)\n{code}").wait_for_text("running")
    interrupt()
    assert cell.wait().error == "KeyboardInterrupt"
    assert cell.reply["content"]["ename"] == "KeyboardInterrupt"
    assert notebook.run("6 * 7").result == "42"


def test_no_interrupt_is_lost_that_comes_just_before_a_sleep(notebook, interrupt):
    notebook.run("import time")
    for _ in range(50):
        cell = notebook.start("print('running', flush=True)\ntime.sleep(100)").wait_for_text("running")
        interrupt()
        assert cell.wait().error == "KeyboardInterrupt"


def test_an_interrupt_between_cells_does_nothing(notebook, interrupt):
    for _ in range(3):
        interrupt()
        cell = notebook.run("sum(range(1_000_000))")
        assert (cell.status, cell.result) == ("ok", "499999500000")


def test_only_the_main_thread_takes_signals(notebook):
    """Another one may be stopped with a signal in hand until the next cell runs, which it would end."""
    tasks = f"/proc/{notebook.process.pid}/task"
    for task in os.listdir(tasks):
        with open(f"{tasks}/{task}/status") as file:
            blocked = next(int(line.split()[1], 16) for line in file if line.startswith("SigBlk"))
        assert int(task) == notebook.process.pid or blocked >> (signal.SIGINT - 1) & 1


def test_no_interrupt_is_lost_that_comes_before_the_code_begins(notebook, interrupt):
    """A thread that hogs the GIL keeps the cell's code from beginning for a while after its input was published."""
    notebook.run(
        "import sys, threading\nover = False\ndef hog():\n    while not over: pass\n"
        "before = sys.getswitchinterval()\nsys.setswitchinterval(0.2)\nthreading.Thread(target=hog).start()"
    )
    for _ in range(3):
        cell = notebook.start("while True: pass")
        cell.wait_for(lambda: "execute_input" in cell.types)
        interrupt()
        assert cell.wait().error == "KeyboardInterrupt"
    notebook.run("over = True\nsys.setswitchinterval(before)")


def test_a_cell_can_handle_its_interrupt(notebook, interrupt):
    cell = notebook.start(
        "import time\ntry:\n    print('running', flush=True)\n    time.sleep(100)\nexcept KeyboardInterrupt:\n    print('handled')"
    ).wait_for_text("running")
    interrupt()
    assert cell.wait().stdout == "running\nhandled\n" and cell.status == "ok"


def test_an_interrupt_aborts_the_queued_cells(notebook):
    cell = notebook.start("print('running', flush=True)\nwhile True: pass").wait_for_text("running")
    queued = notebook.start("'never'")
    notebook.control("kernel_info_request")
    notebook.interrupt()
    assert cell.wait().error == "KeyboardInterrupt"
    assert queued.wait().status == "aborted"


def test_a_handler_of_the_users_own_stays_in_place(notebook):
    notebook.run("import signal\nseen = []\nsignal.signal(signal.SIGINT, lambda *_: seen.append(1))")
    cell = notebook.start("print('running', flush=True)\nwhile not seen: pass\n'seen'").wait_for_text("running")
    notebook.interrupt()
    assert cell.wait().result == "'seen'"
    notebook.run("signal.signal(signal.SIGINT, signal.default_int_handler)")


def test_kernel_info_is_answered_on_the_control_channel_while_a_cell_runs(notebook):
    cell = notebook.start("print('running', flush=True)\nwhile True: pass").wait_for_text("running")
    assert notebook.control("kernel_info_request")["language_info"]["name"] == "python"
    notebook.interrupt()
    cell.wait()


def test_a_storm_of_interrupts_leaves_nothing_broken(notebook):
    cells = ["sum(range(100_000))", "print('x' * 100)", "1 / 0", "import asyncio; await asyncio.sleep(0.001)", "def ("]
    over = threading.Event()

    def storm():
        while not over.wait(0.005):
            os.kill(notebook.process.pid, signal.SIGINT)

    thread = threading.Thread(target=storm)
    thread.start()
    try:
        for i in range(200):
            assert notebook.run(cells[i % len(cells)]).status in ("ok", "error")
    finally:
        over.set()
        thread.join()
    assert notebook.run("import asyncio\nawait asyncio.sleep(0, 'right')").result == "'right'"


def test_a_second_interrupt_ends_a_task_that_does_not_let_the_cell_go_on(notebook):
    cell = notebook.start(
        "import asyncio\nasync def hog():\n    print('running', flush=True)\n    while True: pass\n"
        "task = asyncio.create_task(hog())\nawait asyncio.sleep(100)"
    ).wait_for_text("running")
    while "error" not in cell.types:  # of signals that come fast only one may arrive
        os.kill(notebook.process.pid, signal.SIGINT)
        with contextlib.suppress(queue.Empty):
            notebook.read_iopub(timeout=0.1)
    assert cell.wait().reply["content"]["ename"] == "KeyboardInterrupt"
    assert notebook.run("6 * 7").result == "42"


@pytest.mark.parametrize("magic", ["", "%%procs 2\n"])
def test_a_kernel_that_was_started_with_interrupts_ignored_can_be_interrupted(new_notebook, magic):
    """As a shell does with what it starts in the background."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        notebook = new_notebook()
    finally:
        signal.signal(signal.SIGINT, before)
    cell = notebook.start(f"{magic}print('running', flush=True)\nwhile True: pass").wait_for_text("running")
    notebook.interrupt()
    assert cell.wait().error == "KeyboardInterrupt"
