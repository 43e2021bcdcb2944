# SPDX-License-Identifier: BSD-3-Clause
"""Options that choose the workers."""

import json
import os
import select
import subprocess
import sys

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
