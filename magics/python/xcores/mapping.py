# SPDX-License-Identifier: BSD-3-Clause
"""`--map`: takes items from an iterable of the notebook, hands them to the workers, gathers what comes back.

Items are taken only while the workers want some, so that the iterable may be endless; and by the thread that supervises
the run, as generators are not made to be shared.
"""

import io
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sized
from typing import Any

from xcores import _engine, _transfer, _worker
from xcores._transfer import type_name
from xcores.capture import Notebook, item_input
from xcores.errors import ItemFailure, ItemsFailed, WorkerInterrupted, usage_error
from xcores.interrupts import Interrupts
from xcores.snapshots import is_made_on_demand, snapshots_of

_AT_A_TIME_SECONDS = 0.02
"""Then the output of the workers and the live view have their turn."""
_LARGEST_BATCH = 1000

Sent = tuple[bytes, list[Any]]


class SharedItems:
    """For threads: the items themselves, in a place where the workers look."""

    def __init__(self, place: dict[int, Any]) -> None:
        self._place = place

    def encoded(self, index: int, value: Any) -> Sent:
        self._place[index] = value
        return b"", []

    def decoded(self, index: int, sent: Sent) -> Any:
        return self._place[index]


class SentItems:
    """For the other kinds: pickles."""

    def __init__(self, notebook: Notebook, names: Collection[str], kind: str) -> None:
        self._notebook = notebook
        self._kind = kind
        self._names = names

    def encoded(self, index: int, value: Any) -> Sent:
        return item_input(value, self._notebook, self._names, self._kind)

    def decoded(self, index: int, sent: Sent) -> Any:
        data, buffers = sent
        return _transfer.Reader(io.BytesIO(data), buffers, dict(self._notebook.names)).load()


class Mapping:
    """The items of one run.

    *Thread*: the one that supervises the run.
    """

    def __init__(self, iterable: Iterable[Any], workers: int, on_error: str, route: SharedItems | SentItems) -> None:
        """*Failure*: what `iter` raises."""
        total = len(iterable) if isinstance(iterable, Sized) else None
        # Code that makes items may wait long for the next one: each goes out before.
        self._most = 1 if isinstance(iterable, Iterator) else _LARGEST_BATCH
        self._iterator = iter(iterable)
        self._copies = is_made_on_demand(iterable, self._iterator)
        self._route = route
        self._taken = 0
        self._total = total
        self._complete = False
        """No more items are taken,"""
        self._exhausted = False
        """because there are no more."""
        self._results: dict[int, Any] = {}
        self._failures: dict[int, ItemFailure] = {}
        self.queue = _engine.Items(workers, total, on_error)
        self.problem: BaseException | None = None
        """What kept the next item from being made or sent. Those before it are done all the same."""

    def feed(self, interrupts: Interrupts) -> None:
        """Hand over items while they are wanted, but not for long. Afterwards `problem` may be set."""
        until = time.monotonic() + _AT_A_TIME_SECONDS
        while not self._complete and (wanted := self.queue.wanted) and time.monotonic() < until:
            batch: list[Sent] = []
            while len(batch) < min(wanted, self._most) and not self._complete and time.monotonic() < until:
                self._take(batch, interrupts)
            self.queue.add(batch)
            if self._complete:
                self.queue.end()

    def _take(self, batch: list[Sent], interrupts: Interrupts) -> None:
        try:
            interrupts.raises = True
            try:
                value = next(self._iterator)
            finally:
                interrupts.raises = False
        except StopIteration:
            self._complete = self._exhausted = True
            return
        except BaseException as error:
            self._complete = True
            if not (isinstance(error, KeyboardInterrupt) and interrupts.is_over):
                # From the frame of the generator on.
                self.problem = error.with_traceback(error.__traceback__ and error.__traceback__.tb_next)
            return
        try:
            data, buffers = self._route.encoded(self._taken, value)
            batch.append((data, snapshots_of(buffers) if self._copies else buffers))
            self._taken += 1
        except Exception as error:
            self._complete = True
            self.problem = usage_error(f"--map: item {self._taken}, a {type_name(value)}, cannot be sent: {error}. "
                                       "Use %%threads, whose workers share the notebook's objects.")

    def gather(self, rebuilt: Callable[[int, dict[str, Any], Sent], Any]) -> None:
        """Take what has ended. `rebuilt(worker, outcome, reply)` makes a result or an exception of it."""
        for index, worker, outcome, reply, text, sent in self.queue.take_ended():
            outcome = outcome or {"kind": "returned"}
            self._results[index] = answer = rebuilt(worker, outcome, reply)
            if outcome["kind"] != "returned":
                text = text or self._text_of(index, sent)
                self._failures[index] = ItemFailure(index, text, worker, outcome, answer)

    def _text_of(self, index: int, sent: Sent | None) -> str:
        try:
            return _worker.summary(self._route.decoded(index, sent or (b"", []))) or "None"
        except Exception:
            return "?"

    def answers(self) -> list[Any]:
        """In the order of the items: the result of each, or the exception that stands for it."""
        return [self._results[index] if index in self._results else WorkerInterrupted(f"item {index} was not begun", -1)
                for index in range(self._taken)]

    def failure(self, *, timed_out: bool) -> BaseException | None:
        """What the run ends in, where it was not interrupted."""
        if self.problem is not None:
            return self.problem
        failed = [one for _, one in sorted(self._failures.items()) if one.outcome["kind"] != "interrupted"]
        stopped = len(self._failures) - len(failed)
        not_begun = self._known() - len(self._results)
        if failed or stopped or not_begun or not self._exhausted:
            returned = len(self._results) - len(self._failures)
            return ItemsFailed.of(failed, returned, stopped, not_begun, timed_out=timed_out)
        return None

    def _known(self) -> int:
        """How many items there are, as far as is known."""
        return self._taken if self._total is None else max(self._taken, self._total)

    def kept(self) -> str:
        """What an interrupted cell still has."""
        done = len(self._results) - len(self._failures)
        so_far = "" if self._complete or self._total is not None else " so far"
        return f"{done:,} of {self._known():,} items{so_far} done, and kept"
