# SPDX-License-Identifier: BSD-3-Clause
"""A load generator: clients that ask a web server again and again, and how long they waited for each answer.

    from xcores.workshop import load

    (result,) = load.run(load.Target("http://127.0.0.1:8000/primes/3000", clients=8), seconds=2)
    print(result.per_second, result.p50, result.p99)

The clients run in a process of their own, so that they do not take turns with the notebook's GIL: wrk
(https://github.com/wg/wrk) where it is installed, else this module, which does the same with asyncio and takes more
time of a core to do so.
"""

import argparse
import asyncio
import json
import math
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.parse
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from numbers import Integral, Real
from pathlib import Path
from typing import Any

_GRACE_SECONDS = 60.0
"""How long a generator may take beyond the time of its load."""

_WRK_REPORT = """
done = function(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format('\\n{"requests": %d, "errors": %d, "seconds": %f, "p50": %f, "p99": %f}\\n',
    summary.requests, errors.connect + errors.read + errors.write + errors.status + errors.timeout,
    summary.duration / 1e6, latency:percentile(50) / 1e6, latency:percentile(99) / 1e6))
end
"""


@dataclass(frozen=True)
class Target:
    """What to ask for: `clients` of them at once, each with one request at a time and `pause` seconds between two."""

    url: str
    clients: int = 8
    pause: float = 0.0


@dataclass(frozen=True)
class Result:
    """What the clients of one target saw. Times are in seconds."""

    requests: int
    """Answers with a status from 200 to 399."""
    errors: int
    """Other answers, and connections that failed."""
    seconds: float
    p50: float
    """Half of the answers took no longer than this."""
    p99: float
    """All but one of a hundred answers took no longer than this."""
    tool: str = field(default="asyncio")

    @property
    def per_second(self) -> float:
        return self.requests / self.seconds


def run(*targets: Target, seconds: float = 1.0, requests: int | None = None, use_wrk: bool = True) -> list[Result]:
    """Put load on all targets at the same time; the results, in the order of the targets.

    It goes on for `seconds`, or with `requests` until that many have been sent to each target. wrk knows neither a
    number of requests nor pauses, and its time is in whole seconds: where these are asked for, the clients are ours.

    *Failure*: ValueError, with one line, for what cannot be run; RuntimeError if a generator fails or does not end, or a
    target gave no answer with a status from 200 to 399.
    """
    for target in targets:
        _check(target, seconds, requests)
    with tempfile.TemporaryDirectory(prefix="xcores-load-") as folder:
        commands = [_command(target, seconds, requests, use_wrk, Path(folder)) for target in targets]
        started = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
                   for command in commands]
        try:
            return [_result(process, seconds, target.url) for process, target in zip(started, targets, strict=True)]
        finally:
            for process in started:
                if process.poll() is None:
                    process.kill()
                process.communicate()


def percentile(latencies: Sequence[float], percent: float) -> float:
    """The smallest of `latencies` that at least `percent` of 100 of them do not exceed (nearest rank).

    *Failure*: ValueError without latencies, or if `percent` is not above 0 and at most 100.
    """
    if not latencies or not 0 < percent <= 100:
        raise ValueError("a percentile needs latencies and a percentage above 0 and at most 100")
    return sorted(latencies)[math.ceil(len(latencies) * percent / 100) - 1]


def _check(target: Target, seconds: float | None, requests: int | None) -> None:
    """Refuse what cannot be run, with one line."""
    try:
        address = urllib.parse.urlsplit(target.url)
        usable = address.scheme == "http" and bool(address.hostname) and address.port != 0
    except (AttributeError, TypeError, ValueError):  # not a string; a port that is no number, or none up to 65535
        usable = False
    if not usable or not target.url.isascii() or any(letter <= " " for letter in target.url):
        raise ValueError(f"{target.url!r} is no address to ask; it is like 'http://127.0.0.1:8000/path', with a port up to 65535")
    if isinstance(target.clients, bool) or not isinstance(target.clients, Integral) or target.clients < 1:
        raise ValueError(f"clients is a whole number from 1 on, not {target.clients!r}")
    if not isinstance(target.pause, Real) or not 0 <= target.pause < math.inf:
        raise ValueError(f"pause is a number of seconds from 0 on, not {target.pause!r}")
    if seconds is not None and (not isinstance(seconds, Real) or not 0 < seconds < math.inf):
        raise ValueError(f"seconds is a number above 0, not {seconds!r}")
    if requests is not None and (isinstance(requests, bool) or not isinstance(requests, Integral) or requests < 1):
        raise ValueError(f"requests is a whole number from 1 on, not {requests!r}")


