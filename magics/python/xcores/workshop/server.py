# SPDX-License-Identifier: BSD-3-Clause
"""Web servers for the workshop, on 127.0.0.1 and a free port.

A server in a process of its own, with uvicorn, for as long as the block lasts:

    with server.Child("app:app", folder, EXECUTOR="subinterp") as child:
        with child.recording():
            load.run(load.Target(f"{child.url}/primes/3000"))
    child.run                                   # what happened in the server meanwhile, as a Run

Several workers on one port, in three cells:

    listener = server.Listener()

    %%subinterp 2 --background -o answered      # or %%threads, %%procs
    server.serve_asgi(application, listener)    # or serve_wsgi: then no uvicorn is needed

    listener.hand_out(2)                        # now both workers accept connections
    load.run(load.Target(listener.url))
    listener.close()                            # the workers end
"""

import argparse
import asyncio
import contextlib
import importlib
import json
import os
import selectors
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from xcores.run_object import Run

_HOST = "127.0.0.1"
_BACKLOG = 128
_TIMEOUT = 60.0
"""Seconds that one side waits for the other before it gives up."""
_REQUEST_TIMEOUT = 5.0
"""Seconds that `serve_wsgi` waits for the rest of a request, and for a client to take its answer."""


def memory_of(process_id: int) -> int:
    """Bytes of memory of a process and all processes below it, with pages that several share counted once (PSS).

    A process that ends meanwhile counts as nothing.
    """
    total = 0
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{process_id}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                total = int(line.split()[1]) * 1024
    return total + sum(memory_of(child) for child in _children(process_id))


def _children(process_id: int) -> list[int]:
    found: list[int] = []
    with contextlib.suppress(OSError):
        for thread in Path(f"/proc/{process_id}/task").iterdir():
            with contextlib.suppress(OSError):
                found += map(int, (thread / "children").read_text().split())
    return found


def _listening() -> socket.socket:
    sock = socket.create_server((_HOST, 0), backlog=_BACKLOG)
    # Connections inherit it. Without it, the second half of an answer waits for the acknowledgement of the first: 40 ms.
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


# Several workers on one port ------------------------------------------------------------------------------------------


class Listener:
    """A listening socket that workers of any kind share: each takes connections from the same queue.

    It can be sent to a worker: what travels is the address of a Unix socket, through which the worker then gets the
    listening socket itself. That connection stays open, and its end tells the worker to stop.
    """

    def __init__(self) -> None:
        self._socket: socket.socket | None = _listening()
        self.port: int = self._socket.getsockname()[1]
        self.url = f"http://{_HOST}:{self.port}"
        self._folder: tempfile.TemporaryDirectory[str] | None = tempfile.TemporaryDirectory(prefix="xcores-listener-")
        self._path = os.path.join(self._folder.name, "socket")
        self._handing: socket.socket | None = socket.socket(socket.AF_UNIX)
        self._handing.bind(self._path)
        self._handing.listen(_BACKLOG)
        self._workers: list[socket.socket] = []

    def __getstate__(self) -> dict[str, Any]:
        copied = {"_socket": None, "_folder": None, "_handing": None, "_workers": []}
        return {**self.__dict__, **copied}

    def hand_out(self, workers: int, timeout: float = _TIMEOUT) -> None:
        """Give the listening socket to so many workers, as they ask for it, and wait until all accept connections.

        *Failure*: TimeoutError if fewer have asked, or one is not ready, after `timeout` seconds; ConnectionError if
        one ends before that.
        """
        assert self._socket is not None and self._handing is not None, "only the listener that was made can hand out"
        self._handing.settimeout(timeout)
        for _ in range(workers):
            connection, _ = self._handing.accept()
            connection.settimeout(timeout)
            self._workers.append(connection)
            socket.send_fds(connection, [b"s"], [self._socket.fileno()])
        for connection in self._workers:
            if connection.recv(1) != b"r":
                raise ConnectionError("a worker ended before it could serve")

    def close(self) -> None:
        """Tell the workers to end, and stop listening."""
        for connection in self._workers:
            connection.close()
        for each in (self._handing, self._socket):
            if each is not None:
                each.close()
        if self._folder is not None:
            self._folder.cleanup()
        self._workers, self._handing, self._socket, self._folder = [], None, None, None

    def __enter__(self) -> "Listener":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _take(self) -> tuple[socket.socket, socket.socket]:
        """In a worker: the listening socket, and the connection whose end says that it is time to stop."""
        control = socket.socket(socket.AF_UNIX)
        control.settimeout(_TIMEOUT)
        try:
            control.connect(self._path)
            message, descriptors, _, _ = socket.recv_fds(control, 1, 1)
            if message != b"s":
                raise ConnectionError("the listener was closed before this worker got its socket")
        except BaseException:
            control.close()
            raise
        return socket.socket(fileno=descriptors[0]), control


