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

MAIN = "__main__"
RESULT = "_xcores_result"
"""The cell is compiled so that the value of its last expression is bound to this name."""
_LARGE = 1 << 16
_SCALARS = frozenset({int, float, bool, type(None)})
_PLACES = ("xcores._transfer", "xcores_worker")
"""The names of this module here and in a worker."""


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


def make_array(typecode, buffer):
    from array import array

    values = array(typecode)
    values.frombytes(memoryview(buffer).cast("B"))
    return values


def buffer_reducers():
    """Reducers that hand large data over beside the pickle instead of copying it in."""
    reducers = {memoryview: _reduce_view}
    if "array" in sys.modules:
        reducers[sys.modules["array"].array] = _reduce_array
    return reducers


def _reduce_view(view):
    if not view.c_contiguous or len(view.format) != 1 or not view.nbytes:
        return memoryview, (view.tobytes(),)
    return make_view, (PickleBuffer(view), view.format, view.shape)


def _reduce_array(values):
    return make_array, (values.typecode, PickleBuffer(values))


class large:
    """Wraps large bytes for a pickler, which would copy them in. Anything else comes back as it is."""

    def __new__(cls, value):
        if type(value) not in (bytes, bytearray) or len(value) < _LARGE:
            return value
        wrapped = super().__new__(cls)
        wrapped.value = value
        return wrapped

    def __reduce__(self):
        return type(self.value), (PickleBuffer(self.value),)


def dumped(value, classes=(), token=""):
    """`value` as (data, buffers). Raises where it cannot be pickled.

    `classes` are those of the cell: they go by value, under one identity for all workers that share `token`, so that
    the results of several workers are of one type in the notebook.
    """
    plain = dumped_plainly(value)
    if plain is not None:
        return plain
    # Only classes and functions of the cell are worth this import.
    import cloudpickle

    _name_classes(cloudpickle.cloudpickle, classes, token)
    return _dumped_by(cloudpickle.Pickler, cloudpickle.Pickler.dispatch_table, value)


def dumped_plainly(value):
    """`value` as (data, buffers) where that needs nothing of the notebook or the cell, else None."""
    if type(value) in _SCALARS:
        return dumps(value, 5), []
    from copyreg import dispatch_table

    try:
        data, buffers = _dumped_by(Pickler, dispatch_table, value)
    except Exception:
        return None
    return None if MAIN.encode() in data else (data, buffers)


def _dumped_by(pickler_type, dispatch_table, value):
    from io import BytesIO

    stream = BytesIO()
    buffers = []
    pickler = pickler_type(stream, protocol=5, buffer_callback=buffers.append)
    pickler.dispatch_table = {**dispatch_table, **buffer_reducers()}
    pickler.dump(large(value))
    return stream.getvalue(), [one.raw() for one in buffers]


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
