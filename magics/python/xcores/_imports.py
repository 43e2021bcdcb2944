# SPDX-License-Identifier: BSD-3-Clause
"""How long a worker imports modules that its data needs.

Part of the worker: see `_worker`, in front of which its source is executed.
"""

import sys

import _frozen_importlib as _bootstrap
from _thread import get_ident
from time import monotonic_ns


class ImportTime:
    """While it is entered, `ns` grows by the time that this thread spends on imports. What a module imports in turn is
    counted once.

    Python calls `_find_and_load` for every module that is not loaded yet, whoever imports it: the unpickler, a function
    that rebuilds a value, C code. For modules that are loaded only `importlib.import_module` calls it.
    """

    def __init__(self):
        self.ns = 0
        self._thread = get_ident()
        self._is_importing = False

    def __enter__(self):
        self._find_and_load = _bootstrap._find_and_load
        _bootstrap._find_and_load = self._timed
        return self

    def __exit__(self, *_):
        _bootstrap._find_and_load = self._find_and_load

    def _timed(self, name, import_):
        if self._is_importing or name in sys.modules or get_ident() != self._thread:
            return self._find_and_load(name, import_)
        self._is_importing = True
        start = monotonic_ns()
        try:
            return self._find_and_load(name, import_)
        finally:
            self.ns += monotonic_ns() - start
            self._is_importing = False
