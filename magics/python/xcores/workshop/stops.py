# SPDX-License-Identifier: BSD-3-Clause
"""Where a thread gives up the GIL on request, for the part on lost updates.

    from xcores.workshop.stops import stops

    stops(function)      # Counter({'JUMP_BACKWARD in function()': 137, 'CALL in function()': 63})

A thread that computes hands the GIL over only where the interpreter checks whether another thread has asked for it. `stops`
is that other thread, and notes where the computing one stands whenever it has got the GIL.
"""

import collections
import dis
import sys
import threading
import time
from collections.abc import Callable
from types import CodeType, FrameType

__all__ = ["stops"]

_ROUNDS = 10_000  # of one call of the function: many, so that the calls themselves are seldom where it stops


def stops(function: Callable[[int], object], samples: int = 200, *, until: str = "",
          seconds: float = 30.0) -> collections.Counter[str]:
    """The instructions at which a thread that runs `function` gives up the GIL, and how often.

    Another thread calls `function(10_000)` again and again. This one asks for the GIL `samples` times, and each time notes
    the instruction that the other one has come to, as `"OPCODE in code_name()"`; where `function` calls Python code, that may
    be in what it calls. With `until`, it goes on until it has also seen an instruction whose name begins so. After `seconds`
    it ends in any case, with what it has seen: less than `samples`, or without `until`, if the machine is very busy.

    A sample takes about one switch interval. Without a GIL threads stop nowhere on request, and the result means nothing.

    *Failure*: what `function` raises, once this has ended.
    """
    computing = _Computing(function)
    thread = threading.Thread(target=computing.run, name="stops", daemon=True)
    thread.start()
    places: collections.Counter[tuple[CodeType, int]] = collections.Counter()
    missing = bool(until)
    end = time.monotonic() + seconds
    try:
        while (missing or places.total() < samples) and thread.is_alive() and time.monotonic() < end:
            time.sleep(0.0001)  # releases the GIL, and then asks for it again
            frame = sys._current_frames().get(computing.ident)
            if frame is None or not computing.has_moved() or not computing.calls(frame):
                continue
            place = frame.f_code, frame.f_lasti
            places[place] += 1
            missing = missing and not _name(*place).startswith(until)
    finally:
        frame = None
        computing.ended = True
        thread.join()
    if computing.error is not None:
        raise computing.error
    names: collections.Counter[str] = collections.Counter()
    for place, times in places.items():
        names[_name(*place)] += times
    return names


class _Computing:
    """The thread that computes."""

    def __init__(self, function: Callable[[int], object]) -> None:
        self.ended = False
        self.error: BaseException | None = None
        self.ident = -1
        self._function = function
        self._clock = -1
        self._cpu_s = 0.0

    def run(self) -> None:
        self._clock = time.pthread_getcpuclockid(threading.get_ident())
        self.ident = threading.get_ident()
        try:
            while not self.ended:
                self._function(_ROUNDS)
        except BaseException as error:
            self.error = error

    def has_moved(self) -> bool:
        """Whether it has computed since this last was true.

        A thread that asks for the GIL often gets it before the other one has awoken, which then stands where it stood. (To
        wake up and to ask takes CPU time too, but little.)
        """
        try:
            cpu_s = time.clock_gettime(self._clock)
        except OSError:  # it has ended
            return False
        if cpu_s - self._cpu_s < sys.getswitchinterval() / 4:
            return False
        self._cpu_s = cpu_s
        return True

    def calls(self, frame: FrameType) -> bool:
        """Whether the frame is of the function, or of something that it calls."""
        caller = frame.f_back
        while caller is not None and caller.f_code is not _Computing.run.__code__:
            caller = caller.f_back
        return caller is not None


def _name(code: CodeType, offset: int) -> str:
    """The instruction at this offset, or the one of which this is a part."""
    opname = "?"
    for instruction in dis.get_instructions(code):
        if instruction.offset > offset:
            break
        opname = instruction.opname
    return f"{opname} in {code.co_name}()"
