# SPDX-License-Identifier: BSD-3-Clause
"""Whatever a worker process does to its memory, its limits and its descriptors: it fails alone, and the next one works.

Code that hard-codes descriptors, daemons that close all of them, and limits set in a cell are the usual ways to get here.
"""

import concurrent.futures
import os
import resource
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import xcores
from xcores.errors import WorkerError

STARTS = ["forkserver", "spawn"]

SMALL_MEMORY = """
import resource
x = bytearray(30 << 20)
used = int(open("/proc/self/statm").read().split()[0]) * 4096
resource.setrlimit(resource.RLIMIT_AS, (used + ({} << 20),) * 2)
x"""
NO_DESCRIPTORS = """
import resource
resource.setrlimit(resource.RLIMIT_NOFILE, ({0}, {0}))
opened = []
try:
    while True: opened.append(open("/dev/null"))
except OSError: pass
bytearray(2 << 20)"""
SOCKETS = """
import os, stat
def sockets():
    for number in map(int, os.listdir("/proc/self/fd")):
        try:
            if stat.S_ISSOCK(os.fstat(number).st_mode): yield number
        except OSError: pass
"""
WRITES = {
    "text": "os.write(number, b'log line' * 10)",
    "one byte": "os.write(number, b'x')",
    "one byte and much output": "os.write(number, b'x')\n    print('y' * 300_000)",
    "bytes": "os.write(number, bytes(range(256)) * 300)",
    "zeros": "os.write(number, bytes(4096))",
    "the beginning of a message": "os.write(number, b'\\xd7\\xb1\\x5e\\x9c')",
    "a message of a lying size": "os.write(number, b'\\xd7\\xb1\\x5e\\x9c' + bytes(4) + b'\\xff' * 40)",
    "a message out of turn": "os.write(number, b'\\xd7\\xb1\\x5e\\x9c' + bytes(40))",
    "deeply nested fields": "import struct\n    os.write(number, struct.pack('=IIIIQQQ', 0x9c5eb1d7, 6, 0, 0, 2_000_000, 0, 0) + b'\\x91' * 2_000_000)",
    "an end": "os.close(number)",
}


@pytest.fixture(autouse=True)
def _no_spoilt_workers_for_others(shell) -> Iterator[None]:
    """Limits that a cell sets stay with its worker, which serves others later."""
    yield
    shell.run_line_magic("xcores", "reset")


def works(cell: Callable[[str], Any], start: str) -> None:
    ran = cell(f"%%procs 2 --quiet --start {start} -o answers\nworker + 40")
    assert ran.error is None, ran.text


@pytest.mark.parametrize("megabytes", [0, 1, 2, 4, 8, 16])
@pytest.mark.parametrize("start", STARTS)
def test_a_worker_without_memory_for_its_result_fails_alone_or_sends_it(cell, start: str, megabytes: int) -> None:
    ran = cell(f"%%procs 1 --quiet --start {start} --fresh\n" + SMALL_MEMORY.format(megabytes))
    assert ran.error is None or isinstance(ran.error, ExceptionGroup), ran.text
    works(cell, start)


@pytest.mark.parametrize("limit", [3, 8, 16, 64, 200])
@pytest.mark.parametrize("start", STARTS)
def test_a_worker_without_descriptors_sends_its_result_all_the_same(cell, shell, start: str, limit: int) -> None:
    ran = cell(f"%%procs 1 --quiet --start {start} --fresh -o answers\n" + NO_DESCRIPTORS.format(limit))
    assert ran.error is None, ran.text
    assert len(shell.user_ns["answers"][0]) == 2 << 20
    works(cell, start)


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES.keys())
@pytest.mark.parametrize("start", STARTS)
def test_what_a_worker_writes_to_its_socket_ends_that_worker_at_most(cell, start: str, write: str) -> None:
    body = f"{SOCKETS}\nimport os\nfor number in sockets():\n    {write}\n'done'"
    ran = cell(f"%%procs 2 --quiet --start {start} --fresh --timeout 30\n{body}")
    assert ran.error is None or isinstance(ran.error, ExceptionGroup), ran.text
    works(cell, start)


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES.keys())
def test_items_of_a_worker_that_writes_to_its_socket_are_lost_at_most(cell, shell, write: str) -> None:
    body = f"{SOCKETS}\nimport os\nif item == 3:\n    for number in sockets():\n        {write.replace(chr(10), chr(10) + '    ')}\nitem"
    ran = cell(f"%%procs 2 --quiet --fresh --timeout 30 --on-error continue --map range(8) -o answers\n{body}")
    assert ran.error is None or isinstance(ran.error, ExceptionGroup), ran.text
    assert [answer for answer in shell.user_ns["answers"] if isinstance(answer, int)][:3] == [0, 1, 2]
    works(cell, "forkserver")