def serve_asgi(application: Callable[..., Any], listener: Listener) -> int:
    """Serve an ASGI application with uvicorn until the listener closes; how many requests this worker has answered."""
    sock, control = listener._take()
    answered = 0

    async def counted(scope: Any, receive: Any, send: Any) -> None:
        nonlocal answered
        await application(scope, receive, send)
        answered += 1

    async def main() -> None:
        uvicorn = _quiet_server(counted, ready=lambda: control.sendall(b"r"))
        asyncio.get_running_loop().add_reader(control, lambda: setattr(uvicorn, "should_exit", True))
        await uvicorn.serve(sockets=[sock])
        asyncio.get_running_loop().remove_reader(control)

    with sock, control:
        control.setblocking(False)
        asyncio.run(main())
    return answered


def serve_wsgi(application: Callable[..., Any], listener: Listener) -> int:
    """Serve a WSGI application with the standard library until the listener closes; how many requests were answered.

    One request after the other, each on a connection of its own. A connection on which nothing has come keeps nobody waiting,
    and is closed at the end.
    """
    from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

    class Handler(WSGIRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:
            pass

    sock, control = listener._take()
    answered = 0
    server = WSGIServer((_HOST, listener.port), Handler, bind_and_activate=False)
    server.socket.close()
    server.socket = sock
    server.server_name, server.server_port = _HOST, listener.port
    server.setup_environ()
    server.set_app(application)
    sock.setblocking(False)  # another worker may take a connection that this one has seen
    with control, server, selectors.DefaultSelector() as selector, contextlib.closing(_Connections(selector)) as connections:
        selector.register(sock, selectors.EVENT_READ)
        selector.register(control, selectors.EVENT_READ)
        control.sendall(b"r")
        while True:
            ready = selector.select()
            if any(key.fileobj is control for key, _ in ready):
                return answered
            requests = [key.data for key, _ in ready if key.data is not None]
            if not requests:  # those that have come are first: this worker takes no more than it can do
                connections.accept(sock)
            for connection, address in requests:
                with connections.taken(connection), contextlib.suppress(OSError):  # a client that has gone
                    if connection.recv(1, socket.MSG_PEEK):
                        server.process_request(connection, address)
                        answered += 1


class _Connections:
    """Accepted connections on which no request has come yet; the data of the selector is the connection and its address."""

    def __init__(self, selector: selectors.BaseSelector) -> None:
        self._selector = selector
        self._open: set[socket.socket] = set()

    def accept(self, listening: socket.socket) -> None:
        """Take a connection, if no other worker has done so."""
        with contextlib.suppress(OSError):
            connection, address = listening.accept()
            connection.settimeout(_REQUEST_TIMEOUT)
            self._open.add(connection)
            self._selector.register(connection, selectors.EVENT_READ, (connection, address))

    @contextlib.contextmanager
    def taken(self, connection: socket.socket) -> Iterator[None]:
        """Its request is answered in the block, and then it is closed."""
        self._selector.unregister(connection)
        self._open.remove(connection)
        with connection:
            yield

    def close(self) -> None:
        for connection in self._open:
            connection.close()


def _quiet_server(application: Any, ready: Callable[[], object]) -> Any:
    """A uvicorn server that logs only errors, leaves signals alone, and calls `ready` when it accepts connections.

    Its event loop and its HTTP parser are those that load in interpreters with a GIL of their own.
    """
    import uvicorn

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets=sockets)
            ready()

        @contextlib.contextmanager
        def capture_signals(self) -> Iterator[None]:
            yield

    return Server(uvicorn.Config(application, loop="asyncio", http="h11", ws="none", lifespan="off", log_config=None,
                                 access_log=False, backlog=_BACKLOG, timeout_graceful_shutdown=5))


