# SPDX-License-Identifier: BSD-3-Clause
"""CPython specialises calls to functions that were sent, as it does where they were defined. Without, they are a fifth slower."""

import subprocess
import sys
from typing import Any

import pytest

import xcores

EXECUTORS = {"subinterp": xcores.SubinterpExecutor, "procs": xcores.ProcessExecutor}
SPECIALISED = """
import dis

def specialised(call):
    for _ in range(200):
        call()
    names = {one.opname for one in dis.get_instructions(call, adaptive=True)}
    wanted = {"CALL_PY_EXACT_ARGS", "CALL_PY_GENERAL", "CALL_BOUND_METHOD_EXACT_ARGS", "CALL_BOUND_METHOD_GENERAL",
              "CALL_ALLOC_AND_ENTER_INIT", "CALL_KW_PY", "LOAD_ATTR_PROPERTY"}
    return bool(names & wanted) and not names & {"CALL", "CALL_KW", "CALL_NON_PY_GENERAL", "CALL_KW_NON_PY"}
"""
FUNCTIONS = {
    "function": ("def f(n): return n", "f(1)"),
    "recursive function": ("def fib(n): return n if n < 2 else fib(n - 1) + fib(n - 2)", "fib(1)"),
    "defaults": ("def f(n, m=2, *, k=3): return n + m + k", "f(1)"),
    "keywords": ("def f(n, *, k): return n + k", "f(1, k=2)"),
    "annotations": ("def f(n: int, m: 'x' = 2) -> int: return n", "f(1, 2)"),
    "attributes": ("def f(n): return n\nf.calls = 3\nf.__doc__ = 'text'", "f(1)"),
    "lambda": ("f = lambda n: n", "f(1)"),
    "closure": ("def make(a):\n    def f(n): return n + a\n    return f\nf = make(2)", "f(1)"),
    "recursive closure": ("def make():\n    def f(n): return n if n < 2 else f(n - 1)\n    return f\nf = make()", "f(1)"),
    "type parameters": ("def f[T](n: T) -> T: return n", "f(1)"),
    "decorated": ("import functools\ndef plain(f):\n    @functools.wraps(f)\n    def wrapper(n): return f(n)\n    return wrapper\n"
                  "@plain\ndef f(n): return n", "f(1)"),
    "method": ("class A:\n    def f(self, n): return n\na = A()", "a.f(1)"),
    "nested class": ("class A:\n    class B:\n        def f(self, n): return n\na = A.B()", "a.f(1)"),
    "local class": ("def make():\n    class A:\n        def f(self, n): return n\n    return A()\na = make()", "a.f(1)"),
    "__init__": ("class A:\n    def __init__(self, n): self.n = n", "A(1)"),
    "staticmethod": ("class A:\n    @staticmethod\n    def f(n): return n", "A.f(1)"),
    "classmethod": ("class A:\n    @classmethod\n    def f(cls, n): return n", "A.f(1)"),
    "property": ("class A:\n    @property\n    def f(self): return 1\na = A()", "a.f"),
    "dataclass method": ("import dataclasses\n@dataclasses.dataclass\nclass P:\n    x: int\n    def f(self, n): return n + self.x\np = P(1)", "p.f(1)"),
    "enum method": ("import enum\nclass Hue(enum.Enum):\n    RED = 1\n    def f(self, n): return n\nred = Hue.RED", "red.f(1)"),
    "singledispatch": ("import functools\n@functools.singledispatch\ndef f(n): return n", "f(1)"),
    "function of another namespace": ("scope = {}\nexec('def f(n): return n', scope)\nf = scope['f']", "f(1)"),
}


@pytest.fixture(params=list(FUNCTIONS))
def function(request: pytest.FixtureRequest) -> tuple[str, str]:
    return FUNCTIONS[request.param]


def test_calls_to_functions_of_the_notebook_are_specialised(sending_kind, cell, results, function) -> None:
    setup, call = function
    cell(SPECIALISED + setup)
    assert results(sending_kind, f"specialised(lambda: {call})", workers=1) == [True]


def test_calls_to_functions_of_the_notebook_are_specialised_in_mapped_cells(sending_kind, cell, shell) -> None:
    cell(SPECIALISED + "def f(n, m=1): return n\nclass A:\n    def f(self, n): return n\na = A()\nboth = [a.f, f]")
    ran = cell(f"%%{sending_kind} 1 --quiet --map both -o answers\nspecialised(lambda: f(1)), specialised(lambda: item(1))")
    assert ran.error is None, ran.text
    assert shell.user_ns["answers"] == [(True, True)] * 2


PROGRAM = """
import sys, xcores
sys.modules["module_by_hand"] = module = type(sys)("module_by_hand")
exec("def f(n): return n", module.__dict__)
of_module = module.f
import cloudpickle
for name, (setup, call) in FUNCTIONS.items():
    scope = {"__name__": "__main__"} if name == "other" else globals()
    exec(compile(f"{setup}\\ndef job(): return specialised(lambda: {call})", name, "exec"), globals())
    if not executor.submit(job).result(): print(name)
cloudpickle.register_pickle_by_value(module)
print(executor.submit(lambda: specialised(lambda: of_module(1))).result())
"""


def test_calls_to_functions_that_executors_send_are_specialised(sending_kind) -> None:
    program = (f"{SPECIALISED}\nimport xcores\nFUNCTIONS = {FUNCTIONS!r}\nexecutor = xcores.{EXECUTORS[sending_kind].__name__}(1)\n{PROGRAM}")
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=200)
    assert ran.stdout == "True\n", ran.stdout + ran.stderr


def test_calls_to_functions_that_a_worker_gives_back_are_specialised(sending_kind, cell, results, shell) -> None:
    cell(SPECIALISED)
    (function,) = results(sending_kind, "def f(n, m=2): return n\nf", workers=1)
    call: Any = eval("lambda: function(1)", {"function": function})
    assert shell.user_ns["specialised"](call)


def test_only_functions_have_a_version_to_restore() -> None:
    with pytest.raises(TypeError):
        xcores._engine.restore_version(len)
