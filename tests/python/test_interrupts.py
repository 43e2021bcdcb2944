# SPDX-License-Identifier: BSD-3-Clause
"""Stopping a cell. The workers themselves send the interrupt, so that it comes when they run."""

import os
import signal
import time

import pytest
from xcores import _engine, jobs

from xcores.display import View
from xcores.errors import WorkerInterrupted

INTERRUPT = "import os, signal\nif worker == 0:\n    os.kill(notebook, signal.SIGINT)\n"


@pytest.fixture
def notebook(cell) -> None:
    cell("import os\nnotebook = os.getpid()")


def test_an_interrupt_stops_all_workers_and_the_next_cell_works(kind, cell, notebook, results) -> None:
    ran = cell(f"%%{kind} 2 --quiet\n{INTERRUPT}while True: pass")
    assert isinstance(ran.error, KeyboardInterrupt)
    assert ran.text == "KeyboardInterrupt: workers 0 and 1 stopped\n"
    assert results(kind, "worker") == [0, 1]


def test_an_interrupt_keeps_the_report_and_the_results(kind, cell, notebook, shell, tmp_path, monkeypatch) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    refresh = View.refresh
    opened = []

    def open_the_gate_after_the_first_result(self, run) -> None:
        refresh(self, run)
        if not opened and run.report().outcomes[1]["kind"] == "returned":
            opened.append(gate.open("w").close())

    monkeypatch.setattr(View, "refresh", open_the_gate_after_the_first_result)
    cell(f"gate = {str(gate)!r}")
    body = ("import os, signal\nif worker == 0:\n    open(gate).read()\n    os.kill(notebook, signal.SIGINT)\n"
            "    while True: pass\n'done'")
    ran = cell(f"%%{kind} 2 --no-plot -o answers\n{body}")
    assert isinstance(ran.error, KeyboardInterrupt)
    stopped, done = shell.user_ns["answers"]
    assert isinstance(stopped, WorkerInterrupted) and done == "done"
    assert ran.displays[-1]["data"].keys() == {"text/html", "text/plain"}


@pytest.mark.parametrize("blocked_kind", ["threads", "subinterp"])
def test_a_worker_that_cannot_be_interrupted_is_left_behind_and_replaced(cell, notebook, results, blocked_kind) -> None:
    read_end, write_end = os.pipe()
    ready = os.pipe()
    # From when it has told worker 0, worker 1 never reacts: it reads, or is about to.
    body = ("import os, signal\nif worker == 0:\n    os.read(told, 1)\n    os.kill(notebook, signal.SIGINT)\n"
            "while worker == 1:\n    try:\n        os.write(tell, b'x')\n        os.read(blocking, 1)\n        break\n"
            "    except KeyboardInterrupt:\n        pass")
    try:
        cell(f"blocking, told, tell = {read_end}, {ready[0]}, {ready[1]}")
        ran = cell(f"%%{blocked_kind} 2 --quiet\n{body}")
        assert isinstance(ran.error, KeyboardInterrupt)
        assert "worker 1 did not react" in ran.text and "left behind" in ran.text
        assert results(blocked_kind, "worker") == [0, 1]
    finally:
        os.write(write_end, b"x")


def test_a_second_interrupt_does_not_lose_the_report(kind, cell, notebook) -> None:
    body = ("import os, signal\ntry:\n    os.kill(notebook, signal.SIGINT)\n    while True: pass\n"
            "except KeyboardInterrupt:\n    os.kill(notebook, signal.SIGINT)\n    raise")
    ran = cell(f"%%{kind} 1 --no-plot\n{body}")
    assert isinstance(ran.error, KeyboardInterrupt)
    assert ran.displays and "text/html" in ran.displays[-1]["data"]


def test_a_cell_may_handle_the_interrupt_and_still_give_a_result(kind, cell, notebook, shell) -> None:
    body = ("import os, signal\ntry:\n    os.kill(notebook, signal.SIGINT)\n    while True: pass\n"
            "except KeyboardInterrupt:\n    pass\n'tidied up'")
    ran = cell(f"%%{kind} 1 --quiet -o answers\n{body}")
    assert isinstance(ran.error, KeyboardInterrupt) and shell.user_ns["answers"] == ["tidied up"]


OWN = "raise KeyboardInterrupt('own')"


def test_an_interrupt_that_the_code_raises_itself_is_its_error(kind, cell) -> None:
    ran = cell(f"%%{kind} 2 --quiet\nif worker == 1:\n    {OWN}")
    assert "KeyboardInterrupt: own" in ran.text and "stopped" not in ran.text
    assert OWN in ran.text  # the line of the traceback


