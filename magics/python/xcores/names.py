# SPDX-License-Identifier: BSD-3-Clause
"""Which names a piece of code reads from outside, found without running it.

A cell is read in the order in which it would run, so that a name the cell makes itself before using it is not asked
for: `lock = Lock()` in the cell must not drag the notebook's `lock` along. The body of a function counts from where
the function is first used. What is perhaps read from outside (bound under an `if`, or by a star import) is told apart
from what certainly is. Attributes are collected too: `os.path.join` needs the submodule `os.path`.
"""

import ast
import dis
import functools
import types
from collections.abc import Iterable
from dataclasses import dataclass, field

_READS = frozenset({"LOAD_NAME", "LOAD_GLOBAL", "LOAD_FROM_DICT_OR_GLOBALS", "DELETE_GLOBAL"})
_FLAGS = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT


@dataclass(frozen=True, slots=True)
class CodeNames:
    """The global names that one code object reads, code nested in it included."""

    reads: tuple[str, ...]
    annotations: tuple[str, ...]
    """Read only if somebody evaluates the annotations of a class (they are deferred since Python 3.14)."""


@functools.lru_cache(maxsize=512)
def names_of_code(code: types.CodeType) -> CodeNames:
    """The names that `code` looks up in its globals, in order of appearance."""
    reads: dict[str, None] = {}
    annotations: dict[str, None] = {}
    own = set()
    for instruction in dis.get_instructions(code):
        name = instruction.argval
        if instruction.opname == "STORE_NAME":
            own.add(name)
        elif instruction.opname in _READS and not (instruction.opname == "LOAD_NAME" and name in own):
            reads[name] = None
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            inner = names_of_code(constant)
            annotations.update(dict.fromkeys(inner.annotations))
            (annotations if constant.co_name == "__annotate__" else reads).update(dict.fromkeys(inner.reads))
    return CodeNames(tuple(reads), tuple(annotations))


@dataclass(slots=True)
class CellNames:
    """What a cell reads from outside, in order of first use."""

    needed: dict[str, None] = field(default_factory=dict)
    optional: dict[str, None] = field(default_factory=dict)
    """Perhaps read from outside: sent along where that is possible, and no error where it is not."""
    bound: set[str] = field(default_factory=set)
    """Certainly made by the cell itself by the time it ends."""
    attributes: set[str] = field(default_factory=set)


def names_of_cell(tree: ast.Module) -> CellNames:
    """What the module `tree` reads from outside. `tree` must compile."""
    reader = _Reader()
    reader.visit_all(tree.body)
    found = reader.found
    found.bound = reader.bound
    found.attributes = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    return found


def _inner_names(node: ast.stmt | ast.expr) -> CodeNames:
    """What the code objects inside the definition `node` read; not what its decorators and defaults do."""
    tree = ast.fix_missing_locations(ast.Module([node if isinstance(node, ast.stmt) else ast.Expr(node)], []))
    code = compile(tree, "<names>", "exec", flags=_FLAGS, dont_inherit=True)
    inner = [names_of_code(part) for part in code.co_consts
             if isinstance(part, types.CodeType) and part.co_name != "__annotate__"]
    return CodeNames(tuple(name for one in inner for name in one.reads),
                     tuple(name for one in inner for name in one.annotations))


def _bound_if_true(test: ast.expr) -> list[ast.AST]:
    """The names that a condition certainly binds where it holds: all parts of `and` have been evaluated then."""
    match test:
        case ast.NamedExpr(target=target):
            return [target]
        case ast.BoolOp(op=ast.And(), values=parts):
            return [name for part in parts for name in _bound_if_true(part)]
        case ast.Compare(left=left, comparators=parts):
            return [name for part in (left, *parts) for name in _bound_if_true(part)]
    return []


def _suppresses(context: ast.expr) -> bool:
    """Whether it is meant to end its block early and go on behind it."""
    match context:
        case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)):
            return name in ("suppress", "raises", "assertRaises")
    return False


