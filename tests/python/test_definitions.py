# SPDX-License-Identifier: BSD-3-Clause
"""What a program defines arrives in workers, also what pickle and cloudpickle refuse."""

import os
import subprocess
import sys
from typing import Any

import pytest

import xcores

EXECUTORS = {"subinterp": xcores.SubinterpExecutor, "procs": xcores.ProcessExecutor}
GENERIC = "import functools\n@functools.singledispatch\ndef describe(v): return 'any'\n"
DEFINITIONS: dict[str, tuple[str, str, Any]] = {
    "singledispatch": (GENERIC + "@describe.register\ndef _(v: int): return 'int'\n@describe.register(list)\ndef _(v):\n"
                       "    return [describe(one) for one in v]", "describe([1, 'a'])", ["int", "any"]),
    "singledispatch on an ABC": (GENERIC + "import collections.abc\n@describe.register\ndef _(v: collections.abc.Sized):\n"
                                 "    return len(v)", "describe({1, 2}), describe(1), describe.__name__", (2, "any", "describe")),
    "singledispatch on a union": (GENERIC + "@describe.register\ndef _(v: int | float): return 'number'", "describe(1.5)", "number"),
    "singledispatch on a class": (GENERIC + "class Own: pass\n@describe.register\ndef _(v: Own): return 'own'", "describe(Own())", "own"),
    "singledispatch in a closure": ("import functools\ndef make():\n    @functools.singledispatch\n    def size(v): return 1\n"
                                    "    @size.register\n    def _(v: list): return sum(map(size, v))\n    return size\n"
                                    "size = make()", "size([1, [2, 3]])", 3),
    "singledispatchmethod": ("import functools\nclass A:\n    @functools.singledispatchmethod\n    def f(self, v): return 'any'\n"
                             "    @f.register\n    def _(self, v: int): return self.n + v\n    n = 4", "A().f(3), A().f('')", (7, "any")),
    "singledispatchmethod of a class": ("import functools\nclass A:\n    @functools.singledispatchmethod\n    @classmethod\n"
                                        "    def f(cls, v): return cls.__name__\n    @f.register\n    @classmethod\n"
                                        "    def _(cls, v: int): return v", "A.f(3), A.f('')", (3, "A")),
    "a wrapper of an ABC's method": ("import abc, functools\nclass Shape(abc.ABC):\n    side: int = 3\n    @abc.abstractmethod\n"
                                     "    def corners(self) -> int: ...\n    def area(self) -> float: return self.side ** 2\n"
                                     "class Square(Shape):\n    def corners(self) -> int: return 4\n"
                                     "class Counted:\n    def __init__(self, f):\n        functools.update_wrapper(self, f)\n"
                                     "        self.calls = 0\n    def __call__(self, *a):\n        self.calls += 1\n"
                                     "        return self.__wrapped__(*a)\narea = Counted(Shape.area)",
                                     "area(Square()), area.calls, area.__annotate__(1)", (9, 1, {"return": float})),
    "annotations of a method": ("class A:\n    class Part: pass\n    def f(self, x: Part, y: int) -> 'A': return x",
                                "sorted(A.f.__annotations__), A.f.__annotations__['x'] is A.Part", (["return", "x", "y"], True)),
    "annotations of a class": ("class A:\n    x: int\n    y: 'A'", "A.__annotations__", {"x": int, "y": "A"}),
    "annotations nobody can evaluate": ("def f(x: missing.type) -> 0: return x\nclass A:\n    x: missing\n    def f(self, y: gone): return y",
                                        "f(1), A().f(2)", (1, 2)),
    "NewType": ("from typing import NewType\nUserId = NewType('UserId', int)", "UserId(3), UserId.__name__", (3, "UserId")),
    "NewType of a NewType": ("from typing import NewType\nUserId = NewType('UserId', int)\nAdmin = NewType('Admin', UserId)",
                             "Admin(3), Admin.__supertype__ is UserId", (3, True)),
    "NewType in a closure": ("from typing import NewType\nUserId = NewType('UserId', int)\ndef make():\n    kind = UserId\n"
                             "    return lambda x: (kind(x), kind is UserId)\nf = make()", "f(3)", (3, True)),
    "type alias": ("type Numbers = list[int]", "Numbers.__value__ == list[int], Numbers.__name__", (True, "Numbers")),
    "type alias of a class": ("class A: pass\ntype Many = list[A]", "Many.__value__ == list[A]", True),
    "generic type alias": ("type Pair[T] = tuple[T, T]", "Pair[int].__args__, str(Pair.__value__), len(Pair.__type_params__)",
                           ((int,), "tuple[T, T]", 1)),
    "subscripted type alias": ("type Pair[T] = tuple[T, T]\nInts = Pair[int]", "Ints.__args__, Ints.__origin__ is Pair", ((int,), True)),
    "recursive type alias": ("type Tree = int | list[Tree]", "Tree.__value__.__args__[1].__args__[0] is Tree", True),
    "type alias by call": ("import typing\nT = typing.TypeVar('T')\nPair = typing.TypeAliasType('Pair', tuple[T, T], type_params=(T,))",
                           "Pair[int].__args__, Pair.__value__ == tuple[T, T]", ((int,), True)),
    "TypeVar": ("from typing import TypeVar\nT = TypeVar('T', bound=int)", "T.__name__, T.__bound__", ("T", int)),
    "ParamSpec": ("from typing import ParamSpec, Callable\nP = ParamSpec('P')\ndef f(g: Callable[P, int], *a: P.args): return g(*a)",
                  "P.__name__, f(len, 'ab')", ("P", 2)),
    "TypeVarTuple": ("from typing import TypeVarTuple, Generic, Unpack\nTs = TypeVarTuple('Ts')\nclass A(Generic[Unpack[Ts]]): pass",
                     "Ts.__name__, A[int, str].__args__", ("Ts", (int, str))),
    "generic class": ("class A[T]:\n    def __init__(self, x: T): self.x = x\n    def get(self) -> T: return self.x",
                      "A[int](3).get(), A.__type_params__[0].__name__, A.get.__annotations__['return'].__name__", (3, "T", "T")),
    "generic function": ("def first[T](values: list[T]) -> T: return values[0]",
                         "first([3]), first.__type_params__[0].__name__", (3, "T")),
    "dataclass": ("import dataclasses\n@dataclasses.dataclass(slots=True, kw_only=True, frozen=True)\nclass P:\n    x: int\n"
                  "    class Inner: pass\n    y: list[int] = dataclasses.field(default_factory=list)", "P(x=1).y, P(x=1) == P(x=1)", ([], True)),
    "Enum and Flag": ("import enum\nclass Hue(enum.Enum):\n    RED = enum.auto()\n    def low(self): return self.name.lower()\n"
                      "class Right(enum.Flag):\n    R = 1\n    W = 2", "Hue(1).low(), (Right.R | Right.W).value, Hue['RED'] is Hue.RED",
                      ("red", 3, True)),
    "NamedTuple": ("from typing import NamedTuple\nclass P(NamedTuple):\n    x: int\n    y: int = 2\n    def sum(self): return self.x + self.y",
                   "P(1).sum(), P(1)._asdict()", (3, {"x": 1, "y": 2})),
    "TypedDict": ("from typing import TypedDict\nclass D(TypedDict, total=False):\n    x: int", "D(x=1), D.__total__", ({"x": 1}, False)),
    "Protocol": ("from typing import Protocol, runtime_checkable\n@runtime_checkable\nclass Sized(Protocol):\n    def size(self) -> int: ...\n"
                 "class A:\n    def size(self): return 1", "isinstance(A(), Sized), isinstance(1, Sized)", (True, False)),
    "partialmethod": ("import functools\nclass A:\n    def f(self, a, b): return a, b\n    g = functools.partialmethod(f, 1)", "A().g(2)", (1, 2)),
    "cache on a method": ("import functools\nclass A:\n    @functools.cache\n    def f(self, n): return n if n < 2 else self.f(n - 1) + self.f(n - 2)",
                          "A().f(30)", 832040),
    "cached_property": ("import functools\nclass A:\n    @functools.cached_property\n    def f(self): return 5", "A().f", 5),
    "contextmanager": ("import contextlib\n@contextlib.contextmanager\ndef twice(x):\n    yield 2 * x\ndef use():\n    with twice(4) as y: return y",
                       "use()", 8),
    "weak dictionaries in closures": ("import weakref\nclass K: pass\ndef make():\n    seen = weakref.WeakKeyDictionary()\n"
                                      "    values = weakref.WeakValueDictionary()\n    def f(k):\n        seen[k] = seen.get(k, 0) + 1\n"
                                      "        return seen[k], len(values)\n    return f\nf = make()\nkey = K()\nf(key)", "f(key), f(key)", ((2, 0), (3, 0))),
    "local class with super": ("def make(n):\n    class A:\n        def f(self): return n\n    class B(A):\n        def f(self): return super().f() + 1\n"
                               "    return B\nB = make(3)", "B().f()", 4),
    "metaclass": ("class Meta(type):\n    def __call__(cls, *a): return (cls.__name__, super().__call__(*a).x)\n"
                  "class A(metaclass=Meta):\n    def __init__(self, x): self.x = x", "A(3)", ("A", 3)),
    "__init_subclass__": ("class Base:\n    known = []\n    def __init_subclass__(cls, **k):\n        super().__init_subclass__()\n"
                          "        Base.known.append(cls.__name__)\nclass A(Base): pass\nclass B(Base): pass", "B.__mro__[1] is Base", True),
    "descriptors": ("class Positive:\n    def __set_name__(self, owner, name): self.name = '_' + name\n"
                    "    def __get__(self, one, owner): return getattr(one, self.name)\n    def __set__(self, one, v): setattr(one, self.name, abs(v))\n"
                    "class A:\n    x = Positive()\n    @property\n    def double(self): return 2 * self.x\n    @double.setter\n    def double(self, v): self.x = v / 2\n"
                    "    @staticmethod\n    def s(): return 1\n    @classmethod\n    def c(cls): return cls.s()",
                    "a = A()\na.x = -3\na.x, a.double, A.c()", (3, 6, 1)),
    "a value that pickles by its name": ("class Missing:\n    def __init__(self, text): self.text = text\n    def __reduce__(self): return 'MISSING'\n"
                                         "MISSING = Missing('none')\ndef f(x=MISSING): return x is MISSING, x.text", "f()", (True, "none")),
    "coroutine function": ("import asyncio\nasync def later(x): return x\ndef run(x): return asyncio.run(later(x))", "run(3)", 3),
}


