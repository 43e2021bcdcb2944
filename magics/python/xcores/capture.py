# SPDX-License-Identifier: BSD-3-Clause
"""Sends along what a cell needs of the notebook: the names it uses, and the names which the functions it uses use.

All of it shares one set of globals in the worker, as it did in the notebook. It is pickled once for all workers, name
by name, so that an object which cannot be sent is reported under its name; large data travels beside the pickle,
uncopied. Threads get the objects themselves.
"""

import copyreg
import importlib
import inspect
import io
import linecache
import marshal
import sys
import types
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from xcores import _transfer
from xcores._transfer import RESULT
from xcores.names import CellNames, names_of_code
from xcores.plan import plan_text
from xcores.reducing import Scope, evaluation_of_alias, is_annotate, reduced_function, with_annotations

_FRONT_END = frozenset({"display", "input", "exit", "quit", "get_ipython"})
"""A worker has its own, unless the notebook has put something else there."""
_OF_MODULE = frozenset({
    "__annotate__", "__annotate_func__", "__annotations__", "__builtin__", "__builtins__", "__cached__",
    "__conditional_annotations__", "__debug__", "__doc__", "__lazy_modules__", "__loader__", "__name__", "__package__",
    "__path__", "__spec__"})
"""What Python itself puts among the names of a module."""


class Unsendable(Exception):
    """A name the cell needs holds something that exists in the notebook only."""

    def __init__(self, name: str, value: object, reason: str, user: str | None) -> None:
        used = f" (used by `{user}`)" if user else ""
        kind = _transfer.type_name(value)
        article = "an" if kind[0] in "aeiouAEIOU" else "a"
        # Only of what itself refuses: a function or a list can be sent, were it not for what it refers to.
        alone = type(value) is not types.FunctionType and type(value).__name__ in reason
        why = "and exists in the notebook only" if alone else "and cannot be pickled"
        super().__init__(f"`{name}`{used}: it is {article} {kind}, {why} ({reason})")
        self.name = name


@dataclass(frozen=True, slots=True)
class Notebook:
    """What `capture` may know of the notebook."""

    names: dict[str, Any]
    hidden: Mapping[str, Any]
    """What IPython itself put among the names; not the user's, so not sent."""
    label: Callable[[str], str | None]
    """File name of a code object -> what to call it in tracebacks ("Cell In[3]"), or None to leave it."""
    injected: tuple[str, ...] = ()
    """Names that a worker gives to the cell. Functions of the notebook do not see them."""

    def has(self, name: str) -> bool:
        if name not in self.names or name == RESULT or name in _OF_MODULE:
            return False
        value = self.names[name]
        if name in self.hidden and self.hidden[name] is value:
            return False
        return name not in _FRONT_END or not callable(value) or getattr(value, "__module__", None) == _transfer.MAIN

    def gives(self, name: str) -> bool:
        """Whether a cell that reads `name` means the notebook's."""
        return name not in self.injected and self.has(name)

    def keeps(self, functions_read: Collection[str], *, items: bool) -> bool:
        """Whether functions of the notebook that the cell or its `items` may call read a name that is injected."""
        if any(name in functions_read for name in self.injected):
            return True
        return items and (any(map(self.has, self.injected)) or any(map(self._reads_injected, list(self.names.values()))))

    def _reads_injected(self, value: object) -> bool:
        if type(value) is not types.FunctionType or value.__globals__ is not self.names:
            return False
        mentioned = set(_attributes_of(value.__code__))
        return any(name in mentioned and name in names_of_code(value.__code__).reads for name in self.injected)


def labeller(shell: Any) -> Callable[[str], str | None]:
    """What a shell of IPython calls its cells in tracebacks."""
    def label(filename: str) -> str | None:
        known = shell.compile.format_code_name(filename)
        return " ".join(known) if known else None

    return label


def shared_values(names: CellNames, notebook: Notebook) -> dict[str, Any]:
    """For threads: the objects themselves. What functions use, they find in their own globals."""
    return {name: notebook.names[name] for name in (*names.needed, *names.optional) if notebook.gives(name)}


