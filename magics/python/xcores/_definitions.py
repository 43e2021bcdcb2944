# SPDX-License-Identifier: BSD-3-Clause
"""Functions, generic functions, new types and the like on their way: what pickle and cloudpickle refuse or slow down.

Runs on both sides: see `_transfer`, in front of which its source is executed.
"""

import marshal
import sys

if __name__ == "xcores._definitions":
    from xcores._ctypes_types import reduce_ctypes_type

try:
    from _xcores import restore_version
except ImportError:
    try:
        from xcores._engine import restore_version
    except ImportError:
        def restore_version(function):
            """Without the engine calls stay unspecialised: slower, and otherwise the same."""

_MAIN = "__main__"


# Functions


def make_function(code, scope, free):
    cells = tuple(make_cell() for _ in range(free))
    return type(make_function)(marshal.loads(code), scope, None, None, cells or None)


def make_cell():
    """A variable of a closure, without a value."""
    content = None
    return type((lambda: content).__closure__[0])()


def fill_function(function, state):
    """The second half of `make_function`: all that may refer back to the function itself."""
    for cell, value in zip(function.__closure__ or (), state["closure"]):
        if value:
            cell.cell_contents = value[0]
    function.__dict__.update(state["attributes"])
    for name, value in state["fields"].items():
        setattr(function, name, value)
    restore_version(function)


def with_version(set_state):
    """cloudpickle's way to fill a function, and then what it leaves out."""
    def filled(function, state):
        set_state(function, state)
        restore_version(function)

    return filled


def make_code(data):
    return marshal.loads(data)


def make_cached(function, parameters):
    from functools import lru_cache

    return lru_cache(**parameters)(function)


# Classes


def without_hooks(make):
    """cloudpickle's way to make a class, without the user's code that ran when the class was defined: what it did is
    sent, and the names that it uses may not be there yet."""
    def made(kind, name, bases, *rest):
        owners = {base for parent in bases for base in getattr(parent, "__mro__", ())
                  if base.__module__ == _MAIN and "__init_subclass__" in base.__dict__}
        hooks = [(owner, owner.__dict__["__init_subclass__"]) for owner in owners]
        for owner in owners:
            type.__setattr__(owner, "__init_subclass__", classmethod(lambda cls, **_: None))
        try:
            return make(_without_own_code(kind), name, bases, *rest)
        finally:
            for owner, hook in hooks:
                type.__setattr__(owner, "__init_subclass__", hook)

    return made


def _without_own_code(kind):
    """The metaclass `kind`, or what it extends."""
    if kind.__module__ != _MAIN:
        return kind
    base = next(one for one in kind.__mro__ if one.__module__ != _MAIN)
    return lambda name, bases, namespace, **_: base.__new__(kind, name, bases, namespace)


_IDENTITY_PLACES = {"_make_skeleton_class": 4, "_make_skeleton_enum": 5, "make_ctypes_class": 3}
"""Which argument of those that make classes is the identity of the class."""
_NOT_IN_A_BODY = frozenset({"__module__", "__dict__", "__weakref__", "__annotate_func__", "__annotations_cache__",
                            "__static_attributes__", "__firstlineno__", "__abstractmethods__", "_abc_impl"})
_DESCRIPTORS = (type(type(make_cell).__dict__["__closure__"]), type(type(make_cell).__dict__["__code__"]))
"""The types of what a class has for each of its slots, and for `__dict__` and `__weakref__`."""
_ATOMS = frozenset({str, bytes, int, float, complex, bool, type(None), tuple, frozenset, type(make_cell.__code__)})


def identity_place(reduced):
    """Which argument of `reduced`, which makes a class, is its identity; None: it makes none."""
    return _IDENTITY_PLACES.get(getattr(reduced[0], "__name__", "")) if type(reduced) is tuple else None


def with_whole_body(cls, reduced):
    """`reduced`, and what cloudpickle leaves out: the slots, without which instances have a `__dict__` instead, and
    attributes that are the same object in the class and in its base."""
    if getattr(reduced[0], "__name__", "") != "_make_skeleton_class":
        return reduced
    make, (kind, name, bases, given, *rest), (members, other), *more = reduced
    own = cls.__dict__
    members = {**members}
    members.pop("__slotnames__", None)  # made by pickling
    for key, value in own.items():
        if type(value) in _DESCRIPTORS:
            if value.__objclass__ is cls:
                members.pop(key, None)
        elif key not in members and key not in _NOT_IN_A_BODY and key != "__slotnames__":
            members[key] = value
    slots = _slots(cls)
    if slots is not None and not _is_made_by_named_tuple(bases):
        given = {**given, "__slots__": slots}
        if not isinstance(own["__slots__"], (str, tuple, list, dict)):  # an iterator, used up
            members["__slots__"] = slots
    return make, (kind, name, bases, given, *rest), (members, other), *more


