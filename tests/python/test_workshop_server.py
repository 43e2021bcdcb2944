# SPDX-License-Identifier: BSD-3-Clause
"""The servers and the load generator of the workshop, on 127.0.0.1, and the checks of the part that uses them."""

import asyncio
import contextlib
import http.client
import importlib.util
import json
import os
import pickle
import shutil
import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from xcores import workshop
from xcores.workshop import load, server

needs_uvicorn = pytest.mark.skipif(importlib.util.find_spec("uvicorn") is None, reason="uvicorn is not installed")
def _refusal_of_fastapi() -> str:
    """Why FastAPI does not load here: it needs the compiled core of pydantic, which newer Pythons may not have."""
    try:
        import fastapi  # noqa: F401
    except Exception as error:
        return f"FastAPI does not load: {error}"
    return ""


WSGI = """
def wsgi(environ, start_response):
    body = environ["PATH_INFO"].encode()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]
"""
ASGI = """
async def asgi(scope, receive, send):
    headers = [(b"content-length", b"2"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"ok"})
"""


@pytest.fixture
def serving(cell, shell) -> Iterator[Callable[[str, str], tuple[server.Listener, object]]]:
    """Starts two workers that serve; what a test leaves running is ended."""
    started = []

    def start(kind: str, call: str) -> tuple[server.Listener, object]:
        assert cell(f"from xcores.workshop import server\nlistener = server.Listener()\n{WSGI}\n{ASGI}").error is None
        listener = shell.user_ns["listener"]
        ran = cell(f"%%{kind} 2 --quiet --background -o job\n{call}")
        assert ran.error is None, ran.text
        started.append((listener, shell.user_ns["job"]))
        return started[-1]

    yield start
    for listener, job in started:
        listener.close()
        job.cancel()
        with contextlib.suppress(BaseException):
            job.result(60)


def answer_of(port: int, path: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    with contextlib.closing(connection):
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read()


def test_workers_of_each_kind_share_a_port(serving, kind: str) -> None:
    listener, job = serving(kind, "server.serve_wsgi(wsgi, listener)")
    listener.hand_out(2)
    assert answer_of(listener.port, "/some/path") == (200, b"/some/path")
    (result,) = load.run(load.Target(f"{listener.url}/x", clients=4), requests=40)
    assert (result.requests, result.errors) == (40, 0)
    listener.close()
    assert sum(job.result(60)) == 41
    with pytest.raises(ConnectionError):
        answer_of(listener.port, "/")


def test_connections_on_which_nothing_comes_keep_nobody_waiting(serving) -> None:
    listener, job = serving("threads", "server.serve_wsgi(wsgi, listener)")
    listener.hand_out(2)
    idle = [socket.create_connection(("127.0.0.1", listener.port)) for _ in range(5)]
    gone = socket.create_connection(("127.0.0.1", listener.port))
    gone.close()
    assert answer_of(listener.port, "/a") == (200, b"/a")
    idle[0].sendall(b"GET /late HTTP/1.0\r\n\r\n")
    assert idle[0].makefile("rb").read().endswith(b"/late")
    listener.close()
    assert sum(job.result(60)) == 2
    for sock in idle[1:]:
        with contextlib.suppress(ConnectionResetError):
            assert sock.recv(1) == b""
    for sock in idle:
        sock.close()


def test_half_a_request_ends_after_a_short_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "_REQUEST_TIMEOUT", 0.2)
    answered: list[int] = []
    with server.Listener() as listener:
        copied = pickle.loads(pickle.dumps(listener))
        thread = threading.Thread(target=lambda: answered.append(server.serve_wsgi(lambda environ, start: [], copied)))
        thread.start()
        listener.hand_out(1)
        with socket.create_connection(("127.0.0.1", listener.port), timeout=60) as half:
            half.sendall(b"GET / HT")
            assert half.recv(1) == b""
    thread.join(60)
    assert answered == [0]


@needs_uvicorn
def test_uvicorn_serves_in_workers_of_each_kind(serving, kind: str) -> None:
    listener, job = serving(kind, "server.serve_asgi(asgi, listener)")
    listener.hand_out(2)
    (result,) = load.run(load.Target(f"{listener.url}/x", clients=4), requests=40)
    assert (result.requests, result.errors) == (40, 0)
    listener.close()
    assert sum(job.result(60)) == 40


def test_workers_end_when_the_listener_closes_before_they_serve(serving) -> None:
    listener, job = serving("threads", "server.serve_wsgi(wsgi, listener)")
    listener.close()
    assert isinstance(job.exception(60), Exception)