class Capture:
    """The names that a cell needs, or a function with the names it needs, pickled."""

    by_name = False

    def __init__(self, names: CellNames, notebook: Notebook, kind: str, function: Callable[..., Any] | None = None,
                 by_value: Collection[str] = ()) -> None:
        """`function` comes first in the pickle, before the names. What belongs to the modules `by_value` is sent as what
        belongs to the notebook is. *Failure*: `Unsendable`; what pickling raises."""
        self.kind = kind
        self.by_value = by_value
        self.notebook = notebook
        self.cell = names
        self._take(function, ())
        order = self._better_order()
        if order:
            self._take(function, order)
        self.submodules = list(self._submodules())
        self.data = self._stream.getvalue()
        del self._pickler  # it knows this object and keeps all that it has seen

    def _take(self, function: Callable[..., Any] | None, order: Collection[str]) -> None:
        """Pickle all that is needed. `order`: what comes first of it."""
        names = self.cell
        self.names: list[str] = []
        self.buffers: list[Any] = []
        """Objects with the buffer protocol."""
        self.sources: dict[str, str] = {}
        self.labels: dict[str, str] = {}
        self.read: set[str] = set()
        """The global names that the code of the notebook's functions reads."""
        self.functions: list[types.FunctionType] = []
        """Those that go by value."""
        self._stream = _transfer.Pieces(self.buffers)
        self._pickler = _pickler_type()(self._stream, self)
        self._attributes = set(names.attributes)
        self._waiting: dict[str, tuple[str | None, bool]] = {}
        self._needs: dict[str | None, dict[str, None]] = {}
        """The names that functions use, by the name they came with; None: the function that comes first."""
        self._running: dict[str, None] = {}
        """The names whose values run code of the notebook when they are rebuilt."""
        self._under_way: str | None = None
        if function is not None:
            self._pickler.dump(function)
        for name in order:
            self._add(name, None, optional=False)
        for name in names.needed:
            self.ask(name, None)
        for name in names.optional:
            self.ask(name, None, optional=True)
        while self._waiting:
            name, (user, optional) = next(iter(self._waiting.items()))
            del self._waiting[name]
            self._add(name, user, optional)

    def _better_order(self) -> list[str]:
        """The names in an order in which those that run code when they are rebuilt come after what that may use. Empty:
        they are already."""
        first = next((place for place, name in enumerate(self.names) if name in self._running), len(self.names))
        used = {name for needed in self._needs.values() for name in needed}
        if used.isdisjoint(self.names[first + 1:]):
            return []
        order = [name for name in self.names if name not in self._running]
        sources: tuple[str | None, ...] = (None, *order)
        waiting = [*(name for source in sources for name in self._needs.get(source, ())), *self._running]
        seen: set[str] = set()
        while waiting:
            name = waiting[0]
            if name not in seen:
                seen.add(name)
                waiting[:0] = self._needs.get(name, ())
                continue
            del waiting[0]
            if name in self._running and name not in order:
                order.append(name)
        return order

    def ask(self, name: str, user: str | None, *, optional: bool = False) -> None:
        """Have `name` sent, on behalf of the function `user`."""
        # A name that the cell makes itself is there when the cell calls the function; the notebook's one is a stopgap.
        optional = optional or (user is not None and name in self.cell.bound)
        if user is not None:
            self._needs.setdefault(self._under_way, {})[name] = None
        if name in self.names or not (self.notebook.gives(name) if user is None else self.notebook.has(name)):
            return
        known = self._waiting.get(name)
        if known is None or (known[1] and not optional):
            self._waiting[name] = (user, optional)

    def add_code(self, code: types.CodeType, user: str, *, optional: bool = False) -> None:
        """Have all that the code of the function `user` needs sent."""
        names = names_of_code(code)
        self.read.update(names.reads)
        for name in names.reads:
            self.ask(name, user, optional=optional)
        for name in names.annotations:
            self.ask(name, user, optional=True)
        self.mention(code)
        filename = code.co_filename
        if filename not in self.sources:
            self.sources[filename] = "".join(linecache.getlines(filename))
            label = self.notebook.label(filename)
            if label is not None:
                self.labels[filename] = label

    def mention(self, code: types.CodeType) -> None:
        """A function with this code is sent: what it mentions as attributes may be wanted of modules."""
        self._attributes.update(_attributes_of(code))

    def mentioned_of(self, module: types.ModuleType) -> dict[str, Any]:
        return {name: value for name, value in vars(module).items() if name in self._attributes}

    def _add(self, name: str, user: str | None, optional: bool) -> None:
        value = self.notebook.names[name]
        if optional and not self._is_sendable(value):
            return
        self.names.append(name)
        self._under_way, self._pickler.runs_code = name, False
        try:
            self._pickler.dump(value)
            if self._pickler.runs_code:
                self._running[name] = None
        except Exception as error:
            raise Unsendable(name, value, _reason(error), user) from error

    def _is_sendable(self, value: Any) -> bool:
        class Nothing:
            add_code = staticmethod(lambda code, user, optional=False: None)
            mention = staticmethod(lambda code: None)
            functions: list[types.FunctionType] = []
            notebook = self.notebook
            kind = self.kind
            buffers: list[Any] = []
            by_name = False

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


