# SPDX-License-Identifier: BSD-3-Clause
"""Stopping a cell. The workers themselves send the interrupt, so that it comes when they run."""

import os

import pytest

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
