# SPDX-License-Identifier: BSD-3-Clause
"""Process workers are to multiprocessing what its own children are."""

import pytest

MANAGER = "import multiprocessing\nmanager = multiprocessing.get_context('spawn').Manager()\nboard = manager.dict()"
JOB = ("from xcores import ProcessExecutor\ndef fill(board, key):\n    board[key] = 1\n"
       "with ProcessExecutor(1, start_method={method!r}) as pool:\n    pool.submit(fill, board, 4).result()")


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_a_managers_proxies_work_in_cells_maps_and_executors(notebook, method):
    assert notebook.run(MANAGER).status == "ok"
    for code in (f"%%procs 2 --quiet --start {method}\nboard[worker] = 1",
                 f"%%procs 2 --quiet --start {method} --map [2,3]\nboard[item] = 1", JOB.format(method=method)):
        cell = notebook.run(code)
        assert cell.status == "ok", cell.traceback
    assert notebook.run("print(sorted(board.keys()))\nmanager.shutdown()").stdout == "[0, 1, 2, 3, 4]\n"


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_children_of_a_worker_find_installed_packages(notebook, method):
    code = ("import subprocess, sys\nflags = subprocess._args_from_interpreter_flags()\n"
            "child = [sys.executable, *flags, '-c', 'import sys, IPython; print(sys.flags.no_site)']\n"
            "print(flags, subprocess.run(child, capture_output=True, text=True).stdout)")
    here = notebook.run(code).stdout
    assert notebook.run(f"%%procs 1 --quiet --start {method}\n{code}").stdout.replace("[0]", "").split() == here.split()


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_an_interpreter_that_a_worker_makes_finds_installed_packages(notebook, method):
    code = "from concurrent import interpreters\nmade = interpreters.create()\nmade.exec('import comm')\nmade.close()"
    cell = notebook.run(f"%%procs 1 --quiet --start {method}\n{code}")
    assert cell.status == "ok", cell.traceback


@pytest.mark.parametrize("kind", ["threads", "procs"])
def test_a_standard_pool_works_in_a_worker_and_afterwards_in_the_notebook(notebook, kind):
    pool = ("from concurrent.futures import ProcessPoolExecutor\n"
            "with ProcessPoolExecutor(2) as pool:\n    print(list(pool.map(abs, [-1, -2])))")
    for code, label in ((f"%%{kind} 1 --quiet\n{pool}", "[0] "), (pool, "")):
        cell = notebook.run(code)
        assert cell.status == "ok", cell.traceback
        assert cell.stdout == f"{label}[1, 2]\n"