def _pickler_type() -> type:
    """cloudpickle's pickler, writing functions and modules such that a worker can do without cloudpickle."""
    global _cached_pickler_type
    if _cached_pickler_type is not None:
        return _cached_pickler_type
    import cloudpickle

    class CellPickler(_transfer.definition_pickler()):  # type: ignore[misc]
        # cloudpickle would send the contents of an open file, which is hardly what is meant.
        dispatch_table = {**cloudpickle.Pickler.dispatch_table, io.TextIOWrapper: _transfer.refuse,
                          types.CodeType: lambda code: (_transfer.make_code, (marshal.dumps(code),))}

        def __init__(self, stream: _transfer.Pieces, capture: Any) -> None:
            # First: a pickler looks for it when it is made.
            self.dispatch_table = _transfer.reducers_for(capture.kind, type(self).dispatch_table)
            self.reductions = _transfer.Reductions(self.dispatch_table, stream)
            super().__init__(stream, protocol=5, buffer_callback=_transfer.beside(capture.buffers))
            self.capture = capture
            self.by_name = capture.by_name
            self.by_value = frozenset({_transfer.MAIN, *getattr(capture, "by_value", ())})
            self.scope = Scope()
            self.globals_ref[id(capture.notebook.names)] = self.scope
            self.runs_code = False
            self.known_kinds: dict[type, bool] = {}

        def reducer_override(self, value: Any) -> Any:
            kind = type(value)
            runs_code = self.known_kinds.get(kind)
            if runs_code is None:
                runs_code = self.known_kinds[kind] = _runs_code(kind, self.capture.notebook.names)
            if runs_code:
                self.runs_code = True
            if kind is types.FunctionType and not _goes_by_name(value):
                other_name = _other_name(value)
                if other_name is not None and other_name[0] not in self.by_value:
                    return _transfer.module_attribute, other_name
                self.capture.functions.append(value)
            if kind is types.FunctionType and value.__globals__ is self.capture.notebook.names:
                if not is_annotate(value):
                    self.capture.add_code(value.__code__, value.__qualname__)
                return reduced_function(value, self.scope)
            if kind is types.FunctionType:
                self.capture.mention(value.__code__)
            if kind is types.ModuleType and sys.modules.get(value.__name__) is value:
                return self._reduced_module(value)
            evaluate = evaluation_of_alias(value)
            if evaluate is not None:
                self.capture.add_code(evaluate.__code__, value.__name__, optional=True)
            reduced = _transfer.reduce_ctypes_type(value) if isinstance(value, type) else NotImplemented
            if reduced is not NotImplemented:
                return reduced
            reduced = self.reductions.seen(value, super().reducer_override(value))
            return with_annotations(value, reduced, self.capture.notebook.names) if isinstance(value, type) else reduced

        def _reduced_module(self, module: types.ModuleType) -> Any:
            if module.__name__ in self.by_value:
                return _transfer.make_module, (module.__name__,), self.capture.mentioned_of(module)
            if module.__name__ in cloudpickle.list_registry_pickle_by_value():
                return super().reducer_override(module)
            return importlib.import_module, (module.__name__,)

    _cached_pickler_type = CellPickler
    return CellPickler