@pytest.mark.parametrize("act", ["os.write(3, b'log line' * 10)", "os.write(4, b'log line' * 10)", "os.ftruncate(4, 0)",
                                 "os.system('echo log line >&3')", "os.closerange(3, 10)"])
@pytest.mark.parametrize("start", STARTS)
def test_the_first_descriptors_are_not_the_workers_own(cell, shell, start: str, act: str) -> None:
    body = f"import contextlib, os\nwith contextlib.suppress(OSError): {act}\n'unharmed'"
    ran = cell(f"%%procs 1 --quiet --start {start} --fresh -o answers\n{body}")
    assert ran.error is None, ran.text
    assert shell.user_ns["answers"] == ["unharmed"]


def test_a_worker_that_closes_everything_fails_alone(cell) -> None:
    ran = cell("%%procs 2 --quiet --fresh\nimport os\nif worker: os.closerange(3, 4096)\nworker")
    assert [type(one).__base__ for one in ran.error.exceptions] == [WorkerError]
    works(cell, "forkserver")


def test_shared_memory_cannot_be_shortened_by_a_worker(cell, shell) -> None:
    body = """
import os
shortened = []
for number in os.listdir("/proc/self/fd"):
    try:
        if "memfd" in os.readlink(f"/proc/self/fd/{number}"):
            os.ftruncate(int(number), 0)
            shortened.append(number)
    except OSError: pass
shortened"""
    ran = cell(f"%%procs 2 --quiet --fresh -o answers\n{body}")
    assert ran.error is None, ran.text
    assert shell.user_ns["answers"] == [[], []]


def no_memory(spare: int) -> bytearray:
    value = bytearray(30 << 20)
    with open("/proc/self/statm") as file:
        used = int(file.read().split()[0]) * 4096
    resource.setrlimit(resource.RLIMIT_AS, (used + (spare << 20),) * 2)
    return value


def no_descriptors(limit: int) -> bytearray:
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    opened = []
    try:
        while True:
            opened.append(os.open("/dev/null", os.O_RDONLY))
    except OSError:
        return bytearray(2 << 20)


def write_to_socket(what: bytes) -> None:
    for number in map(int, os.listdir("/proc/self/fd")):
        try:
            if "socket" in os.readlink(f"/proc/self/fd/{number}"):
                os.write(number, what)
        except OSError:
            pass


CALLS = [(no_memory, 0), (no_memory, 4), (no_descriptors, 3), (no_descriptors, 64), (write_to_socket, b"log line" * 10),
         (write_to_socket, b"x"), (write_to_socket, bytes(4096)), (write_to_socket, b"\xd7\xb1\x5e\x9c" + bytes(40))]


@pytest.mark.parametrize("call", CALLS, ids=lambda call: f"{call[0].__name__} {call[1]!r:.30}")
def test_futures_of_such_calls_are_resolved(call: Any) -> None:
    with xcores.ProcessExecutor(2) as executor:
        hostile = executor.submit(*call)
        others = [executor.submit(abs, -number) for number in range(20)]
        finished, unfinished = concurrent.futures.wait([hostile], timeout=60)
        assert not unfinished
        assert [other.exception() or other.result() for other in others] == [*range(20)]


def test_the_text_names_what_helps_where_descriptors_run_out(cell) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    opened = []
    resource.setrlimit(resource.RLIMIT_NOFILE, (200, hard))
    try:
        with pytest.raises(OSError):
            while True:
                opened.append(os.open("/dev/null", os.O_RDONLY))
        for number in [opened.pop() for _ in range(5)]:
            os.close(number)
        ran = cell("%%procs 4 --quiet --fresh --start spawn\nworker")
    finally:
        for number in opened:
            os.close(number)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert "Too many open files" in ran.text and "%xcores reset" in ran.text and "ulimit -n" in ran.text
