# SPDX-License-Identifier: BSD-3-Clause
"""Reads the body of a cell magic: Python as IPython understands it, with the line numbers that the user sees."""

import __future__

import ast
import dis
import functools
import inspect
import linecache
import operator
import types
from dataclasses import dataclass
from typing import TYPE_CHECKING

from xcores._transfer import RESULT
from xcores.errors import CellSyntaxError, usage_error
from xcores.names import CellNames, names_of_cell

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

_FEATURES = (getattr(__future__, name) for name in __future__.all_feature_names)
_FUTURE_FLAGS = functools.reduce(operator.or_, (feature.compiler_flag for feature in _FEATURES))


@dataclass(frozen=True, slots=True)
class Cell:
    code: types.CodeType
    """A coroutine if the cell awaits something at its top level."""
    names: CellNames
    filename: str
    source: str
    """Numbered as the user sees it: line 1 is the line of the magic."""
    tree: ast.Module

    def enclosed(self, names: tuple[str, ...]) -> types.CodeType:
        """The code of a function to which `names` are free variables, all other names of the cell global. So what
        differs from worker to worker belongs to the cell alone, whatever its globals have under these names.

        *Failure*: `CellSyntaxError`: a function cannot import `*`.
        """
        return _as_function(self.tree, self.code, names)


def read_cell(shell: "InteractiveShell", magic: str, body: str) -> Cell:
    """Compile `body`.

    *Failure*: `CellSyntaxError`, or a usage error where the cell is empty or uses what no worker has.
    """
    head, number = _head(shell, magic, body)
    filename = f"Cell In[{number}]"
    source = _padded(body, head)
    _remember(filename, source)
    try:
        tree = ast.parse(source, filename)
    except SyntaxError:
        source = _padded(_plain_python(shell, body), head)
        _remember(filename, source)
        tree = _parsed(source, filename)
    if not tree.body:
        raise usage_error(f"%%{magic}: the cell is empty, there is nothing to run.")
    _refuse_magics(magic, tree)
    names = names_of_cell(ast.parse(source))
    return Cell(_compiled(shell, tree, body, filename), names, filename, source, tree)


def _head(shell: "InteractiveShell", magic: str, body: str) -> tuple[int, int]:
    """How many lines stand above the body in the cell, and the number of the cell."""
    running = getattr(shell.displayhook, "exec_result", None)
    if running is None or running.info is None:
        return 1, shell.execution_count
    raw = running.info.raw_cell
    if raw.rstrip().endswith(body.rstrip()) and body.strip():
        above = raw.rstrip()[:-len(body.rstrip())]
        if above.rstrip().rpartition("\n")[2].lstrip().startswith(f"%%{magic}"):
            return above.count("\n"), running.execution_count
    return 1, running.execution_count


def _padded(text: str, head: int) -> str:
    return "\n" * head + text


def _remember(filename: str, source: str) -> None:
    linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)


def _plain_python(shell: "InteractiveShell", body: str) -> str:
    """`body` with IPython's syntax translated, on the same lines. Only asked where Python does not understand it."""
    text = shell.input_transformer_manager.transform_cell(body)
    # IPython drops blank lines at the top.
    blank = next((at for at, line in enumerate(body.splitlines()) if line.strip()), 0)
    return "\n" * blank + text if text.strip() != body.strip() else body


def _parsed(source: str, filename: str) -> ast.Module:
    try:
        return ast.parse(source, filename)
    except SyntaxError as error:
        raise CellSyntaxError.of(error) from None


def _compiled(shell: "InteractiveShell", tree: ast.Module, body: str, filename: str) -> types.CodeType:
    last = tree.body[-1]
    if isinstance(last, ast.Expr) and not shell.displayhook.semicolon_at_end_of_expression(body):
        result = ast.Assign([ast.Name(RESULT, ast.Store())], last.value)
        tree.body[-1] = ast.fix_missing_locations(ast.copy_location(result, last))
    flags = (shell.compile.flags & _FUTURE_FLAGS) | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    try:
        return compile(tree, filename, "exec", flags=flags, dont_inherit=True)
    except (SyntaxError, ValueError) as error:
        raise CellSyntaxError.of(error) from None


def _as_function(tree: ast.Module, plain: types.CodeType, free: tuple[str, ...]) -> types.CodeType:
    made = sorted(_stored(plain).difference(free))
    body = [_without_annotation(node) for node in tree.body]
    match body[-1]:
        case ast.Assign([ast.Name(id=name)], value) if name == RESULT:
            body[-1] = ast.Return(value)
    future = [node for node in body if isinstance(node, ast.ImportFrom) and node.module == "__future__"]
    inside = [*([ast.Global(made)] if made else []), ast.Nonlocal(list(free)),
              *(node for node in body if node not in future), ast.Pass()]
    kind = ast.AsyncFunctionDef if plain.co_flags & inspect.CO_COROUTINE else ast.FunctionDef
    function = kind("cell", ast.arguments(), inside, [])
    around = ast.FunctionDef("around", ast.arguments(args=[ast.arg(name) for name in free]), [function], [])
    module = ast.fix_missing_locations(ast.Module([*future, around], []))
    flags = plain.co_flags & _FUTURE_FLAGS
    try:
        code = compile(module, plain.co_filename, "exec", flags=flags, dont_inherit=True)
    except SyntaxError as error:
        raise CellSyntaxError.of(error) from None
    (outer,) = (one for one in code.co_consts if isinstance(one, types.CodeType))
    (inner,) = (one for one in outer.co_consts if isinstance(one, types.CodeType))
    return inner.replace(co_name=plain.co_name, co_qualname=plain.co_qualname)


def _stored(code: types.CodeType) -> set[str]:
    """The names that a cell assigns at its top level, or anywhere as global ones."""
    inner = (one for one in code.co_consts if isinstance(one, types.CodeType))
    own = {one.argval for one in dis.get_instructions(code) if one.opname in ("STORE_NAME", "DELETE_NAME")
           and code.co_name == "<module>" or one.opname == "STORE_GLOBAL"}
    return own.union(*map(_stored, inner))


def _without_annotation(node: ast.stmt) -> ast.stmt:
    """Python allows no annotation for a name that a function declares global."""
    match node:
        case ast.AnnAssign(target=ast.Name(), value=None):
            return ast.copy_location(ast.Pass(), node)
        case ast.AnnAssign(target=ast.Name() as target, value=value):
            return ast.copy_location(ast.Assign([target], value), node)
    return node


def _refuse_magics(magic: str, tree: ast.Module) -> None:
    """Workers have no IPython: say so before anything starts."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Call(func=ast.Name("get_ipython")), attr=call),
                          args=[ast.Constant(str(name)), *rest]) if call in ("run_line_magic", "run_cell_magic"):
                if name in ("pinfo", "pinfo2", "psearch"):
                    what, remedy = "help (`?`)", "ask in a cell of its own"
                else:
                    what = f"{'%%' if call == 'run_cell_magic' else '%'}{name}"
                    remedy = f"put it above %%{magic}, or use plain Python" if name == "time" else "use plain Python"
                where = f"%%{magic}, line {node.lineno}"
                raise usage_error(f"{where}: IPython's {what} does not work inside a worker; {remedy}.")
