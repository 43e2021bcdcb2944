# SPDX-License-Identifier: BSD-3-Clause
"""Answers that a check once judged wrongly: half-done ones that passed, right ones that did not, untrue messages."""

import asyncio
import itertools
import math
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from xcores import workshop
from xcores.run_object import Run
from xcores.workshop.checks import part_04, part_05, part_10


@pytest.fixture(autouse=True)
def _no_long_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    for part in (part_04, part_05, part_10):
        monkeypatch.setattr(part, "PATIENCE", 1.0)
    monkeypatch.setattr(part_04, "_MEETING", 0.5)


def _refused(name: str, answer: Any, says: str) -> None:
    verdict = workshop.check(name, answer)
    assert not verdict and says in verdict.message, verdict


def _passes(name: str, answer: Any) -> None:
    verdict = workshop.check(name, answer)
    assert verdict, verdict


def least_time(rounded: Callable[[float], float]) -> Callable[..., float]:
    return lambda jobs, waiting, computing, workers, cores, gils: max(
        jobs * computing / min(workers, cores, gils), rounded(jobs / workers) * (waiting + computing))


def test_least_time() -> None:
    _passes("01-least-time", least_time(math.ceil))
    _refused("01-least-time", least_time(round), "not round")
    _refused("01-least-time", lambda *arguments: "8", "returns str")


PRIMES = """
def count_primes(limit):
    return sum(all(n % d for d in range(2, int(n**0.5) + 1)) for n in range(2, limit))
"""


@pytest.mark.parametrize("body", ["count_primes(60_000)", "6057"])
def test_a_run_has_computed_its_result(cell, shell, body: str) -> None:
    ran = cell(f"%%subinterp 2 --quiet --run mine\n{PRIMES}\n{body}")
    assert ran.error is None, ran.text
    assert isinstance(shell.user_ns["mine"], Run)
    if body == "6057":
        _refused("01-no-gil-wait", shell.user_ns["mine"], "almost no CPU time")
    else:
        _passes("01-no-gil-wait", shell.user_ns["mine"])


def open_peps(in_order: Callable[[set[int]], list[int]]) -> Callable[..., list[int]]:
    def answer(events: Any, day: str) -> list[int]:
        so_far = [event for event in events if event.get("peps") and event["date"] <= day]
        peps = {step: {pep for event in so_far if event["step"] == step for pep in event["peps"]} for step in ("created", "released")}
        return in_order(peps["created"] - peps["released"])

    return answer


def test_open_peps() -> None:
    _passes("02-open-peps", open_peps(sorted))
    _refused("02-open-peps", open_peps(list), "not sorted")
    _refused("02-open-peps", lambda events, day: itertools.count(), "no end")


class Endless:
    def __init__(self, item: Any) -> None:
        self._item = item

    def __iter__(self) -> Iterator[Any]:
        return itertools.repeat(self._item)


@pytest.mark.parametrize("name, answer", [
    ("03-orders", itertools.cycle("AB")), ("03-immortal", Endless("None")), ("04-lost-updates", Endless("b")),
    ("06-stay-shared", Endless(1)), ("08-queued", Endless(("A", "incref"))), ("09-order", lambda paths: Endless(paths[0])),
])
def test_an_answer_without_end_is_refused(name: str, answer: Any) -> None:
    _refused(name, answer, "no end")


@pytest.mark.parametrize("name", ["03-immortal", "04-lost-updates"])
def test_a_dictionary_instead_of_a_set_is_refused_as_such(name: str) -> None:
    _refused(name, {"None": True, "the int 1000000": False, "a": False}, "That is a dictionary")


GLOBAL = threading.Lock()


def _move(source: Any, target: Any, amount: int) -> None:
    source.balance -= amount
    target.balance += amount


def naive(source: Any, target: Any, amount: int) -> None:
    with source.lock, target.lock:
        _move(source, target, amount)


def in_one_order(source: Any, target: Any, amount: int) -> None:
    first, second = sorted((source, target), key=lambda account: account.number)
    with first.lock, second.lock:
        _move(source, target, amount)


def under_a_lock_of_its_own(source: Any, target: Any, amount: int) -> None:
    with GLOBAL, source.lock, target.lock:
        _move(source, target, amount)


def with_back_off(source: Any, target: Any, amount: int) -> None:
    for tries in itertools.count():
        with source.lock:
            if target.lock.acquire(blocking=False):
                try:
                    return _move(source, target, amount)
                finally:
                    target.lock.release()
        time.sleep(0.001 * (tries * source.number % 5))


