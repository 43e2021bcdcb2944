# SPDX-License-Identifier: BSD-3-Clause
"""Decides whether anything can still use the globals of a cell that is over: a timer, a thread, an exit function.

Part of the worker: see `_worker`, in front of which its source is executed.

A function and its globals refer to each other, so counting references does not free them. Where nothing outside refers to
what the globals hold, a worker clears them at once, because they may hold large data of the notebook. The test is the
trial deletion of CPython's collector (InternalDocs/garbage_collector.md) on the small graph of functions, classes and
containers below the globals: what the graph itself does not explain comes from outside.
"""

import builtins
import sys

if __name__ == "xcores._lifetime":
    from xcores._transfer import MAIN

_MOST_OBJECTS = 2_000
"""How many objects are visited before the answer is that the globals may be in use."""
_LARGEST_CONTAINER = 1_000
"""Containers with more items are not visited; a function in one then counts as used."""


class _Example:
    __slots__ = "field",

    def method(self):
        return __class__


_FUNCTION = type(_Example.method)
_VISITED = frozenset({
    _FUNCTION, type(_Example.method.__closure__[0]), type(_Example().method), staticmethod, classmethod, property, type(sys),
    tuple, list, dict, set, frozenset, type(_Example.field), type(type(sys).__dict__["__annotations__"])})
_SIZED = (tuple, list, dict, set, frozenset)


def is_unused(module, added):
    """Whether no code can use the globals of `module` any more. `added` is how many references to the module, and to its
    globals, there are more than before the cell ran.

    May err on the side of "in use".
    """
    scope = module.__dict__
    if not any(added):
        return True  # there is no function with these globals
    graph = _graph(scope)
    if graph is None:
        return False
    nodes, referrers = graph
    if any(isinstance(node, type) and hasattr(node, "__del__") for node in nodes.values()):
        return False  # a finalizer is to find the names it uses
    leading = _leading(id(scope), referrers)
    counts = {**_counts(nodes, leading), id(scope): added[1]}
    if id(module) in leading:
        counts[id(module)] = added[0]
    return all(len(referrers[identity]) == count for identity, count in counts.items())


def _graph(scope):
    """The objects below `scope` that may lead to functions with these globals, by identity, and for each the identities
    of those that refer to it. None: too many."""
    from gc import get_referents

    nodes, referrers = {id(scope): scope}, {id(scope): []}
    waiting = [scope]
    while waiting:
        node = waiting.pop()
        for value in get_referents(node):
            if id(value) not in nodes:
                if not _is_visited(value, scope):
                    continue
                nodes[id(value)] = value
                referrers[id(value)] = []
                waiting.append(value)
            if type(node) is not type(sys) or value is not scope:  # the module has held its globals all the time
                referrers[id(value)].append(id(node))
        if len(nodes) > _MOST_OBJECTS:
            return None
    return nodes, referrers


def _leading(target, referrers):
    """The objects from which `target` can be reached, itself included."""
    found = {target}
    waiting = [target]
    while waiting:
        for referrer in referrers[waiting.pop()]:
            if referrer not in found:
                found.add(referrer)
                waiting.append(referrer)
    return found


def _is_visited(value, scope):
    kind = type(value)
    if kind is _FUNCTION:
        return value.__globals__ is scope
    if kind is type(sys):
        return value.__dict__ is scope
    if kind in _SIZED:
        return len(value) <= _LARGEST_CONTAINER and value is not builtins.__dict__ and value is not sys.modules
    if isinstance(value, type):
        return value.__module__ == MAIN
    return kind in _VISITED or kind.__module__ == MAIN


def _counts(nodes, chosen):
    """How many refer to each of the `chosen` ones of `nodes`, apart from `nodes`."""
    nodes[None] = []  # to measure how many `nodes` and the call below are
    counts = {identity: sys.getrefcount(nodes[identity]) for identity in (None, *chosen)}
    own = counts.pop(None)
    return {identity: count - own for identity, count in counts.items() if count < _IMMORTAL}


_IMMORTAL = 1 << 28
"""From here on a reference count means that the object is never freed."""
