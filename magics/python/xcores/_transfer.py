# SPDX-License-Identifier: BSD-3-Clause
"""How values travel between the notebook and its workers: pickles, with large data beside them.

Runs on both sides. Own interpreters and processes execute its source in front of that of `_worker`, in one module;
there the package `xcores` is not imported, so this file imports next to nothing.
"""

import sys

try:
    # The C half alone: the module `pickle` brings `re` and `struct`, ten milliseconds for each new interpreter.
    from _pickle import Pickler, Unpickler, dumps
except ImportError:
    from pickle import Pickler, Unpickler, dumps

if __name__ == "xcores._transfer":
    from xcores._ctypes_types import (  # noqa: F401 (pickles name them)
        fill_ctypes_class,
        make_array_type,
        make_ctypes_class,
        make_pointer_type,
        reduce_ctypes_type,
    )
    from xcores._definitions import (  # noqa: F401 (pickles name them)
        Classes,
        OwnClasses,
        definition_pickler,
        fill_function,
        fill_generic,
        filled_where_new,
        found_or_made,
        make_alias,
        make_alias_of,
        make_cached,
        make_cell,
        make_code,
        make_function,
        make_generic,
        make_instance,
        make_module,
        make_named,
        make_new_type,
        make_parameter,
        make_partial_method,
        with_version,
        without_hooks,
    )
    from xcores._generators import module_attribute  # noqa: F401 (pickles name it)
    from xcores._reducing import Pieces, Reductions, beside, reducers_for, watching
    from xcores._shared import (  # noqa: F401 (pickles name them)
        make_array,
        make_bytearray,
        make_bytes,
        make_numpy,
        make_real_bytearray,
        make_real_bytes,
        make_text,
        make_view,
        owner_of,
    )

MAIN = "__main__"
RESULT = "_xcores_result"
"""The cell is compiled so that the value of its last expression is bound to this name."""
_SCALARS = frozenset({int, float, bool, type(None)})
_PLACES = ("xcores._transfer", "xcores._shared", "xcores._ctypes_types", "xcores._definitions", "xcores._generators",
           "xcores._calls", "xcores_worker")
"""The names of this module and its neighbours here, and of all in a worker."""


_own_classes = OwnClasses() if __name__ == "xcores._transfer" else None
_WRAPPED = {
    "_function_setstate": lambda found, classes: with_version(found),
    "_make_skeleton_class": lambda found, classes: found_or_made(without_hooks(found), 4, classes),
    "_make_skeleton_enum": lambda found, classes: found_or_made(found, 5, classes),
    "_class_setstate": filled_where_new,
    "make_ctypes_class": lambda found, classes: found_or_made(found, 3, classes),
    "fill_ctypes_class": filled_where_new,
}
"""Of what pickles name, that which makes and fills functions and classes: what to have instead of it."""


class Reader(Unpickler):
    """Reads what `dumped` and `capture` write. The pickled name `namespace` means the globals given here."""

    def __init__(self, stream, buffers=(), scope=None, classes=None):
        """`classes`: those of the notebook that the globals have already. The notebook needs none: it knows its own."""
        super().__init__(stream, buffers=buffers)
        self._scope = scope
        self._classes = classes or _own_classes or Classes(once=True)

    def find_class(self, module, name):
        if module in _PLACES:
            if name == "namespace":
                return self._own_scope
            found = globals()[name] if name in globals() else _counterpart(name)
        else:
            found = super().find_class(module, name)
            if module != "cloudpickle.cloudpickle":
                return found
        return _WRAPPED[name](found, self._classes) if name in _WRAPPED else found

    def _own_scope(self):
        return self._scope


def _counterpart(name):
    """What the notebook has in place of something of a worker's own."""
    import builtins

    found = getattr(builtins, _COUNTERPARTS.get(name, ""), None)
    if found is None:
        raise AttributeError(f"{name} exists in workers only")
    return found


_COUNTERPARTS = {"_display": "display", "_no_input": "input"}


def notebook_shell():
    """What `get_ipython()` gives in the notebook."""
    return sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None


def namespace():
    """Stands in a pickle for the globals of the worker that reads it; never called."""


def add_name(scope, name, value):
    scope[name] = value


