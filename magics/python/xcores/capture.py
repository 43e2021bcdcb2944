# SPDX-License-Identifier: BSD-3-Clause
"""Sends along what a cell needs of the notebook: the names it uses, and the names which the functions it uses use.

All of it shares one set of globals in the worker, as it did in the notebook. It is pickled once for all workers, name
by name, so that an object which cannot be sent is reported under its name; large data travels beside the pickle,
uncopied. Threads get the objects themselves.
"""

import functools
import importlib
import io
import linecache
import marshal
import sys
import types
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from xcores import _transfer
from xcores._transfer import RESULT
from xcores.names import CellNames, names_of_code
from xcores.plan import plan_text

_CACHED = functools._lru_cache_wrapper

PREDEFINED = frozenset({"worker", "workers", "input", "exit", "quit", "get_ipython", RESULT})
"""What a worker defines by itself, whatever the notebook has under these names."""


class Unsendable(Exception):
    """A name the cell needs holds something that exists in the notebook only."""

    def __init__(self, name: str, value: object, reason: str, user: str | None) -> None:
        used = f" (used by `{user}`)" if user else ""
        kind = _transfer.type_name(value)
        article = "an" if kind[0] in "aeiouAEIOU" else "a"
        super().__init__(f"`{name}`{used}: it is {article} {kind}, and exists in the notebook only ({reason})")
        self.name = name


@dataclass(frozen=True, slots=True)
class Notebook:
    """What `capture` may know of the notebook."""

    names: dict[str, Any]
    hidden: Mapping[str, Any]
    """What IPython itself put among the names; not the user's, so not sent."""
    label: Callable[[str], str | None]
    """File name of a code object -> what to call it in tracebacks ("Cell In[3]"), or None to leave it."""
    predefined: frozenset[str] = PREDEFINED

    def has(self, name: str) -> bool:
        if name not in self.names or name in self.predefined or (name.startswith("__") and name.endswith("__")):
            return False
        value = self.names[name]
        if name in self.hidden and self.hidden[name] is value:
            return False
        return not (name == "display" and getattr(value, "__module__", "").startswith("IPython"))


def shared_values(names: CellNames, notebook: Notebook) -> dict[str, Any]:
    """For threads: the objects themselves. What functions use, they find in their own globals."""
    return {name: notebook.names[name] for name in (*names.needed, *names.optional) if notebook.has(name)}


class Capture:
    """The names that a cell needs, or a function with the names it needs, pickled."""

    def __init__(self, names: CellNames, notebook: Notebook, kind: str,
                 function: Callable[..., Any] | None = None) -> None:
        """`function` comes first in the pickle, before the names. *Failure*: `Unsendable`; what pickling raises."""
        self.kind = kind
        self.notebook = notebook
        self.cell = names
        self.names: list[str] = []
        self.buffers: list[Any] = []
        """Objects with the buffer protocol."""
        self.sources: dict[str, str] = {}
        self.labels: dict[str, str] = {}
        self._stream = _transfer.Pieces(self.buffers)
        self._pickler = _pickler_type()(self._stream, self)
        self._attributes = set(names.attributes)
        self._waiting: dict[str, tuple[str | None, bool]] = {}
        if function is not None:
            self._pickler.dump(function)
        for name in names.needed:
            self.ask(name, None)
        for name in names.optional:
            self.ask(name, None, optional=True)
        while self._waiting:
            name, (user, optional) = next(iter(self._waiting.items()))
            del self._waiting[name]
            self._add(name, user, optional)
        self.submodules = list(self._submodules())
        self.data = self._stream.getvalue()
        del self._pickler  # it knows this object and keeps all that it has seen

    def ask(self, name: str, user: str | None, *, optional: bool = False) -> None:
        """Have `name` sent, on behalf of the function `user`."""
        # A name that the cell makes itself is there when the cell calls the function; the notebook's one is a stopgap.
        optional = optional or (user is not None and name in self.cell.bound)
        if name in self.names or not self.notebook.has(name):
            return
        known = self._waiting.get(name)
        if known is None or (known[1] and not optional):
            self._waiting[name] = (user, optional)

    def add_code(self, code: types.CodeType, user: str) -> None:
        """Have all that the code of the function `user` needs sent."""
        names = names_of_code(code)
        for name in names.reads:
            self.ask(name, user)
        for name in names.annotations:
            self.ask(name, user, optional=True)
        self._attributes.update(_attributes_of(code))
        filename = code.co_filename
        if filename not in self.sources:
            self.sources[filename] = "".join(linecache.getlines(filename))
            label = self.notebook.label(filename)
            if label is not None:
                self.labels[filename] = label

    def _add(self, name: str, user: str | None, optional: bool) -> None:
        value = self.notebook.names[name]
        if optional and not self._is_sendable(value):
            return
        self.names.append(name)
        try:
            self._pickler.dump(value)
        except Exception as error:
            raise Unsendable(name, value, _reason(error), user) from error

    def _is_sendable(self, value: Any) -> bool:
        class Nothing:
            add_code = staticmethod(lambda code, user: None)
            notebook = self.notebook
            kind = self.kind
            buffers: list[Any] = []

        try:
            _pickler_type()(_transfer.Pieces(Nothing.buffers), Nothing).dump(value)
        except Exception:
            return False
        return True

    def _submodules(self) -> Iterator[str]:
        """Submodules reached as attributes (`concurrent.futures`): importing the package may not bring them."""
        values = (self.notebook.names[name] for name in self.names)
        packages = {one.__name__ for one in values if isinstance(one, types.ModuleType) and hasattr(one, "__path__")}
        loaded = list(sys.modules) if packages else []
        for package in sorted(packages):
            inside = (name for name in loaded if name.startswith(f"{package}."))
            yield from (name for name in inside if self._attributes.issuperset(name[len(package) + 1:].split(".")))


