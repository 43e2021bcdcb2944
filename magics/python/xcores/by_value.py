# SPDX-License-Identifier: BSD-3-Clause
"""Functions whose modules an interpreter cannot import: they are sent as those of a notebook are, with what they need.

A web application imports much that refuses to load in interpreters with a GIL of their own, and the functions that it
wants to run there need nothing of it.
"""

import sys
import sysconfig
import threading
import types
import weakref
from collections.abc import Callable
from typing import Any

Sent = tuple[bytes, list[Any]]
_registering = threading.Lock()
"""cloudpickle has one list of such modules for all."""


class ByValue:
    """The forms of one function.

    *Thread*: a worker's, attached to the main interpreter.
    """

    def __init__(self, function: Callable[..., Any], dumped: Callable[[Callable[..., Any], frozenset[str]], Sent]) -> None:
        self._function = _kept(function)
        self._dumped = dumped
        self._lock = threading.Lock()
        self._modules: frozenset[str] = frozenset()
        self._sent: Sent | None = None

    def without(self, module: str) -> Sent | None:
        """The function for a worker that cannot import `module`; None: there is no other form."""
        with self._lock:
            return self._without(module)

    def _without(self, module: str) -> Sent | None:
        function = self._function()
        if function is None or module not in sys.modules or not _is_own(module, function):
            return None
        if module not in self._modules:
            self._modules |= {module}
            try:
                self._sent = dumped_by_value(function, self._modules, self._dumped)
            except Exception:  # what the worker says of the module is then the better message
                self._sent = None
        return self._sent


def _kept(function: Callable[..., Any]) -> Callable[[], Callable[..., Any] | None]:
    """A function that gives `function` as long as it is needed, without keeping it alive where its end is watched."""
    if isinstance(function, types.MethodType) and type(function.__self__).__weakrefoffset__:
        return weakref.WeakMethod(function)
    if not isinstance(function, types.FunctionType | types.BuiltinFunctionType | type):
        return lambda: function
    if isinstance(function, types.FunctionType) and "<" in function.__qualname__ and not _refers_to_itself(function):
        # A lambda is gone as soon as it was submitted: another one of the same parts stands for it.
        copy = types.FunctionType(function.__code__, function.__globals__, function.__name__, function.__defaults__,
                                  function.__closure__, function.__kwdefaults__)
        copy.__module__, copy.__qualname__ = function.__module__, function.__qualname__
        copy.__dict__.update(function.__dict__)
        return lambda: copy
    return weakref.ref(function)


def _refers_to_itself(function: types.FunctionType) -> bool:
    for cell in function.__closure__ or ():
        try:
            if cell.cell_contents is function:
                return True
        except ValueError:  # not bound yet
            pass
    return False


def _is_own(module: str, function: Callable[..., Any]) -> bool:
    """Whether `module` belongs to the program. A package of somebody else is more than can be sent along."""
    package = module.partition(".")[0]
    if str(getattr(function, "__module__", "")).partition(".")[0] == package:
        return True
    file = getattr(sys.modules[module], "__file__", None) or ""
    paths = sysconfig.get_paths()
    return not any(file.startswith(paths[name]) for name in ("stdlib", "platstdlib", "purelib", "platlib")) \
        and "-packages" not in file


def dumped_by_value(function: Callable[..., Any], modules: frozenset[str],
                    dumped: Callable[[Callable[..., Any], frozenset[str]], Sent]) -> Sent:
    import cloudpickle

    with _registering:
        added = [sys.modules[name] for name in modules if name not in cloudpickle.list_registry_pickle_by_value()]
        for module in added:
            cloudpickle.register_pickle_by_value(module)
        try:
            return dumped(function, modules)
        finally:
            for module in added:
                cloudpickle.unregister_pickle_by_value(module)
