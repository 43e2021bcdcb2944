# SPDX-License-Identifier: BSD-3-Clause
"""The exercises of part 4, lost updates.

The answers run in threads that the checks bring to the critical place by events: nothing depends on how fast they are. Time
limits end what would otherwise hang.
"""

import functools
import threading
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any

from xcores.workshop.exercises import PATIENCE, NotYet, exercise, limited, limited_together, listed

_MEETING = 2.0  # seconds; only an answer that keeps the second thread away takes so long
_CAN_LOSE = {"b", "d", "e"}
_MISSED = {
    "b": "In `b` the total is read before price() runs, and written after it. Can another thread run in between?",
    "d": "In `d` the call of stock.get() lies between read and write. Look at the stops of get_and_set.",
    "e": "In `e` both threads can find that the key is not there, before either has put it in.",
}
_TOO_MUCH = {
    "a": "In `a` there is no call between read and write. Where did plain() stop, and what had it written by then?",
    "c": "In `c` the slow part comes before append, and append itself is one call into C. What could be old there?",
    "f": "In `f` read and write are under one lock. What could another thread do in between that uses the same lock?",
}


@exercise("04-lost-updates")
def lost_updates(answer: Any) -> str:
    """A set of letters."""
    if isinstance(answer, str):
        raise NotYet('The answer is a set of letters, such as {"a", "b"}.')
    if isinstance(answer, Mapping):
        raise NotYet('That is a dictionary. The answer is a set of those letters alone, such as {"a", "b"}.')
    try:
        letters = {str(letter).strip().lower() for letter in listed(answer)}
    except TypeError:
        raise NotYet('The answer is a set of letters, such as {"a", "b"}.') from None
    unknown = letters - _CAN_LOSE - _TOO_MUCH.keys()
    if unknown:
        raise NotYet(f"There is no function {sorted(unknown)[0]!r}: the letters are a to f.")
    for letter in sorted(letters - _CAN_LOSE):
        raise NotYet(_TOO_MUCH[letter])
    missing = sorted(_CAN_LOSE - letters)
    if missing:
        more = f" ({len(missing)} are missing.)" if len(missing) > 1 else ""
        raise NotYet(_MISSED[missing[0]] + more)
    return ("A call between read and write, or between check and act, is a place where another thread can get in. "
            "`a` is safe only with the GIL, and no document promises it.")


class _Deadlock(NotYet):
    """A thread would wait for a lock whose holder waits for this thread."""


class _Lock:
    """A lock that tells whether it is held by the thread that asks, and when a thread has to wait for it."""

    _waiting: "dict[int, _Lock]" = {}
    """For which lock each waiting thread waits; locks of all exercises, whose threads are different ones."""
    _guard = threading.Lock()

    def __init__(self, on_wait: Callable[[], None] = lambda: None, on_take: Callable[["_Lock"], None] = lambda lock: None) -> None:
        self._lock = threading.Lock()
        self._owner: int | None = None
        self._on_wait = on_wait
        self._on_take = on_take
        self.times_taken = 0

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        if self.held():
            raise NotYet("The lock is taken a second time by the thread that holds it: it would wait for itself forever.")
        if not self._lock.acquire(blocking=False):
            if not blocking:
                return False
            self._on_wait()
            if timeout >= 0:
                if not self._lock.acquire(timeout=timeout):
                    return False
            else:
                self._wait()
        self._owner = threading.get_ident()
        self.times_taken += 1
        self._on_take(self)
        return True

    def _wait(self) -> None:
        thread = threading.get_ident()
        with self._guard:
            self._waiting[thread] = self
            other = self._owner
            while other is not None and other in self._waiting:
                other = self._waiting[other]._owner
                if other == thread:
                    del self._waiting[thread]
                    raise _Deadlock("Two threads wait for each other: each one holds the lock that the other one waits for.")
        try:
            if not self._lock.acquire(timeout=PATIENCE):
                raise NotYet("The lock was never given back. Use `with lock:`, which does so also after an exception.")
        finally:
            with self._guard:
                del self._waiting[thread]

    def release(self) -> None:
        self._owner = None
        self._lock.release()

    def locked(self) -> bool:
        return self._lock.locked()

    def held(self) -> bool:
        return self._owner == threading.get_ident()

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.release()


_ENDLESS = "Your function does not end. Is there a lock that it takes and never gives back?"


class _StagedAccount:
    """The thread that reads the balance first waits until another one has read it too, or waits for the lock."""

    def __init__(self) -> None:
        self._balance = 0
        self._guard = threading.Lock()
        self._reads = 0
        self.go_on = threading.Event()

    @property
    def balance(self) -> int:
        with self._guard:
            self._reads += 1
            first = self._reads == 1
            if not first:
                self.go_on.set()
            read = self._balance
        if first:
            self.go_on.wait(2.0)
        return read

    @balance.setter
    def balance(self, amount: int) -> None:
        self._balance = amount


