# SPDX-License-Identifier: BSD-3-Clause
"""Where the text that workers print goes: under the cell, line by line, each line labelled with its worker."""

import importlib
import io
import itertools
import operator
import re
import sys
from collections.abc import Iterable, Iterator
from contextvars import ContextVar
from typing import Any

from xcores._streams import ByteStream, check_text

_HELD_PIECES = 64
"""So many writes of a line that has no end yet are kept apart; then what they have overwritten is dropped."""
_LINE_BELOW = re.compile(r"(\n+)([^\n\x1b]*)((?:\x1b\[A)+)")
"""A progress bar further down: the cursor goes there and back."""


def origins() -> Any:
    """The module `origins`: the kernel's, if this is our kernel, so that there is one."""
    return sys.modules.get("xcores_kernel.origins") or importlib.import_module("xcores.origins")


class Labeller:
    """Turns chunks of text from several workers into whole lines, `[0] text`, in few large writes."""

    def __init__(self) -> None:
        self._partial: dict[tuple[int, int], list[str]] = {}
        self.has_written = False

    def feed(self, chunks: Iterable[tuple[int, int, str]]) -> None:
        """Write the lines that are complete now; keep the rest until its end comes. Per worker the order is kept."""
        parts: list[str] = []
        current = 0
        for worker, stream, text in _joined(chunks):
            if stream != current:
                self._write(current, parts)
                parts, current = [], stream
            self._split(worker, stream, text, parts)
        self._write(current, parts)

    def _write(self, stream: int, parts: list[str]) -> None:
        if parts:
            target: Any = sys.stderr if stream == 2 else sys.stdout
            target.write("".join(parts))
            target.flush()
            self.has_written = True

    def _split(self, worker: int, stream: int, text: str, parts: list[str]) -> None:
        held = self._partial.get((worker, stream))
        if "\x1b[A" in text:
            text = _LINE_BELOW.sub(_in_place, text)
        end = text.rfind("\n")
        if end < 0:
            if held is None:
                self._partial[worker, stream] = [text]
            else:
                held.append(text)
                if len(held) > _HELD_PIECES:
                    held[:] = [_without_overwritten("".join(held))]
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


def note(text: str) -> None:
    """Write a grey line of our own."""
    if text:
        sys.stdout.write(f"\x1b[90m{text}\x1b[0m\n")


def _joined(chunks: Iterable[tuple[int, int, str]]) -> Iterator[tuple[int, int, str]]:
    """What a worker wrote in several pieces, in one, unless others wrote in between."""
    for (worker, stream), pieces in itertools.groupby(chunks, key=operator.itemgetter(0, 1)):
        yield worker, stream, "".join(text for _, _, text in pieces)


def _visible(line: str) -> str:
    """Of a line that was overwritten in place, as progress bars do, what stands there at the end."""
    line = line.rstrip("\r")
    return line[line.rfind("\r") + 1:] if "\r" in line else line


def _without_overwritten(text: str) -> str:
    """An open line, such that what follows can still overwrite it."""
    return _visible(text) + ("\r" if text.endswith("\r") else "")


def _in_place(found: re.Match[str]) -> str:
    down, line, up = found.groups()
    return "\r" + line.lstrip("\r") if len(down) == up.count("A") else found[0]


_UNKNOWN: Any = object()
_printer: ContextVar[Any] = ContextVar("xcores_printer", default=_UNKNOWN)
"""The worker of `%%threads` for which this context prints; None: no worker."""


class CellOutput:
    """What the workers of one run of `%%threads` print, the threads that they start included."""

    def __init__(self) -> None:
        self.over = False
        """Nobody reads the run's output any more."""
        self._origin = origins().here()

    def begin(self, worker: int) -> None:
        """From now on the calling thread, if it is a worker's, prints as `worker`."""
        from xcores import _engine

        sink = _engine.worker_output()
        if sink is not None:
            origins().enter({**self._origin, _printer: _Printer(self, sink, worker)})

    def end(self) -> None:
        """The calling thread works for nobody."""
        origins().enter({})


class _Printer:
    """Takes the text of one worker and of the threads that it has started, which may live longer than the run."""

    def __init__(self, cell: CellOutput, sink: Any, worker: int) -> None:
        self._cell = cell
        self._sink = sink
        self._worker = worker
        self._late = Labeller()

    def write(self, number: int, text: str) -> None:
        plain = text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()
        if self._cell.over:
            with origins().entered({**origins().here(), _printer: None}):
                self._late.feed([(self._worker, number, plain)])
        else:
            self._sink.write(number, plain)


class Router(io.TextIOBase):
    """A standard stream that hands what a worker thread writes to that worker's output, all else to the real stream."""

    def __init__(self, real: Any, number: int) -> None:
        super().__init__()
        self._real = real
        self._write = real.write
        self._number = number
        self._bytes: _RoutedBytes | None = None

    def write(self, text: str) -> int:
        printer = _printer.get()
        if printer is None:  # the usual case, and each print comes here
            return self._write(text)  # type: ignore[no-any-return]
        if printer is _UNKNOWN:
            printer = origins().get(_printer)
            if printer is None:
                return self._write(text)  # type: ignore[no-any-return]
        check_text(text)
        printer.write(self._number, text)
        return len(text)

    @property
    def buffer(self) -> Any:
        if self._bytes is None:
            self._bytes = _RoutedBytes(self, self._real.buffer)
        return self._bytes

    def flush(self) -> None:
        self._real.flush()

    def close(self) -> None:
        """The real stream is not ours to close."""
        self._real.flush()

    encoding = property(lambda self: self._real.encoding)  # type: ignore[assignment]
    errors = property(lambda self: self._real.errors)  # type: ignore[assignment]
    newlines = property(lambda self: self._real.newlines)
    closed = property(lambda self: self._real.closed)  # type: ignore[assignment]

    def fileno(self) -> int:
        return self._real.fileno()  # type: ignore[no-any-return]

    def isatty(self) -> bool:
        return self._real.isatty()  # type: ignore[no-any-return]

    def writable(self) -> bool:
        return True

    def detach(self) -> Any:
        return self.buffer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


class _RoutedBytes(ByteStream):
    """The bytes of a router: those of workers become text, all others go to the real stream as they are."""

    def __init__(self, router: Router, real: Any) -> None:
        super().__init__(router)
        self._real = real

    def write(self, data: Any) -> int:
        if origins().get(_printer) is None:
            return self._real.write(data)  # type: ignore[no-any-return]
        return super().write(data)  # type: ignore[no-any-return]

    def finish(self) -> None:
        if origins().get(_printer) is not None:
            super().finish()
        elif hasattr(self._real, "finish"):
            self._real.finish()


def install() -> None:
    """Put the routers in place; also where something else has taken their place since."""
    origins().carry(_printer)
    for name, number in (("stdout", 1), ("stderr", 2)):
        stream = getattr(sys, name)
        if stream is not None and not isinstance(stream, Router):
            setattr(sys, name, Router(stream, number))


def uninstall() -> None:
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if isinstance(stream, Router):
            setattr(sys, name, stream._real)
