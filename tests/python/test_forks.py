# SPDX-License-Identifier: BSD-3-Clause
"""Children of this process after cells in interpreters: without help CPython crashes in them (gh-101437, gh-139759)."""

import subprocess
import sys

import pytest

FORKS = {
    "os.fork": "child = os.fork()\nif child == 0:\n    os._exit(7)\nassert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7",
    "pty.fork": ("import pty\nchild, end = pty.fork()\nif child == 0:\n    os._exit(7)\n"
                 "assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7\nos.close(end)"),
    "preexec_fn": "import subprocess\nassert subprocess.run(['true'], preexec_fn=os.getpid).returncode == 0",
    "multiprocessing": ("import multiprocessing\nwith multiprocessing.get_context('fork').Pool(2) as pool:\n"
                        "    assert pool.map(abs, [-1, -2]) == [1, 2]"),
    "ProcessPoolExecutor": ("import concurrent.futures, multiprocessing\n"
                            "with concurrent.futures.ProcessPoolExecutor(2, multiprocessing.get_context('fork')) as pool:\n"
                            "    assert list(pool.map(abs, [-1, -2])) == [1, 2]"),
    "an interpreter of the child": ("child = os.fork()\nif child == 0:\n    from concurrent import interpreters\n"
                                    "    interpreters.create().exec('1')\n    os._exit(7)\n"
                                    "assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7"),
    "workers of the child": ("child = os.fork()\nif child == 0:\n    import xcores\n"
                             "    with xcores.SubinterpExecutor(2) as executor:\n"
                             "        os._exit(sum(executor.map(abs, [-3, -4])))\n"
                             "assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7"),
}
BEFORE = {
    "idle interpreters": "with xcores.SubinterpExecutor(2) as executor: list(executor.map(abs, [-1, -2]))\n",
    "an open executor": "executor = xcores.SubinterpExecutor(2)\nlist(executor.map(abs, [-1, -2]))\n",
    "interpreters at work": ("import time\nexecutor = xcores.SubinterpExecutor(2)\n"
                             "job = executor.submit(time.sleep, 3)\nwhile not job.running(): pass\n"),
    "data of an interpreter": ("executor = xcores.SubinterpExecutor(1)\nkept = executor.submit(bytes, 10_000_000).result()\n"
                               "executor.shutdown()\n"),
    "a standard interpreter": ("from concurrent import interpreters\nimport xcores._engine\n"
                               "other = interpreters.create()\nother.exec('import json')\n"
                               "import atexit\natexit.register(other.close)\n"),
}


def script(text: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", f"import os, xcores\n{text}"], capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize("before", BEFORE.values(), ids=BEFORE.keys())
@pytest.mark.parametrize("fork", FORKS.values(), ids=FORKS.keys())
def test_forks_work_beside_interpreters(before: str, fork: str) -> None:
    ran = script(f"if __name__ == '__main__':\n{indented(before + fork)}")
    assert (ran.returncode, ran.stderr.replace(warning_of(ran.stderr), "")) == (0, ""), ran.stderr


def indented(text: str) -> str:
    return "".join(f"    {line}\n" for line in text.splitlines())


def warning_of(text: str) -> str:
    """Python says of each fork of a process with threads that it may deadlock."""
    return "".join(line for line in text.splitlines(True) if "DeprecationWarning" in line or line.startswith("  "))


@pytest.mark.parametrize("magic", ["%%subinterp 2 --quiet\n1", "%%threads 2 --quiet\n1", "%%procs 2 --quiet\n1"])
def test_shell_commands_work_after_cells_on_workers(cell, capfd, magic: str) -> None:
    assert cell(magic).error is None
    ran = cell("!echo said")
    assert "said" in ran.stdout + capfd.readouterr().out
    assert cell("import os\nif (child := os.fork()) == 0: os._exit(7)\n"
                "os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])").value == 7