def with_time_limit(source: Any, target: Any, amount: int) -> None:
    while True:
        with source.lock:
            if target.lock.acquire(timeout=0.01 * source.number):
                try:
                    return _move(source, target, amount)
                finally:
                    target.lock.release()


def only_own_lock(source: Any, target: Any, amount: int) -> None:
    with GLOBAL:
        _move(source, target, amount)


def never_released(source: Any, target: Any, amount: int) -> None:
    source.lock.acquire()
    target.lock.acquire()
    _move(source, target, amount)


@pytest.mark.parametrize("answer", [in_one_order, under_a_lock_of_its_own, with_back_off, with_time_limit])
def test_transfers_that_cannot_deadlock_pass(answer: Any) -> None:
    _passes("04-deadlock", answer)


@pytest.mark.parametrize("answer, says", [
    (naive, "order 1 then 2 and from 2 to 1 in the order 2 then 1"), (only_own_lock, "only one of the two account locks"),
    (never_released, "still held"), (lambda source, target, amount: None, "should leave 70 and 130"),
])
def test_other_transfers_are_told_what_is_wrong(answer: Any, says: str) -> None:
    _refused("04-deadlock", answer, says)


@pytest.mark.parametrize("right", [10, 10.0, Fraction(10)])
def test_any_real_number_is_a_pool_size(right: Any) -> None:
    _passes("05-pool-size", right)


@pytest.mark.parametrize("wrong", [math.nan, math.inf, True, "10"])
def test_what_is_no_number_is_no_pool_size(wrong: Any) -> None:
    _refused("05-pool-size", wrong, "a number of threads")


def test_numbers_of_numpy_are_numbers() -> None:
    numpy = pytest.importorskip("numpy")
    _passes("05-pool-size", numpy.int64(10))
    _passes("08-break-even", lambda price, parallel, cores: numpy.float32(1) / ((1 + price) * (1 - parallel + parallel / cores)))


async def joined(read_record: Any, key: str) -> Any:
    records: list[Any] = []
    thread = threading.Thread(target=lambda: records.append(read_record(key)))
    thread.start()
    thread.join()
    return records[0]


def test_a_loop_that_waits_for_a_thread_is_told_so() -> None:
    _refused("05-event-loop", joined, "the event loop waits for it without `await`")

    async def endless(read_record: Any, key: str) -> None:
        await asyncio.Event().wait()

    _refused("05-event-loop", endless, "does not end")


def test_what_a_container_holds_is_judged_by_its_memory() -> None:
    _refused("06-stay-shared", "?", "container of numbers")
    _refused("06-stay-shared", list(range(100_000)), "have a reference count")
    _refused("06-stay-shared", type("Lazy", (), {"__iter__": lambda self: iter(range(100_000))})(), "does not show its memory")


SHARED = """
from multiprocessing.shared_memory import ShareableList
from xcores import workshop
shared = ShareableList(range(100_000))
print(workshop.check("06-stay-shared", shared))
shared.shm.close()
shared.shm.unlink()
"""


def test_a_shareable_list_stays_shared() -> None:
    # In a process of its own: shared memory has a process that tracks it, which other tests would count.
    done = subprocess.run([sys.executable, "-c", SHARED], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, "") and "passed" in done.stdout


def test_a_series_of_pandas_stays_shared() -> None:
    pandas = pytest.importorskip("pandas")
    _passes("06-stay-shared", pandas.Series(range(100_000)))
    _refused("06-stay-shared", pandas.Series(range(100_000), dtype=object), "holds references")


def swallowing(jobs: Any, results: Any) -> None:
    while True:
        try:
            number = jobs.get()
            if number is not None:
                results.put(number * number)
        except Exception:
            continue


def test_a_worker_that_catches_all_and_goes_on_is_stopped() -> None:
    _refused("07-worker-loop", swallowing, "After None the worker went on")


def test_the_value_of_another_slot_does_not_count() -> None:
    _passes("08-needs-gil", lambda slots: 1 not in (slots.get(4), slots.get(87)))
    _refused("08-needs-gil", lambda slots: 1 not in slots.values(), "slot 3")


def _size(path: Path) -> int:
    return path.stat().st_size


def test_the_order_of_files_is_not_that_of_sizes() -> None:
    _passes("09-order", lambda paths: sorted(paths, key=lambda path: (path.suffix == ".xlsx", _size(path)), reverse=True))
    for key in (_size, lambda path: -_size(path), lambda path: path.suffix, str):
        _refused("09-order", lambda paths, key=key: sorted(paths, key=key), "begin early")


