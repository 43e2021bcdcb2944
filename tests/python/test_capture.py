# SPDX-License-Identifier: BSD-3-Clause
"""What of the notebook is there in the workers."""

import builtins
import subprocess
import sys

import pytest


def test_functions_classes_and_data_of_the_notebook_are_there(kind, cell, results) -> None:
    cell("base = 10\ndef helper(x): return x + base\ndef work(x): return helper(x) * 2\nclass Point:\n    unit = 1\n"
         "    def __init__(self, x): self.x = x\n    def moved(self): return Point(self.x + base + self.unit)")
    assert results(kind, "work(worker), Point(worker).moved().x") == [(20, 11), (22, 12)]


def test_modules_keep_their_aliases_and_submodules(kind, cell, results) -> None:
    cell("import math as m\nimport concurrent.futures\nimport xml.etree.ElementTree as tree\nfrom os.path import join")
    body = "m.floor(2.5), concurrent.futures.Future.__name__, tree.fromstring('<a/>').tag, join('a', 'b')"
    assert results(kind, body) == [(2, "Future", "a", "a/b")] * 2


def test_a_function_and_the_cell_share_one_set_of_globals(sending_kind, cell, results) -> None:
    cell("total = 0\ndef add(n):\n    global total\n    total += n\n    return total")
    assert results(sending_kind, "total = 5\nadd(worker)\nadd(1)\ntotal") == [6, 7]


def test_what_a_worker_assigns_does_not_reach_the_notebook(sending_kind, cell, results, shell) -> None:
    cell("numbers = [1]\ndef grow(): numbers.append(2)")
    assert results(sending_kind, "grow()\nnumbers.append(3)\nnumbers") == [[1, 2, 3]] * 2
    assert shell.user_ns["numbers"] == [1]


def test_threads_share_the_objects_themselves(cell, results, shell) -> None:
    cell("import threading\nlock = threading.Lock()\nseen = []")
    results("threads", "with lock:\n    seen.append(worker)\nnew_name = 1")
    assert sorted(shell.user_ns["seen"]) == [0, 1]
    assert "new_name" not in shell.user_ns


@pytest.mark.parametrize(
    ("setup", "body", "expected"),
    [
        ("def outer(a):\n    def inner(b): return a + b\n    return inner\nadd = outer(10)", "add(1)", 11),
        ("def fact(n): return 1 if n < 2 else n * fact(n - 1)", "fact(5)", 120),
        ("def even(n): return n == 0 or odd(n - 1)\ndef odd(n): return n != 0 and even(n - 1)", "even(7)", False),
        ("twice = lambda f: lambda x: f(f(x))\nplus = lambda x: x + 3", "twice(plus)(1)", 7),
        ("import functools\n@functools.cache\ndef fact(n): return 1 if n < 2 else n * fact(n - 1)", "fact(5)", 120),
        ("default = [1, 2]\ndef f(x=default, *, y={'k': 3}): return x, y", "f()", ([1, 2], {"k": 3})),
        ("import functools\ndef power(b, e): return b**e\ncube = functools.partial(power, e=3)", "cube(2)", 8),
        ("class A:\n    def name(self): return 'a'\nclass B(A):\n    def name(self): return 'b' + super().name()",
         "B().name()", "ba"),
        ("import dataclasses\n@dataclasses.dataclass\nclass P:\n    x: 'P'\n    y: int = 0", "P(1) == P(1)", True),
        ("import enum\nclass Hue(enum.Enum):\n    RED = 1\n    def n(self): return self.name", "Hue.RED.n()", "RED"),
        ("class Box:\n    def __init__(self): self.items = [self]\nbox = Box()", "box.items[0] is box", True),
        ("first = [1]\nsecond = first", "first is second", True),
        ("def count(n):\n    yield from range(n)", "list(count(3))", [0, 1, 2]),
        ("async def later(): return 5", "await later()", 5),
        ("def f(x: 'no such type') -> undefined_name: return x", "f(4)", 4),
        ("def f(): return f.calls\nf.calls = 9", "f()", 9),
        ("_private = 3\n__dunder = 4", "_private + __dunder", 7),
    ],
)
def test_captured_code_works_as_in_the_notebook(kind, cell, results, setup, body, expected) -> None:
    assert cell(setup).error is None
    assert results(kind, body) == [expected] * 2


@pytest.mark.parametrize(
    ("setup", "body", "expected"),
    [
        ("data = bytes(range(256)) * 1000", "type(data).__name__, len(data), data[300]", ("bytes", 256000, 44)),
        ("data = bytearray(b'ab' * 100_000)", "data[0] = 0\n(type(data).__name__, sum(data[:3]))", ("bytearray", 195)),
        ("import array\ndata = array.array('d', [2]) * 50_000", "data[1] = 5\nsum(data)", 100_003),
        ("data = memoryview(b'xyz' * 50_000)", "(bytes(data[:3]), len(data))", (b"xyz", 150_000)),
    ],
)
def test_large_data_arrives_whole_and_keeps_its_type(sending_kind, cell, results, setup, body, expected) -> None:
    cell(setup)
    assert results(sending_kind, body) == [expected] * 2


