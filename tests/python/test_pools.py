# SPDX-License-Identifier: BSD-3-Clause
"""Options that choose the workers."""

import gc
import json
import os
import select
import subprocess
import sys
import warnings

import pytest
from xcores import last_report


def report() -> dict:
    return json.loads(last_report().to_json())


def test_pinned_workers_stay_on_their_core_until_the_next_run(kind, cell, shell) -> None:
    cores = sorted(os.sched_getaffinity(0))
    body = "import os, threading\nos.sched_getaffinity(threading.get_native_id())"
    assert cell(f"%%{kind} {len(cores) + 1} --pin --quiet -o where\n{body}").error is None
    assert shell.user_ns["where"] == [{core} for core in [*cores, cores[0]]]
    assert cell(f"%%{kind} {len(cores) + 1} --quiet -o where\n{body}").error is None
    assert shell.user_ns["where"] == [set(cores)] * (len(cores) + 1)


def test_interpreters_can_share_one_gil(cell) -> None:
    assert cell("%%subinterp 2 --gil shared --quiet\nsum(range(2_000_000))").error is None
    assert [gil["workers"] for gil in report()["gils"]] == [[0, 1]]
    assert cell("%%subinterp 2 --gil own --quiet\nsum(range(2_000_000))").error is None
    assert [gil["workers"] for gil in report()["gils"]] == [[0], [1]]


def test_pools_of_different_start_are_apart(cell, shell) -> None:
    for method in ("spawn", "forkserver"):
        assert cell(f"%%procs 2 --start {method} --quiet -o {method}\nimport os\nos.getpid()").error is None
    assert not set(shell.user_ns["spawn"]) & set(shell.user_ns["forkserver"])


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_what_a_module_prints_when_it_is_imported_is_shown(cell, tmp_path, monkeypatch, method) -> None:
    (tmp_path / f"printing_{method}.py").write_text("print('imported')\nanswer = 42\n")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    shutdown_workers()
    cell(f"import printing_{method} as printing")
    ran = cell(f"%%procs 2 --start {method} --quiet\nassert printing.answer == 42")
    assert ran.error is None and sorted(ran.stdout.splitlines()) == ["[0] imported", "[1] imported"]
    sys.modules.pop(f"printing_{method}", None)


def shutdown_workers() -> None:
    from xcores import _engine

    assert _engine.shutdown()


def test_modules_are_imported_anew_after_a_shutdown(cell, results, tmp_path, monkeypatch) -> None:
    module = tmp_path / "changing.py"
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    seen = []
    for answer in (1, 2):
        module.write_text(f"answer = {answer}\n" + "#" * answer)
        seen += results("procs", "import changing\nchanging.answer")
        shutdown_workers()
    assert seen == [1, 1, 2, 2]


def test_a_wrong_way_to_start_is_refused(cell) -> None:
    assert "invalid choice: 'fork'" in cell("%%procs 2 --start fork\n1").text


def test_new_workers_import_modules_anew(cell, shell, tmp_path, monkeypatch) -> None:
    module = tmp_path / "edited.py"
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    for answer in (1, 2):
        module.write_text(f"answer = {answer}\n" + "#" * answer)
        assert cell("%%procs 2 --fresh --quiet -o seen\nimport edited\nedited.answer").error is None
        assert shell.user_ns["seen"] == [answer] * 2


NOTEBOOK = """
import os, sys, time
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
shell.run_line_magic("load_ext", "xcores")
shell.run_cell_magic("procs", "2 --quiet -o out --start {method}", "import os\\nos.getpid(), os.getppid()")
print(*{{process for pair in shell.user_ns["out"] for process in pair}} - {{os.getpid()}}, flush=True)
shell.run_cell_magic("procs", "2 --quiet --start {method}", {body!r})
sys.stdin.read()
"""


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
@pytest.mark.parametrize("body", ["None", "while True: pass", "import time\ntime.sleep(3600)"])
def test_no_process_outlives_a_killed_notebook(method, body) -> None:
    program = [sys.executable, "-c", NOTEBOOK.format(method=method, body=body)]
    with subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as notebook:
        handles = [os.pidfd_open(int(process)) for process in notebook.stdout.readline().split()]
        assert len(handles) == (3 if method == "forkserver" else 2)
        notebook.kill()
    for handle in handles:
        assert select.select([handle], [], [], 30)[0] == [handle]
        os.close(handle)


LAST_CELLS = {
    "nothing": ("", "pass"),
    "a result": ("", "[worker]"),
    "items": ("--map range(20)", "item"),
    "kept names": ("--keep", "def function(): return function\nkept = [function]\nkept.append(kept)"),
    "an error": ("", "import traceback\ntry: 1 / 0\nexcept Exception: traceback.format_exc()"),
    "filters of its own": ("", "import warnings\nclass Own(UserWarning): pass\nwarnings.simplefilter('ignore', Own)"),
    "a filter with a pattern": ("", "import warnings\nwarnings.filterwarnings('ignore', 'text of a warning')"),
    "imports": ("", "import asyncio, concurrent.futures, ctypes, decimal, json, logging, random, re, sqlite3"),
    "a coroutine": ("", "import asyncio\nawait asyncio.sleep(0)"),
    "a thread": ("", "import threading\nthread = threading.Thread(target=print)\nthread.start()\nthread.join()"),
}


@pytest.mark.parametrize("options, body", LAST_CELLS.values(), ids=LAST_CELLS)
def test_an_interpreter_that_ends_leaves_nothing_behind(cell, options, body) -> None:
    """What is left when an interpreter has ended is part of this count; one has some 25,000 blocks."""
    def begin_and_end() -> None:
        ran = cell(f"%%subinterp 1 --quiet {options}\n{body}")
        assert ran.error is None, ran.text
        shutdown_workers()

    blocks = []
    with warnings.catch_warnings():
        cell("import warnings\nclass Alarm(Warning): pass\nwarnings.simplefilter('ignore', Alarm)")
        for _ in range(8):
            begin_and_end()
            gc.collect()
            blocks.append(sys.getallocatedblocks())
    assert blocks[-1] - blocks[2] < 500, blocks


def test_kept_names_stay_with_their_worker_while_others_work(sending_kind: str, cell, shell, tmp_path) -> None:
    go = tmp_path / "go"
    cell(f"%%{sending_kind} 3 --keep --quiet\nmine = worker")
    cell(f"%%{sending_kind} 2 --keep --quiet --background -o job\nimport os, time\nwhile not os.path.exists({str(go)!r}): time.sleep(0.01)")
    ask = f"%%{sending_kind} 3 --keep --quiet -o answers\nglobals().get('mine')"
    assert cell(ask).error is None
    assert shell.user_ns["answers"] == [None, None, 2]  # the others are busy
    go.touch()
    shell.user_ns["job"].result()
    assert cell(ask).error is None
    assert shell.user_ns["answers"] == [0, 1, 2]


def test_a_worker_that_has_died_is_not_replaced_by_one_with_the_names_of_another(cell, shell) -> None:
    cell("%%procs 3 --keep --quiet\nmine = worker")
    cell("%%procs 2 --keep --quiet\nimport os\nif worker == 1: os._exit(3)")
    cell("%%procs 3 --keep --quiet -o answers\nglobals().get('mine')")
    assert shell.user_ns["answers"] == [0, None, 2]
