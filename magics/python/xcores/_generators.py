# SPDX-License-Identifier: BSD-3-Clause
"""Random number generators: those that belong to a module, and so to each worker, and those that are data.

`from random import random` is a method of a generator that the module `random` holds. Pickled as data it would carry the
generator's state, and all workers would draw the same numbers. So what an imported module has made for itself is pickled
as a reference to that module. A generator that the notebook has made is data like any other, hence a copy, also where it
has been put into a module.

Part of the worker: see `_worker`, in front of which its source is executed.
"""

import sys

_SHARED_GENERATORS = (("random", "_inst"), ("secrets", "_sysrand"), ("numpy.random.mtrand", "_rand"),
                      ("numpy.random.mtrand", "_rand._bit_generator"))


class _WithMethod:
    def method(self):
        pass


_METHODS = (type(len), type(_WithMethod().method))


def module_attribute(module, path):
    """What a reference to a generator stands for here."""
    __import__(module)
    return _attribute(sys.modules[module], path)


def _attribute(owner, path):
    for name in path.split("."):
        owner = getattr(owner, name, None)
    return owner


def generator_types():
    """The types of generators that this interpreter has imported."""
    types = set()
    if "random" in sys.modules:
        types.update((sys.modules["random"].Random, sys.modules["random"].SystemRandom))
    if "numpy.random" in sys.modules:
        numpy = sys.modules["numpy.random"]
        types.update((numpy.Generator, numpy.RandomState), numpy.BitGenerator.__subclasses__())
    return types


def generator_reducers(kind, others):
    """Reducers for what is on its way to workers of `kind`, of generators and methods; those of `others` stay valid."""
    types = generator_types()
    if not types:
        return {}
    everywhere = kind != "notebook"

    def method(value):
        if type(value.__self__) in types and _place_of(value.__self__, everywhere) is None:
            place = _place_of(value, everywhere)
            if place is not None:
                return module_attribute, place
        usual = others.get(type(value))
        return value.__reduce__() if usual is None else usual(value)

    def reduced(generator):
        place = _place_of(generator, everywhere)
        if place is not None:
            return module_attribute, place
        if type(generator).__name__ == "SystemRandom":
            return type(generator), ()  # the system's own generator: there is no state to send
        return generator.__reduce_ex__(5)

    return {**dict.fromkeys(types, reduced), **dict.fromkeys(_METHODS, method)}


def _place_of(value, everywhere):
    """Module and attribute that hold `value`, a generator or a method of one; None: no module does."""
    for module, path in _SHARED_GENERATORS:
        if module in sys.modules and _attribute(sys.modules[module], path) is value:
            return module, path
    # On the way back it is what a worker has drawn from: a value.
    for name, module in _modules_with_generators() if everywhere else ():
        for attribute, held in list(module.__dict__.items()):
            if held is value and _own_of(name, module).get(attribute) is value:
                return name, attribute
    return None


_own = {}
"""For each module that was seen: under which names it had which generators, or methods of them, after its import."""


def note_import(name):
    """The module `name` has just been loaded, and nobody else has had the time to change it."""
    module = sys.modules.get(name)
    if module is not None:
        _own_of(name, module)


def forget_import(name):
    """The module `name` is loaded again, in place."""
    _own.pop(name, None)


def _own_of(name, module):
    known = _own.get(name)
    if known is None or known[0] is not module:
        types = generator_types()
        known = _own[name] = module, {
            attribute: value for attribute, value in list(module.__dict__.items())
            if type(value) in types or type(value) in _METHODS and type(value.__self__) in types}
    return known[1]


_searched = set()
"""Modules without generators, and those of the standard library, which seed theirs themselves."""


def _modules_with_generators():
    """The user's own modules, and of packages those that hold a generator, or a method of one, among their names."""
    types = generator_types()
    for name, module in list(sys.modules.items()):
        if name in _searched or name in ("__main__", __name__) or type(module) is not type(sys):
            continue
        if _is_users(module) or _is_of_package(module) and any(
                type(value) in types or type(getattr(value, "__self__", None)) in types
                for value in list(module.__dict__.values()) if type(value) in types or type(value) in _METHODS):
            yield name, module
        else:
            _searched.add(name)


def _is_of_package(module):
    return "-packages" in str(getattr(module, "__file__", None))


def _is_users(module):
    import os

    file = str(getattr(module, "__file__", None) or "")
    return file != "" and "-packages" not in file and not file.startswith(os.path.dirname(os.__file__) + os.sep)


def may_be_copied():
    """Whether copies of this process draw numbers of their own. A generator that an imported module has made for itself
    would go on alike in all of them, and only that module knows whether it may be seeded anew."""
    types = generator_types()
    for _, module in _modules_with_generators():
        depth = 2 if _is_users(module) else 1
        if any(_holds_generator(value, types, depth) for value in list(module.__dict__.values())
               if depth > 1 or type(value) in types or type(value) in _METHODS):
            return False
    return True


def _holds_generator(value, types, depth):
    kind = type(value)
    if kind in types:
        return kind.__name__ != "SystemRandom" and _place_of(value, everywhere=False) is None
    return depth > 0 and any(_holds_generator(one, types, depth - 1) for one in _parts_of(value, kind))


def _parts_of(value, kind):
    """Where else a module may keep a generator: containers, classes, objects, methods."""
    if kind in (list, tuple):
        return value
    if kind is dict:
        return list(value.values())
    if kind is type(sys) or kind is type(_parts_of):
        return ()
    if kind in _METHODS:
        return () if type(value.__self__) is type(sys) else (value.__self__,)
    try:
        return list(object.__getattribute__(value, "__dict__").values())
    except (AttributeError, TypeError):
        return ()


def reseed_after_fork():
    """Have this process draw other numbers than the one it is a copy of. `random` does so without help."""
    mtrand = sys.modules.get("numpy.random.mtrand")
    if mtrand is not None:
        # In place: other modules refer to this very object.
        fresh = type(mtrand._rand._bit_generator)()
        mtrand._rand._bit_generator.state = fresh.state
        mtrand._rand.set_state({**mtrand._rand.get_state(legacy=False), "has_gauss": 0, "gauss": 0.0})
