# SPDX-License-Identifier: BSD-3-Clause
"""What the executors take over from the standard ones besides jobs: arguments, and what they say of themselves."""

from typing import Any

_WORKERS = {"threads": "thread", "subinterp": "interpreter", "procs": "process"}
_PLURAL = {"process": "processes"}


def start_method_of(mp_context: Any, start_method: str) -> str:
    """How workers are started, where the caller may have a context of `multiprocessing`."""
    if mp_context is None:
        return start_method
    asked = getattr(mp_context, "get_start_method", None)
    if asked is None:
        raise TypeError(f"mp_context must be a context of multiprocessing, not {type(mp_context).__name__}")
    method: str = asked()
    if method == "fork":
        raise ValueError("ProcessExecutor does not fork this process, which has threads: "
                         "use multiprocessing.get_context('forkserver') or 'spawn'")
    return method


def calls_each(max_tasks_per_child: int | None) -> int:
    if max_tasks_per_child is None:
        return 0
    if not isinstance(max_tasks_per_child, int):
        raise TypeError("max_tasks_per_child must be an integer")
    if max_tasks_per_child <= 0:
        raise ValueError("max_tasks_per_child must be >= 1")
    return max_tasks_per_child


def executor_repr(executor: object, kind: str, most: int, queue: Any) -> str:
    worker = _WORKERS[kind]
    workers = f"1 {worker}" if most == 1 else f"{most} {_PLURAL.get(worker, worker + 's')}"
    state = "broken" if queue.broken else "shut down" if queue.closed else "open"
    return f"<{type(executor).__name__}: at most {workers}, {state}; report().text() tells what they did>"