# A server in a process of its own -------------------------------------------------------------------------------------


class Child:
    """An ASGI application on uvicorn in a process of its own, from entering the context to leaving it."""

    def __init__(self, application: str, folder: str | os.PathLike[str] = ".", **environment: str) -> None:
        """`application`: "module:attribute", imported from `folder`. `environment`: variables that the process gets."""
        self._command = [sys.executable, "-m", "xcores.workshop.server", application]
        self._folder = Path(folder)
        self._environment = environment
        self._process: subprocess.Popen[str] | None = None
        self.url = ""
        self.run: "Run | None" = None
        """The latest recording."""

    def __enter__(self) -> "Child":
        self._process = subprocess.Popen(self._command, cwd=self._folder, env={**os.environ, **self._environment}, text=True,
                                         stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        try:
            self.url = f"http://{_HOST}:{self._answer()['port']}"
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._end()

    def memory(self) -> int:
        """Bytes of the server and its workers, with shared pages counted once."""
        assert self._process is not None
        return memory_of(self._process.pid)

    @contextlib.contextmanager
    def recording(self) -> Iterator[None]:
        """Record what the server's threads and processes do in the block; afterwards that is `run`.

        *Failure*: RuntimeError if the server cannot record, as where it does so already.
        """
        import xcores

        with tempfile.TemporaryDirectory(prefix="xcores-server-") as folder:
            path = os.path.join(folder, "run.json")
            self._ask({"record": path})
            try:
                yield
            finally:
                self._ask({"save": path})
            self.run = xcores.load(path)

    def _ask(self, command: dict[str, str]) -> dict[str, Any]:
        assert self._process is not None and self._process.stdin is not None
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self._process is not None and self._process.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            if not selector.select(_TIMEOUT):
                raise TimeoutError("the server does not answer")
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("the server has ended; what it wrote before is above")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise RuntimeError(f"the server cannot do that: {answer['error']}")
        return answer

    def _end(self) -> None:
        process = self._process
        if process is None or process.stdin is None or process.stdout is None:
            return
        with contextlib.suppress(OSError):
            process.stdin.close()  # the server ends when it reads the end of its input
        try:
            process.wait(_TIMEOUT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()


def main(arguments: list[str] | None = None) -> None:
    """Serve an application on a free port, which is written to stdout, until the end of stdin.

    What the application prints goes to stderr: stdout has nothing but answers.
    """
    parser = argparse.ArgumentParser(prog="python3 -m xcores.workshop.server", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("application", help="module:attribute")
    module, _, attribute = parser.parse_args(arguments).application.partition(":")
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    sys.path.insert(0, os.getcwd())
    application = getattr(importlib.import_module(module), attribute or "app")

    with _listening() as listening:
        port = listening.getsockname()[1]

        def begin() -> None:
            print(json.dumps({"port": port}), file=answers)
            threading.Thread(target=_obey, args=(server, answers), name="commands", daemon=True).start()

        server = _quiet_server(application, ready=begin)
        asyncio.run(server.serve(sockets=[listening]))


def _obey(server: Any, answers: TextIO) -> None:
    """Records when told to; at the end of stdin, the server ends."""
    recorder = _Recorder()
    for line in sys.stdin:
        try:
            recorder.obey(json.loads(line))
            answer = {}
        except Exception as error:  # the next command has to be answered too
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), file=answers)
    server.should_exit = True


class _Recorder:
    """Carries out the commands {"record": …} and {"save": path}."""

    def __init__(self) -> None:
        self._recording: Any = None

    def obey(self, command: dict[str, str]) -> None:
        import xcores
        from xcores.run_object import Run

        if "record" in command:
            if self._recording is not None:
                raise RuntimeError("it records already")
            recording = xcores.record()
            recording.__enter__()
            self._recording = recording
            return
        if self._recording is None:
            raise RuntimeError("it does not record")
        recording, self._recording = self._recording, None
        recording.__exit__(None, None, None)
        Run(recording.report, "server").save(command["save"])


if __name__ == "__main__":
    main()
