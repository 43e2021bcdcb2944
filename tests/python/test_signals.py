# SPDX-License-Identifier: BSD-3-Clause
"""Workers and their child processes get signals as threads and child processes of Python do: nothing is blocked for them."""

import signal
import subprocess

import pytest

BLOCKED = "import subprocess\nsubprocess.run(['grep', 'SigBlk', '/proc/self/status'], capture_output=True, text=True).stdout"
TERMINATED = "import subprocess\nchild = subprocess.Popen(['sleep', '100'])\nchild.terminate()\nchild.wait()"
SHELL = ("import subprocess\n"
         "subprocess.run('sleep 0.1 & wait; echo waited', shell=True, capture_output=True, text=True).stdout")
PIPE = ("import subprocess\n"
        "subprocess.run('yes | head -n 1', shell=True, capture_output=True, text=True).stderr")


@pytest.fixture
def result(kind: str, results):
    """The result of a cell in a worker."""
    return lambda code: results(kind, code, workers=1)[0]


def test_children_of_a_worker_inherit_no_blocked_signals(result) -> None:
    plain = subprocess.run(["grep", "SigBlk", "/proc/self/status"], capture_output=True, text=True, check=True).stdout
    assert result(BLOCKED) == plain


def test_a_child_of_a_worker_can_be_terminated(result) -> None:
    assert result(TERMINATED) == -signal.SIGTERM


def test_a_shell_in_a_worker_notices_that_its_child_has_ended(result) -> None:
    assert result(SHELL) == "waited\n"


def test_a_broken_pipe_ends_a_command_of_a_worker_without_a_word(result) -> None:
    assert result(PIPE) == ""


def test_a_child_of_an_executor_can_be_terminated(kind: str) -> None:
    import xcores

    executors = {"threads": xcores.ThreadExecutor, "subinterp": xcores.SubinterpExecutor, "procs": xcores.ProcessExecutor}
    with executors[kind](1) as executor:
        assert executor.submit(terminated_child).result() == -signal.SIGTERM


def terminated_child() -> int:
    child = subprocess.Popen(["sleep", "100"])
    child.terminate()
    return child.wait()