def test_large_results_come_back_whole(kind, results) -> None:
    body = "import array\nbytes([worker]) * 300_000, array.array('i', [worker]) * 100_000"
    answers = results(kind, body)
    assert [(set(data), len(data), len(numbers), sum(numbers)) for data, numbers in answers] == [
        ({0}, 300_000, 100_000, 0), ({1}, 300_000, 100_000, 100_000)]


def test_numpy_arrays_travel_to_processes_and_back(cell, results) -> None:
    pytest.importorskip("numpy")
    cell("import numpy as np\nvalues = np.arange(100_000)")
    assert [int(answer[-1]) for answer in results("procs", "values * (worker + 1)")] == [99_999, 199_998]


def test_the_notebooks_predefined_names_do_not_hide_the_workers(kind, cell, results) -> None:
    cell("worker = 'mine'\nworkers = 'mine too'")
    assert results(kind, "worker, workers") == [(0, 2), (1, 2)]


def test_a_name_defined_nowhere_is_the_workers_own_name_error(kind, cell) -> None:
    ran = cell(f"%%{kind} 2 --quiet\nnowhere")
    assert [type(one) for one in ran.error.exceptions] == [NameError, NameError]


@pytest.mark.parametrize(
    ("setup", "type_name"),
    [
        ("import threading\nthing = threading.Lock()", "_thread.lock"),
        ("thing = (n for n in range(3))", "generator"),
        ("import sys\nthing = open(sys.executable)", "_io.TextIOWrapper"),
        ("import socket\nthing = socket.socket()", "socket.socket"),
        ("import threading\nthing = {'lock': threading.Lock()}", "dict"),
    ],
)
def test_what_cannot_be_sent_is_named_with_its_type_and_a_way_out(sending_kind, cell, setup, type_name) -> None:
    cell(setup)
    ran = cell(f"%%{sending_kind} 2\nthing")
    assert ran.text.startswith(f"UsageError: %%{sending_kind} cannot send `thing`: it is a {type_name}, ")
    assert "inside the cell" in ran.text and "%%threads" in ran.text and ran.displays == []
    cell("getattr(thing, 'close', int)()")


def test_what_cannot_be_sent_is_reported_with_the_function_that_uses_it(sending_kind, cell) -> None:
    cell("import threading\nlock = threading.Lock()\ndef guarded():\n    with lock: return 1")
    ran = cell(f"%%{sending_kind} 2\nguarded()")
    assert "`lock` (used by `guarded`)" in ran.text


def test_the_way_out_works(sending_kind, cell, results) -> None:
    cell("import threading\nlock = threading.Lock()\ndef guarded():\n    with lock: return 1")
    assert results(sending_kind, "import threading\nlock = threading.Lock()\nguarded()") == [1, 1]


def test_an_unsendable_name_that_is_only_perhaps_used_does_no_harm(sending_kind, cell, results) -> None:
    cell("stream = (n for n in [])")
    assert results(sending_kind, "if workers:\n    stream = [1]\nstream") == [[1], [1]]


def test_instances_of_the_notebooks_classes_come_back_as_such(sending_kind, cell, results, shell) -> None:
    cell("class Point:\n    def __init__(self, x): self.x = x")
    answers = results(sending_kind, "Point(worker)")
    assert [type(one) for one in answers] == [shell.user_ns["Point"]] * 2
    assert [one.x for one in answers] == [0, 1]


def test_a_class_of_the_cell_is_one_class_for_the_results_of_all_workers(sending_kind, results) -> None:
    body = "from dataclasses import dataclass\n@dataclass\nclass P:\n    x: int\nP(7)"
    first, second = results(sending_kind, body)
    assert first == second and type(first) is type(second)


def test_a_function_made_in_a_worker_works_in_the_notebook(kind, results) -> None:
    doubled = results(kind, "factor = 2\ndef scaled(x): return x * factor + worker\nscaled")
    assert [one(10) for one in doubled] == [20, 21]


