# SPDX-License-Identifier: BSD-3-Clause
"""The exercises of part 5, threads that help.

A coroutine is checked by the thread in which its blocking call runs, and by an event that only the event loop sets: nothing
depends on how fast the machine is.
"""

import asyncio
import inspect
import math
import threading
from numbers import Real
from typing import Any

from xcores.workshop.exercises import PATIENCE, NotYet, exercise, limited

_HELPS = {
    "download 20 files": (True, "A thread that waits for the network releases the GIL. Look at the picture of eight threads that fetch."),
    "count primes in Python": (False, "A Python loop holds the GIL while it computes. Look at the bar of the Python loop."),
    "SHA-256 of twenty files of 100 MB": (True, "hashlib releases the GIL for large pieces. Look at the bar of 4 MB."),
    "SHA-256 of a million short passwords, one call each": (
        False, "Below 2048 bytes hashlib keeps the GIL. Look at the bar of 1 kB, many times."),
    "sort four NumPy arrays of floats": (True, "NumPy releases the GIL while it works on plain numbers. Look at the bar of sorting."),
    "multiply four NumPy arrays of dtype object": (
        False, "An array of objects holds references to Python objects, and work on these needs the GIL. Look at the last bar."),
}


@exercise("05-threads-that-help")
def threads_that_help(answer: Any) -> str:
    """A dict with True or False for each kind of work."""
    if not isinstance(answer, dict) or set(answer) != set(_HELPS):
        raise NotYet("Keep the dict with its six keys, and replace each None by True or False.")
    left = [work for work, value in answer.items() if value is None]
    if left:
        raise NotYet(f"{len(left)} of 6 have no answer yet. The next one: {left[0]!r}. Does it wait, or does C code compute without the GIL?")
    for work, (helps, reason) in _HELPS.items():
        if answer[work] not in (True, False):
            raise NotYet(f"{work!r}: the answer is True or False, not {answer[work]!r}.")
        if bool(answer[work]) != helps:
            raise NotYet(f"{work!r}: {reason}")
    return "Threads help where they wait, and where code in C works on large pieces without the GIL."


@exercise("05-pool-size")
def pool_size(answer: Any) -> str:
    """(90 + 10) / 10."""
    if isinstance(answer, bool) or not isinstance(answer, Real) or not math.isfinite(answer):
        raise NotYet("The answer is a number of threads.")
    if answer == 9:
        raise NotYet("Nine jobs wait for 90 ms, and which one computes meanwhile? Count that one too.")
    if answer in (1, 2, 4):
        raise NotYet("While a job waits it needs neither the GIL nor a core, so the number of cores does not matter. "
                     "How many jobs can compute for 10 ms each while one waits for 90 ms?")
    if answer < 10:
        raise NotYet(f"With {answer:g} threads the GIL computes for {10 * answer:g} ms of each 100 ms. There is room for more.")
    if answer > 10:
        raise NotYet(f"{answer:g} threads bring {10 * answer:g} ms of computing in each 100 ms, and one GIL has only 100. From how many on is it full?")
    return "(90 + 10) / 10: ten threads keep one GIL busy, and a job is done every 10 ms. More threads only wait longer."


@exercise("05-event-loop")
def event_loop(handle: Any) -> str:
    """handle(read_record, key), with a read_record that waits for the event loop to go on."""
    if not callable(handle):
        raise NotYet("Hand over the coroutine function itself: workshop.check('05-event-loop', handle).")
    if not inspect.iscoroutinefunction(handle):
        raise NotYet("handle must stay a coroutine function: async def handle(read_record, key).")
    loop_thread: int | None = None
    calls: list[Any] = []
    stood_still: list[Any] = []
    loop_goes_on = threading.Event()

    def read_record(key: Any) -> str:
        calls.append(key)
        if threading.get_ident() == loop_thread:
            raise NotYet("read_record runs in the thread of the event loop, so no other coroutine can run until it returns. "
                         "Which function of asyncio hands a call to another thread?")
        if not loop_goes_on.wait(PATIENCE):
            stood_still.append(key)  # to raise it here would be lost in a thread of the reader's
        return f"record of {key}"

    async def others() -> None:
        while not calls:
            await asyncio.sleep(0.001)
        loop_goes_on.set()

    async def both() -> Any:
        nonlocal loop_thread
        loop_thread = threading.get_ident()
        other = asyncio.create_task(others())
        try:
            return await asyncio.wait_for(handle(read_record, "k7"), 2 * PATIENCE)
        finally:
            other.cancel()

    try:
        result = limited(lambda: asyncio.run(both()), "handle does not end.", 4 * PATIENCE)
    except TimeoutError:
        raise NotYet("handle does not end. What does it wait for?") from None
    if stood_still:
        raise NotYet("read_record runs in another thread, but the event loop waits for it without `await`.")
    if inspect.iscoroutine(result):
        result.close()
        raise NotYet("handle returns a coroutine that has not been awaited. Write `await` before the call.")
    if calls != ["k7"]:
        raise NotYet(f"read_record should be called once, with the key. It was called {len(calls)} times" + (f", with {calls[0]!r}." if calls else "."))
    if result != "record of k7":
        raise NotYet(f"handle should return what read_record returns. It returned {result!r}: is there a `return`?")
    return "While read_record blocks a thread of the pool, the event loop goes on with other coroutines."
