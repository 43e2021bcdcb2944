# SPDX-License-Identifier: BSD-3-Clause
"""Starts the engine, once a process."""

import atexit
import functools
import marshal
import os
import warnings
from typing import Any

from xcores import (
    _calls,
    _changes,
    _ctypes_types,
    _definitions,
    _failures,
    _generators,
    _hints,
    _imports,
    _injected,
    _items,
    _lifetime,
    _modules,
    _namespace,
    _reducing,
    _settings,
    _shared,
    _streams,
    _transfer,
    _worker,
    reloads,
)


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
    reloads.watch()
    native.configure(worker_codes())
    atexit.register(_leave)
    os.register_at_fork(after_in_child=native.forget_workers)


def _leave() -> None:
    if not native.leave():
        # Python says so of interpreters that it ends itself. Nothing has been forgotten: the memory of a result stays.
        warnings.filterwarnings("ignore", "remaining subinterpreters", RuntimeWarning)


def worker_codes() -> bytes:
    """The code objects that make the worker's module, in order, marshalled: each new interpreter executes them."""
    codes = []
    for module in (_shared, _ctypes_types, _definitions, _generators, _reducing, _transfer, _failures, _lifetime, _settings,
                   _namespace, _items, _hints, _injected, _modules, _changes, _streams, _imports, _worker, _calls):
        codes.append(module.__spec__.loader.get_code(module.__name__))  # as it was imported: compiled already, where that is kept
    return marshal.dumps(tuple(codes))