class _Reader(ast.NodeVisitor):
    """Walks a module in the order of its evaluation, knowing at each point what is certainly bound, what perhaps."""

    def __init__(self) -> None:
        self.found = CellNames()
        self.bound: set[str] = set()
        self.perhaps: set[str] = set()
        self.everything_perhaps = False
        self.bodies: dict[str, CodeNames] = {}
        self.breaks: list[list[set[str]]] = []
        """Of each loop around: what is certainly bound where it is left by `break`."""

    def visit_all(self, nodes: Iterable[ast.AST | None]) -> None:
        for node in nodes:
            if node is not None:
                self.visit(node)

    def read(self, name: str) -> None:
        if name in self.bound or name in self.perhaps:
            if name in self.bodies:
                self.read_inner(self.bodies.pop(name))
        if name in self.bound or name in self.found.needed:
            return
        if name in self.perhaps or self.everything_perhaps:
            self.found.optional[name] = None
        else:
            self.found.optional.pop(name, None)
            self.found.needed[name] = None

    def read_inner(self, names: CodeNames) -> None:
        for name in names.reads:
            self.read(name)
        for name in names.annotations:
            if name not in self.bound and name not in self.found.needed:
                self.found.optional[name] = None

    def bind(self, name: str | None) -> None:
        if name is not None:
            self.bound.add(name)
            self.perhaps.add(name)
            self.bodies.pop(name, None)

    def branches(self, *parts: Iterable[ast.AST | None]) -> None:
        """Of several ways to go, exactly one is taken; an empty one stands for "or nothing"."""
        before = self.bound
        ends = []
        for part in parts:
            self.bound = set(before)
            self.visit_all(part)
            ends.append(self.bound)
        self.bound = set.intersection(*ends)

    def visit_Name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Store):
            self.bind(node.id)
            return
        self.read(node.id)
        if isinstance(node.ctx, ast.Del):
            self.bound.discard(node.id)

    def visit_Assign(self, node: ast.Assign) -> None:
        if isinstance(node.value, ast.Lambda) and all(isinstance(target, ast.Name) for target in node.targets):
            self.visit_all([*node.value.args.defaults, *node.value.args.kw_defaults])
            self.visit_all(node.targets)
            for target in node.targets:
                self.bodies[target.id] = _inner_names(node.value)
            return
        self.visit_all([node.value, *node.targets])

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        if isinstance(node.target, ast.Name):
            self.read(node.target.id)
        self.visit_all([node.value, node.target])

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self.visit_all([node.value, node.target])

    def visit_NamedExpr(self, node: ast.NamedExpr) -> None:
        self.visit_all([node.value, node.target])

    def visit_TypeAlias(self, node: ast.TypeAlias) -> None:
        self.visit(node.name)

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            self.bind(alias.asname or alias.name.partition(".")[0])

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        for alias in node.names:
            if alias.name == "*":
                self.everything_perhaps = True
            else:
                self.bind(alias.asname or alias.name)

    def visit_definition(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> None:
        self.visit_all(node.decorator_list)
        if isinstance(node, ast.ClassDef):
            self.visit_all([*node.bases, *node.keywords])
        else:
            self.visit_all([*node.args.defaults, *node.args.kw_defaults])
        self.bind(node.name)
        self.bodies[node.name] = _inner_names(node)
        # The body of a class runs at once, and a decorator may call what it is given.
        if node.decorator_list or isinstance(node, ast.ClassDef):
            self.read(node.name)

    visit_FunctionDef = visit_AsyncFunctionDef = visit_ClassDef = visit_definition

    def visit_Lambda(self, node: ast.Lambda) -> None:
        self.visit_all([*node.args.defaults, *node.args.kw_defaults])
        self.read_inner(_inner_names(node))

    def visit_comprehension_of(self, node: ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp) -> None:
        tree = ast.fix_missing_locations(ast.Expression(node))
        self.read_inner(names_of_code(compile(tree, "<names>", "eval", flags=_FLAGS, dont_inherit=True)))
        for part in ast.walk(node):
            if isinstance(part, ast.NamedExpr):
                self.perhaps.add(part.target.id)

    visit_ListComp = visit_SetComp = visit_DictComp = visit_GeneratorExp = visit_comprehension_of

    def visit_If(self, node: ast.If) -> None:
        self.visit(node.test)
        self.branches([*_bound_if_true(node.test), *node.body], node.orelse)

    def visit_loop(self, body: list[ast.AST], otherwise: list[ast.stmt], *, endless: bool = False) -> None:
        before = set(self.bound)
        self.breaks.append([])
        self.visit_all(body)
        ends = self.breaks.pop()
        if not endless:
            self.bound = before
            self.visit_all(otherwise)
            ends.append(self.bound)
        if ends:
            self.bound = set.intersection(*ends)

    def visit_each(self, node: ast.For | ast.AsyncFor) -> None:
        self.visit(node.iter)
        self.visit_loop([node.target, *node.body], node.orelse)

    visit_For = visit_AsyncFor = visit_each

    def visit_While(self, node: ast.While) -> None:
        self.visit(node.test)
        endless = isinstance(node.test, ast.Constant) and bool(node.test.value)
        self.visit_loop([*_bound_if_true(node.test), *node.body], node.orelse, endless=endless)

    def visit_Break(self, node: ast.Break) -> None:
        self.breaks[-1].append(set(self.bound))

    def visit_IfExp(self, node: ast.IfExp) -> None:
        self.visit(node.test)
        self.branches([*_bound_if_true(node.test), node.body], [node.orelse])

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        self.visit(node.values[0])
        self.branches(node.values[1:], [])

    def visit_Compare(self, node: ast.Compare) -> None:
        self.visit_all([node.left, node.comparators[0]])
        self.branches(node.comparators[1:], [])

    def visit_Assert(self, node: ast.Assert) -> None:
        self.visit(node.test)
        self.branches([node.msg], [])

    def visit_try(self, node: ast.Try | ast.TryStar) -> None:
        self.branches([*node.body, *node.orelse], *([handler] for handler in node.handlers))
        self.visit_all(node.finalbody)

    visit_Try = visit_TryStar = visit_try

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> None:
        self.visit_all([node.type])
        self.bind(node.name)
        self.visit_all(node.body)
        self.bound.discard(node.name or "")

    def visit_with(self, node: ast.With | ast.AsyncWith) -> None:
        for item in node.items:
            self.visit_all([item.context_expr, item.optional_vars])
        if any(_suppresses(item.context_expr) for item in node.items):
            self.branches(node.body, [])
        else:
            self.visit_all(node.body)

    visit_With = visit_AsyncWith = visit_with

    def visit_Match(self, node: ast.Match) -> None:
        self.visit(node.subject)
        self.branches(*([case.pattern, case.guard, *case.body] for case in node.cases), [])

    def visit_pattern(self, node: ast.MatchAs | ast.MatchStar | ast.MatchMapping) -> None:
        self.generic_visit(node)
        self.bind(node.rest if isinstance(node, ast.MatchMapping) else node.name)

    visit_MatchAs = visit_MatchStar = visit_MatchMapping = visit_pattern