def test_the_import_path_and_the_directory_of_the_notebook_hold(kind, cell, results, tmp_path, monkeypatch) -> None:
    (tmp_path / "beside_the_notebook.py").write_text("answer = 42\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    body = "import beside_the_notebook, os\nbeside_the_notebook.answer, os.getcwd()"
    assert results(kind, body) == [(42, str(tmp_path))] * 2
    sys.modules.pop("beside_the_notebook", None)


def test_the_environment_of_the_notebook_holds_in_processes(results, monkeypatch) -> None:
    results("procs", "0")
    monkeypatch.setenv("XCORES_TEST_VARIABLE", "set later")
    assert results("procs", "import os\nos.environ.get('XCORES_TEST_VARIABLE')") == ["set later"] * 2


WITHOUT_MODULE = """
import zoneinfo, functools, datetime
zone = zoneinfo.ZoneInfo('UTC')
def nowhere(): return 7
nowhere.__module__ = None
class Nowhere: x = 8
Nowhere.__module__ = None
class Keys:
    def __reduce__(self): return dict.fromkeys, (('a', 'b'), 1)
keys = Keys()
class Path:
    def __reduce__(self): return functools.partial(int, base=16), ('ff',)
path = Path()
error = type('Oops', (Exception,), {'__module__': None})
"""


@pytest.mark.parametrize(("body", "expected"), [
    ("zone.key", "UTC"), ("zone", None), ("datetime.datetime(2026, 1, 1, tzinfo=zone).tzname()", "UTC"), ("nowhere()", 7),
    ("Nowhere.x", 8), ("Nowhere().x", 8), ("keys", {"a": 1, "b": 1}), ("path", 255), ("error('a').args", ("a",)),
    ("[nowhere, nowhere][worker]()", 7), ("dict.fromkeys", dict.fromkeys),
])  # fmt: skip
def test_what_names_no_module_is_sent(sending_kind, cell, results, shell, body, expected) -> None:
    cell(WITHOUT_MODULE)
    assert results(sending_kind, body) == [shell.user_ns["zone"] if expected is None else expected] * 2


def test_names_between_double_underscores_are_sent_as_others(kind, cell, results) -> None:
    cell("__version__ = '1.2'\n__all__ = ['f']\nx: int = 1\ndef f(): return __version__, __name__")
    assert results(kind, "__version__, __all__, f(), __name__") == [("1.2", ["f"], ("1.2", "__main__"), "__main__")] * 2
    cell("import threading\n__unsendable__ = threading.Lock()")
    assert results(kind, "__doc__, f()[0]") == [(None, "1.2")] * 2


def test_the_file_of_a_script_is_known_to_its_functions(tmp_path) -> None:
    script = tmp_path / "script.py"
    script.write_text("import xcores\ndef where(n): return __file__\nif __name__ == '__main__':\n"
                      "    for kind in (xcores.SubinterpExecutor, xcores.ProcessExecutor):\n"
                      "        with kind(1) as executor: print(*executor.map(where, [1]))\n")
    ran = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=60)
    assert ran.stdout.split() == [str(script)] * 2, ran.stderr


@pytest.mark.parametrize("body", ["open('/etc/hostname')", "[open('/etc/hostname')]", "open('/etc/hostname', 'w+')",
                                  "class Holder: pass\nholder = Holder()\nholder.file = open('/etc/hostname')\nholder"])
def test_an_open_file_as_a_result_is_refused(sending_kind, cell, body) -> None:
    body = body.replace("'/etc/hostname', 'w+'", "'/dev/null', 'w'")
    for options in ("", "--map [1] "):
        ran = cell(f"%%{sending_kind} 1 {options}\n{body}")
        assert "cannot be sent back (cannot pickle '_io.TextIOWrapper' object)" in ran.text
        assert "Let the cell end in plain data" in ran.text


@pytest.mark.parametrize("body", ["globals()", "[vars()]", "def f(): pass\nf.__globals__"])
def test_the_globals_of_a_cell_come_back(kind, cell, shell, body) -> None:
    ran = cell(f"%%{kind} 1 --quiet -o answers\nanswer = 42\n{body}")
    assert ran.error is None, ran.text
    (names,) = shell.user_ns["answers"]
    assert (names if type(names) is dict else names[0])["answer"] == 42


def test_what_workers_have_of_their_own_is_the_notebooks_when_it_comes_back(sending_kind, cell, shell) -> None:
    ran = cell(f"%%{sending_kind} 1 --quiet -o answers\nlambda: (display, input), get_ipython, [get_ipython()]")
    assert ran.error is None, ran.text
    ((show, get, shells),) = shell.user_ns["answers"]
    assert show() == (builtins.display, builtins.input) and get() is shell and shells == [shell]
    assert "_NoInput exists in workers only" in cell(f"%%{sending_kind} 1\nimport sys\nsys.stdin").text


@pytest.mark.parametrize("binding", ["with contextlib.suppress(ZeroDivisionError):\n    y = 1 / 0", "False and (y := 3)",
                                     "while True:\n    break\n    y = 3", "for _ in [1]:\n    break\nelse:\n    y = 3"])
def test_a_name_that_the_cell_may_not_come_to_bind_is_the_notebooks(kind, cell, results, binding) -> None:
    cell("import contextlib\ny = 'of the notebook'")
    assert results(kind, f"{binding}\ny") == ["of the notebook"] * 2
