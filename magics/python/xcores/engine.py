# SPDX-License-Identifier: BSD-3-Clause
"""Starts the engine, once a process."""

import atexit
import functools
import marshal
import warnings
from typing import Any

from xcores import _calls, _items, _namespace, _shared, _transfer, _worker


class _Absent:
    """Stands for the engine where it cannot be."""

    def __init__(self, reason: ImportError) -> None:
        self._reason = reason

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError("xcores cannot make workers in a worker that is an interpreter of its own") from self._reason


try:
    from xcores import _engine

    native: Any = _engine
except ImportError as _reason:
    # A job's own module is imported in its worker, and may well name an executor there without making one.
    native = _Absent(_reason)


@functools.cache
def configure() -> None:
    """Tell the engine how workers start Python. Doing it again changes nothing."""
    native.configure(worker_source())
    atexit.register(_leave)


def _leave() -> None:
    if not native.leave():
        # Python says so of interpreters that it ends itself. Nothing has been forgotten: the memory of a result stays.
        warnings.filterwarnings("ignore", "remaining subinterpreters", RuntimeWarning)


def worker_source() -> str:
    """The source of the worker's module, as text that is quick to compile: each new interpreter has to."""
    lines = ["import marshal"]
    for module in (_shared, _transfer, _namespace, _items, _worker, _calls):
        code = module.__spec__.loader.get_code(module.__name__)  # as it was imported: compiled already, where that is kept
        lines.append(f"exec(marshal.loads({marshal.dumps(code)!r}))")
    return "\n".join(lines)