def _attributes_of(code: types.CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _attributes_of(constant)


def _reason(error: Exception) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__


def _refuse_file(file: object) -> Any:
    raise TypeError(f"cannot pickle {_transfer.type_name(file)!r} object")


def _pickler_type() -> type:
    """cloudpickle's pickler, writing functions and modules such that a worker can do without cloudpickle."""
    global _cached_pickler_type
    if _cached_pickler_type is not None:
        return _cached_pickler_type
    import cloudpickle

    class CellPickler(cloudpickle.Pickler):
        # cloudpickle would send the contents of an open file, which is hardly what is meant.
        dispatch_table = {**cloudpickle.Pickler.dispatch_table, io.TextIOWrapper: _refuse_file,
                          types.CodeType: lambda code: (_transfer.make_code, (marshal.dumps(code),))}

        def __init__(self, stream: _transfer.Pieces, capture: Any) -> None:
            # First: a pickler looks for it when it is made.
            self.dispatch_table = {**type(self).dispatch_table, **_transfer.buffer_reducers(capture.kind)}
            super().__init__(stream, protocol=5, buffer_callback=lambda buffer: capture.buffers.append(buffer.raw()))
            self.capture = capture
            self.scope = _Scope()
            self.globals_ref[id(capture.notebook.names)] = self.scope

        def reducer_override(self, value: Any) -> Any:
            kind = type(value)
            if kind is types.FunctionType and value.__globals__ is self.capture.notebook.names:
                self.capture.add_code(value.__code__, value.__qualname__)
                return _reduced_function(value, self.scope)
            if kind is _CACHED and value.__module__ == _transfer.MAIN:
                # It would be pickled by reference, and the worker's `__main__` does not have it yet.
                return _transfer.make_cached, (value.__wrapped__, value.cache_parameters())
            if kind is types.ModuleType and sys.modules.get(value.__name__) is value:
                return importlib.import_module, (value.__name__,)
            return super().reducer_override(value)

    _cached_pickler_type = CellPickler
    return CellPickler


_cached_pickler_type: type | None = None


class _Scope:
    """The globals of the notebook, which in a worker are those of the cell."""

    def __reduce__(self) -> tuple[Any, ...]:
        return _transfer.namespace, ()


def _reduced_function(function: types.FunctionType, scope: _Scope) -> tuple[Any, ...]:
    cells = function.__closure__ or ()
    annotate = function.__annotate__
    plain = isinstance(annotate, types.FunctionType) and annotate.__closure__ is None
    fields = {name: getattr(function, name) for name in
              ("__name__", "__qualname__", "__module__", "__doc__", "__defaults__", "__kwdefaults__")}
    state = {
        "closure": [_contents(cell) for cell in cells],
        "attributes": dict(function.__dict__),
        "fields": fields,
        "annotate": marshal.dumps(annotate.__code__) if plain else None,
    }
    return (_transfer.make_function, (marshal.dumps(function.__code__), scope, len(cells)), state, None, None,
            _transfer.fill_function)


def _contents(cell: types.CellType) -> tuple[Any, ...]:
    try:
        return (cell.cell_contents,)
    except ValueError:  # not bound yet
        return ()


class _Asked:
    """Stands for a capture where it is only asked which names of the notebook a value needs."""

    def __init__(self, notebook: Notebook, kind: str) -> None:
        self.notebook = notebook
        self.kind = kind
        self.names: dict[str, None] = {}
        self.buffers: list[Any] = []

    def add_code(self, code: types.CodeType, user: str) -> None:
        names = names_of_code(code)
        self.names.update(dict.fromkeys((*names.reads, *names.annotations)))


class _WithNames:
    """A value, and names of the notebook that have to be there with it."""

    def __init__(self, values: dict[str, Any], value: Any, scope: _Scope) -> None:
        self.parts = scope, values, value

    def __reduce__(self) -> tuple[Any, ...]:
        return _transfer.add_names, self.parts


def item_input(value: Any, notebook: Notebook, sent: Collection[str], kind: str) -> tuple[bytes, list[Any]]:
    """One item of a mapped cell, for workers of `kind` that have the names `sent` already.

    *Failure*: whatever refuses to be pickled.
    """
    plain = _transfer.dumped_plainly(value, kind)
    if plain is not None:
        return plain
    data, asked = _asked(value, notebook, kind)
    missing = [name for name in asked.names if name not in sent and notebook.has(name)]
    if missing:
        names = Capture(CellNames(needed=dict.fromkeys(missing)), notebook, kind).names
        together = _WithNames({name: notebook.names[name] for name in names}, value, _Scope())
        data, asked = _asked(together, notebook, kind)
    return data, asked.buffers


def _asked(value: Any, notebook: Notebook, kind: str) -> tuple[bytes, _Asked]:
    asked = _Asked(notebook, kind)
    stream = _transfer.Pieces(asked.buffers)
    _pickler_type()(stream, asked).dump(value)
    return stream.getvalue(), asked


def worker_input(plan: dict[str, Any], capture: Capture) -> tuple[bytes, list[Any]]:
    """What `_worker.prepare` reads: the plan, then the names one after the other."""
    return plan_text(plan, capture.names, capture.submodules) + capture.data, capture.buffers
