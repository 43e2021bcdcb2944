# SPDX-License-Identifier: BSD-3-Clause
"""Where the text that workers print goes: under the cell, line by line, each line labelled with its worker."""

import sys
from collections.abc import Iterable
from typing import Any


class Labeller:
    """Turns chunks of text from several workers into whole lines, `[0] text`, in few large writes."""

    def __init__(self) -> None:
        self._partial: dict[tuple[int, int], list[str]] = {}

    def feed(self, chunks: Iterable[tuple[int, int, str]]) -> None:
        """Write the lines that are complete now; keep the rest until its end comes. Per worker the order is kept."""
        parts: list[str] = []
        current = 0
        for worker, stream, text in chunks:
            if stream != current:
                _write(current, parts)
                parts, current = [], stream
            self._split(worker, stream, text, parts)
        _write(current, parts)

    def _split(self, worker: int, stream: int, text: str, parts: list[str]) -> None:
        held = self._partial.get((worker, stream))
        end = text.rfind("\n")
        if end < 0:
            if held is None:
                self._partial[worker, stream] = [text]
            else:
                held.append(text)
            return
        lines = text[:end].split("\n")
        if held is not None:
            lines[0] = "".join(held) + lines[0]
            del self._partial[worker, stream]
        parts.extend(f"[{worker}] {_visible(line)}\n" for line in lines)
        if end + 1 < len(text):
            self._partial[worker, stream] = [text[end + 1:]]

    def has_rest(self) -> bool:
        return bool(self._partial)

    def finish(self, workers: Iterable[int]) -> None:
        """Write what these workers, which have ended, left without a line end."""
        ended = set(workers)
        self.feed([(worker, stream, "\n") for worker, stream in sorted(self._partial) if worker in ended])


def _visible(line: str) -> str:
    """Of a line that was overwritten in place, as progress bars do, what stands there at the end."""
    line = line.rstrip("\r")
    return line[line.rfind("\r") + 1:] if "\r" in line else line


def _write(stream: int, parts: list[str]) -> None:
    if parts:
        target = sys.stderr if stream == 2 else sys.stdout
        target.write("".join(parts))
        target.flush()


class Router:
    """A standard stream that hands what a worker thread writes to that worker's output, all else to the real stream."""

    def __init__(self, real: Any, number: int) -> None:
        from xcores import _engine

        self._real = real
        self._number = number
        self._to_worker = _engine.write

    def write(self, text: str) -> int:
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        plain = text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()
        if self._to_worker(self._number, plain):
            return len(text)
        return self._real.write(text)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


def install() -> None:
    """Put the routers in place; also where something else has taken their place since."""
    for name, number in (("stdout", 1), ("stderr", 2)):
        stream = getattr(sys, name)
        if stream is not None and not isinstance(stream, Router):
            setattr(sys, name, Router(stream, number))


def uninstall() -> None:
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if isinstance(stream, Router):
            setattr(sys, name, stream._real)
