# SPDX-License-Identifier: BSD-3-Clause
"""An interrupt, and the jobs of executors that run meanwhile."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

import xcores

EXECUTORS = {"subinterp": xcores.SubinterpExecutor, "procs": xcores.ProcessExecutor}


def spin(path: str) -> None:
    """Says that it runs, and does so until it is interrupted."""
    with open(path, "a") as file:
        file.write("x")
    while True:
        pass


def when_running(path: str, count: int) -> threading.Thread:
    """Interrupts this process when so many jobs run."""

    main = f"/proc/self/task/{threading.main_thread().native_id}/stat"

    def sleeps() -> bool:
        with open(main) as file:
            return file.read().rpartition(")")[2].split()[0] == "S"

    def wait() -> None:
        while not os.path.exists(path) or os.path.getsize(path) < count or not sleeps():
            time.sleep(0.1)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=wait)
    thread.start()
    return thread


WAITS: dict[str, Callable[[Any, str], Any]] = {
    "result": lambda executor, path: [executor.submit(spin, path) for _ in range(2)][0].result(),
    "map": lambda executor, path: list(executor.map(spin, [path] * 6, chunksize=1)),
    "exit": lambda executor, path: [executor.submit(spin, path) for _ in range(2)],
}


@pytest.mark.parametrize("wait", WAITS.values(), ids=WAITS.keys())
def test_an_interrupt_ends_running_jobs(sending_kind: str, wait: Callable[[Any, str], Any], tmp_path) -> None:
    path = str(tmp_path / "running")
    thread = when_running(path, 2)
    with pytest.raises(KeyboardInterrupt):
        with EXECUTORS[sending_kind](2) as executor:
            wait(executor, path)
    thread.join()
    with EXECUTORS[sending_kind](2) as executor:
        assert list(executor.map(abs, [-1, -2])) == [1, 2]


def test_an_interrupted_result_ends_its_own_job_only(sending_kind: str, tmp_path) -> None:
    paths = [str(tmp_path / name) for name in ("first", "second")]
    executor = EXECUTORS[sending_kind](2)
    first, second = (executor.submit(spin, path) for path in paths)
    while not os.path.exists(paths[1]):
        time.sleep(0.01)
    thread = when_running(paths[0], 1)
    with pytest.raises(KeyboardInterrupt):
        first.result()
    thread.join()
    assert isinstance(first.exception(60), KeyboardInterrupt)
    assert second.running()
    thread = when_running(paths[1], 1)
    with pytest.raises(KeyboardInterrupt):
        second.result()
    thread.join()
    executor.shutdown()


def stubborn(path: str) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # an except clause can be left by the next interrupt
    spin(path)


def test_a_process_that_ignores_the_interrupt_is_ended(tmp_path) -> None:
    path = str(tmp_path / "running")
    thread = when_running(path, 1)
    with pytest.raises(KeyboardInterrupt):
        with xcores.ProcessExecutor(1) as executor:
            future = executor.submit(stubborn, path)
            future.result()
    thread.join()
    assert "ended while it ran this job" in str(future.exception(60))


def test_an_interpreter_that_cannot_be_interrupted_is_not_waited_for(tmp_path) -> None:
    reading, writing = os.pipe()
    thread = threading.Timer(1, os.kill, (os.getpid(), signal.SIGINT))
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        with xcores.SubinterpExecutor(1) as executor:
            executor.submit(os.read, reading, 1).result()
    os.write(writing, b"x")
    thread.join()


def test_an_interrupt_that_came_too_late_hits_no_later_job(sending_kind: str) -> None:
    with EXECUTORS[sending_kind](1) as executor:
        for worker in range(20):
            if sending_kind == "procs":
                os.killpg(executor.submit(os.getpid).result(), signal.SIGINT)
            assert executor.submit(abs, -worker).result() == worker


@pytest.mark.parametrize("job", ["time.sleep, 1000", "spin"])
@pytest.mark.parametrize("kind", ["Thread", "Subinterp", "Process"])
def test_an_interrupt_while_a_program_waits_at_its_end_is_no_crash(kind: str, job: str) -> None:
    text = ("import sys, time, xcores\ndef spin():\n    while True: pass\n"
            f"executor = xcores.{kind}Executor(2)\njobs = [executor.submit({job}) for _ in range(2)]\n"
            "while not all(job.running() for job in jobs): pass\nprint('running', flush=True)\n")
    program = subprocess.Popen([sys.executable, "-c", text], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert program.stdout is not None and program.stdout.readline() == "running\n"
        time.sleep(0.3)  # most likely at its end by now; it must not matter
        program.send_signal(signal.SIGINT)
        program.wait(60)
        assert program.returncode in (0, 1, 120, 130, -signal.SIGINT)
    finally:
        program.kill()
        program.communicate()
