# SPDX-License-Identifier: BSD-3-Clause
"""Knows when this program has loaded which module: workers that have an earlier version load it anew.

`importlib.reload` and a second import of a module that was taken out of `sys.modules` both ask the finders in
`sys.meta_path`; one of ours listens there and finds what the others find. `%autoreload` may also change a module in place;
it keeps the modification times of the files, which tell of that.
"""

import os
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from xcores._generators import forget_import, note_import

_STANDARD = os.path.dirname(os.__file__) + os.sep


class _WatchedSpec(ModuleSpec):
    """Tells when its module has been loaded for the first time. Afterwards it is a specification like others."""

    @property
    def _initializing(self) -> bool:
        return bool(self.__dict__["_initializing"])

    @_initializing.setter
    def _initializing(self, value: bool) -> None:  # importlib says so before it executes the module, and afterwards
        self.__dict__["_initializing"] = value
        if not value:
            self.__class__ = ModuleSpec  # type: ignore[assignment]
            note_import(self.name)


class _Listener:
    """A finder that remembers what it was asked for."""

    def __init__(self) -> None:
        self.versions: dict[str, int] = {}
        """How often each module was loaded since this listener was made; others are missing."""
        self.unread: list[str] = []
        """Modules that were loaded for the first time, and are not among the versions yet."""
        self.known: object = object()
        """Another object whenever something in `versions` has changed."""
        self.stamp: object | None = self.known
        """The same, or None: a cell has begun, and `%autoreload` may have been at work."""
        self._seen = set(sys.modules)

    def find_spec(self, name: str, path: Sequence[str] | None = None,
                  target: ModuleType | None = None) -> ModuleSpec | None:
        if target is None and name not in self._seen:
            self._seen.add(name)
            self.unread.append(name)  # what becomes of it is not known before it is loaded
        else:
            self._note_again(name, target)
        if target is not None:
            forget_import(name)
            return None
        spec = self._found_by_others(name, path)
        if type(spec) is ModuleSpec and _is_users_source(spec.origin):
            spec.__class__ = _WatchedSpec
        return spec

    def _note_again(self, name: str, target: ModuleType | None) -> None:
        module = target or sys.modules.get(name)
        if module is not None:
            _drop_stale_bytecode(module)
        self.note(name)

    def _found_by_others(self, name: str, path: Sequence[str] | None) -> ModuleSpec | None:
        finders = sys.meta_path[sys.meta_path.index(self) + 1:]  # type: ignore[arg-type]
        found = (finder.find_spec(name, path) for finder in finders if hasattr(finder, "find_spec"))
        return next((spec for spec in found if spec is not None), None)

    def note(self, name: str) -> None:
        self.versions[name] = self.versions.get(name, 0) + 1
        self.known = self.stamp = object()


listener = _Listener()
_autoreloaded: dict[str, float] = {}


def watch() -> None:
    """Listen from now on. Doing it again changes nothing."""
    if listener not in sys.meta_path:
        sys.meta_path.insert(0, listener)  # type: ignore[arg-type]
    shell = _shell()
    if shell is not None and _begin_cell not in shell.events.callbacks["pre_run_cell"]:
        shell.events.register("pre_run_cell", _begin_cell)


def forget(shell: Any) -> None:
    """Stop asking `shell`. The finder stays: executors may be at work."""
    if _begin_cell in shell.events.callbacks["pre_run_cell"]:
        shell.events.unregister("pre_run_cell", _begin_cell)


def _shell() -> Any:
    ipython = sys.modules.get("IPython")
    return None if ipython is None else ipython.get_ipython()


def _begin_cell(*_: object) -> None:
    listener.stamp = None


def stamp() -> object:
    """Another object after a module was loaded again."""
    if listener.stamp is None:
        _ask_autoreload(_shell())
        listener.stamp = listener.known
    return listener.stamp


def module_versions() -> dict[str, int]:
    """How often each module of the user's was loaded since the listener was made. A worker may have imported it earlier,
    and the file may have been edited in between, so the first time counts as well."""
    stamp()
    while listener.unread:
        name = listener.unread.pop()
        source = _source_of(sys.modules.get(name))
        if source is not None and "-packages" not in source:
            listener.versions[name] = listener.versions.get(name, 0) + 1
    return {name: version for name, version in listener.versions.items() if _is_users(sys.modules.get(name))}


def _ask_autoreload(shell: Any) -> None:
    """*Failure*: none; without the extension, or with one that has changed, nothing is known."""
    global _autoreloaded
    magics = None if shell is None else shell.magics_manager.registry.get("AutoreloadMagics")
    times = getattr(getattr(magics, "_reloader", None), "modules_mtimes", None)
    if not isinstance(times, dict) or times == _autoreloaded:
        return
    for name, time in times.items():
        if name in _autoreloaded and _autoreloaded[name] != time and (module := sys.modules.get(name)) is not None:
            _drop_stale_bytecode(module)
            listener.note(name)
    _autoreloaded = dict(times)


def _source_of(module: Any) -> str | None:
    origin = getattr(getattr(module, "__spec__", None), "origin", None)
    return origin if isinstance(origin, str) and origin.endswith(".py") else None


def _is_users_source(origin: object) -> bool:
    return (isinstance(origin, str) and origin.endswith(".py")
            and "-packages" not in origin and not origin.startswith(_STANDARD))


def _is_users(module: Any) -> bool:
    """Not one of the standard library, whose code cannot have changed."""
    source = _source_of(module)
    return source is not None and (not source.startswith(_STANDARD) or "-packages" in source)


def _drop_stale_bytecode(module: Any) -> None:
    """Python takes bytecode for that of a source which was edited within the second and has the same size."""
    source = _source_of(module)
    if source is None or not _is_users(module):
        return
    from importlib.util import cache_from_source

    try:
        compiled = cache_from_source(source)
        if os.stat(compiled).st_mtime_ns <= os.stat(source).st_mtime_ns:
            os.unlink(compiled)
    except (OSError, NotImplementedError):
        pass  # there is none, or it is not ours to remove
