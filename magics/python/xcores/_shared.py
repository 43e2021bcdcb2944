# SPDX-License-Identifier: BSD-3-Clause
"""Large data that belongs to somebody else: what it looks like where it arrives.

Part of the worker, and of the notebook: see `_worker`, in front of which its source is executed.
"""

try:
    from _pickle import PickleBuffer
except ImportError:
    from pickle import PickleBuffer

_SHARED = 1 << 20
"""From this size on bytes arrive as views: below, the copy is cheaper than what a view costs with each use."""
_WRITABLE = 1
"""inspect.BufferFlags.WRITABLE"""


def make_text(buffer):
    return str(buffer, "utf-8", "surrogatepass")


def make_bytes(buffer):
    view = memoryview(buffer)
    return shared_bytes(view.toreadonly()) if view.nbytes >= _SHARED else bytes(view)


def make_real_bytes(buffer):
    """For code that insists on them."""
    return bytes(buffer)


def make_bytearray(buffer):
    return shared_bytearray(buffer) if memoryview(buffer).nbytes >= _SHARED else bytearray(buffer)


def make_real_bytearray(buffer):
    return bytearray(buffer)


def make_array(typecode, buffer):
    view = memoryview(buffer).cast("B")
    if view.nbytes < _SHARED or typecode in "uw":
        return _array_of(typecode, view)
    return shared_array(view.cast(typecode))


def _array_of(typecode, view):
    from array import array

    values = array(typecode)
    values.frombytes(view)
    return values


def owner_of(view):
    """The object whose memory a view shows, at the end of all views of views."""
    while type(view) is memoryview:
        view = view.obj
    return view


def is_lent(view):
    """Whether it is read-only because its memory is the notebook's, where it may change."""
    owner = owner_of(view)
    return type(owner).__module__ == "_xcores" and not owner.constant and memoryview(owner).readonly


def make_view(buffer, form, shape):
    view = memoryview(buffer).cast("B")
    return view.cast(form) if len(shape) == 1 else view.cast(form, shape)


def make_numpy(buffer, dtype, shape, order):
    from numpy import ndarray

    return ndarray(shape, dtype, buffer, order=order)


class _Shared:
    """Large data of somebody else, looked at where it is. Behaves as the type it stands for, except for `type()` itself.

    What only looks (length, items, slices, iteration, the buffer protocol) costs no copy. The first thing that needs
    more makes a copy of one's own, once.
    """

    __slots__ = ("_view", "_own", "__weakref__")
    _type = bytes
    _of_view = frozenset({"nbytes", "tolist", "hex"})

    def __init__(self, view):
        self._view = memoryview(view)
        self._own = None

    __class__ = property(lambda self: self._type)

    def _now(self):
        return self._view if self._own is None else self._own

    def _copy_of(self, view):
        return self._type(view)

    def _whole(self):
        if self._own is None:
            self._own = self._copy_of(self._view)
        return self._own

    def __getattr__(self, name):
        return getattr(self._view if self._own is None and name in self._of_view else self._whole(), name)

    def __len__(self):
        return len(self._now())

    def __iter__(self):
        return iter(self._now())

    def __getitem__(self, at):
        part = self._now()[at]
        if self._own is not None or not isinstance(at, slice):
            return part
        return type(self)(part) if part.nbytes >= _SHARED and part.c_contiguous else self._copy_of(part)

    def __buffer__(self, flags):
        return memoryview(self._whole() if flags & _WRITABLE and self._type is not bytes else self._now())

    def __reduce_ex__(self, protocol):
        return _maker_of[self._type], (PickleBuffer(self._now()),)

    def __copy__(self):
        return self._copy_of(self._now())

    def __deepcopy__(self, memo):
        return self._copy_of(self._now())


def _plain(value):
    return value._whole() if issubclass(type(value), _Shared) else value


def _delegate(*names):
    def delegated(name):
        def method(self, *arguments):
            return getattr(self._whole(), name)(*map(_plain, arguments))

        method.__name__ = name
        return method

    for name in names:
        setattr(_Shared, name, delegated(name))


_delegate("__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__", "__add__", "__mul__", "__rmul__", "__contains__",
          "__repr__", "__str__", "__format__", "__dir__", "__sizeof__")


class shared_bytes(_Shared):
    __slots__ = ()

    def __hash__(self):
        return hash(self._now())

    def __bytes__(self):
        return bytes(self._whole())

    def __mod__(self, values):
        return self._whole() % values

    def decode(self, encoding="utf-8", errors="strict"):
        return str(self._now(), encoding, errors)


class _SharedUntilWritten(_Shared):
    """Stands for a type that can be changed: the first change is made in a copy of one's own."""

    __slots__ = ()
    __hash__ = None

    def __setitem__(self, at, value):
        self._whole()[at] = value

    def __delitem__(self, at):
        del self._whole()[at]

    def __iadd__(self, more):
        self._own = self._whole()
        self._own += more
        return self

    def __imul__(self, times):
        self._own = self._whole()
        self._own *= times
        return self


class shared_bytearray(_SharedUntilWritten):
    __slots__ = ()
    _type = bytearray

    def __mod__(self, values):
        return self._whole() % values

    def decode(self, encoding="utf-8", errors="strict"):
        return str(self._now(), encoding, errors)


class shared_array(_SharedUntilWritten):
    __slots__ = ()
    _of_view = frozenset({"itemsize", "tobytes", "tolist"})

    @property
    def _type(self):
        from array import array

        return array

    @property
    def typecode(self):
        return self._view.format

    def _copy_of(self, view):
        return _array_of(self.typecode, view.cast("B") if view.c_contiguous else view.tobytes())

    def __reduce_ex__(self, protocol):
        return make_array, (self.typecode, PickleBuffer(self._now()))


_maker_of = {bytes: make_bytes, bytearray: make_bytearray}


_shortener = None


def short_repr(value):
    """The repr of anything, cut short, and cheap also for what is large."""
    global _shortener
    if _shortener is None:
        import reprlib

        _shortener = reprlib.Repr(maxstring=72, maxother=72, maxlong=60, maxlevel=4)
        for kind in ("bytes", "bytearray", "shared_bytes", "shared_bytearray"):
            setattr(_shortener, f"repr_{kind}", _short_bytes)
    return _shortener.repr(value)


def _short_bytes(value, level):
    # By itself it would write all of it, and cut afterwards.
    return repr(value) if len(value) <= 72 else repr(value[:72]) + "…"