def last_of(*values):
    """The last of `values`, which are rebuilt in their order."""
    return values[-1]


def dumped(value, classes=(), token="", kind="notebook"):
    """`value`, for workers of `kind`, as (data, buffers). Raises where it cannot be pickled.

    `classes` are those of the cell: they go by value, under one identity for all workers that share `token`, so that
    the results of several workers are of one type in the notebook, as far as the definitions are the same.
    """
    plain = dumped_plainly(value, kind)
    if plain is not None:
        return plain
    # Only classes and functions of the cell are worth this import.
    from io import TextIOWrapper

    import cloudpickle

    _name_classes(cloudpickle.cloudpickle, classes, token)
    # cloudpickle would send the contents of an open file, which is hardly what is meant.
    table = {**cloudpickle.Pickler.dispatch_table, TextIOWrapper: refuse}
    pieces = _dumped_by(watching(definition_pickler()), table, value, kind)
    return pieces.getvalue(), pieces.buffers


def dumped_plainly(value, kind="notebook"):
    """`value`, for workers of `kind`, as (data, buffers) where that needs nothing of the notebook or the cell, else None."""
    if type(value) in _SCALARS:
        return dumps(value, 5), []
    from copyreg import dispatch_table

    try:
        pieces = _dumped_by(Pickler, dispatch_table, value, kind)
        if pieces.stands_in and type(value) not in (bytes, bytearray):
            # Again: which of the bytes go to code that insists on real ones is only seen by a pickler that is slower.
            pieces = _dumped_by(watching(Pickler), dispatch_table, value, kind)
    except Exception:
        return None
    data = pieces.getvalue()
    return None if MAIN.encode() in data else (data, pieces.buffers)


def refuse(value):
    raise TypeError(f"cannot pickle {type_name(value)!r} object")


def _dumped_by(pickler_type, dispatch_table, value, kind):
    pieces = Pieces([])
    pickler = pickler_type.__new__(pickler_type)
    pickler.dispatch_table = reducers_for(kind, dispatch_table)  # it is looked for by `__init__`
    if pickler_type is not Pickler:
        pickler.reductions = Reductions(pickler.dispatch_table, pieces)
        pickler.goes_back = kind == "notebook"
    pickler.__init__(pieces, protocol=5, buffer_callback=beside(pieces.buffers))
    pickler.dump(value)
    return pieces


def settled(buffers, goes_on):
    """`buffers`, with copies in place of those that could change: while the code of the worker `goes_on`, all that can
    be written to, afterwards what others refer to as well, such as a module that has kept it. Empties the list."""
    views = [memoryview(one) for one in buffers]
    buffers.clear()
    for place, view in enumerate(views):
        if _is_writable(view) and (goes_on or not _is_alone(view)):
            views[place] = bytearray(view)
    return views


def _is_writable(view):
    """Also a read-only view of something that is, here or in the notebook."""
    owner = owner_of(view)
    if type(owner).__module__ == "_xcores":
        return not owner.constant
    return owner is None or not memoryview(owner).readonly


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
    if names is None:
        return
    for one in classes:
        if one not in names:
            names[one] = f"{token}:{one.__qualname__}"


def type_name(value):
    kind = type(value)
    return kind.__qualname__ if kind.__module__ in ("builtins", MAIN) else f"{kind.__module__}.{kind.__qualname__}"


def refused_extension(error):
    """Says which module refused to load in this interpreter, and why; None where that is not the cause."""
    seen = set()
    while error is not None and id(error) not in seen:  # a chain may lead back to itself
        seen.add(id(error))
        if isinstance(error, ImportError):
            text = str(error)
            if "does not support loading in subinterpreters" in text:
                words = text.rpartition("module ")[2].split()
                return f"{words[0]}, an extension module that does not support interpreters with their own GIL"
            if "more than once per process" in text:
                return f"{_importer(error) or 'a module'}, of which a process can load only one, whatever the interpreter"
        error = error.__cause__ or error.__context__
    return None


def _importer(error):
    """The package whose code was importing; None if that was not code of a module."""
    name, trace = None, error.__traceback__
    while trace is not None:
        name, trace = trace.tb_frame.f_globals.get("__name__"), trace.tb_next
    return name.partition(".")[0] if isinstance(name, str) and name != MAIN else None