def test_an_interrupt_that_an_item_raises_itself_is_its_error_and_the_others_go_on(kind, cell, shell) -> None:
    ran = cell(f"%%{kind} 2 --quiet --map range(20) --on-error continue -o answers\nif item in (3, 7):\n    {OWN}\nitem")
    assert "2 of 20 items failed" in ran.text and "KeyboardInterrupt: own" in ran.text and OWN in ran.text
    answers = shell.user_ns["answers"]
    assert [one for one in answers if isinstance(one, int)] == [item for item in range(20) if item not in (3, 7)]


def test_an_interrupt_that_an_item_raises_itself_stops_the_run_as_any_error(kind, cell) -> None:
    ran = cell(f"%%{kind} 2 --quiet --map range(100000)\nif item == 3:\n    {OWN}\nitem")
    assert "KeyboardInterrupt: own" in ran.text and not isinstance(ran.error, KeyboardInterrupt)


HANDLER = ("import signal\ndef late(number, frame): raise TimeoutError('too late')\n"
           "before = signal.signal(signal.SIGALRM, late)\nsignal.setitimer(signal.ITIMER_REAL, 0.5)")


@pytest.mark.parametrize("options", ["2", "2 --map range(1000)", "2 --repeat 3"])
def test_an_exception_of_a_signal_handler_stops_the_workers_too(kind, cell, results, options) -> None:
    cell(HANDLER)
    try:
        ran = cell(f"%%{kind} {options} --no-plot\nwhile True: pass")
    finally:
        cell("signal.setitimer(signal.ITIMER_REAL, 0)\nsignal.signal(signal.SIGALRM, before)")
    assert isinstance(ran.error, TimeoutError) and str(ran.error) == "too late"
    assert ran.displays and "text/html" in ran.displays[-1]["data"]
    assert all(now[1] == 0 for now in _engine.status().values())
    assert results(kind, "worker") == [0, 1]


def test_an_exception_of_a_signal_handler_stops_a_comparison_too(cell) -> None:
    """It comes while the workers run, not in the serial part, where it would be the cell's own error."""
    cell(HANDLER.rpartition("\n")[0])
    body = ("import signal, threading\nif threading.current_thread() is not threading.main_thread():\n"
            "    signal.setitimer(signal.ITIMER_REAL, 0.5)\n    while True: pass")
    try:
        ran = cell(f"%%compare threads -n 2\n{body}")
    finally:
        cell("signal.signal(signal.SIGALRM, before)")
    assert isinstance(ran.error, TimeoutError)
    assert all(now[1] == 0 for now in _engine.status().values())


class Raised(RuntimeError):
    """By a signal handler, at a moment at which starting workers may raise it too."""


@pytest.fixture
def signalled_at_start(cell, shell, monkeypatch):
    """A signal comes exactly when `start` returns, and its handler raises."""

    class Signalled(_engine.Run):
        def start(self, *arguments, **options) -> None:
            super().start(*arguments, **options)
            signal.raise_signal(signal.SIGALRM)

    def late(number, frame) -> None:
        raise Raised("too late")

    before = signal.signal(signal.SIGALRM, late)
    monkeypatch.setattr(_engine, "Run", Signalled)
    yield
    signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("options", ["2", "2 --map range(1000)", "2 --background"])
def test_an_exception_of_a_signal_handler_while_workers_start_leaves_none_going(
    kind, cell, results, signalled_at_start, monkeypatch, options
) -> None:
    ran = cell(f"%%{kind} {options}\nwhile True: pass")
    assert isinstance(ran.error, Raised)
    assert all(now[1] == 0 for now in _engine.status().values()) and jobs.running() == []
    monkeypatch.undo()
    assert results(kind, "worker") == [0, 1]


def test_an_exception_of_a_signal_handler_while_workers_of_a_comparison_start_leaves_none_going(
    cell, signalled_at_start
) -> None:
    ran = cell("%%compare threads -n 2\nimport threading\n"
               "while threading.current_thread() is not threading.main_thread(): pass")
    assert isinstance(ran.error, Raised)
    assert all(now[1] == 0 for now in _engine.status().values())


def test_an_interrupt_reaches_what_a_worker_has_started(cell, notebook, shell) -> None:
    body = ("import os, signal, threading\nthreading.Timer(0.5, os.kill, (notebook, signal.SIGINT)).start()\n"
            "os.waitstatus_to_exitcode(os.system('sleep 1000'))")
    start = time.monotonic()
    ran = cell(f"%%procs 1 --quiet -o answers\n{body}")
    assert isinstance(ran.error, KeyboardInterrupt) and shell.user_ns["answers"] == [-signal.SIGINT]
    assert time.monotonic() - start < 60
