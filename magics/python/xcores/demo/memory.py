# SPDX-License-Identifier: BSD-3-Clause
"""How much memory the application and its processes have, with shared pages counted once (PSS)."""

import contextlib
import os
from pathlib import Path
from typing import NamedTuple


class Memory(NamedTuple):
    """Memory of several processes together."""

    bytes: int
    processes: int


def of_application() -> Memory | None:
    """The memory of this process and all below it; None where the system does not tell."""
    total = processes = 0
    waiting = [os.getpid()]
    while waiting:
        process = waiting.pop()
        with contextlib.suppress(OSError, ValueError):  # it may have ended meanwhile
            total += _proportional(process)
            processes += 1
            for children in Path(f"/proc/{process}/task").glob("*/children"):
                waiting += map(int, children.read_text().split())
    return Memory(total, processes) if processes else None


def _proportional(process: int) -> int:
    for line in Path(f"/proc/{process}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    raise ValueError(f"there is no PSS of process {process}")
