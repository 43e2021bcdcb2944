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
        self.raises = False
        """An interrupt raises as ever: while code of the user runs, which may never come to an end."""
        self._expired = False
        self._before: Any = None

    def __enter__(self) -> "Interrupts":
        # Where no Python function handles the signal, nothing raises KeyboardInterrupt either.
        if threading.current_thread() is threading.main_thread() and callable(signal.getsignal(signal.SIGINT)):
            self._before = signal.signal(signal.SIGINT, self._note)
        return self

    def _note(self, number: int, frame: FrameType | None) -> None:
        # A signal of our own says that the time is over.
        self.requested = self.requested or not self._expired
        if self.raises:
            raise KeyboardInterrupt

    @property
    def is_over(self) -> bool:
        """No more of the user's code is to be run."""
        return self.requested or self._expired

    def expire(self) -> None:
        """The time is over: end the code of the user, if that is under way.

        *Thread*: any.
        """
        self._expired = True
        if self.raises and self._before is not None:
            signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

    def __exit__(self, *_: object) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)
