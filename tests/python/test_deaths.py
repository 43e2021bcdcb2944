# SPDX-License-Identifier: BSD-3-Clause
"""The death of a worker process while what it has started lives on, and copies that it makes of itself."""

import concurrent.futures.process
import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import xcores

CHILDREN = {
    "a shell's background": "os.system('sleep 1000 & echo $! > {file}')",
    "a subprocess": "import subprocess\nopen('{file}', 'w').write(str(subprocess.Popen(['sleep', '1000']).pid))",
    "a fork": "child = os.fork()\nif child == 0:\n    import time\n    time.sleep(1000)\nopen('{file}', 'w').write(str(child))",
    "a detached fork": ("ready, tell = os.pipe()\nchild = os.fork()\nif child == 0:\n    os.setsid()\n    os.write(tell, b'x')\n"
                        "    import time\n    time.sleep(1000)\nos.read(ready, 1)\n"
                        "open('{file}', 'w').write(str(child))"),
}
DEATHS = {"a kill": "os.kill(os.getpid(), 9)", "an exit": "os._exit(3)"}


@pytest.fixture
def child(tmp_path: Path) -> Iterator[Callable[[], int]]:
    """The process number that the cell wrote; what is left of it is ended."""
    file = tmp_path / "child"
    yield lambda: int(file.read_text())
    try:
        os.kill(int(file.read_text()), signal.SIGKILL)
    except (ProcessLookupError, FileNotFoundError, ValueError):
        pass


def ended(process: int) -> bool:
    try:
        handle = os.pidfd_open(process)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([handle], [], [], 30)[0])
    finally:
        os.close(handle)


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
@pytest.mark.parametrize("death", DEATHS.values(), ids=DEATHS.keys())
@pytest.mark.parametrize("start", CHILDREN.values(), ids=CHILDREN.keys())
def test_a_death_is_noticed_although_a_child_lives(cell, results, child, tmp_path, method, death, start) -> None:
    body = f"import os\n{start.format(file=tmp_path / 'child')}\n{death}"
    ran = cell(f"%%procs 1 --quiet --start {method}\n{body}")
    assert "it is replaced" in ran.text
    assert results("procs", "worker") == [0, 1]
    if "setsid" in start:
        os.kill(child(), 0)  # it left on purpose
    else:
        assert ended(child())


@pytest.mark.parametrize("keep", ["", "--keep"])
@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_a_worker_that_dies_between_two_cells_is_replaced(cell, shell, method, keep) -> None:
    start = f"%%procs 2 --quiet --start {method} {keep}"
    assert cell(f"{start} -o pids\nimport os\nos.getpid()").error is None
    for pid in shell.user_ns["pids"]:
        os.kill(pid, signal.SIGKILL)
        assert ended(pid)
        ran = cell(f"{start} -o answers\nworker + 40")
        assert ran.error is None, ran.text
        assert shell.user_ns["answers"] == [40, 41]


def test_a_time_limit_ends_a_worker_that_has_children(cell, results, child, tmp_path) -> None:
    start = CHILDREN["a shell's background"].format(file=tmp_path / "child")
    body = (f"import os, signal, time\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\n{start}\ntime.sleep(1000)")
    ran = cell(f"%%procs 1 --quiet --timeout 1\n{body}")
    assert "--timeout was reached" in ran.text
    assert ended(child())
    assert results("procs", "worker") == [0, 1]


def test_a_copy_of_a_worker_ends_with_the_cell_and_is_not_taken_for_it(cell, results) -> None:
    body = ("import os\nchild = os.fork()\nif child:\n    os.waitpid(child, 0)\n'parent' if child else 'child'")
    assert results("procs", body, 1) == ["parent"]
    assert results("procs", "worker") == [0, 1]


def test_a_copy_of_a_worker_ends_within_a_mapped_cell(cell, shell) -> None:
    body = "import os\nchild = os.fork()\nif child:\n    os.waitpid(child, 0)\nitem * 2 if child else 'wrong'"
    assert cell(f"%%procs 2 --quiet --map range(20) -o answers\n{body}").error is None
    assert shell.user_ns["answers"] == [2 * item for item in range(20)]


def test_the_exit_status_of_a_copy_says_whether_it_raised(results) -> None:
    body = ("import os\nchild = os.fork()\nif not child:\n    1 / 0\nos.waitstatus_to_exitcode(os.waitpid(child, 0)[1])")
    assert results("procs", body, 1) == [1]


def test_a_worker_can_end_a_process_that_it_has_forked(results) -> None:
    body = ("import multiprocessing, time\nprocess = multiprocessing.get_context('fork').Process(target=time.sleep, args=(1000,))\n"
            "process.start()\nprocess.terminate()\nprocess.join()\nprocess.exitcode")
    assert results("procs", body, 1) == [-15]


def die_with_a_child(_: Any) -> None:
    os.system("sleep 1000 &")
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_job_whose_worker_dies_fails_although_a_child_lives() -> None:
    with xcores.ProcessExecutor(1) as executor:
        future = executor.submit(die_with_a_child, None)
        with pytest.raises(concurrent.futures.process.BrokenProcessPool):
            future.result(60)
        assert executor.submit(abs, -1).result() == 1


def test_a_program_ends_although_a_child_of_a_dead_worker_lives() -> None:
    text = ("import os, signal\nfrom xcores import ProcessExecutor\n"
            "def die():\n    os.system('sleep 1000 &')\n    os.kill(os.getpid(), 9)\n"
            "print(type(ProcessExecutor(1).submit(die).exception()).__name__)")
    ran = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, timeout=60)
    assert ran.stdout == "BrokenProcessPool\n" and ran.returncode == 0