@pytest.fixture(params=list(DEFINITIONS), scope="module")
def definition(request: pytest.FixtureRequest) -> tuple[str, str, Any]:
    return DEFINITIONS[request.param]


def test_what_a_notebook_defines_works_in_workers(sending_kind, cell, results, definition) -> None:
    setup, body, expected = definition
    assert cell(setup).error is None
    assert results(sending_kind, body, workers=1) == [expected]


def test_what_a_notebook_defines_works_for_items(sending_kind, cell, shell, definition) -> None:
    setup, body, expected = definition
    assert cell(setup).error is None
    ran = cell(f"%%{sending_kind} 1 --quiet --map [0] -o answers\n{body}")
    assert ran.error is None, ran.text
    assert shell.user_ns["answers"] == [expected]


PROGRAM = """
import sys, traceback, xcores
for name, (setup, body, expected) in DEFINITIONS.items():
    scope = sys.modules["__main__"].__dict__
    for old in set(scope) - before: del scope[old]
    *lines, last = body.split("\\n")
    code = setup + "\\ndef job():\\n" + "".join(f"    {line}\\n" for line in [*lines, "return " + last])
    exec(compile(code, name, "exec", dont_inherit=True), scope)
    try:
        came = executor.submit(job).result()
        if came != expected: print(name, "gave", came)
    except BaseException as error:
        print(name, "raised", type(error).__name__, error)
print("done")
"""


