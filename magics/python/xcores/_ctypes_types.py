# SPDX-License-Identifier: BSD-3-Clause
"""Types that were made with ctypes: neither pickle nor cloudpickle can take them apart.

Part of the worker, and of the notebook: see `_worker`, in front of which its source is executed.
"""

import sys

_BEFORE_FIELDS = ("__module__", "__qualname__", "__doc__", "_type_", "_length_", "_pack_", "_align_", "_layout_", "_anonymous_")
"""Attributes of a class that have a meaning only when they are there before its `_fields_`."""
_NOT_SENT = frozenset({"__dict__", "__weakref__", "_fields_", "__firstlineno__", "__static_attributes__",
                       "__pointer_type__", *_BEFORE_FIELDS})


def reduce_ctypes_type(kind):
    """How the class `kind` is reduced, where it is one that ctypes or a cell has made of ctypes; else NotImplemented."""
    if "_ctypes" not in sys.modules or not hasattr(kind, "from_buffer_copy"):
        return NotImplemented
    import _ctypes

    if issubclass(kind, _ctypes._Pointer) and "_type_" in kind.__dict__ and kind.__name__.startswith("LP_"):
        return make_pointer_type, (kind._type_,)
    if issubclass(kind, _ctypes.Array) and kind._type_ * kind._length_ is kind:
        return make_array_type, (kind._type_, kind._length_)
    if issubclass(kind, (_ctypes.Structure, _ctypes.Union, _ctypes.Array)) and not _can_be_imported(kind):
        return _by_value(kind)
    return NotImplemented


def _can_be_imported(kind):
    from cloudpickle.cloudpickle import _should_pickle_by_reference

    return _should_pickle_by_reference(kind)


def _by_value(kind):
    import types

    from cloudpickle.cloudpickle import _get_or_create_tracker_id

    first = {name: kind.__dict__[name] for name in _BEFORE_FIELDS if name in kind.__dict__}
    made_by_ctypes = (types.GetSetDescriptorType, type(_a_field()))
    rest = {name: value for name, value in kind.__dict__.items()
            if name not in _NOT_SENT and not isinstance(value, made_by_ctypes)}
    state = kind.__dict__.get("_fields_"), rest
    return (make_ctypes_class, (kind.__name__, kind.__bases__, first, _get_or_create_tracker_id(kind)), state,
            None, None, fill_ctypes_class)


def _a_field():
    from ctypes import Structure, c_char

    class Pair(Structure):
        _fields_ = [("first", c_char)]

    return Pair.first


def make_pointer_type(kind):
    from ctypes import POINTER

    return POINTER(kind)


def make_array_type(kind, length):
    return kind * length


def make_ctypes_class(name, bases, first, identity):
    from cloudpickle.cloudpickle import _lookup_class_or_track

    return _lookup_class_or_track(identity, type(bases[0])(name, bases, first))


def fill_ctypes_class(kind, state):
    fields, rest = state
    if fields is not None and "_fields_" not in kind.__dict__:  # the fields of a class can be given once
        kind._fields_ = fields
    for name, value in rest.items():
        setattr(kind, name, value)
    return kind
