# SPDX-License-Identifier: BSD-3-Clause
"""Which names a cell reads from outside."""

import ast

import pytest

from xcores.names import names_of_cell, names_of_code


def needed(text: str) -> set[str]:
    return set(names_of_cell(ast.parse(text)).needed)


def optional(text: str) -> set[str]:
    return set(names_of_cell(ast.parse(text)).optional)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a + b", {"a", "b"}),
        ("a = 1\na + b", {"b"}),
        ("a = a + 1", {"a"}),
        ("a += 1", {"a"}),
        ("a.b.c = d", {"a", "d"}),
        ("a[i] = 1", {"a", "i"}),
        ("f(x, *y, k=z, **w)", {"f", "x", "y", "z", "w"}),
        ("f'{a!r:{b}}'", {"a", "b"}),
        ("(a := b) + a", {"b"}),
        ("x: T = y", {"y"}),
        ("x: T", set()),
        ("del a", {"a"}),
        ("import a.b, c as d\nfrom e import f as g\na, d, g", set()),
        ("with a as b, b.c as d:\n    d", {"a"}),
        ("try:\n    a\nexcept E as e:\n    e\nfinally:\n    b", {"a", "E", "b"}),
        ("try:\n    import a\nexcept ImportError:\n    a = None\na", {"ImportError"}),
        ("for a in b:\n    a + c", {"b", "c"}),
        ("while True:\n    a = 1\n    break\na", set()),
        ("match a:\n    case C(x=b) if b > d:\n        b\n    case [e, *f]:\n        e, f", {"a", "C", "d"}),
        ("match a:\n    case {'k': g, **h}:\n        g, h\n    case _:\n        i", {"a", "i"}),
        ("type A = B\nA", set()),
        ("await a", {"a"}),
        ("async for a in b: a", {"b"}),
        ("async with a as b: b", {"a"}),
        ("assert a, b", {"a", "b"}),
        ("raise a from b", {"a", "b"}),
        ("if a:\n    b = 1\nelse:\n    b = 2\nb", {"a"}),
        ("if a and (b := c) > 1 < (d := 2):\n    b, d", {"a", "c"}),
        ("a and (b := c) and b", {"a", "c"}),
        ("(b if a and (b := 1) else c)", {"a", "c"}),
        ("while a and (b := c):\n    b", {"a", "c"}),
        ("while True:\n    try:\n        a = b\n        break\n    except E:\n        pass\na", {"b", "E"}),
        ("for a in b:\n    if a:\n        c = 1\n        break\nelse:\n    c = 2\nc", {"b"}),
        ("with open(a) as b:\n    c = b\nc", {"open", "a"}),
    ],
)
def test_statements_read_what_they_have_not_bound_before(text: str, expected: set[str]) -> None:
    assert needed(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[x + a for x in xs if x > k]", {"a", "xs", "k"}),
        ("{x: y for x, y in pairs}", {"pairs"}),
        ("{x for x in xs}", {"xs"}),
        ("sum(f(x) for x in range(n))", {"sum", "f", "range", "n"}),
        ("[[y * z for y in x] for x in rows]", {"z", "rows"}),
        ("x = 1\n[x for _ in xs]", {"xs"}),
    ],
)
def test_comprehensions_keep_their_variables_to_themselves(text: str, expected: set[str]) -> None:
    assert needed(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("def f(x):\n    return x + a\nf(1)", {"a"}),
        ("def f():\n    def g():\n        return a\n    return g()\nf()", {"a"}),
        ("def f(x=d):\n    return x", {"d"}),
        ("def f(*, x=d):\n    return x", {"d"}),
        ("@deco\ndef f():\n    return a", {"deco", "a"}),
        ("def f(n):\n    return n and f(n - 1)\nf(3)", set()),
        ("fact = lambda n: n and fact(n - 1)\nfact(3)", set()),
        ("g = lambda x, y=d: x + y + a\ng(1)", {"d", "a"}),
        ("sorted(xs, key=lambda x: x[k])", {"sorted", "xs", "k"}),
        ("def f():\n    global count\n    count += 1\nf()", {"count"}),
        ("def f():\n    global count\n    count = 1\nf()", set()),
        ("def f():\n    x = 1\n    def g():\n        nonlocal x\n        x += a\n    g()\nf()", {"a"}),
        ("def f():\n    return [a for a in b]\nf()", {"b"}),
        ("def f():\n    return helper()\ndef helper():\n    return a\nf()", {"a"}),
        ("def f():\n    return lock\nlock = make()\nf()", {"make"}),
        ("def f():\n    return a", set()),
        ("def f(x: T) -> R:\n    return x\nf(1)", set()),
        ("def outer():\n    free = a\n    return lambda: free + b\nouter()()", {"a", "b"}),
    ],
)
def test_functions_read_their_names_when_they_are_first_used(text: str, expected: set[str]) -> None:
    assert needed(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("class C(Base, metaclass=Meta):\n    x = a\n    y = x + b", {"Base", "Meta", "a", "b", "__name__"}),
        ("class C:\n    def m(self):\n        return a\nC().m()", {"a", "__name__"}),
        ("@dataclass\nclass C:\n    x: int = d", {"dataclass", "d", "__name__"}),
    ],
)
def test_classes_run_their_bodies_at_once(text: str, expected: set[str]) -> None:
    assert needed(text) == expected


