# SPDX-License-Identifier: BSD-3-Clause
"""Inputs that hang in the process from which workers are forked, and such a process that does not answer."""

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import xcores

HANG = "import time\nclass Hanging:\n    def __reduce__(self): return time.sleep, (100_000,)\nhanging = Hanging()"


def write_module(folder: Path) -> None:
    (folder / "hanging_module.py").write_text(
        "import time\nwhile True:\n    try:\n        time.sleep(100_000)\n    except BaseException:\n        pass\n")


@pytest.fixture(params=["unpickling", "an import"])
def hanging(request, cell, tmp_path, monkeypatch) -> str:
    """The body of a cell whose input hangs on its way to the workers."""
    cell("%xcores reset")
    if request.param == "unpickling":
        cell(HANG)
        return "hanging"
    write_module(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    cell("import types, sys\nhanging_module = types.ModuleType('hanging_module')\nsys.modules['hanging_module'] = hanging_module")
    return "hanging_module"


@pytest.mark.parametrize("start", ["forkserver", "spawn"])
def test_a_time_limit_ends_an_input_that_hangs_and_the_next_cell_is_right(cell, results, hanging, start) -> None:
    ran = cell(f"%%procs 2 --quiet --timeout 1 --start {start}\n{hanging}")
    assert "--timeout was reached" in ran.text and "left behind" not in ran.text
    assert results("procs", "worker") == [0, 1]
    sys.modules.pop("hanging_module", None)


def test_an_interrupt_ends_an_input_that_hangs_and_the_next_cell_is_right(cell, results, hanging) -> None:
    cell("import os, signal, threading")
    cell("timer = threading.Timer(1, os.kill, (os.getpid(), signal.SIGINT))\ntimer.start()")
    ran = cell(f"%%procs 2\n{hanging}")
    assert isinstance(ran.error, KeyboardInterrupt)
    assert "of which none ran" in ran.displays[-1]["data"]["text/plain"]  # a table, and no picture of nothing
    assert results("procs", "worker") == [0, 1]
    sys.modules.pop("hanging_module", None)


def test_an_input_that_hangs_in_the_background_keeps_nothing_else_from_running(cell, results, shell, hanging) -> None:
    cell(f"%%procs 2 --quiet --background -o job\n{hanging}")
    try:
        assert results("procs", "worker", 1) == [0]
        assert "ended" in cell("%xcores reset").text
        assert results("procs", "worker", 1) == [0]
    finally:
        shell.user_ns["job"].cancel()
    assert isinstance(shell.user_ns["job"].exception(60), BaseException)
    assert results("procs", "worker") == [0, 1]
    sys.modules.pop("hanging_module", None)


def zygote_of(worker: int) -> int:
    with open(f"/proc/{worker}/stat") as file:
        return int(file.read().rpartition(")")[2].split()[1])


@pytest.fixture
def stopped_zygote(cell, results) -> Callable[[], int]:
    cell("%xcores reset")
    zygote = zygote_of(results("procs", "import os\nos.getpid()", 1)[0])
    os.kill(zygote, signal.SIGSTOP)
    return lambda: zygote


def test_a_process_that_forks_and_does_not_answer_is_replaced(results, stopped_zygote) -> None:
    assert results("procs", "worker", 4) == [0, 1, 2, 3]


def test_workers_can_be_reset_although_the_process_that_forks_does_not_answer(cell, results, stopped_zygote) -> None:
    start = time.monotonic()
    assert "ended" in cell("%xcores reset").text
    assert time.monotonic() - start < 30
    assert results("procs", "worker") == [0, 1]


def test_an_executor_gets_workers_although_the_process_that_forks_does_not_answer(stopped_zygote) -> None:
    with xcores.ProcessExecutor(3) as executor:
        assert list(executor.map(abs, [-1, -2, -3], chunksize=1)) == [1, 2, 3]
