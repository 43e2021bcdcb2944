# SPDX-License-Identifier: BSD-3-Clause
"""Copies of large data that is sent later, and may be changed before."""

import itertools
import weakref
from collections import deque
from collections.abc import Buffer, Iterable, Iterator, Sequence
from typing import Any

from xcores._transfer import owner_of

_copies: weakref.WeakValueDictionary[tuple[int, int], memoryview] = weakref.WeakValueDictionary()
"""The latest copy of each object and size, as long as it is in use. What has not changed is not copied again, and goes
to the processes once."""
_OF_CONTAINERS = frozenset(map(type, map(iter, (
    [], (), {}, {}.values(), {}.items(), set(), frozenset(), deque(), reversed([]), itertools.repeat(None)))))


def is_made_on_demand(iterable: Iterable[Any], iterator: Iterator[Any]) -> bool:
    """Whether code makes the items, and so may use the memory of an item again; else they are there already."""
    if type(iterator) in (zip, enumerate):
        return any(is_made_on_demand(part, part) for part in iterator.__reduce__()[1] if isinstance(part, Iterator))
    return type(iterator) not in _OF_CONTAINERS and not isinstance(iterable, (Sequence, Buffer))


def snapshots_of(buffers: Iterable[Any]) -> list[Any]:
    """`buffers`, with copies in place of those whose bytes can change."""
    return [one if type(owner_of(one)) is bytes else _snapshot(memoryview(one)) for one in buffers]


def _snapshot(view: memoryview) -> memoryview:
    key = id(_base_of(view)), view.nbytes
    known = _copies.get(key)
    if known is not None and known.obj.startswith(view):
        return known
    _copies[key] = copy = memoryview(bytes(view))
    return copy


def _base_of(view: memoryview) -> Any:
    owner = owner_of(view)
    while type(owner).__module__ == "numpy" and owner.base is not None:
        owner = owner.base
    return owner