def test_what_a_program_defines_works_in_executors(sending_kind) -> None:
    setting = (f"import sys\nsys.path.insert(0, {os.path.dirname(__file__)!r})\nimport xcores\nfrom test_definitions import DEFINITIONS\n"
               f"executor = xcores.{EXECUTORS[sending_kind].__name__}(1)\nbefore = set()\nbefore = set(globals()) | {{'name', 'setup', "
               "'body', 'expected', 'scope', 'old', 'lines', 'last', 'line', 'code', 'came', 'sys', 'traceback'}\n")
    ran = subprocess.run([sys.executable, "-c", setting + PROGRAM], capture_output=True, text=True, timeout=200)
    assert ran.stdout == "done\n", ran.stdout + ran.stderr


@pytest.mark.parametrize("text", ["UserId(3)", "Pair[int]", "UserId", "Hue.RED", "MISSING", "P"])
def test_what_refers_to_definitions_comes_back_as_the_notebooks_own(sending_kind, cell, results, shell, text) -> None:
    cell("from typing import NewType, ParamSpec\nimport enum\nUserId = NewType('UserId', int)\ntype Pair[T] = tuple[T, T]\n"
         "P = ParamSpec('P')\nclass Hue(enum.Enum): RED = 1\nclass Missing:\n    def __reduce__(self): return 'MISSING'\nMISSING = Missing()")
    value = eval(text, shell.user_ns)
    shell.user_ns["wanted"] = [value]
    assert results(sending_kind, text) == [value] * 2
    ran = cell(f"%%{sending_kind} 1 --quiet --map wanted -o answers\nitem")
    assert ran.error is None, ran.text
    assert shell.user_ns["answers"] == [value]
    with EXECUTORS[sending_kind](1) as executor:
        assert executor.submit(lambda x: x, value).result() == value


def test_what_a_cell_defines_in_the_worker_comes_back(sending_kind, results) -> None:
    body = "from typing import NewType\nUserId = NewType('UserId', int)\ntype Pair = tuple[int, int]\nUserId, Pair"
    (first, alias), _ = results(sending_kind, body)
    assert first(3) == 3 and first.__supertype__ is int and alias.__value__ == tuple[int, int]


def test_a_function_is_not_said_to_exist_in_the_notebook_only(sending_kind, cell) -> None:
    cell("import threading\ndef make():\n    lock = threading.Lock()\n    def guarded():\n        with lock: return 1\n    return guarded\nguarded = make()")
    ran = cell(f"%%{sending_kind} 2\nguarded()")
    assert "`guarded`: it is a function, and cannot be pickled" in ran.text and "notebook only" not in ran.text