def _slots(cls):
    own = cls.__dict__
    if "__slots__" not in own:
        return None
    slots = [name for name, value in own.items() if type(value) is _DESCRIPTORS[0] and value.__objclass__ is cls]
    declared = own["__slots__"]
    if not slots and "__dict__" in own and "__dict__" not in declared:
        return None  # the attribute was set afterwards
    return (*slots, *(name for name in ("__dict__", "__weakref__") if name in own))


def _is_made_by_named_tuple(bases):
    """Whether its metaclass makes the slots, and refuses to be given them."""
    return any(getattr(base, "__module__", None) == "typing" and getattr(base, "__name__", None) == "NamedTuple"
               for base in bases)


def found_or_made(make, place, classes):
    """`make`, which makes a class anew only where `classes` do not have it."""
    def made(*arguments):
        return classes.get(arguments[place], lambda: make(*arguments[:place], None, *arguments[place + 1:]))

    return made


def filled_where_new(fill, classes):
    def filled(cls, state):
        classes.fill(cls, state, fill)
        return cls

    return filled


class OwnClasses:
    """The classes of the notebook where results are read. What was sent from here is known by its identity, and is
    never changed by what comes back."""

    def __init__(self):
        self._unfilled = None

    def get(self, identity, make):
        from cloudpickle import cloudpickle

        known = cloudpickle._DYNAMIC_CLASS_TRACKER_BY_ID.get(identity)
        if known is not None:
            return known
        made = make()
        if self._unfilled is None:
            from weakref import WeakSet

            self._unfilled = WeakSet()
        self._unfilled.add(made)
        return cloudpickle._lookup_class_or_track(identity, made)

    def fill(self, cls, state, fill):
        # Another thread that reads the same class fills it as well: neither is to see half of it.
        if self._unfilled is not None and cls in self._unfilled:
            fill(cls, state)
            self._unfilled.discard(cls)


class Classes:
    """The classes of the notebook in one set of globals of a worker, by their identity."""

    def __init__(self, *, once):
        """`once`: in the state in which they come first, until `renew`; otherwise in the state in which they came last."""
        self._once = once
        self._classes = None
        self._current = set()

    def renew(self):
        self._current.clear()

    def get(self, identity, make):
        if self._classes is None:
            from weakref import WeakValueDictionary

            self._classes = WeakValueDictionary()
        known = self._classes.get(identity)
        if known is None:
            known = self._classes[identity] = make()
            self._current.discard(identity)
            _note_received(identity, known)
        return known

    def fill(self, cls, state, fill):
        identity, names = _received[cls]
        if identity in self._current:
            return
        fill(cls, state)
        attributes = state[0] if isinstance(state[0], dict) else state[1]
        for name in names.difference(attributes):
            try:
                type.__delattr__(cls, name)
            except AttributeError:  # the worker has deleted it already
                pass
        _received[cls] = identity, frozenset(attributes)
        if self._once:
            self._current.add(identity)


_received = None
"""Of classes that came from the notebook: their identity, and the names of the attributes that came last."""


def _note_received(identity, cls):
    global _received
    from cloudpickle import cloudpickle

    if _received is None:
        from weakref import WeakKeyDictionary

        _received = WeakKeyDictionary()
    _received[cls] = identity, frozenset()
    with cloudpickle._DYNAMIC_CLASS_TRACKER_LOCK:
        cloudpickle._DYNAMIC_CLASS_TRACKER_BY_CLASS[cls] = identity
        cloudpickle._DYNAMIC_CLASS_TRACKER_BY_ID[identity] = cls


def is_received(cls):
    return _received is not None and cls in _received


def marked(cls, reduced):
    """`reduced`, for the way to the notebook: there classes of several workers are one class where their definitions are
    the same, and only there."""
    place = identity_place(reduced)
    if place is None or is_received(cls):
        return reduced
    arguments = reduced[1]
    identity = f"{arguments[place]}:{_mark(cls)}"
    return (reduced[0], (*arguments[:place], identity, *arguments[place + 1:]), *reduced[2:])


def _mark(cls):
    """A text that is the same for the same definition."""
    from io import BytesIO

    try:
        from _sha2 import sha256
    except ImportError:
        from hashlib import sha256
    stream = BytesIO()
    try:
        _mark_pickler()(stream).dump(cls)
    except Exception:  # what cannot be compared is taken to differ
        from uuid import uuid4

        return uuid4().hex
    return sha256(stream.getvalue()).hexdigest()


