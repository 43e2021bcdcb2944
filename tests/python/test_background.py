# SPDX-License-Identifier: BSD-3-Clause
"""`--background`: cells that go on while others run."""

import concurrent.futures
import gc
import os
import socket
import urllib.request
import weakref

import pytest

from xcores.errors import WorkerInterrupted


@pytest.fixture
def job(cell, shell):
    """Starts a body in the background; what is left running is stopped."""
    started = []

    def start(kind: str, body: str, options: str = ""):
        workers = "" if "-n" in options else "2"
        ran = cell(f"%%{kind} {workers} --quiet --background -o job {options}\n{body}")
        assert ran.error is None, ran.text
        started.append(shell.user_ns["job"])
        return started[-1]

    yield start
    for one in started:
        one.cancel()
        one.exception(30) if not one.cancelled() else pytest.raises(concurrent.futures.CancelledError, one.result, 30)


@pytest.fixture
def gate(tmp_path, cell):
    """A pipe on which cells wait until the test opens it."""
    path = tmp_path / "gate"
    os.mkfifo(path)
    cell(f"gate = {str(path)!r}")

    def open_it() -> None:
        path.open("w").close()

    return open_it


def test_a_job_gives_its_results_when_it_is_done(kind, job) -> None:
    one = job(kind, "worker * 10")
    assert one.result(30) == [0, 10] and one.done() and not one.cancelled() and one.exception() is None
    assert repr(one).startswith(f"<job {one.number}: %%{kind}, 2 workers, done, ")


def test_without_a_variable_the_job_is_the_value_of_the_cell(kind, cell) -> None:
    ran = cell(f"%%{kind} 2 --quiet --background\nworker")
    assert ran.value.result(30) == [0, 1]


def test_other_cells_run_meanwhile_also_of_the_same_kind(kind, job, gate, results) -> None:
    one = job(kind, "open(gate).read() if worker == 0 else None\n'opened'")
    assert results(kind, "worker") == [0, 1]
    assert not one.done()
    with pytest.raises(TimeoutError):
        one.result(0)
    gate()
    assert one.result(30) == ["opened", "opened"]


def test_a_job_maps_over_items(kind, job) -> None:
    assert job(kind, "item + 1", "--map range(500)").result(30) == list(range(1, 501))


def test_a_failed_job_raises_in_result_and_says_so_under_its_cell(kind, job, gate, capsys) -> None:
    one = job(kind, "if worker == 0:\n    open(gate).read()\n1 / worker")
    gate()
    with pytest.raises(ExceptionGroup) as caught:
        one.result(30)
    assert [type(each) for each in caught.value.exceptions] == [ZeroDivisionError]
    assert one.results[1] == 1.0 and isinstance(one.results[0], ZeroDivisionError)
    assert "1 of 2 workers failed" in capsys.readouterr().err


def test_a_job_that_is_cancelled_ends_and_keeps_what_has_finished(kind, job, cell, tmp_path) -> None:
    fifo = tmp_path / "begun"
    os.mkfifo(fifo)
    cell(f"begun = {str(fifo)!r}")
    one = job(kind, "if item == 3:\n    open(begun, 'w').close()\n    while True: pass\nitem", "-n 1 --map range(10)")
    fifo.open().close()
    assert one.cancel()
    with pytest.raises(concurrent.futures.CancelledError):
        one.result(30)
    assert one.cancelled() and not one.cancel()
    assert one.results[:3] == [0, 1, 2] and isinstance(one.results[3], WorkerInterrupted)


def test_a_job_on_an_endless_iterable_can_be_cancelled(kind, job, cell) -> None:
    cell("import itertools")
    one = job(kind, "item", "--map itertools.count()")
    one.cancel()
    with pytest.raises(concurrent.futures.CancelledError):
        one.result(30)


def test_a_job_can_be_awaited(kind, job, cell, shell) -> None:
    job(kind, "worker")
    assert cell("awaited = await job").error is None
    assert shell.user_ns["awaited"] == [0, 1]