_cached_pickler_type: type | None = None
_WHEN_REBUILT = ("__new__", "__setstate__", "__reduce__", "__reduce_ex__", "__hash__", "__eq__", "__setattr__", "__getattr__",
                 "__getattribute__", "__setitem__", "append", "extend")
"""Methods that unpickling calls."""


def _runs_code(kind: type, names: dict[str, Any]) -> bool:
    """Whether rebuilding an object of this type may run functions whose globals are `names`."""
    called = (*_WHEN_REBUILT, "__init__") if issubclass(kind, BaseException) else _WHEN_REBUILT
    found = [cls.__dict__.get(name) for cls in kind.__mro__ for name in called]
    found.append(copyreg.dispatch_table.get(kind))
    return any(_is_own(inspect.unwrap(getattr(method, "__func__", method)), names) for method in found if method is not None)


def _is_own(function: Any, names: dict[str, Any]) -> bool:
    """Whether it has the globals `names`, and was not made by the module `dataclasses`: what that makes uses none."""
    if getattr(function, "__globals__", None) is not names:
        return False
    return not function.__code__.co_qualname.startswith("__create_fn__.")


def _goes_by_name(function: types.FunctionType) -> bool:
    """Whether the module of `function` has it, so that cloudpickle writes a reference to it."""
    value: Any = None if function.__module__ == _transfer.MAIN else sys.modules.get(function.__module__)
    for name in function.__qualname__.split("."):
        value = getattr(value, name, None)
    return value is function


def _other_name(function: types.FunctionType) -> tuple[str, str] | None:
    """Under which name the module of `function` has it, where that is not its own, as with lambda expressions."""
    module = None if function.__module__ == _transfer.MAIN else sys.modules.get(function.__module__)
    found = () if module is None else (name for name, value in list(vars(module).items()) if value is function)
    return next(((function.__module__, name) for name in found), None)


class _Asked:
    """Stands for a capture where it is only asked which names of the notebook a value needs."""

    by_name = True

    def __init__(self, notebook: Notebook, kind: str) -> None:
        self.notebook = notebook
        self.kind = kind
        self.names: dict[str, None] = {}
        self.functions: list[types.FunctionType] = []
        self.buffers: list[Any] = []

    def mention(self, code: types.CodeType) -> None:
        pass

    def add_code(self, code: types.CodeType, user: str, *, optional: bool = False) -> None:
        names = names_of_code(code)
        self.names.update(dict.fromkeys((*names.reads, *names.annotations)))


class _Name:
    """A name of the notebook, which is there as soon as its value has been rebuilt."""

    def __init__(self, name: str, value: Any, scope: Scope) -> None:
        self.parts = scope, name, value

    def __reduce__(self) -> tuple[Any, ...]:
        return _transfer.add_name, self.parts


class _WithNames:
    """A value, and names of the notebook that have to be there before it: rebuilding it may use them."""

    def __init__(self, values: dict[str, Any], value: Any, scope: Scope) -> None:
        self.parts = *(_Name(name, needed, scope) for name, needed in values.items()), value

    def __reduce__(self) -> tuple[Any, ...]:
        return _transfer.last_of, self.parts


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
        names = Capture(CellNames(needed=dict.fromkeys(missing)), replace(notebook, injected=()), kind).names
        together = _WithNames({name: notebook.names[name] for name in names}, value, Scope())
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
