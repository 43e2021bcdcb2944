# SPDX-License-Identifier: BSD-3-Clause
"""How values travel between the notebook and its workers: pickles, with large data beside them.

Runs on both sides. Own interpreters and processes execute its source in front of that of `_worker`, in one module;
there the package `xcores` is not imported, so this file imports next to nothing.
"""

import marshal
import sys

try:
    # The C half alone: the module `pickle` brings `re` and `struct`, ten milliseconds for each new interpreter.
    from _pickle import PickleBuffer, Pickler, Unpickler, dumps
except ImportError:
    from pickle import PickleBuffer, Pickler, Unpickler, dumps

if __name__ == "xcores._transfer":
    from xcores._shared import make_array, make_bytearray, make_bytes, make_text  # noqa: F401 (pickles name them)

MAIN = "__main__"
RESULT = "_xcores_result"
"""The cell is compiled so that the value of its last expression is bound to this name."""
_SCALARS = frozenset({int, float, bool, type(None)})
_LARGE = 1 << 16
"""From this size on data travels beside the pickle. It is the size of a pickle's frame; see `Pieces`."""
_PLACES = ("xcores._transfer", "xcores._shared", "xcores_worker")
"""The names of this module and its neighbour here, and of both in a worker."""


class Reader(Unpickler):
    """Reads what `dumped` and `capture` write. The pickled name `namespace` means the globals given here."""

    def __init__(self, stream, buffers=(), scope=None):
        super().__init__(stream, buffers=buffers)
        self._scope = scope

    def find_class(self, module, name):
        if module not in _PLACES:
            return super().find_class(module, name)
        return self._own_scope if name == "namespace" else globals()[name]

    def _own_scope(self):
        return self._scope


def namespace():
    """Stands in a pickle for the globals of the worker that reads it; never called."""


def add_names(scope, values, value):
    """`value`, after the names that it needs are there."""
    scope.update(values)
    return value


def make_function(code, scope, free):
    cells = tuple(type(_cell())() for _ in range(free))
    return type(make_function)(marshal.loads(code), scope, None, None, cells or None)


def _cell():
    content = None
    return (lambda: content).__closure__[0]


def fill_function(function, state):
    """The second half of `make_function`: all that may refer back to the function itself."""
    for cell, value in zip(function.__closure__ or (), state["closure"]):
        if value:
            cell.cell_contents = value[0]
    function.__dict__.update(state["attributes"])
    for name, value in state["fields"].items():
        setattr(function, name, value)
    if state["annotate"] is not None:
        function.__annotate__ = make_function(state["annotate"], function.__globals__, 0)


def make_cached(function, parameters):
    from functools import lru_cache

    return lru_cache(**parameters)(function)


def make_code(data):
    return marshal.loads(data)


def make_view(buffer, form, shape):
    return memoryview(buffer).cast("B").cast(form, shape)


class Pieces:
    """The file a pickler writes to: what it writes, with large bytes, bytearrays and texts taken out into `buffers`.

    A pickler asks nobody about these types, and would copy them. But it writes what is larger than a frame of the pickle
    by itself, uncopied, right after an opcode with its size; and that opcode is replaced here by one that fetches the
    next buffer. Where a pickler should ever write otherwise, everything stays in the pickle, as usual.
    """

    def __init__(self, buffers):
        self._buffers = buffers
        self._parts = []

    def write(self, part):
        maker, size = self._announced(part)
        if maker is None:
            # A pickler may use the memory of a view again.
            self._parts.append(part if type(part) is bytes else bytes(part))
        else:
            self._parts[-1] = self._parts[-1][:-size] + b"cxcores._transfer\n%s\n\x97\x85R" % maker
            self._buffers.append(part)

    def _announced(self, part):
        if len(part) >= _LARGE and self._parts:
            before = self._parts[-1]
            for opcode, length, maker in _OPCODES:
                if before.endswith(opcode + len(part).to_bytes(8, "little")[:length]):
                    return maker, 1 + length
        return None, 0

    def getvalue(self):
        return b"".join(self._parts)


_OPCODES = ((b"B", 4, b"make_bytes"), (b"\x8e", 8, b"make_bytes"), (b"\x96", 8, b"make_bytearray"),
            (b"X", 4, b"make_text"), (b"\x8d", 8, b"make_text"))
"""Of the pickle protocol: how bytes, bytearrays and texts are announced, by the size of their size."""


def buffer_reducers(kind):
    """Reducers that hand large data over beside the pickle instead of copying it in, for workers of `kind`."""
    reducers = {memoryview: _reduce_view}
    if "array" in sys.modules:
        reducers[sys.modules["array"].array] = _reduce_array
    if kind == "subinterp" and "numpy" in sys.modules:
        reducers[sys.modules["numpy"].ndarray] = _reduce_numpy
    return reducers


