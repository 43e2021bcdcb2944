# SPDX-License-Identifier: BSD-3-Clause
"""How functions and classes that use the globals of the notebook are pickled: by their code, for the globals of the worker."""

import marshal
import types
import typing
from collections.abc import Iterator
from typing import Any

from xcores import _transfer

_ANNOTATE = "__annotate__"
_FIELDS = ("__name__", "__qualname__", "__module__", "__doc__", "__defaults__", "__kwdefaults__", "__type_params__", _ANNOTATE)
_PARAMETERS = frozenset({"TypeVar", "ParamSpec", "TypeVarTuple"})


class Scope:
    """The globals of the notebook, which in a worker are those of the cell."""

    def __reduce__(self) -> tuple[Any, ...]:
        return _transfer.namespace, ()


def is_annotate(function: types.FunctionType) -> bool:
    """Whether it computes annotations when somebody asks for them, which hardly any code does."""
    return function.__code__.co_name == _ANNOTATE


def reduced_function(function: types.FunctionType, scope: Scope) -> tuple[Any, ...]:
    contents = _annotation_contents if is_annotate(function) else _contents
    fields = {name: getattr(function, name) for name in _FIELDS}
    if not isinstance(fields[_ANNOTATE], types.FunctionType | None):
        del fields[_ANNOTATE]
    state = {"closure": list(contents(function)), "attributes": dict(function.__dict__), "fields": fields}
    parts = (marshal.dumps(function.__code__), scope, len(function.__closure__ or ()))
    return _transfer.make_function, parts, state, None, None, _transfer.fill_function


def evaluation_of_alias(value: Any) -> types.FunctionType | None:
    """The code behind a `type` statement."""
    evaluate = value.evaluate_value if isinstance(value, typing.TypeAliasType) else None
    return evaluate if isinstance(evaluate, types.FunctionType) else None


def with_annotations(cls: type, reduced: Any, names: dict[str, Any]) -> Any:
    """cloudpickle leaves out the function that computes the annotations of a class, because it would drag the class's
    whole namespace along. `names`: the globals of the notebook."""
    annotate = cls.__dict__.get("__annotate_func__")
    own = isinstance(annotate, types.FunctionType) and annotate.__globals__ is names
    if own and isinstance(reduced, tuple) and len(reduced) > 2:
        members, slots = reduced[2]
        reduced = (*reduced[:2], ({**members, "__annotate_func__": annotate}, slots), *reduced[3:])
    return reduced


def _contents(function: types.FunctionType) -> Iterator[tuple[Any, ...]]:
    for cell in function.__closure__ or ():
        try:
            yield (cell.cell_contents,)
        except ValueError:  # not bound yet
            yield ()


def _annotation_contents(function: types.FunctionType) -> Iterator[tuple[Any, ...]]:
    """Of what annotations refer to only what any worker can have: nothing shall fail on their account."""
    names = function.__code__.co_names
    for free, content in zip(function.__code__.co_freevars, _contents(function), strict=True):
        if content and free == "__classdict__":
            yield ({name: content[0][name] for name in names if name in content[0] and _is_plain(content[0][name])},)
        else:
            yield content if content and _is_plain(content[0]) else ()


def _is_plain(value: Any) -> bool:
    if type(value).__module__ == "typing" and type(value).__name__ in _PARAMETERS:
        return True
    return isinstance(value, type) and value.__module__ in ("builtins", _transfer.MAIN)
