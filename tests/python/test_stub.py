# SPDX-License-Identifier: BSD-3-Clause
"""The stub of the C++ module names what is there, all of it and nothing else."""

import ast
from pathlib import Path

from xcores import _engine

STUB = ast.parse(Path(_engine.__file__).with_name("_engine.pyi").read_text(encoding="utf-8"))
CLASSES = [node for node in STUB.body if isinstance(node, ast.ClassDef)]


def names_of(nodes: list[ast.stmt]) -> set[str]:
    named = {node.name for node in nodes if isinstance(node, (ast.FunctionDef, ast.ClassDef))}
    return named | {node.target.id for node in nodes if isinstance(node, ast.AnnAssign)}


def public(names: set[str]) -> set[str]:
    return {name for name in names if not name.startswith("_")}


def test_the_module_has_the_names_of_the_stub() -> None:
    assert names_of(STUB.body) == public(set(vars(_engine)))


def test_the_classes_have_the_members_of_the_stub() -> None:
    stub = {node.name: public(names_of(node.body)) for node in CLASSES}
    assert stub == {name: public(set(vars(getattr(_engine, name)))) for name in stub}