def test_a_worker_that_cannot_serve_is_reported() -> None:
    with server.Listener() as listener:
        def come_and_go() -> None:
            for sock in pickle.loads(pickle.dumps(listener))._take():
                sock.close()

        thread = threading.Thread(target=come_and_go)
        thread.start()
        with pytest.raises(ConnectionError, match="before it could serve"):
            listener.hand_out(1)
        thread.join()
        with pytest.raises(TimeoutError):
            listener.hand_out(1, timeout=0.01)


def test_closing_a_listener_twice_is_harmless_and_leaves_nothing() -> None:
    before = len(os.listdir("/proc/self/fd"))
    listener = server.Listener()
    folder = Path(listener._path).parent
    listener.close()
    listener.close()
    assert not folder.exists()
    assert len(os.listdir("/proc/self/fd")) == before


def test_memory_counts_a_process_and_its_children() -> None:
    assert server.memory_of(os.getpid()) > 1_000_000
    assert server.memory_of(2**22 + 1) == 0  # there is no such process


@needs_uvicorn
@pytest.mark.parametrize("where", ["here", "executor"])
def test_a_child_serves_fastapi_and_records_itself(tmp_path: Path, where: str) -> None:
    if refusal := _refusal_of_fastapi():
        pytest.skip(refusal)
    (tmp_path / "app_under_test.py").write_text("""
import asyncio, os
from fastapi import FastAPI
from xcores import SubinterpExecutor

app = FastAPI()
executor = SubinterpExecutor(2) if os.environ["WHERE"] == "executor" else None

def square(number: int) -> int:
    return sum(number for _ in range(number))

@app.get("/square/{number}")
async def get_square(number: int) -> int:
    if executor is None:
        return square(number)
    return await asyncio.get_running_loop().run_in_executor(executor, square, number)
""")
    with server.Child("app_under_test:app", tmp_path, WHERE=where) as child:
        port = int(child.url.rpartition(":")[2])
        assert answer_of(port, "/square/12") == (200, b"144")
        with child.recording():
            (result,) = load.run(load.Target(f"{child.url}/square/3000"), requests=60)
        assert (result.requests, result.errors) == (60, 0)
        assert child.memory() > 1_000_000
    assert child.run.kind == "cores"
    assert "MainThread" in [worker["name"] for worker in child.run.report["workers"]]
    with pytest.raises(ConnectionError):
        answer_of(port, "/square/1")


@needs_uvicorn
def test_what_an_application_prints_is_no_answer(tmp_path: Path, capfd) -> None:
    (tmp_path / "talking_app.py").write_text(f"""
import os
print("hello")
print('{{"port": 1}}', flush=True)
os.write(1, b"from below")
{ASGI.replace("headers =", "print('asked', flush=True); headers =")}
""")
    with server.Child("talking_app:asgi", tmp_path) as child:
        port = int(child.url.rpartition(":")[2])
        assert answer_of(port, "/") == (200, b"ok")
        with child.recording():
            assert answer_of(port, "/") == (200, b"ok")
    said = capfd.readouterr().err
    assert "hello" in said and "from below" in said and "asked" in said


@needs_uvicorn
def test_a_command_that_a_child_cannot_carry_out_is_an_error_and_the_next_one_works(tmp_path: Path) -> None:
    (tmp_path / "plain_app.py").write_text(ASGI)
    with server.Child("plain_app:asgi", tmp_path) as child:
        with child.recording():
            with pytest.raises(RuntimeError, match="it records already"):
                with child.recording():
                    pass
        assert child.run is not None
        for command, says in (({"save": "x"}, "does not record"), ({"sing": "x"}, "does not record")):
            with pytest.raises(RuntimeError, match=says):
                child._ask(command)
        child._ask({"record": "x"})
        with pytest.raises(RuntimeError, match="the server cannot do that"):
            child._ask({"save": str(tmp_path / "no" / "run.json")})
        with child.recording():
            pass


@needs_uvicorn
def test_a_child_that_does_not_start_is_reported(tmp_path: Path, capfd) -> None:
    (tmp_path / "broken_app.py").write_text("raise SystemExit('no such luck')")
    with pytest.raises(RuntimeError, match="has ended"):
        with server.Child("broken_app:app", tmp_path):
            pass
    assert "no such luck" in capfd.readouterr().err


