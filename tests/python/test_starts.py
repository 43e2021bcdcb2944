# SPDX-License-Identifier: BSD-3-Clause
"""What process workers inherit when they start, and what not."""

import fcntl
import os
import socket
import subprocess
import sys

import pytest

METHODS = ("spawn", "forkserver")


@pytest.fixture(params=METHODS)
def method(request, cell):
    cell("%xcores reset")
    return request.param


def test_a_pipe_of_the_notebook_ends_when_the_notebook_closes_it(cell, method) -> None:
    reader, writer = os.pipe()
    os.set_inheritable(writer, True)
    assert cell(f"%%procs 2 --quiet --start {method}\n1").error is None
    os.close(writer)
    os.set_blocking(reader, False)
    assert os.read(reader, 1) == b""  # BlockingIOError: somebody still holds the other end
    os.close(reader)


def test_a_port_of_the_notebook_is_free_when_the_notebook_closes_it(cell, method) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.set_inheritable(True)
        port = server.getsockname()[1]
        assert cell(f"%%procs 2 --quiet --start {method}\n1").error is None
    socket.create_server(("127.0.0.1", port)).close()


def test_a_lock_of_the_notebook_is_free_when_the_notebook_closes_its_file(cell, method, tmp_path) -> None:
    with open(tmp_path / "lock", "w") as file:
        os.set_inheritable(file.fileno(), True)
        fcntl.flock(file, fcntl.LOCK_EX)
        assert cell(f"%%procs 2 --quiet --start {method}\n1").error is None
    with open(tmp_path / "lock", "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_keys_hash_alike_in_all_process_workers(cell, shell) -> None:
    body = "hash('key'), hash(b'key')"
    for name, options in (("first", "--start spawn"), ("second", "--start forkserver"), ("third", "--start spawn --fresh")):
        assert cell(f"%%procs 2 --quiet {options} -o {name}\n{body}").error is None
    answers = [*shell.user_ns["first"], *shell.user_ns["second"], *shell.user_ns["third"]]
    assert len(set(answers)) == 1


def test_how_a_worker_was_started_cannot_be_seen_there(cell, shell, method) -> None:
    body = ("import os, subprocess, sys\n"
            "os.environ.copy(), subprocess.run(['env', '-0'], capture_output=True).stdout, sys.flags[:], sys.argv")
    assert cell(f"%%procs 1 --quiet --start {method} -o seen\n{body}").error is None
    ((environment, inherited, flags, arguments),) = shell.user_ns["seen"]
    assert environment == os.environ.copy()
    assert sorted(inherited.split(b"\0")) == sorted([b"", *(name + b"=" + value for name, value in os.environb.items())])
    assert flags[:] == sys.flags[:] and arguments == [""]


@pytest.mark.parametrize("made", ["ProcessExecutor(1)", "ProcessExecutor(1, start_method='spawn')", "SubinterpExecutor(1)"])
def test_paths_variables_and_arguments_need_not_be_utf_8(tmp_path, made) -> None:
    folder = os.path.join(os.fsencode(tmp_path), b"\xff")
    os.mkdir(folder)
    with open(os.path.join(folder, b"odd_module.py"), "w") as file:
        file.write("answer = 42")
    script = ("import os, sys\nfrom xcores import ProcessExecutor, SubinterpExecutor\n"
              "def tell():\n    import odd_module, os, sys\n    return (odd_module.answer, "
              "os.fsencode(sys.argv[-1]), os.fsencode(os.environ['XCORES_TEST']), os.fsencode(os.getcwd()))\n"
              f"with {made} as pool:\n    answers = pool.submit(tell).result()\n"
              "assert answers[:3] == (42, b'\\xff', b'\\xff') and answers[3].endswith(b'\\xff'), answers")
    path = folder + b":" + os.environb.get(b"PYTHONPATH", b"")
    ended = subprocess.run([sys.executable, "-c", script, b"\xff"], cwd=folder, capture_output=True, text=True,
                           env={**os.environb, b"PYTHONPATH": path, b"XCORES_TEST": b"\xff"})
    assert ended.returncode == 0, ended.stderr