_cached_mark_pickler = None


def _mark_pickler():
    global _cached_mark_pickler
    if _cached_mark_pickler is not None:
        return _cached_mark_pickler
    from cloudpickle import cloudpickle

    class MarkPickler(definition_pickler()):
        """Writes the same for what is equal: whether two places have one object or two equal ones does not count, except
        of what could be changed. Identities of classes and globals of functions do not count either."""

        def __init__(self, stream):
            super().__init__(stream, protocol=5)
            self.fast = True
            self._seen = {}

        def persistent_id(self, value):
            if type(value) in _ATOMS:
                return None
            known = self._seen.get(id(value))
            if known is not None:
                return known[0]
            self._seen[id(value)] = len(self._seen), value  # it is kept, and with it its identity
            return None

        def reducer_override(self, value):
            if isinstance(value, type):
                return self._reduced_class(value)
            if type(value).__name__ in _PARAMETER and type(value).__module__ == "typing":
                return make_parameter, (type(value), value.__name__)
            if type(value) is type(make_cell) and not _is_generic(value):
                return NotImplemented if cloudpickle._should_pickle_by_reference(value) else _reduced_parts(value)
            return super().reducer_override(value)

        def _reduced_class(self, cls):
            if is_received(cls):
                return make_named, (_received[cls][0],)
            reduced = reduce_ctypes_type(cls)
            reduced = super().reducer_override(cls) if reduced is NotImplemented else reduced
            place = identity_place(reduced)
            if place is None:
                return reduced
            arguments = (*reduced[1][:place], None, *reduced[1][place + 1:])
            annotate = getattr(cls.__dict__.get("__annotate_func__"), "__code__", None)
            annotate = annotate and _code_text(annotate)
            state = reduced[2]
            if type(state[0]) is dict:
                state = {name: value for name, value in state[0].items() if name != "__annotations_cache__"}
            return make_named, (arguments, state, annotate)

    _cached_mark_pickler = MarkPickler
    return MarkPickler


def _reduced_parts(function):
    contents = []
    for cell in function.__closure__ or ():
        try:
            contents.append(cell.cell_contents)
        except ValueError:  # not bound yet
            contents.append(())
    text = function.__qualname__ + _code_text(function.__code__)
    return make_function, (text, function.__defaults__, function.__kwdefaults__, tuple(contents), function.__dict__ or None)


def _code_text(code):
    constants = [_code_text(value) if type(value) is type(code) else sorted(map(repr, value)) if type(value) is frozenset
                 else value for value in code.co_consts]
    return repr((code.co_code, code.co_exceptiontable, constants, code.co_names, code.co_varnames, code.co_freevars,
                 code.co_cellvars, code.co_flags, code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount))


def make_partial_method(function, arguments, keywords):
    from functools import partialmethod

    return partialmethod(function, *arguments, **keywords)


def make_module(name):
    """For as much of a module that cannot be imported here as is wanted of it."""
    return type(sys)(name)


# Generic functions


_generic_code = None
"""That of all generic functions."""


def _is_generic(function):
    global _generic_code
    if _generic_code is None:
        functools = sys.modules.get("functools")
        if functools is None:
            return False
        _generic_code = functools.singledispatch(_is_generic).__code__
    return function.__code__ is _generic_code


def _reduced_generic(function):
    own = set(function.__dict__) - {"register", "dispatch", "registry", "_clear_cache"}
    state = list(function.registry.items()), {name: function.__dict__[name] for name in own}
    return make_generic, (function.__name__,), state, None, None, fill_generic


def make_generic(name):
    from functools import singledispatch

    def function(*_):
        """Stands for the implementation for `object` until that is there: it may refer to the generic function."""

    function.__name__ = name
    return singledispatch(function)


def fill_generic(function, state):
    from functools import update_wrapper

    implementations, attributes = state
    for kind, implementation in implementations:
        function.register(kind, implementation)
    update_wrapper(function, function.registry[object])
    function.__dict__.update(attributes)
    restore_version(function)


# Values that pickle as a name of their module


def make_named(name, make, arguments):
    """What the `__main__` of this side has under this name, or, where it has no such thing, a new one."""
    made = make(*arguments)
    found = sys.modules[_MAIN]
    for part in name.split("."):
        found = getattr(found, part, None)
    return found if type(found) is type(made) else made


def make_new_type(name, supertype):
    from typing import NewType

    made = NewType(name, supertype)
    made.__module__ = _MAIN
    return made


def make_parameter(kind, name):
    made = kind(name)
    try:
        made.__module__ = _MAIN
    except AttributeError:  # read-only; it only serves pickling
        pass
    return made