def _reduce_view(view):
    if not view.c_contiguous or len(view.format) != 1 or not view.nbytes:
        return memoryview, (view.tobytes(),)
    buffer = PickleBuffer(view) if view.nbytes >= _LARGE else view.tobytes()
    return make_view, (buffer, view.format, view.shape)


def _reduce_array(values):
    large = len(values) * values.itemsize >= _LARGE
    return make_array, (values.typecode, PickleBuffer(values) if large else values.tobytes())


def _reduce_numpy(values):
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


def dumped(value, classes=(), token="", kind="notebook"):
    """`value`, for workers of `kind`, as (data, buffers). Raises where it cannot be pickled.

    `classes` are those of the cell: they go by value, under one identity for all workers that share `token`, so that
    the results of several workers are of one type in the notebook.
    """
    plain = dumped_plainly(value, kind)
    if plain is not None:
        return plain
    # Only classes and functions of the cell are worth this import.
    import cloudpickle

    _name_classes(cloudpickle.cloudpickle, classes, token)
    return _dumped_by(cloudpickle.Pickler, cloudpickle.Pickler.dispatch_table, value, kind)


def dumped_plainly(value, kind="notebook"):
    """`value`, for workers of `kind`, as (data, buffers) where that needs nothing of the notebook or the cell, else None."""
    if type(value) in _SCALARS:
        return dumps(value, 5), []
    from copyreg import dispatch_table

    try:
        data, buffers = _dumped_by(Pickler, dispatch_table, value, kind)
    except Exception:
        return None
    return None if MAIN.encode() in data else (data, buffers)


def _dumped_by(pickler_type, dispatch_table, value, kind="notebook"):
    buffers = []
    stream = Pieces(buffers)
    pickler = pickler_type.__new__(pickler_type)
    pickler.dispatch_table = {**dispatch_table, **buffer_reducers(kind)}  # it is looked for by `__init__`
    pickler.__init__(stream, protocol=5, buffer_callback=lambda buffer: buffers.append(buffer.raw()))
    pickler.dump(value)
    return stream.getvalue(), buffers


def settled(buffers, goes_on):
    """`buffers`, with copies in place of those that could change: while the code of the worker `goes_on`, all that can
    be written to, afterwards what others refer to as well, such as a module that has kept it. Empties the list."""
    views = [memoryview(one) for one in buffers]
    buffers.clear()
    for place, view in enumerate(views):
        if _is_writable(view) and (goes_on or not _is_alone(view)):
            views[place] = bytes(view)
    return views


def _is_writable(view):
    """Also a read-only view of something that is."""
    while type(view) is memoryview:
        view = view.obj
    return view is None or not memoryview(view).readonly


def _is_alone(view):
    """Whether there is no other way to its memory. Of types that may share memory with others, nobody knows."""
    counts, owner = _references(view)
    known = owner is bytearray or owner.__module__ == "array" and owner.__name__ == "array"
    return known and all(count == _ONE for count in counts)


def _references(view):
    """How many refer to each object on the way from `view` to its memory, and the type of the last one."""
    from gc import get_referents

    counts = []
    while type(view) is memoryview:
        shared = get_referents(view)[0]  # by all views that were made of one another
        counts.append(sys.getrefcount(shared))
        del shared
        view = view.obj
        counts.append(sys.getrefcount(view))
    return counts, type(view)


_ONE = max(_references(memoryview(bytearray()))[0])
"""What counting says of an object that only one other refers to."""


def _name_classes(cloudpickle, classes, token):
    # cloudpickle 3 has no public way to say "this class is that class".
    names = getattr(cloudpickle, "_DYNAMIC_CLASS_TRACKER_BY_CLASS", None)
    known = getattr(cloudpickle, "_DYNAMIC_CLASS_TRACKER_BY_ID", None)
    if names is None or known is None:
        return
    for one in classes:
        if one not in names:
            name = f"{token}:{one.__qualname__}"
            names[one] = name
            known[name] = one


def type_name(value):
    kind = type(value)
    return kind.__qualname__ if kind.__module__ in ("builtins", MAIN) else f"{kind.__module__}.{kind.__qualname__}"


def refused_extension(error):
    """Says which module refused to load because this interpreter has its own GIL; None where that is not the cause."""
    while error is not None:
        if isinstance(error, ImportError):
            text = str(error)
            refused = "does not support loading in subinterpreters" in text
            if refused or "more than once per process" in text:
                words = text.rpartition("module ")[2].split() if refused else []
                name = words[0] if words else error.name or "a module"
                return f"{name}, an extension module that does not support interpreters with their own GIL"
        error = error.__cause__ or error.__context__
    return None
