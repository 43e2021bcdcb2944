# SPDX-License-Identifier: BSD-3-Clause
"""What a thread works for: under which cell it prints, and as which worker. It is handed on with the work.

A thread that code starts works for whoever started it; a thread of a pool, for whoever submitted the job that it runs.
`contextvars` alone does not tell: a new thread has an empty context, and a pool's thread that of its first job.

The same file serves the kernel, which compiles it in, and the magics, which use the kernel's where there is one.
"""

import contextlib
import functools
import threading
from collections.abc import Iterator
from concurrent.futures import thread as pools
from contextvars import ContextVar
from typing import Any

Origin = dict[ContextVar[Any], Any]

_UNKNOWN: Any = object()
_carried: list[ContextVar[Any]] = []


def carry(variable: ContextVar[Any]) -> None:
    """From now on the value of `variable` is handed on with work."""
    _install()
    if variable not in _carried:
        _carried.append(variable)


def get(variable: ContextVar[Any]) -> Any:
    """The value here: that of this context, else of whoever started this thread; None: nobody has set it."""
    value = variable.get(_UNKNOWN)
    if value is _UNKNOWN:
        value = getattr(threading.current_thread(), "_xcores_origin", {}).get(variable)
        variable.set(value)
    return value


def here() -> Origin:
    """What is to be handed on."""
    return {variable: get(variable) for variable in _carried}


def enter(origin: Origin) -> None:
    """From now on this context works for `origin`."""
    for variable in _carried:
        variable.set(origin.get(variable))


@contextlib.contextmanager
def entered(origin: Origin) -> Iterator[None]:
    """Meanwhile this context works for `origin`."""
    tokens = [(variable, variable.set(origin.get(variable))) for variable in _carried]
    try:
        yield
    finally:
        for variable, token in tokens:
            variable.reset(token)


@functools.cache
def _install() -> None:
    start, make, run = threading.Thread.start, pools._WorkItem.__init__, pools._WorkItem.run

    @functools.wraps(start)
    def start_from_here(self: Any) -> None:
        self._xcores_origin = here()
        start(self)

    @functools.wraps(make)
    def make_from_here(self: Any, *arguments: Any, **options: Any) -> None:
        make(self, *arguments, **options)
        self._xcores_origin = here()

    @functools.wraps(run)
    def run_from_there(self: Any, *arguments: Any, **options: Any) -> None:
        with entered(self._xcores_origin):
            run(self, *arguments, **options)

    replaced: Any = threading.Thread
    replaced.start = start_from_here
    replaced = pools._WorkItem
    replaced.__init__, replaced.run = make_from_here, run_from_there
