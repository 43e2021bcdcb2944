# SPDX-License-Identifier: BSD-3-Clause
"""How values are taken apart for the journey: large data goes beside the pickle, uncopied where that can be.

Part of the worker, and of the notebook: see `_worker`, in front of which its source is executed.
"""

import sys

try:
    from _pickle import PickleBuffer
except ImportError:
    from pickle import PickleBuffer

if __name__ == "xcores._reducing":
    from xcores._ctypes_types import reduce_ctypes_type
    from xcores._definitions import marked
    from xcores._generators import generator_reducers
    from xcores._shared import _SHARED, is_lent, make_array, make_numpy, make_view

_LARGE = 1 << 16
"""From this size on bytes and texts travel beside the pickle. It is the size of a pickle's frame; see `Pieces`."""


class Pieces:
    """The file a pickler writes to: what it writes, with large bytes, bytearrays and texts taken out into `buffers`.

    A pickler calls no hook for these types, and would copy them. But it passes what is larger than a frame of the pickle
    to `write` separately, uncopied, right after an opcode with its size; that opcode is replaced here by one that fetches
    the next buffer. Should a pickler ever write otherwise, everything stays in the pickle, as usual.
    """

    def __init__(self, buffers):
        self.buffers = buffers
        self.stands_in = False
        """Whether something taken out arrives as a stand-in for bytes or a bytearray,"""
        self.real = {}
        """which these do not, by their identity."""
        self._parts = []

    def write(self, part):
        if type(part) is PickleBuffer:
            part = part.raw()
        maker, size = self._announced(part)
        if maker is None:
            # A pickler may use the memory of a view again.
            self._parts.append(part if type(part) is bytes else bytes(part))
        else:
            if maker is not _TEXT and len(part) >= _SHARED:
                if id(part) in self.real:
                    maker = maker.replace(b"_", b"_real_")
                else:
                    self.stands_in = True
            self._parts[-1] = self._parts[-1][:-size] + b"cxcores._transfer\n%s\n\x97\x85R" % maker
            self.buffers.append(part)

    def _announced(self, part):
        if len(part) >= _LARGE and self._parts:
            before = self._parts[-1]
            for opcode, length, maker in _OPCODES:
                if before.endswith(opcode + len(part).to_bytes(8, "little")[:length]):
                    return maker, 1 + length
        return None, 0

    def getvalue(self):
        return b"".join(self._parts)


_TEXT = b"make_text"
_OPCODES = ((b"B", 4, b"make_bytes"), (b"\x8e", 8, b"make_bytes"), (b"\x96", 8, b"make_bytearray"),
            (b"X", 4, _TEXT), (b"\x8d", 8, _TEXT))
"""Of the pickle protocol: how bytes, bytearrays and texts are announced, by the size of their size."""


def beside(buffers):
    """What a pickler asks about each buffer: large ones go to `buffers`, the others are copied into the pickle, and so
    can be changed where they arrive."""

    def is_copied(buffer):
        view = buffer.raw()
        if view.nbytes >= _SHARED:
            buffers.append(view)
            return False
        return True

    return is_copied


class Reductions:
    """Looks at how objects are reduced, and finds the large bytes that must arrive as real ones: C code insists on them.

    These are the arguments of a reduction, and a state that a `__setstate__` takes. What becomes an attribute or an
    element is a value of the user's own, for which something may stand in.
    """

    def __init__(self, dispatch_table, pieces):
        self._table = dispatch_table
        self._real = pieces.real
        self._plain = {}

    def seen(self, value, reduced):
        """`reduced`, or how `value` is reduced where that is for the pickler to say: what `reducer_override` gives."""
        if reduced is NotImplemented:
            kind = type(value)
            reducer = self._table.get(kind)
            if reducer is None and self._is_plain(kind):
                return reduced
            reduced = value.__reduce_ex__(5) if reducer is None else reducer(value)
        if type(reduced) is tuple and not _is_ours(reduced[0]):
            if not (issubclass(type(value), tuple) or _holds(value)):
                self._note(reduced[1])
            if len(reduced) > 2 and (hasattr(value, "__setstate__") or reduced[0] is not _new_object()):
                self._note(reduced[2])
        return reduced

    def _is_plain(self, kind):
        """Whether the state of such objects is nothing but their attributes."""
        plain = self._plain.get(kind)
        if plain is None:
            plain = self._plain[kind] = (
                issubclass(kind, type) or kind is type(beside) or kind.__module__ in _SMALL
                or all(getattr(kind, name, None) is getattr(object, name, None) for name in _REDUCERS))
        return plain

    def _note(self, part):
        waiting = [part]
        seen = set()
        while waiting:
            part = waiting.pop()
            if isinstance(part, (bytes, bytearray)):
                if len(part) >= _SHARED:
                    self._real[id(part)] = part
            elif type(part) in _CONTAINERS and id(part) not in seen:
                seen.add(id(part))
                inside = part.values() if type(part) is dict else part
                if not set(map(type, inside)).isdisjoint(_NOTED):
                    waiting.extend(inside)


