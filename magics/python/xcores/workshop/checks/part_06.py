# SPDX-License-Identifier: BSD-3-Clause
"""Checks of part 6, processes."""

import pickle
import sys
import threading
from collections.abc import Callable
from multiprocessing.shared_memory import ShareableList, SharedMemory
from typing import Any

from xcores.workshop.exercises import NotYet, exercise, listed

_LOCKS = (type(threading.Lock()), type(threading.RLock()))


@exercise("06-pickle-a-lock")
def pickle_a_lock(tally_class: Any) -> str:
    """A class with `total`, `lock` and `add`, whose instances survive pickling."""
    if not isinstance(tally_class, type):
        raise NotYet("The answer is the class Tally, not an instance of it.")
    original = tally_class(40)
    lock = original.lock
    _check_state(original.__getstate__())
    if getattr(original, "lock", None) is not lock:
        raise NotYet("__getstate__ took the lock away from the original, which is still in use. Copy the dictionary "
                     "first: self.__dict__.copy().")
    for total in (7, 40):
        restored = pickle.loads(pickle.dumps(tally_class(total)))
        if not hasattr(restored, "total"):
            raise NotYet("The restored object has no total. What does __setstate__ do with the state it is given?")
        if restored.total != total:
            raise NotYet(f"A Tally with a total of {total} came back with {restored.total!r}. Restore it from the state.")
    if not isinstance(getattr(restored, "lock", None), _LOCKS):
        raise NotYet("The restored object has no lock. __setstate__ is the place to make a new one.")
    if restored.lock.locked():
        raise NotYet("The new lock is held already, so the first add() would wait forever. __setstate__ need not acquire it.")
    restored.add(2)
    if restored.total != 42:
        raise NotYet(f"After add(2) the restored Tally has {restored.total!r} instead of 42.")
    return "The total travels; the lock, which protects one process's memory, is made anew on the other side."


def _check_state(state: Any) -> None:
    if state is None:
        raise NotYet("__getstate__ returns None. It should return what is to be written: self.__dict__ without the lock.")
    values = state.values() if isinstance(state, dict) else state if isinstance(state, (list, tuple)) else [state]
    if any(isinstance(value, _LOCKS) for value in values):
        raise NotYet("The lock is still in what __getstate__ returns. Leave it out; __setstate__ makes a new one.")


_COUNT = 100_000


@exercise("06-stay-shared")
def stay_shared(numbers: Any) -> str:
    """The numbers 0 to 99,999 in memory without reference counts."""
    if isinstance(numbers, range):
        raise NotYet("A range computes its numbers and stores none of them. Store them.")
    try:
        iterator = iter(numbers)
    except TypeError:
        raise NotYet(f"The answer should be a container of numbers, not {type(numbers).__name__}.") from None
    if iterator is numbers:
        raise NotYet("An iterator or a generator makes its numbers when asked and stores none of them. Store them.")
    if getattr(numbers, "ndim", 1) != 1:
        raise NotYet("Use an array of one dimension.")
    try:
        stored = [int(number) for number in listed(numbers, _COUNT)]
    except (TypeError, ValueError) as error:
        raise NotYet(f"The answer should be a container of numbers, but this {type(numbers).__name__} holds something else: {error}.") from None
    if len(stored) != _COUNT:
        raise NotYet(f"It holds {len(stored):,} numbers instead of {_COUNT:,}.")
    if stored != list(range(_COUNT)):
        first = next(index for index, number in enumerate(stored) if number != index)
        raise NotYet(f"At position {first:,} is {stored[first]:,}. The numbers run from 0 to {_COUNT - 1:,}, in order.")
    return _without_counts(numbers)


def _without_counts(numbers: Any) -> str:
    """Refuse containers of objects."""
    view = _memory_of(numbers)
    if view is None:
        if isinstance(numbers, ShareableList):
            return "Plain numbers in shared memory: there is no reference count in them to write to."
        # What holds objects gives the same ones each time; what holds plain numbers, or computes them, makes new ones.
        counted = sum(first is second and not sys._is_immortal(first) for first, second in zip(numbers, numbers, strict=True))
        if counted:
            raise NotYet(f"{counted:,} of the objects in this {type(numbers).__name__} have a reference count, and taking one from it "
                         "writes to that. Which containers hold plain numbers instead of references to objects?")
        raise NotYet(f"This {type(numbers).__name__} does not show its memory (memoryview and NumPy cannot read it), so nobody can see "
                     "what it holds. Use an array of plain numbers.")
    if view.format == "O":
        raise NotYet("This array holds references to Python objects (its format is 'O'), and each object has a reference "
                     "count. Let it hold plain numbers: choose a numeric type.")
    return f"{view.nbytes:,} bytes of plain numbers: there is no reference count in them to write to."


def _memory_of(numbers: Any) -> memoryview | None:
    """What it holds, as a buffer or as what NumPy makes of it; None: it offers neither."""
    try:
        return memoryview(numbers)
    except TypeError:
        return memoryview(numbers.__array__()) if hasattr(numbers, "__array__") else None


@exercise("06-fill-a-part")
def fill_a_part(fill: Callable[[str, int, int, int], Any]) -> str:
    """`fill(name, start, stop, value)` sets a part of a shared memory block."""
    if not callable(fill):
        raise NotYet("The answer is the function fill.")
    block = SharedMemory(create=True, size=64)
    try:
        for start, stop, value in ((16, 32, 7), (0, 8, 255), (63, 64, 9)):
            expected = bytearray(block.buf)
            expected[start:stop] = bytes([value]) * (stop - start)
            fill(block.name, start, stop, value)
            _compare(bytes(block.buf), bytes(expected), start, stop, value)
            _check_linked(block.name)
    finally:
        block.close()
        block.unlink()
    return "Both sides use the same pages, and only the name had to travel."


def _compare(found: bytes, expected: bytes, start: int, stop: int, value: int) -> None:
    if found == expected:
        return
    call = f"After fill(name, {start}, {stop}, {value})"
    wrong = [index for index in range(len(found)) if found[index] != expected[index]]
    outside = [index for index in wrong if not start <= index < stop]
    if outside == [stop]:
        raise NotYet(f"{call} byte {stop} has changed too. The part ends before stop, as a slice does.")
    if outside:
        raise NotYet(f"{call} byte {outside[0]} has changed, which is outside of the part. Write to buf[start:stop] only.")
    if len(wrong) == stop - start:
        raise NotYet(f"{call} none of the bytes in the part is {value}. Write to the buf of SharedMemory(name); a copy of "
                     "it, such as bytes(block.buf), is not shared.")
    raise NotYet(f"{call} byte {wrong[0]} is {found[wrong[0]]} instead of {value}.")


def _check_linked(name: str) -> None:
    try:
        SharedMemory(name, track=False).close()
    except FileNotFoundError:
        SharedMemory(name, create=True, size=1).close()  # for the check to unlink
        raise NotYet("The part is filled, but the block is gone: its creator unlinks it. Close your side only.") from None