def test_annotations_of_a_class_are_only_perhaps_read() -> None:
    text = "class C:\n    x: Point\nC"
    assert "Point" in optional(text) and "Point" not in needed(text)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("if a:\n    b = 1\nb", "b"),
        ("for x in xs:\n    y = x\ny", "y"),
        ("from m import *\nthing", "thing"),
        ("try:\n    a = 1\nexcept E:\n    pass\na", "a"),
        ("with contextlib.suppress(E):\n    a = f()\na", "a"),
        ("with open(f), suppress(E):\n    a = f()\na", "a"),
        ("False and (a := 3)\na", "a"),
        ("b or (a := 3)\na", "a"),
        ("b < c < (a := 3)\na", "a"),
        ("(a := 1) if b else 2\na", "a"),
        ("assert b, (a := 3)\na", "a"),
        ("while True:\n    if b: break\n    a = 1\na", "a"),
        ("while True:\n    break\n    a = 1\na", "a"),
        ("while b:\n    a = 1\n    break\na", "a"),
        ("for b in c:\n    if b: break\n    a = 1\nelse:\n    a = 2\na", "a"),
        ("for b in c:\n    break\nelse:\n    a = 2\na", "a"),
    ],
)
def test_a_name_that_may_be_bound_is_only_perhaps_read(text: str, name: str) -> None:
    assert name in optional(text) and name not in needed(text)


def test_a_name_certainly_read_first_stays_needed_after_a_star_import() -> None:
    assert "a" in needed("a\nfrom m import *\na")


def test_a_shadowed_builtin_is_read_like_any_name() -> None:
    assert needed("print(list)") == {"print", "list"}
    assert needed("list = [1]\nprint(list)") == {"print"}


def test_attributes_are_known_wherever_they_stand() -> None:
    assert {"path", "join"} <= names_of_cell(ast.parse("def f():\n    return os.path.join('a')")).attributes


def test_what_the_cell_binds_in_the_end_is_known() -> None:
    names = names_of_cell(ast.parse("a = 1\nif a:\n    b = 2\ndel a\nc = 3"))
    assert names.bound == {"c"}


def test_names_of_a_function_include_those_of_functions_inside_it() -> None:
    def outer() -> object:
        return lambda: inner_name + (lambda: deep_name)()  # noqa: F821

    assert set(names_of_code(outer.__code__).reads) == {"inner_name", "deep_name"}