def _command(target: Target, seconds: float, requests: int | None, use_wrk: bool, folder: Path) -> list[str]:
    wrk = shutil.which("wrk") if use_wrk and requests is None and not target.pause and seconds == int(seconds) else None
    if wrk is None:
        limit = ["--seconds", str(seconds)] if requests is None else ["--requests", str(requests)]
        return [sys.executable, "-m", "xcores.workshop.load", target.url, "--clients", str(target.clients),
                "--pause", str(target.pause), *limit]
    script = folder / "report.lua"
    script.write_text(_WRK_REPORT)
    return [wrk, "--threads", "1", "--connections", str(target.clients), "--duration", f"{int(seconds)}s",
            "--timeout", "30s", "--script", str(script), target.url]


def _result(process: subprocess.Popen[bytes], seconds: float, url: str) -> Result:
    try:
        out, err = process.communicate(timeout=seconds + _GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        raise RuntimeError("the load generator did not end") from None
    lines = out.decode().split("\n")
    found = [line for line in lines if line.startswith("{")]
    if process.returncode or not found:
        raise RuntimeError(f"the load generator failed: {(err or out).decode().strip()}")
    figures: dict[str, Any] = json.loads(found[-1])
    answers = figures["requests"] - _bad_status(lines)
    if answers < 1:
        raise RuntimeError(f"the load generator failed: {_no_answer(url)}")
    return Result(**{"tool": "wrk", **figures, "requests": answers})


def _no_answer(url: str) -> str:
    return f"{url} gave no answer with a status from 200 to 399"


def _bad_status(lines: Sequence[str]) -> int:
    """wrk counts answers with another status among its requests, and says how many."""
    found = [line for line in lines if "Non-2xx or 3xx responses:" in line]
    return int(found[0].rpartition(":")[2]) if found else 0


class _Clients:
    """The clients of one target, in this process."""

    def __init__(self, target: Target, seconds: float | None, requests: int | None) -> None:
        address = urllib.parse.urlsplit(target.url)
        self._host, self._port = address.hostname or "", address.port or 80
        path = address.path + (f"?{address.query}" if address.query else "")
        self._request = f"GET {path or '/'} HTTP/1.1\r\nHost: {self._host}:{self._port}\r\n\r\n".encode()
        self._target = target
        self._end = None if seconds is None else time.perf_counter() + seconds
        self._left = requests
        self._latencies: list[float] = []
        self._errors = 0

    async def run(self) -> Result:
        start = time.perf_counter()
        async with asyncio.TaskGroup() as group:
            for _ in range(self._target.clients):
                group.create_task(self._client())
        if not self._latencies:
            raise SystemExit(_no_answer(self._target.url))
        return Result(len(self._latencies), self._errors, time.perf_counter() - start, percentile(self._latencies, 50),
                      percentile(self._latencies, 99))

    def _goes_on(self) -> bool:
        if self._left is not None:
            self._left -= 1
            return self._left >= 0
        return self._end is None or time.perf_counter() < self._end

    async def _client(self) -> None:
        connection: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        while self._goes_on():
            start = time.perf_counter()
            try:
                if connection is None:
                    connection = await asyncio.open_connection(self._host, self._port)
                status, keeps = await self._ask(*connection)
            except (OSError, EOFError, ValueError):
                status, keeps = 0, False
            if 200 <= status < 400:
                self._latencies.append(time.perf_counter() - start)
            else:
                self._errors += 1
            if not keeps and connection is not None:
                connection[1].close()
                connection = None
            if status == 0 or self._target.pause:
                await asyncio.sleep(self._target.pause or 0.01)
        if connection is not None:
            connection[1].close()

    async def _ask(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> tuple[int, bool]:
        """Sends one request; the status of the answer, and whether the connection may be used again."""
        writer.write(self._request)
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        version, status = head[0].split(" ", 2)[:2]
        pairs = (line.split(":", 1) for line in head[1:] if line)
        headers = {name.strip().lower(): value.strip() for name, value in pairs}
        has_body = status not in ("204", "304")
        if "content-length" in headers or not has_body:
            await reader.readexactly(int(headers["content-length"]) if has_body else 0)
            return int(status), version == "HTTP/1.1" and headers.get("connection", "").lower() != "close"
        await reader.read()  # to the end of the connection
        return int(status), False


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python3 -m xcores.workshop.load", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("url")
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--pause", type=float, default=0.0)
    limit = parser.add_mutually_exclusive_group()
    limit.add_argument("--seconds", type=float)
    limit.add_argument("--requests", type=int)
    given = parser.parse_args(arguments)
    seconds = 1.0 if given.seconds is None and given.requests is None else given.seconds
    target = Target(given.url, given.clients, given.pause)
    try:
        _check(target, seconds, given.requests)
    except ValueError as error:
        parser.error(str(error))
    clients = _Clients(target, seconds, given.requests)
    print(json.dumps(asdict(asyncio.run(clients.run()))))


if __name__ == "__main__":
    main()