_REDUCERS = ("__reduce_ex__", "__reduce__", "__getstate__", "__setstate__", "__getnewargs__", "__getnewargs_ex__")
_SMALL = frozenset({"datetime", "decimal", "fractions", "uuid", "pathlib"})
"""Modules whose objects have no large state."""
_CONTAINERS = frozenset({tuple, list, dict})
_NOTED = _CONTAINERS | {bytes, bytearray}


def _is_ours(maker):
    # cloudpickle's are Python code that sets attributes.
    module = getattr(maker, "__module__", None)  # None of methods in C
    return isinstance(module, str) and module.startswith(("xcores", "cloudpickle"))


def _holds(value):
    # Whatever its arguments are, it only hands them on.
    return type(value).__name__ == "partial" and type(value).__module__ == "functools"


def _new_object():
    from copyreg import __newobj__

    return __newobj__


_watching = {}


def watching(pickler_type):
    """The type with an attribute `reductions` that each reduction is shown to."""
    made = _watching.get(pickler_type)
    if made is not None:
        return made
    inherited = getattr(pickler_type, "reducer_override", None)

    class Watching(pickler_type):
        def reducer_override(self, value):
            reduced = reduce_ctypes_type(value) if isinstance(value, type) else NotImplemented
            if reduced is NotImplemented and inherited:
                reduced = inherited(self, value)
            if self.goes_back and isinstance(value, type):
                reduced = marked(value, reduced)
            return self.reductions.seen(value, reduced)

    _watching[pickler_type] = Watching
    return Watching


def reducers_for(kind, others):
    """The table `others`, and reducers that hand large data over beside the pickle instead of copying it in, for workers
    of `kind`."""
    reducers = {**others, **generator_reducers(kind, others), memoryview: _reduce_view_plainly if kind == "subinterp" else _reduce_view}
    if "array" in sys.modules:
        reducers[sys.modules["array"].array] = _reduce_array
    if "numpy" in sys.modules:
        reducers[sys.modules["numpy"].ndarray] = _reduce_numpy_to_view if kind == "subinterp" else _reduce_numpy
    return reducers


def _reduce_view(view):
    if (_native_format(view) is None or _is_empty_table(view)) and "numpy" in sys.modules:
        values = _numpy_of(view)
        if values is not None:
            return memoryview, (values,)
    return _reduce_view_plainly(view)


def _reduce_view_plainly(view):
    """For where NumPy does not load."""
    form = _native_format(view)
    if form is None:
        owner = view.obj
        if type(owner).__module__ != "numpy" and _looks_like(view, owner):
            return memoryview, (owner,)
        raise TypeError(f"no view of format {view.format!r} can be made there; send what it is a view of, or its tobytes()")
    if _is_empty_table(view):
        return make_view, (PickleBuffer(b""), form, (0,))
    own = view if view.c_contiguous and not is_lent(view) else bytearray(view)
    return make_view, (PickleBuffer(own), form, view.shape)


def _is_empty_table(view):
    """Nothing can be cast to such a shape."""
    return not view.nbytes and view.ndim != 1


def _numpy_of(view):
    """An array of which this is the view; None: there cannot be any."""
    from numpy import asarray, ndarray

    if type(view.obj) is ndarray and view.c_contiguous and _looks_like(view, view.obj):
        return view.obj
    try:
        values = asarray(view)
    except (ValueError, TypeError, RuntimeError):
        return None
    if not _looks_like(view, values):
        return None
    return values if values.flags.c_contiguous else values.copy("C")  # or it would be pickled in native byte order


def _looks_like(view, owner):
    try:
        whole = memoryview(owner)
    except (TypeError, BufferError, ValueError):
        return False
    return all(getattr(view, name) == getattr(whole, name) for name in ("format", "shape", "strides", "readonly"))


def _native_format(view):
    """What to cast a view of its bytes to; None where that cannot be."""
    form = view.format.lstrip("@=<")
    try:
        return form if memoryview(b"").cast(form).itemsize == view.itemsize else None
    except ValueError:
        return None


def _reduce_array(values):
    return make_array, (values.typecode, PickleBuffer(values))


def _reduce_numpy(values):
    """What NumPy cannot hand over as a buffer (slices, dates), it copies into the pickle, as bytes."""
    if values.nbytes < _SHARED or values.dtype.hasobject:
        return values.__reduce_ex__(5)
    flags = values.flags
    order = "F" if flags.f_contiguous and not flags.c_contiguous else "C"
    flat = (values if flags.forc else values.copy("C")).reshape(-1, order=order)
    return make_numpy, (PickleBuffer(flat.view("u1")), values.dtype, values.shape, order)


def _reduce_numpy_to_view(values):
    """NumPy does not load in interpreters with their own GIL: there it is a memoryview with shape and format."""
    try:
        view = memoryview(values if values.flags.c_contiguous else values.copy("C"))
    except (ValueError, TypeError, BufferError):
        return values.__reduce_ex__(5)
    if len(view.format) != 1 or view.format == "O" or type(values).__name__ != "ndarray":
        return values.__reduce_ex__(5)
    if not view.nbytes:
        return memoryview, (b"",)
    return make_view, (PickleBuffer(view), view.format, view.shape)