def test_jobs_are_listed_and_stopped_by_their_number(kind, job, cell) -> None:
    one = job(kind, "while True: pass")
    assert f"<job {one.number}: %%{kind}, 2 workers, running" in cell("%xcores jobs").stdout
    assert "2 workers" in cell("%xcores jobs").stdout
    assert cell(f"%xcores stop {one.number}").stdout == f"job {one.number} is being stopped.\n"
    with pytest.raises(concurrent.futures.CancelledError):
        one.result(30)
    assert f"<job {one.number}: %%{kind}, 2 workers, stopped" in cell("%xcores jobs").stdout
    assert "had already ended" in cell(f"%xcores stop {one.number}").stdout


def test_an_interrupt_leaves_jobs_alone(kind, job, gate, cell) -> None:
    one = job(kind, "open(gate).read() if worker == 0 else None\n'opened'")
    cell("import os, signal\nnotebook = os.getpid()")
    ran = cell(f"%%{kind} 2 --quiet\nimport os, signal\n"
               "if worker == 0:\n    os.kill(notebook, signal.SIGINT)\nwhile True: pass")
    assert isinstance(ran.error, KeyboardInterrupt)
    gate()
    assert one.result(30) == ["opened", "opened"]


SERVER = """
import http.server, socket

class Server(http.server.HTTPServer):
    def server_bind(self):
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        super().server_bind()

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = str(worker).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass

with Server(("127.0.0.1", port), Handler) as server:
    open(ready[worker], "w").close()
    server.serve_forever(poll_interval=0.02)
"""


def test_servers_in_the_workers_share_one_port_until_they_are_stopped(kind, job, cell, shell, tmp_path) -> None:
    reserved = socket.socket()
    reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    reserved.bind(("127.0.0.1", 0))  # bound and not listening: it keeps the port, and takes no connections
    port = reserved.getsockname()[1]
    ready = [str(tmp_path / f"ready-{worker}") for worker in range(2)]
    for path in ready:
        os.mkfifo(path)
    cell(f"port, ready = {port}, {ready!r}")
    one = job(kind, SERVER)
    for path in ready:
        open(path).close()
    answered = {urllib.request.urlopen(f"http://127.0.0.1:{port}", timeout=30).read() for _ in range(64)}
    assert answered == {b"0", b"1"}
    one.cancel()
    with pytest.raises(concurrent.futures.CancelledError):
        one.result(30)
    with pytest.raises(OSError):
        urllib.request.urlopen(f"http://127.0.0.1:{port}", timeout=30)
    reserved.close()


def test_the_results_of_a_job_live_only_while_something_refers_to_it(kind, cell, shell) -> None:
    """Its report and what its workers hold go as well: a day of jobs must not fill the memory."""
    cell(f"%%{kind} 1 --quiet --background -o job\nclass Large:\n    pass\n[bytearray(10)]")
    job = shell.user_ns.pop("job")
    assert len(job.result(60)[0][0]) == 10
    job._thread.join(60)
    number, gone = job.number, weakref.ref(job)
    del job
    gc.collect()
    assert gone() is None
    assert f"<job {number}: %%{kind}, 1 worker, done" in cell("%xcores jobs").stdout
    assert "had already ended" in cell(f"%xcores stop {number}").stdout


def test_jobs_that_have_ended_leave_no_thread_or_descriptor(kind, cell, shell) -> None:
    def run_jobs(count: int) -> None:
        for _ in range(count):
            cell(f"%%{kind} 2 --quiet --background -o job\nworker")
            shell.user_ns["job"].result(60)
            shell.user_ns["job"]._thread.join(60)

    run_jobs(2)
    before = _in_use()
    run_jobs(10)
    assert _in_use() == before


def _in_use() -> tuple[int, int]:
    gc.collect()
    return len(os.listdir("/proc/self/task")), len(os.listdir("/proc/self/fd"))


def test_large_data_that_changes_after_the_magic_arrives_as_it_was(cell, job) -> None:
    cell("from array import array\nlarge = array('d', [1.0]) * (1 << 20)")
    one = job("procs", "large[0], large[-1]", "--fresh")
    cell("large[0] = large[-1] = 2")
    assert one.result(30) == [(1.0, 1.0)] * 2