def make_alias(name, parameters, code, closure):
    """A `type` statement: its value is found when it is asked for, so that it may refer to itself."""
    scope = {"__name__": _MAIN, "value": _late_value(code, closure)}
    names = ", ".join(parameter.lstrip("*") for parameter in parameters)
    brackets = f"[{', '.join(parameters)}]" if parameters else ""
    exec(f"type {name}{brackets} = value({names})", scope)
    return scope[name]


def _late_value(code, closure):
    made = marshal.loads(code)

    def value(*parameters):
        known = {**closure, **{str(one): one for one in parameters}, **{one.__name__: one for one in parameters}}
        cells = []
        for free in made.co_freevars:
            cell = make_cell()
            cell.cell_contents = known.get(free)
            cells.append(cell)
        return type(value)(made, sys.modules[_MAIN].__dict__, None, None, tuple(cells) or None)(1)

    return value


def make_instance(kind, state):
    made = object.__new__(kind)
    plain, slots = state if isinstance(state, tuple) else (state, None)
    made.__dict__.update(plain or {})
    for name, value in (slots or {}).items():
        setattr(made, name, value)
    return made


_PARAMETER = {"TypeVar": "", "ParamSpec": "**", "TypeVarTuple": "*"}


def _reduced_named(value, name):
    """How to make again what would be written as a reference to `__main__`, which the reader's may not have."""
    kind = type(value)
    if kind.__module__ == "typing" and kind.__name__ == "NewType":
        return make_new_type, (name, value.__supertype__)
    if kind.__module__ == "typing" and kind.__name__ in _PARAMETER:
        return make_parameter, (kind, name)
    if kind.__module__ == "typing" and kind.__name__ == "TypeAliasType":
        evaluate = value.evaluate_value
        if type(evaluate) is not type(make_named):
            return make_alias_of, (kind, name, value.__value__, value.__type_params__)
        parameters = [_PARAMETER[type(one).__name__] + one.__name__ for one in value.__type_params__]
        free = dict(zip(evaluate.__code__.co_freevars, evaluate.__closure__ or ()))
        contents = {name: cell.cell_contents for name, cell in free.items()
                    if name not in ("__classdict__", ".type_params") and isinstance(cell.cell_contents, type)}
        return make_alias, (name, parameters, marshal.dumps(evaluate.__code__), contents)
    return make_instance, (kind, value.__getstate__())


def make_alias_of(kind, name, value, parameters):
    return kind(name, value, type_params=parameters)


def _belongs(value, modules):
    module = getattr(value, "__module__", None)
    while isinstance(module, str) and module:
        if module in modules:
            return True
        module = module.rpartition(".")[0]
    return False


def reduced_definition(value, known, by_name, modules):
    """How `value` is to be pickled, or None where that is left to cloudpickle.

    `known`: types that have a reducer. `by_name`: the reader's own thing of that name is to be preferred. `modules`:
    those that the reader cannot import.
    """
    kind = type(value)
    if kind is type(reduced_definition):
        return _reduced_generic(value) if _is_generic(value) else None
    if kind.__module__ == "weakref" and kind.__name__ in ("WeakKeyDictionary", "WeakValueDictionary"):
        return kind, (dict(value),)
    if kind.__module__ == "functools" and kind.__name__ == "partialmethod":
        return make_partial_method, (value.func, value.args, value.keywords)
    if issubclass(kind, type) or not _belongs(value, modules) or kind in known:
        return None
    if kind.__module__ == "functools" and kind.__name__ == "_lru_cache_wrapper":
        # It would be pickled by reference, and the worker's `__main__` does not have it yet.
        return make_cached, (value.__wrapped__, value.cache_parameters())
    reduced = value.__reduce_ex__(5)
    if not isinstance(reduced, str):
        return reduced
    make, arguments = _reduced_named(value, reduced)
    return (make_named, (reduced, make, arguments)) if by_name else (make, arguments)


_pickler_type = None


def definition_pickler():
    """cloudpickle's pickler, which knows the above as well. Its import takes time."""
    global _pickler_type
    if _pickler_type is None:
        import cloudpickle

        class DefinitionPickler(cloudpickle.Pickler):
            by_name = True
            by_value = frozenset({_MAIN})

            def reducer_override(self, value):
                reduced = reduced_definition(value, self.dispatch_table, self.by_name, self.by_value)
                if reduced is not None:
                    return reduced
                reduced = super().reducer_override(value)
                return with_whole_body(value, reduced) if type(reduced) is tuple and isinstance(value, type) else reduced

        _pickler_type = DefinitionPickler
    return _pickler_type
