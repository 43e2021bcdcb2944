# SPDX-License-Identifier: BSD-3-Clause
"""Holds back KeyboardInterrupt while a run is supervised.

It would be raised between any two instructions: after the workers have been started but before anybody knows of them,
or between their results and the variable these go to. So the signal is only noted, and acted upon where it is safe.
"""

import signal
import threading
from types import FrameType
from typing import Any


class Interrupts:
    """A context in which SIGINT sets `requested` instead of raising.

    *Thread*: has an effect in the main thread only, which is the only one that is interrupted.
    """

    def __init__(self) -> None:
        self.requested = False
        self._before: Any = None

    def __enter__(self) -> "Interrupts":
        # Where no Python function handles the signal, nothing raises KeyboardInterrupt either.
        if threading.current_thread() is threading.main_thread() and callable(signal.getsignal(signal.SIGINT)):
            self._before = signal.signal(signal.SIGINT, self._note)
        return self

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.requested = True

    def __exit__(self, *_: object) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)