@exercise("04-fix")
def fix(deposit: Any) -> str:
    """deposit(account, amount, lock), run by two threads of which one stops between read and write."""
    if not callable(deposit):
        raise NotYet("Hand over the function itself: workshop.check('04-fix', deposit).")
    account = _StagedAccount()
    lock = _Lock(on_wait=account.go_on.set)
    slow_under_lock: list[bool] = []

    def amount() -> int:
        slow_under_lock.append(lock.held())
        return 1

    limited_together([lambda: deposit(account, amount, lock)] * 2, _ENDLESS)
    if len(slow_under_lock) != 2:
        raise NotYet(f"amount() should be called once for each deposit; for two deposits it was called {len(slow_under_lock)} times.")
    if account._balance != 2:
        where = "The lock is never taken." if lock.times_taken == 0 else "Is the read of the balance inside the lock, too?"
        raise NotYet(f"Two deposits of 1, and the balance is {account._balance}: one thread read the balance before the other wrote it. {where}")
    if lock.times_taken == 0:
        raise NotYet("Use the lock that is handed in: others guard the same account with it.")
    if any(slow_under_lock):
        raise NotYet("Nothing is lost. But amount() runs while you hold the lock, and it is slow: call it before, and keep what it returns.")
    return "Both deposits are there, and no thread waits for the lock while amount() runs."


class _Account:
    """An account that notes whether its lock and its partner's are both held when its balance is used."""

    def __init__(self, number: int, on_wait: Callable[[], None] = lambda: None, on_take: Callable[[_Lock], None] = lambda lock: None) -> None:
        self.number = number
        self.money = 100
        self.unguarded = False
        self.lock = _Lock(on_wait, on_take)
        self.partner = self

    def _note(self) -> None:
        self.unguarded = self.unguarded or not (self.lock.held() and self.partner.lock.held())

    @property
    def balance(self) -> int:
        self._note()
        return self.money

    @balance.setter
    def balance(self, amount: int) -> None:
        self._note()
        self.money = amount


class _Meeting:
    """Two accounts for two transfers, of which each waits with its first lock until the other one has come as far.

    A transfer that cannot come so far, because the other one keeps it away, is not waited for any longer when that is seen, or
    after a short time.
    """

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._have_come: set[int] = set()
        self._go_on = threading.Event()
        self.accounts = tuple(_Account(number, self._go_on.set, self._meet) for number in (1, 2))
        self.accounts[0].partner, self.accounts[1].partner = self.accounts[1], self.accounts[0]

    def _meet(self, lock: _Lock) -> None:
        with self._guard:
            if threading.get_ident() in self._have_come:  # its second lock
                return
            self._have_come.add(threading.get_ident())
            if len(self._have_come) == 2:
                self._go_on.set()
        self._go_on.wait(_MEETING)

    def transfer(self, transfer: Callable[..., Any], source: int, target: int, amount: int) -> None:
        transfer(self.accounts[source], self.accounts[target], amount)
        self._go_on.set()


@exercise("04-deadlock")
def deadlock(transfer: Any) -> str:
    """transfer(source, target, amount), once in each direction, and then in both at the same time."""
    if not callable(transfer):
        raise NotYet("Hand over the function itself: workshop.check('04-deadlock', transfer).")
    orders = _transferred_alone(transfer)
    meeting = _Meeting()
    directions = [functools.partial(meeting.transfer, transfer, *each) for each in ((0, 1, 30), (1, 0, 20))]
    try:
        limited_together(directions, "Two opposite transfers do not end. Does each one hold a lock that the other one waits for?")
    except _Deadlock:
        raise NotYet("From account 1 to 2 you take the locks in the order {} and from 2 to 1 in the order {}: two opposite transfers can wait "
                     "for each other. What do both transfers know that puts the accounts in the same order?"
                     .format(*(" then ".join(map(str, each)) for each in orders))) from None
    money = [account.money for account in meeting.accounts]
    if money != [90, 110]:
        raise NotYet(f"Two opposite transfers at the same time, of 30 and 20, should leave 90 and 110, not {money[0]} and {money[1]}. "
                     "Hold both locks for the whole transfer.")
    if orders[0] != orders[1]:
        return "Two opposite transfers do not wait for each other. One order for all locks does without anything else."
    return "Both directions take the locks in the same order, so no circle of waiting threads can form."


def _transferred_alone(transfer: Callable[..., Any]) -> list[list[int]]:
    """The order in which the transfer takes the locks, in each direction."""
    order: list[int] = []
    accounts = _Account(1, on_take=lambda lock: order.append(1)), _Account(2, on_take=lambda lock: order.append(2))
    accounts[0].partner, accounts[1].partner = accounts[1], accounts[0]
    orders = []
    for source, target in (accounts, accounts[::-1]):
        order.clear()
        source.money = target.money = 100
        limited(functools.partial(transfer, source, target, 30), _ENDLESS)
        if (source.money, target.money) != (70, 130):
            raise NotYet(f"A transfer of 30 between accounts with 100 each should leave 70 and 130, not {source.money} and {target.money}.")
        if source.lock.locked() or target.lock.locked():
            raise NotYet("A lock is still held when the transfer is over. Use `with`.")
        if source.unguarded or target.unguarded:
            raise NotYet("A balance is read or written while only one of the two account locks is held, or none, and other code takes no other "
                         "lock. Hold both for the whole transfer.")
        orders.append(list(order))
    return orders