@pytest.fixture
def http_server() -> Iterator[str]:
    """Answers /close and closes the connection, /keep and keeps it, and others with 500."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            if self.path == "/304":
                self.send_response(304)
                self.end_headers()
                return
            status = 200 if self.path in ("/close", "/keep?x=1", "/keep") else 500
            self.send_response(status)
            self.send_header("Content-Length", "2")
            if self.path == "/close":
                self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, format: str, *args: object) -> None:
            pass

    serving = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    serving.daemon_threads = True
    thread = threading.Thread(target=serving.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{serving.server_port}"
    serving.shutdown()
    thread.join()
    serving.server_close()


@pytest.mark.parametrize("path", ["/close", "/keep", "/keep?x=1"])
def test_the_load_generator_sends_as_many_requests_as_asked(http_server: str, path: str) -> None:
    (result,) = load.run(load.Target(http_server + path, clients=3), requests=31)
    assert (result.requests, result.errors, result.tool) == (31, 0, "asyncio")
    assert 0 < result.p50 <= result.p99 <= result.seconds
    assert result.per_second == pytest.approx(31 / result.seconds)


def test_two_targets_are_under_load_at_the_same_time(http_server: str) -> None:
    first, second = load.run(load.Target(f"{http_server}/keep", 2), load.Target(f"{http_server}/close", 1), requests=10)
    assert (first.requests, second.requests) == (10, 10)


def test_a_server_that_only_fails_or_is_not_there_is_an_error(http_server: str) -> None:
    with pytest.raises(RuntimeError, match="no answer with a status from 200 to 399"):
        load.run(load.Target(f"{http_server}/other", clients=1), requests=3)
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    with pytest.raises(RuntimeError, match="no answer with a status from 200 to 399"):
        load.run(load.Target(f"http://127.0.0.1:{port}/", clients=1), requests=3)


@pytest.mark.skipif(shutil.which("wrk") is None, reason="wrk is not installed")
def test_wrk_reports_the_same_figures(http_server: str) -> None:
    (result,) = load.run(load.Target(f"{http_server}/keep", clients=2), seconds=1)
    assert result.tool == "wrk"
    assert result.requests > 0 and result.errors == 0
    assert 0 < result.p50 <= result.p99


@pytest.mark.parametrize("use_wrk", [False, True])
def test_both_tools_say_the_same_of_a_server_that_only_fails(http_server: str, use_wrk: bool) -> None:
    with pytest.raises(RuntimeError, match="/other gave no answer with a status from 200 to 399"):
        load.run(load.Target(f"{http_server}/other", clients=2), seconds=1, use_wrk=use_wrk)


@pytest.mark.parametrize("use_wrk", [False, True])
def test_both_tools_count_answers_without_a_body(http_server: str, use_wrk: bool) -> None:
    (result,) = load.run(load.Target(f"{http_server}/304", clients=2), seconds=1, use_wrk=use_wrk)
    assert result.requests > 0 and result.errors == 0


@pytest.mark.parametrize("target, named, says", [
    ({}, {"seconds": -1}, "seconds is a number above 0, not -1"), ({}, {"seconds": 0}, "seconds is"), ({}, {"seconds": "1"}, "seconds is"),
    ({}, {"seconds": float("nan")}, "seconds is"), ({}, {"seconds": float("inf")}, "seconds is"),
    ({}, {"requests": 0}, "requests is a whole number from 1 on, not 0"), ({}, {"requests": 1.5}, "requests is"),
    ({"clients": 0}, {}, "clients is a whole number from 1 on, not 0"), ({"clients": 2.0}, {}, "clients is"),
    ({"pause": -0.1}, {}, "pause is a number of seconds from 0 on, not -0.1"),
    ({"url": "http://127.0.0.1:99999/"}, {}, "a port up to 65535"), ({"url": "http://127.0.0.1:0/"}, {}, "no address"),
    ({"url": "http://127.0.0.1:x/"}, {}, "no address"), ({"url": "127.0.0.1:80/"}, {}, "no address"), ({"url": ""}, {}, "no address"),
    ({"url": "https://127.0.0.1/"}, {}, "no address"), ({"url": "http:///x"}, {}, "no address"), ({"url": None}, {}, "no address"),
    ({"url": "http://127.0.0.1/a b"}, {}, "no address"), ({"url": "http://[::1/"}, {}, "no address"),
])
@pytest.mark.parametrize("use_wrk", [False, True])
def test_a_load_that_cannot_be_is_refused_with_one_line(target: dict, named: dict, says: str, use_wrk: bool) -> None:
    with pytest.raises(ValueError, match=says) as refused:
        load.run(load.Target(**{"url": "http://127.0.0.1:9/", **target}), **named, use_wrk=use_wrk)
    assert "\n" not in str(refused.value)


def test_the_program_refuses_a_load_that_cannot_be(capsys) -> None:
    with pytest.raises(SystemExit):
        load.main(["http://127.0.0.1:99999/"])
    assert capsys.readouterr().err.endswith("with a port up to 65535\n")


def test_the_generator_is_a_program(http_server: str, capsys) -> None:
    load.main([f"{http_server}/keep", "--clients", "2", "--requests", "5"])
    assert json.loads(capsys.readouterr().out)["requests"] == 5


@pytest.mark.parametrize("latencies, percent, expected", [
    ([3], 50, 3), ([4, 2, 5, 1, 3], 50, 3), ([4, 2, 5, 1, 3], 100, 5), (range(1, 101), 99, 99), (range(1, 201), 99, 198),
    ([1, 2], 1, 1)])
def test_percentiles_are_those_of_nearest_rank(latencies, percent: float, expected: float) -> None:
    assert load.percentile(list(latencies), percent) == expected


@pytest.mark.parametrize("latencies, percent", [([], 50), ([1], 0), ([1], 101)])
def test_a_percentile_of_nothing_is_refused(latencies: list[float], percent: float) -> None:
    with pytest.raises(ValueError):
        load.percentile(latencies, percent)


@pytest.mark.parametrize("answer, message", [
    (lambda latencies, percent: None, "returns nothing"),
    (lambda latencies, percent: latencies[-(-len(latencies) * percent // 100) - 1], "sort them"),
    (lambda latencies, percent: sorted(latencies)[min(len(latencies) * percent // 100, len(latencies) - 1)], "too far"),
    (lambda latencies, percent: sum(latencies) / len(latencies), "the mean"),
    (lambda latencies, percent: 1_000, "is right"),
    (42, "without a call"),
])
def test_a_wrong_percentile_is_told_what_is_wrong(answer, message: str) -> None:
    verdict = workshop.check("10-percentile", answer)
    assert not verdict and message in verdict.message


def test_the_right_percentile_passes() -> None:
    assert workshop.check("10-percentile", load.percentile)


async def in_the_loop(executor, work, argument):
    return work(argument)


async def called_too_early(executor, work, argument):
    return await asyncio.get_running_loop().run_in_executor(executor, work(argument))


async def not_awaited(executor, work, argument):
    return asyncio.get_running_loop().run_in_executor(executor, work, argument)


async def blocking(executor, work, argument):
    return executor.submit(work, argument).result()


async def default_executor(executor, work, argument):
    return await asyncio.to_thread(work, argument)


async def not_returned(executor, work, argument):
    await asyncio.get_running_loop().run_in_executor(executor, work, argument)


async def idle(executor, work, argument):
    pass


async def right(executor, work, argument):
    return await asyncio.get_running_loop().run_in_executor(executor, work, argument)


@pytest.mark.parametrize("answer, message", [
    (in_the_loop, "in the thread of the event loop"),
    (called_too_early, "two arguments"),
    (not_awaited, "await is missing"),
    (blocking, "result() waits"),
    (default_executor, "own pool of threads"),
    (not_returned, "Return what the work returns"),
    (idle, "did not run at all"),
    (lambda executor, work, argument: work(argument), "async def"),
])
def test_a_wrong_endpoint_is_told_what_is_wrong(answer, message: str) -> None:
    verdict = workshop.check("10-endpoint", answer)
    assert not verdict and message in verdict.message


def test_the_right_endpoint_passes() -> None:
    assert workshop.check("10-endpoint", right)


def wsgi_answer(body=None, status="200 OK", other="404 Not Found", starts=True, length=None):
    def application(environ, start_response):
        limit = environ["PATH_INFO"].removeprefix("/primes/")
        if not limit.isdecimal():
            start_response(other, [])
            return []
        primes = str(sum(all(n % d for d in range(2, n)) for n in range(2, int(limit)))).encode()
        if starts:
            start_response(status, [] if length is None else [("Content-Length", length)])
        return [primes] if body is None else body

    return application


@pytest.mark.parametrize("answer, message", [
    (lambda environ, start_response: None, "returns nothing"),
    (wsgi_answer(starts=False), "start_response was not called"),
    (wsgi_answer(body=b"25"), "a list of bytes"),
    (wsgi_answer(body=["25"]), "str(number).encode()"),
    (wsgi_answer(body=[b"26"]), "There are 25 primes below 100"),
    (wsgi_answer(status="404 Not Found"), "200 OK is what it needs"),
    (wsgi_answer(status=200), "The status is a string"),
    (wsgi_answer(other="200 OK"), "404 Not Found is the answer"),
    (wsgi_answer(length="7"), "Content-Length says 7"),
    ("app", "something that can be called"),
])
def test_a_wrong_wsgi_application_is_told_what_is_wrong(answer, message: str) -> None:
    verdict = workshop.check("10-wsgi", answer)
    assert not verdict and message in verdict.message


def test_the_right_wsgi_application_passes() -> None:
    assert workshop.check("10-wsgi", wsgi_answer())
