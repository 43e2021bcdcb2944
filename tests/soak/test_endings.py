# SPDX-License-Identifier: BSD-3-Clause
"""A kernel that ends, however it does, takes all with it that it has started."""

import signal

import pytest
from footprint import descendants_of, names_in_shared_memory
from notebook import wait_for_end_of

SPIN = "print('in', flush=True)\nwhile True: pass"
NO_INTERRUPTS = "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\n"
DEAF = "print('in', flush=True)\nwhile True:\n    try:\n        while True: pass\n    except BaseException: pass"
DATA = "import numpy\nlarge = numpy.ones(1_000_000)\n"
EXECUTOR = """import xcores
def spin():
    print('in\\n', end='', flush=True)  # in one piece: the lines of jobs mix as those of threads do
    while True: pass
executor = xcores.{}(2)
jobs = [executor.submit(spin) for _ in range(6)]
"""

# what runs: (cells, the least number of processes there are then)
BUSY = {
    "processes": (["%%procs 2\n" + SPIN], 3),
    "processes with data": ([DATA + "large.sum()", "%%procs 2\nmine = large * 2\n" + SPIN], 3),
    "processes, spawned": (["%%procs 2 --start spawn\n" + SPIN], 2),
    "processes that ignore signals": (["%%procs 2\n" + NO_INTERRUPTS + DEAF], 3),
    "processes in the background": (["%%procs 2 --background\n" + SPIN], 3),
    "processes with items": (["%%procs 2 --map range(10)\n" + SPIN], 3),
    "jobs of processes": ([EXECUTOR.format("ProcessExecutor"), "for job in jobs: job.result()"], 3),
    "interpreters": (["%%subinterp 2\n" + SPIN], 0),
    "interpreters in the background": (["%%subinterp 2 --background\n" + SPIN], 0),
    "jobs of interpreters": ([EXECUTOR.format("SubinterpExecutor"), "for job in jobs: job.result()"], 0),
    "threads": (["%%threads 2\n" + SPIN], 0),
    "everything": (["%%procs 2 --background\n" + SPIN, "%%procs 2 --background --start spawn\n" + SPIN,
                    "%%subinterp 2 --background\n" + SPIN, EXECUTOR.format("ProcessExecutor")], 7),
}


def kill(notebook):
    notebook.process.kill()
    assert notebook.exit_code() == -signal.SIGKILL


def shut_down(notebook):
    notebook.control("shutdown_request", {"restart": False})
    assert notebook.exit_code() == 0


@pytest.mark.parametrize("end", [kill, shut_down])
@pytest.mark.parametrize("busy", BUSY)
def test_nothing_outlives_the_kernel(notebook, busy, end):
    cells, at_least = BUSY[busy]
    started = [notebook.start(code) for code in cells]
    spinning = 2 * sum("'in'" in code for code in cells)
    started[-1].wait_for(lambda: sum(cell.stdout.count("in\n") for cell in started) >= spinning)
    descendants = descendants_of(notebook.process.pid)
    assert len(descendants) >= at_least
    end(notebook)
    for pid in descendants:
        wait_for_end_of(pid)
    assert names_in_shared_memory() == []
