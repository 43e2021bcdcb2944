# SPDX-License-Identifier: BSD-3-Clause
"""How long what a cell made in a worker lives: as long as something there refers to it, and no longer."""

import pytest

from xcores import _engine, _lifetime

BODIES_WITHOUT_A_REST = {
    "a function": "def f(): return g()\ndef g(): return 1\nf()",
    "a closure": "def make(n):\n    def f(): return n, make\n    return f\nf = make(1)\nf()[0]",
    "a decorated function": "import functools\ndef deco(f):\n    @functools.wraps(f)\n    def g(*a): return f(*a)\n    return g\n"
                            "@deco\ndef f(x): return x\nf(1)",
    "a class": "class A:\n    kept = (1, 2)\n    def f(self): return g(), A\n    @property\n    def p(self): return super().__hash__()\n"
               "    @staticmethod\n    def s(): return 1\ndef g(): return 1\nkept = [A(), {'a': A().f}]\nlen(kept)",
    "a derived class": "class A:\n    def f(self): return 1\nclass B(A):\n    def f(self): return super().f()\nB().f()",
    "an exception": "def f(): raise ValueError(g)\ndef g(): pass\ntry:\n    f()\nexcept ValueError as error:\n    pass\n1",
    "a constant tuple": "def f(): return x\nx = (1, 2, (3, 4))\nf()[0]",
}


@pytest.mark.parametrize("body", BODIES_WITHOUT_A_REST.values(), ids=BODIES_WITHOUT_A_REST)
def test_nothing_can_use_the_globals_of_a_cell_that_left_nothing_behind(body) -> None:
    assert _is_unused_after(body)


BODIES_WITH_A_REST = {
    "a registered function": "def f(): return 1\nregister(f)",
    "a registered method": "class A:\n    def f(self): return 1\nregister(A().f)",
    "a registered object": "class A:\n    def f(self): return 1\na = A()\nregister(a)",
    "a registered class": "class A:\n    def f(self): return 1\nregister(A)",
    "a function in a registered container": "def f(): return 1\nkept = [f]\nregister(kept)",
    "a registered closure": "def make(n):\n    def f(): return n\n    return f\nregister(make(1))",
    "a partial of a function": "import functools\ndef f(n): return n\nregister(functools.partial(f, 1))",
}


@pytest.mark.parametrize("body", BODIES_WITH_A_REST.values(), ids=BODIES_WITH_A_REST)
def test_the_globals_of_a_cell_are_in_use_while_something_outside_refers_to_what_it_made(body) -> None:
    assert not _is_unused_after(body)


def _is_unused_after(body: str) -> bool:
    """What the test of a worker says after `body` has run in a module that nothing else knows."""
    import sys

    kept: list[object] = []
    module = type(sys)("__main__")
    scope = module.__dict__
    scope["register"] = kept.append

    def counted() -> tuple[int, int]:
        return sys.getrefcount(module), sys.getrefcount(scope)

    before = counted()
    exec(body, scope)
    added = [count - earlier for count, earlier in zip(counted(), before, strict=True)]
    return _lifetime.is_unused(module, added)


def test_a_timer_that_outlives_its_cell_still_has_the_names_it_uses(sending_kind, cell, shell, tmp_path) -> None:
    """The file is written when the next cell of the same worker opens the gate, long after the first one is over."""
    shell.user_ns["path"] = str(tmp_path / "told")
    first = ("import sys, threading\ngate = sys.gate = threading.Event()\ndone = sys.done = threading.Event()\n"
             "def late():\n    gate.wait()\n    open(path, 'w').write(greeting + str(worker))\n    done.set()\n"
             "greeting = 'hello from '\nthreading.Thread(target=late).start()")
    assert cell(f"%%{sending_kind} 1 --quiet --fresh\n{first}").error is None
    ran = cell(f"%%{sending_kind} 1 --quiet -o answers\nimport sys\nsys.gate.set()\nsys.done.wait(60)")
    assert ran.error is None, ran.text
    assert shell.user_ns["answers"] == [True], ran.text
    assert (tmp_path / "told").read_text() == "hello from 0"


def test_an_exit_function_of_a_cell_has_its_names_when_the_worker_ends(sending_kind, cell, shell, tmp_path) -> None:
    path = tmp_path / "goodbye"
    shell.user_ns["path"] = str(path)
    body = "import atexit\ndef goodbye():\n    open(path, 'w').write(farewell)\nfarewell = 'bye'\natexit.register(goodbye)"
    assert cell(f"%%{sending_kind} 1 --quiet --fresh\n{body}").error is None
    assert _engine.shutdown()
    assert path.read_text() == "bye"


def test_an_object_with_a_finalizer_that_uses_a_global_ends_without_a_complaint(sending_kind, cell) -> None:
    body = "class A:\n    def __del__(self):\n        print(word)\nword = 'gone'\na = A()\ndel a\nb = A()\n1"
    ran = cell(f"%%{sending_kind} 1 --quiet\n{body}")
    assert "NameError" not in ran.text and "NoneType" not in ran.text


def test_the_data_of_the_notebook_is_given_back_although_a_cell_defined_functions(cell, shell) -> None:
    shell.user_ns["data"] = bytearray(1 << 20)
    body = "def size():\n    return len(data)\nclass Reader:\n    def size(self):\n        return size()\nReader().size()"
    assert cell(f"%%subinterp 2 --quiet\n{body}").error is None
    shell.user_ns["data"] += b"grown"  # refused while a worker still looks at it
