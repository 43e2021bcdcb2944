# SPDX-License-Identifier: BSD-3-Clause
"""Functions of modules that an interpreter cannot import."""

import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

numpy = pytest.importorskip("numpy")

WEB = """
import dataclasses
import functools
import numpy as np

factor = 3
calls = []

def fib(n: int) -> int:
    return n if n < 2 else fib(n - 1) + fib(n - 2)

def scaled(x: float, by: float = 2.0) -> float:
    return _times(x, factor) * by

def _times(a, b):
    return a * b

@functools.cache
def cached(n):
    return n if n < 2 else cached(n - 1) + cached(n - 2)

@dataclasses.dataclass
class Point:
    x: int
    def moved(self, by): return Point(self.x + by)

def point(x):
    return Point(x).moved(factor)

def array(n):
    return np.arange(n).tolist()

def initial():
    calls.append("initial")

def seen():
    return calls
"""


@pytest.fixture
def program(tmp_path: Path) -> Callable[[str], "subprocess.CompletedProcess[str]"]:
    """Runs a program beside a module that imports NumPy, and another one that imports that."""
    (tmp_path / "web.py").write_text(WEB)
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "__init__.py").write_text("import numpy\n")
    (tmp_path / "package" / "work.py").write_text("from package.parts import half\ndef work(x): return half(x) + 1\n")
    (tmp_path / "package" / "parts.py").write_text("def half(x): return x // 2\n")
    (tmp_path / "helpers.py").write_text("from web import scaled\ndef both(x): return scaled(x), 3\n")

    def run(text: str) -> "subprocess.CompletedProcess[str]":
        source = f"import xcores, web\n\nwith xcores.SubinterpExecutor(2) as executor:\n{textwrap.indent(text, '    ')}\n"
        return subprocess.run([sys.executable, "-c", source], cwd=tmp_path, capture_output=True, text=True, timeout=120)

    return run


@pytest.mark.parametrize(("text", "printed"), [
    ("print(executor.submit(web.fib, 10).result())", "55"),
    ("print(list(executor.map(web.fib, range(8))))", "[0, 1, 1, 2, 3, 5, 8, 13]"),
    ("print(executor.submit(web.scaled, 2, by=5).result())", "30"),
    ("print(executor.submit(web.cached, 30).result())", "832040"),
    ("print(executor.submit(web.point, 2).result() == web.Point(5))", "True"),
    ("import functools\nprint(executor.submit(functools.partial(web.scaled, 2), 1).result())", "6"),
    ("from web import fib\nprint(executor.submit(lambda n: fib(n) + 1, 10).result())", "56"),
    ("import helpers\nprint(executor.submit(helpers.both, 1).result())", "(6.0, 3)"),
    ("print(executor.submit(lambda: web.factor + web.scaled(1)).result())", "9.0"),
    ("import package.work\nprint(executor.submit(package.work.work, 9).result())", "5"),
    ("print([executor.submit(web.fib, 10).result() for _ in range(3)])", "[55, 55, 55]"),
])
def test_a_function_of_a_module_that_imports_numpy_runs_in_an_interpreter(program, text, printed) -> None:
    ran = program(text)
    assert ran.stdout.strip() == printed, ran.stdout + ran.stderr


def test_the_error_names_the_module_where_the_function_itself_needs_it(program) -> None:
    ran = program("executor.submit(web.array, 3).result()")
    assert "ImportError: the job needs numpy" in ran.stderr.splitlines()[-1]


def test_jobs_of_one_initializer_and_function_share_no_module_but_work(program) -> None:
    ran = program("pass\nwith xcores.SubinterpExecutor(1, initializer=web.initial) as other:\n    print(other.submit(web.fib, 10).result())")
    assert ran.stdout.strip() == "55", ran.stdout + ran.stderr


def test_a_module_made_by_hand_is_sent_along(program) -> None:
    ran = program("import sys, types\nmodule = sys.modules['by_hand'] = types.ModuleType('by_hand')\n"
                  "exec('def f(n): return n + 1', module.__dict__)\nprint(executor.submit(module.f, 1).result())")
    assert ran.stdout.strip() == "2", ran.stdout + ran.stderr
