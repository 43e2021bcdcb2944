# SPDX-License-Identifier: BSD-3-Clause
"""Where a thread gives up the GIL, which the workshop's part on lost updates counts."""

import sys
import threading
from collections.abc import Iterator

import pytest

from xcores.workshop.stops import stops

pytestmark = pytest.mark.skipif(not sys._is_gil_enabled(), reason="there is no GIL to give up")

total = 0
counts = {"apples": 0}


@pytest.fixture(autouse=True)
def short_switch_interval() -> Iterator[None]:
    usual = sys.getswitchinterval()
    sys.setswitchinterval(0.0001)
    yield
    sys.setswitchinterval(usual)


def plain(count: int) -> None:
    global total
    for _ in range(count):
        total += 1


def price() -> int:
    return int("1")


def with_call(count: int) -> None:
    global total
    for _ in range(count):
        total += price()


def get_and_set(count: int) -> None:
    for _ in range(count):
        counts["apples"] = counts.get("apples", 0) + 1


def test_a_plain_loop_stops_at_its_end_and_not_within_its_body() -> None:
    places = stops(plain, 50, until="JUMP_BACKWARD in plain")
    assert places["JUMP_BACKWARD in plain()"] > 0
    assert {place.split()[0] for place in places} <= {"JUMP_BACKWARD", "RESUME", "CALL"}
    assert {place.split(maxsplit=1)[1] for place in places} == {"in plain()"}


@pytest.mark.parametrize(("function", "place"), [(with_call, "RESUME in price"), (get_and_set, "CALL in get_and_set")])
def test_it_samples_until_a_place_has_been_seen(function, place: str) -> None:
    assert any(name.startswith(place) for name in stops(function, 1, until=place, seconds=60))


def test_it_ends_in_time_and_leaves_no_thread() -> None:
    before = threading.active_count()
    places = stops(plain, 5, until="NO_SUCH_INSTRUCTION", seconds=0.5)
    assert not any(place.startswith("NO_SUCH") for place in places)
    assert threading.active_count() == before


def test_what_the_function_raises_is_raised() -> None:
    with pytest.raises(ZeroDivisionError):
        stops(lambda count: count // 0, seconds=60)