@pytest.mark.parametrize("given", [{"subinterp", "procs"}, ["procs"], None])
def test_a_choice_is_one_string(given: Any) -> None:
    _refused("09-choice", {"openpyxl": given, "pandas": "procs", "download": "threads"}, "give one kind, as a string")


@pytest.mark.parametrize("answer, says", [
    (lambda latencies, percent: sorted(latencies)[round(len(latencies) * percent / 100 + 0.5) - 1], "99th percentile of 100 latencies"),
    (lambda latencies, percent: max(latencies), "the longest of all"),
    (lambda latencies, percent: sorted(latencies)[math.floor(len(latencies) * percent / 100) - 1], "one place too early"),
])
def test_a_percentile(answer: Any, says: str) -> None:
    _refused("10-percentile", answer, says)


async def set_by_a_callback(executor: Any, work: Any, argument: int) -> Any:
    done = asyncio.get_running_loop().create_future()
    executor.submit(work, argument).add_done_callback(lambda future: done.set_result(future.result()))
    return await done


async def with_a_broken_callback(executor: Any, work: Any, argument: int) -> Any:
    executor.submit(work, argument).add_done_callback(lambda: None)
    await asyncio.Event().wait()


async def waiting_for_nothing(executor: Any, work: Any, argument: int) -> Any:
    await asyncio.Event().wait()


async def told_by_the_loop(executor: Any, work: Any, argument: int) -> Any:
    loop = asyncio.get_running_loop()
    done = loop.create_future()
    executor.submit(work, argument).add_done_callback(lambda future: loop.call_soon_threadsafe(done.set_result, future.result()))
    return await done


async def wrapped(executor: Any, work: Any, argument: int) -> Any:
    return await asyncio.wrap_future(executor.submit(work, argument))


async def shut_down(executor: Any, work: Any, argument: int) -> Any:
    with executor:
        return await asyncio.get_running_loop().run_in_executor(executor, work, argument)


@pytest.mark.parametrize("answer, says", [
    (set_by_a_callback, "is not for other threads"), (with_a_broken_callback, "add_done_callback raised TypeError"),
    (waiting_for_nothing, "does not end"), (shut_down, "leave it open"),
])
def test_an_endpoint(answer: Any, says: str) -> None:
    _refused("10-endpoint", answer, says)


@pytest.mark.parametrize("answer", [told_by_the_loop, wrapped])
def test_an_endpoint_may_wait_in_other_ways(answer: Any) -> None:
    _passes("10-endpoint", answer)


def primes(limit: str) -> bytes:
    return str(sum(all(n % d for d in range(2, n)) for n in range(2, int(limit)))).encode()


def started_twice(environ: Any, start_response: Any) -> list[bytes]:
    start_response("404 Not Found", [])
    limit = environ["PATH_INFO"].removeprefix("/primes/")
    if not limit.isdecimal():
        return []
    start_response("200 OK", [])
    return [primes(limit)]


def any_folder(environ: Any, start_response: Any) -> list[bytes]:
    limit = environ["PATH_INFO"].rpartition("/")[2]
    start_response("200 OK" if limit.isdecimal() else "404 Not Found", [])
    return [primes(limit)] if limit.isdecimal() else []


def any_limit(environ: Any, start_response: Any) -> list[bytes]:
    folder, _, limit = environ["PATH_INFO"].rpartition("/")
    found = folder == "/primes"
    start_response("200 OK" if found else "404 Not Found", [])
    return [primes(limit)] if found else []


def with_length(length: Callable[[bytes], Any]) -> Callable[..., list[bytes]]:
    def application(environ: Any, start_response: Any) -> list[bytes]:
        limit = environ["PATH_INFO"].removeprefix("/primes/")
        body = primes(limit) if limit.isdecimal() else b""
        start_response("200 OK" if body else "404 Not Found", [("Content-Length", length(body))])
        return [body]

    return application


@pytest.mark.parametrize("answer, says", [
    (started_twice, "was called twice"), (any_folder, "/other/100 is no page"), (any_limit, "/primes/ raises ValueError"),
    (with_length(len), "2 in ('Content-Length', 2) is int"),
    (lambda environ, start_response: start_response("200 OK", {"a": "b"}) and [b"25"], "a list of pairs"),
])
def test_a_wsgi_application(answer: Any, says: str) -> None:
    _refused("10-wsgi", answer, says)
    _passes("10-wsgi", with_length(lambda body: str(len(body))))


def test_the_mean_of_no_beats_is_refused_as_such() -> None:
    _refused("11-in-time", lambda late, limit: statistics.mean(each <= limit for each in late), "raises StatisticsError")
