# SPDX-License-Identifier: BSD-3-Clause
"""Keeps the modules of a worker as new as those of the notebook.

Part of the worker: see `_worker`, in front of which its source is executed.
"""

import sys

_module_versions = {}
"""Of modules that the notebook has loaded: the version that is loaded here, or would be."""


def follow_modules(versions):
    """Let go of modules whose `versions` are others than here: who needs one imports it anew."""
    stale = {name for name, version in versions.items() if _module_versions.get(name, 0) != version}
    _module_versions.update(versions)
    loaded = stale.intersection(sys.modules)
    if not loaded:
        return
    gone = _with_dependents(loaded)
    from importlib import invalidate_caches, reload

    invalidate_caches()
    if any(type(getattr(sys.modules[name], "__loader__", None)).__name__ == "ExtensionFileLoader" for name in gone):
        for name in sorted(loaded):  # extension modules cannot be loaded twice
            reload(sys.modules[name])
        return
    for name in gone:
        del sys.modules[name]


def _with_dependents(names):
    """`names`, the modules that have something of them, and the inside of packages among all these."""
    gone = set(names)
    known = {name: module for name, module in list(sys.modules.items())
             if type(module) is type(sys) and name not in ("__main__", __name__)}
    grown = True
    while grown:
        more = {name for name, module in known.items() if name not in gone
                and (_is_inside(name, gone) or any(_comes_from(value, gone) for value in list(module.__dict__.values())))}
        gone |= more
        grown = bool(more)
    return gone.intersection(sys.modules)


def _is_inside(name, packages):
    parts = name.split(".")
    return any(".".join(parts[:size]) in packages for size in range(1, len(parts)))


def _comes_from(value, modules):
    if type(value) is type(sys):
        return value.__name__ in modules and sys.modules.get(value.__name__) is value
    return isinstance(value, (type, type(_comes_from))) and value.__module__ in modules
