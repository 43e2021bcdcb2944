# SPDX-License-Identifier: BSD-3-Clause
"""Records what all threads of this process, and the processes below it, do: `with record() as run:`."""

import os
import threading
from types import TracebackType
from typing import Any

from xcores import _engine
from xcores.latest import remember

_NOTEBOOK_THREADS = ("IPythonHistorySavingThread", "IOPub", "Heartbeat", "Control")
"""They serve IPython and its kernels, not the code that is looked at."""


class Recording:
    """One recording, from entering the context to leaving it; after that it shows itself.

    `print` gives a picture in text, and as the last expression of a cell it is a table and a picture. `report` is the
    value behind them, None before the end.

    A fork of the process is a child like others, and has no report when it leaves the context.

    *Thread*: any; recordings may overlap.
    """

    def __init__(self, sample_hz: float = 1000.0) -> None:
        self.report: Any = None
        self._sample_hz = sample_hz
        self._process = os.getpid()
        self._engine: Any = None
        self._names: dict[int, str] = {}

    def __enter__(self) -> "Recording":
        if self._engine is not None:
            raise RuntimeError("a recording is made once: call xcores.record() again")
        self._engine = _engine.Recorder(self._sample_hz)
        _notice(self._names)
        self._introduce()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        _ignore(self._names)
        if os.getpid() != self._process:
            return  # a fork, which leaves the block too: its parent makes the report
        self._introduce()
        self.report = self._engine.stop()
        remember(self.report)

    def _introduce(self) -> None:
        threads = [thread for thread in threading.enumerate() if thread.native_id is not None]
        self._names.update((thread.native_id, thread.name) for thread in threads)
        hidden = {number for number, name in self._names.items() if name in _NOTEBOOK_THREADS}
        self._engine.introduce(self._names, hidden, threading.main_thread().native_id)

    def show_in(self, view: Any) -> None:
        """Have the view show what goes on from now on."""
        view.watch(self._engine)

    def __str__(self) -> str:
        return repr(self) if self.report is None else self.report.text()

    def __repr__(self) -> str:
        state = "not ended yet" if self.report is None else self.report.caption
        return f"<xcores recording: {state}>"

    def _ipython_display_(self) -> None:
        from IPython import get_ipython

        from xcores.display import Show, View

        shell = get_ipython()
        if self.report is None or shell is None:
            print(self)
        else:
            View(shell, Show.TABLE_AND_PICTURE).finish(self.report)


# Many threads are gone before the recording ends, and their names with them: so these are noted when a thread starts.
_lock = threading.Lock()
_books: list[dict[int, str]] = []
_start_before: Any = None


def _start(thread: threading.Thread) -> None:
    _start_before(thread)
    number = thread.native_id
    if number is not None:
        for book in list(_books):
            book[number] = thread.name


def _notice(book: dict[int, str]) -> None:
    global _start_before
    with _lock:
        _books.append(book)
        if threading.Thread.start is not _start:
            _start_before = threading.Thread.start
            threading.Thread.start = _start  # type: ignore[method-assign]


def _ignore(book: dict[int, str]) -> None:
    with _lock:
        _books[:] = [each for each in _books if each is not book]
        if not _books and threading.Thread.start is _start:
            threading.Thread.start = _start_before  # type: ignore[method-assign]
