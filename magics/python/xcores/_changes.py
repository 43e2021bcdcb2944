# SPDX-License-Identifier: BSD-3-Clause
"""Notices what a cell changes in its copies of the notebook's data, so that nobody waits for it in the notebook.

Part of the worker: see `_worker`, in front of which its source is executed. Each value that is sent is compared with what
it was before: data of the built-in types, arrays, tables and objects of the notebook's classes, as far as they are small;
of larger ones the length and a few values. What cannot be told is not said.
"""

import sys

if __name__ == "xcores._changes":
    from xcores._transfer import MAIN

_MOST_PARTS = 1000
"""For all values of a cell together: copying and comparing these takes a fraction of a millisecond."""
_MOST_BYTES = 1 << 18
_DEEPEST = 8
_FEW = 200
"""How many values are compared of what is larger."""
_PLAIN = (int, float, complex, bool, str, bytes, type(None))
_END = b"\0xcores\0changed"


class Before:
    """What the notebook's values were when they arrived."""

    def __init__(self, job, names, *, shared):
        """`shared`: they are the notebook's own objects, so that only names can change here."""
        self._parts = _MOST_PARTS
        self._values = {}
        if job.plan["keep"]:
            return  # they are meant to change here
        for name in names:
            value = job.namespace[name]
            if not isinstance(value, (type(sys), type, type(_copied))):
                self._values[name] = value, None if shared else self._started(value)

    def _started(self, value):
        parts = self._parts
        try:
            try:
                return self._copy(value, 0)
            except OverflowError:
                self._parts = parts
                return _outline(value)
        except Exception:
            return None

    def _spend(self, parts):
        self._parts -= parts
        if self._parts < 0:
            raise OverflowError

    def _copy(self, value, depth):
        self._spend(1)
        kind = type(value)
        if kind in _PLAIN or depth > _DEEPEST:
            return value
        if isinstance(value, (list, tuple)) or kind.__name__ == "deque":
            self._spend(len(value))
            return _Parts(kind, [self._copy(one, depth + 1) for one in value])
        if isinstance(value, dict):
            self._spend(len(value))
            return _Items(kind, [(key, self._copy(one, depth + 1)) for key, one in dict.items(value)])
        if isinstance(value, (set, bytearray)) or kind.__name__ in ("array", "ndarray", "DataFrame", "Series"):
            return self._copied_whole(value, kind)
        if kind.__module__ == MAIN and isinstance(getattr(value, "__dict__", None), dict):
            return _Attributes(self._copy(value.__dict__, depth + 1))
        return value

    def _copied_whole(self, value, kind):
        if isinstance(value, set):
            self._spend(len(value))
            return _Whole(kind, set(value), set.__eq__)
        if kind.__name__ in ("DataFrame", "Series"):
            self._spend(value.size)
            return _Whole(kind, value.copy(), kind.equals)
        size = getattr(value, "nbytes", None) or len(value) * getattr(value, "itemsize", 1)
        self._spend(size * _MOST_PARTS // _MOST_BYTES)
        if kind.__name__ == "ndarray":
            return value if value.dtype.hasobject else _Whole(kind, value.tobytes(), lambda old, new: old == new.tobytes())
        return _Whole(kind, bytes(memoryview(value)), lambda old, new: old == bytes(memoryview(new)))

    def changed(self, names):
        """Those of the notebook's names that have another value now, in `names`, or one that is not what it was. Asked
        once: it lets go of the values, because others want to know who refers to them."""
        values, self._values = self._values, {}
        return [name for name, (value, copy) in values.items() if name in names and _differs(value, copy, names[name])]


class _Outline:
    """What a quick look at large data tells: its length, and what `look` gives."""

    def __init__(self, value, look):
        self._kind, self._length, self._look = type(value), len(value), look
        self._seen = look(value)

    def fits(self, value):
        if type(value) is not self._kind or len(value) != self._length:
            return False
        new = self._look(value)
        return all(map(_fits, self._seen, new)) if self._kind is list else self._seen == new


def _outline(value):
    kind = type(value)
    if kind is list:
        step = len(value) // _FEW + 1
        return _Outline(value, lambda large: large[::step])
    if kind.__name__ == "ndarray" and not value.dtype.hasobject:
        step = value.size // _FEW + 1
        return _Outline(value, lambda large: large.flat[::step].tobytes())
    if kind.__name__ == "DataFrame":
        return _Outline(value, lambda large: tuple(large.columns))
    return _Outline(value, lambda large: None) if isinstance(value, (dict, set, bytearray)) else None


class _Parts:
    def __init__(self, kind, parts):
        self._kind, self._parts = kind, parts

    def fits(self, value):
        return type(value) is self._kind and len(value) == len(self._parts) and all(map(_fits, self._parts, value))


class _Items(_Parts):
    def fits(self, value):
        if type(value) is not self._kind or dict.__len__(value) != len(self._parts):
            return False
        return all((key is other or key == other) and _fits(part, one)
                   for (key, part), (other, one) in zip(self._parts, dict.items(value)))


class _Attributes:
    """An object with these; what it keeps for a `cached_property` does not count."""

    def __init__(self, attributes):
        self._names = {name for name, _ in attributes._parts}
        self._attributes = attributes

    def fits(self, value):
        kind = type(value)
        return self._attributes.fits({name: one for name, one in value.__dict__.items()
                                      if name in self._names or not hasattr(kind, name)})


class _Whole:
    def __init__(self, kind, copy, equal):
        self._kind, self._copy, self._equal = kind, copy, equal

    def fits(self, value):
        return type(value) is self._kind and self._equal(self._copy, value) is True


def _fits(copy, value):
    if isinstance(copy, (_Parts, _Attributes, _Whole, _Outline)):
        return copy.fits(value)
    # A number that has been computed anew is the same number; NaN is not even equal to itself.
    return copy is value or type(copy) is type(value) and ((copy == value) is True or copy != copy and type(copy) is float)


def _differs(value, copy, current):
    try:
        if copy is None:
            return current is not value and not _fits(value, current)
        return not _fits(copy, current)
    except Exception:
        return False


def _copied():
    """Its type is that of functions."""


def with_changes(data, names):
    """The pickle `data`, followed by what `changes_in` reads. Picklers stop before."""
    text = ",".join(names).encode()
    return b"".join((data, text, len(text).to_bytes(4, "little"), _END))


def changes_in(data):
    end = memoryview(data)
    if len(end) < len(_END) + 4 or end[-len(_END):] != _END:
        return []
    size = int.from_bytes(end[-len(_END) - 4:-len(_END)], "little")
    return bytes(end[-len(_END) - 4 - size:-len(_END) - 4]).decode().split(",")
