# SPDX-License-Identifier: BSD-3-Clause
"""Runs a program as `__main__`, as `python3 PROGRAM.py` and `python3 -m MODULE` do, in a process that runs already.

The program gets a new module, which stays in `sys.modules`: what it pickles, what its threads and exit functions import, and
what multiprocessing and interpreters load in their workers is found there. `runpy.run_path` and `runpy.run_module` would
put the old `__main__` back when the program's main code ends. `__spec__` is None for a script, as in Python:
multiprocessing would take any other one for a module that it need not load (gh-140729).
"""

import builtins
import importlib.machinery
import os
import pkgutil
import runpy
import sys
from types import CodeType, ModuleType, TracebackType
from typing import Any


class NotFound(Exception):
    """There is no such program. `status` is what Python exits with."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class _NoModule(Exception):
    """What `runpy` raises for us where there is no module, or none that can be run."""


def run_script(path: str, arguments: list[str]) -> None:
    """Run a Python file, or a folder or zip file with `__main__.py`.

    *Failure*: NotFound, before anything has run; whatever the program raises, with a traceback for `sys.excepthook` that
    begins in the program.
    """
    with _Traceback():
        sys.argv[:] = [path, *arguments]
        if pkgutil.get_importer(path) is not None:
            _put_first(os.path.abspath(path))
            _run_module(runpy._get_main_module_details, sys.argv[0])  # type: ignore[attr-defined]
            return
        if not sys.flags.safe_path:
            sys.path[0] = os.path.dirname(os.path.realpath(path))
        whole = os.path.abspath(path)
        loader = _loader(whole)
        code = _code(loader, whole, path)
        _run(code, __file__=whole, __loader__=loader, __package__=None, __spec__=None)


def run_module(name: str, arguments: list[str]) -> None:
    """Run a module, or the `__main__` of a package. *Failure*: as in `run_script`."""
    with _Traceback():
        sys.argv[:] = ["-m", *arguments]  # as Python has it while it looks for the module
        _run_module(lambda error: runpy._get_module_details(name, error))  # type: ignore[attr-defined]


def _put_first(folder: str) -> None:
    """A folder or zip file that is run is searched first, also with -P, which drops the current folder."""
    if sys.flags.safe_path:
        sys.path.insert(0, folder)
    else:
        sys.path[0] = folder


def _loader(whole: str) -> Any:
    kind = importlib.machinery.SourcelessFileLoader if whole.endswith(".pyc") else importlib.machinery.SourceFileLoader
    return kind("__main__", whole)


def _code(loader: Any, whole: str, path: str) -> CodeType:
    try:
        if isinstance(loader, importlib.machinery.SourcelessFileLoader):
            return loader.get_code("__main__")  # type: ignore[return-value]
        source = loader.get_data(whole)
    except OSError as error:
        raise NotFound(f"can't open file {path!r}: {error.strerror}", 2) from None
    return compile(source, whole, "exec", dont_inherit=True)


def _run_module(find: Any, argument: str | None = None) -> None:
    try:
        _, spec, code = find(_NoModule)
    except _NoModule as error:
        raise NotFound(str(error), 1) from None
    sys.argv[0] = argument or spec.origin
    _run(code, __file__=spec.origin, __loader__=spec.loader, __package__=spec.parent, __spec__=spec)


def _run(code: CodeType, **names: Any) -> None:
    module = ModuleType("__main__")
    module.__dict__.update(names, __builtins__=builtins)
    if sys.version_info < (3, 15):
        module.__dict__["__cached__"] = names["__spec__"] and names["__spec__"].cached
    sys.modules["__main__"] = module
    exec(code, module.__dict__)


class _Traceback:
    """Around a program: takes what stands below it off the traceback that Python prints, when Python prints it.

    Printing it here would be simpler, but only what leaves `__main__` has the exit status and, after Ctrl-C, the end by
    SIGINT that a shell expects.
    """

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if error is None or isinstance(error, (SystemExit, NotFound)):
            return
        shown = sys.excepthook

        def show(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
            sys.excepthook = shown
            sys.last_traceback = _of_program(trace)
            shown(kind, error.with_traceback(sys.last_traceback), sys.last_traceback)

        sys.excepthook = show


def _of_program(trace: TracebackType | None) -> TracebackType | None:
    rest, each = trace, trace
    while each is not None:
        if each.tb_frame.f_code.co_filename == __file__:
            rest = each.tb_next
        each = each.tb_next
    return rest
