# SPDX-License-Identifier: BSD-3-Clause
"""The sources from which IPython lays out tracebacks.

The library that parses them, `executing`, keeps the tree of each file and cell that was ever part of a traceback, which
takes 1.2 kB for a line, and each place in them with its code; `linecache` keeps the lines. Here those of the latest error
stay, for when it happens again.
"""

import ast
import functools
import linecache
import sys
import traceback

import stack_data

OPERATORS = """
x = a and b or c, a + b - c * d @ e / f % g ** h << i >> j | k ^ l & m // n, not a, ~a, +a, -a
x = a == b != c < d <= e > f >= g, a is b is not c in d not in e
del x
"""


def keep_only_those_of(error):
    sources, places = (vars(stack_data.Source).get(name, {}) for name in ("__source_cache_with_lines", "__executing_cache"))
    files = files_of_traceback(error)
    if not any(key[0] in files for key in sources):
        return  # it has shown itself
    for key in [key for key in sources if key[0] not in files]:
        del sources[key]
    for name, entry in list(linecache.cache.items()):
        if name not in files and len(entry) > 1 and entry[1] is not None:  # a file, not a cell: it can be read again
            linecache.cache.pop(name, None)
    places.clear()
    for function in caching_functions():
        function.cache_clear()
    # Of these nodes there is one of each, in all trees, and the library has noted the latest of their parents there.
    for node in ast.walk(ast.parse(OPERATORS)):
        vars(node).pop("parent", None)


def files_of_traceback(error):
    """Also those of the errors that led to it."""
    files, seen = set(), set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        files.update(frame.f_code.co_filename for frame, _ in traceback.walk_tb(error.__traceback__))
        error = error.__cause__ or error.__context__
    return files


@functools.cache
def caching_functions():
    """Those of the library: they remember nodes of trees, and each node refers to its whole tree."""
    modules = [module for name, module in sys.modules.items() if name.partition(".")[0] == "executing"]
    owners = [*modules, *stack_data.Source.__mro__]
    return [value for owner in owners for value in vars(owner).values() if hasattr(value, "cache_clear")]
