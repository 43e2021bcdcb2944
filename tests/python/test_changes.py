# SPDX-License-Identifier: BSD-3-Clause
"""One line under the cell says what workers have changed in their copies of the notebook's data."""

import pytest

OWN = "the notebook's own"


@pytest.mark.parametrize(("setup", "body"), [
    ("data = [1]", "data.append(worker)"),
    ("data = [[1], 2]", "data[0].append(worker)"),
    ("data = {'a': {'b': 1}}", "data['a']['b'] = 2"),
    ("data = {1}", "data.add(2)"),
    ("data = bytearray(b'abc')", "data[0] = 0"),
    ("data = 5", "data += 1"),
    ("data = (1, [2])", "data[1].append(3)"),
    ("data = 5\ndef grow():\n    global data\n    data += 1", "grow()"),
    ("data = [1]\ndef grow(): data.append(2)", "grow()"),
    ("data = [1]\ndef grow(values): values.append(2)", "grow(data)"),
    ("class Account:\n    total = 0\n    def __init__(self): self.sum = 0\ndata = Account()", "data.sum += 1"),
    ("class Account:\n    pass\ndata = Account()", "data.label = 'x'"),
    ("data = list(range(100_000))", "data.append(1)"),
    ("data = list(range(100_000))", "data.sort(reverse=True)"),
    ("data = {n: n for n in range(10_000)}", "data.clear()"),
    ("import collections\ndata = collections.deque([1])", "data.append(2)"),
    ("import collections\ndata = collections.Counter('a')", "data['a'] += 1"),
])  # fmt: skip
def test_a_changed_copy_is_told_once(sending_kind, cell, shell, setup, body) -> None:
    cell(setup)
    ran = cell(f"%%{sending_kind} 2\n{body}")
    assert ran.error is None, ran.text
    assert ran.text.count(f"`data` was changed in the workers; {OWN} is unchanged (use -o to return results)") == 1


@pytest.mark.parametrize(("setup", "body"), [
    ("data = [1, [2.0, float('nan')], {'a': (1, 2)}, {3}]", "repr(data)"),
    ("data = [1]", "copy = list(data)\ncopy.append(2)"),
    ("data = [1000]", "data[0] = data[0] + 0"),
    ("data = 5", "other = data + 1"),
    ("import decimal\ndata = decimal.Decimal('1.50')", "data = data + 0"),
    ("data = list(range(100_000))", "data = list(data)"),
    ("data = float('nan')", "data = data + 1"),
    ("data = [1]", "data = [2]\ndata.append(3)"),
    ("import functools\nclass Lazy:\n    @functools.cached_property\n    def value(self): return 1\ndata = Lazy()", "data.value"),
    ("import random\ndata = random.Random(1)", "data.random()"),
    ("data = iter([1, 2])", "next(data)"),
    ("def data(): pass", "data.calls = 1"),
    ("import math as data", "data.x = 1"),
    ("data = [1]\ndata.append(data)", "len(data)"),
    ("data = list(range(100_000))", "sum(data)"),
])  # fmt: skip
def test_nothing_is_told_of_what_has_not_changed(sending_kind, cell, setup, body) -> None:
    cell(setup)
    ran = cell(f"%%{sending_kind} 2\n{body}")
    assert ran.error is None, ran.text
    assert OWN not in ran.text


def test_arrays_and_tables_are_compared_too(cell) -> None:
    pytest.importorskip("numpy")
    pytest.importorskip("pandas")
    cell("import numpy as np, pandas as pd\nvalues = np.arange(5)\nframe = pd.DataFrame({'a': [1.0, None]})\nnested = [values]")
    assert OWN not in cell("%%procs 2\nvalues.sum(), frame.sum(), nested").text
    assert "`frame` was changed" in cell("%%procs 2\nframe['b'] = 1").text
    assert "`values` was changed" in cell("%%procs 2\nvalues = values * 2").text
    cell("values = np.arange(1_000_000)\nframe = pd.DataFrame({'a': range(100_000)})")
    assert OWN not in cell("%%procs 2\nvalues.sum(), frame.sum()").text
    assert "`frame` was changed" in cell("%%procs 2\nframe['b'] = 1").text
    assert "`values` was changed" in cell("%%procs 2\nvalues = values * 2").text


def test_threads_share_objects_but_not_names(cell, shell) -> None:
    cell("counter = 0\nseen = []")
    ran = cell("%%threads 2\ncounter += 1\nseen.append(counter)")
    assert f"`counter` was changed in the workers; {OWN} is unchanged (--shared assigns the notebook's own)" in ran.text
    assert "seen" not in ran.text
    assert shell.user_ns["counter"] == 0
    assert OWN not in cell("%%threads 2\nseen += [1]").text
    assert OWN not in cell("%%threads 2 --shared\ncounter += 1").text


def test_a_mapped_cell_tells_it_too(sending_kind, cell) -> None:
    cell("total = 0\nseen = []")
    ran = cell(f"%%{sending_kind} 2 --map range(4) -o answers\ntotal += item\nseen.append(item)")
    assert ran.text.count(f"`seen` and `total` were changed in the workers; {OWN} are unchanged\x1b"[:-1]) == 1
    assert "use -o" not in ran.text


def test_results_are_not_disturbed(sending_kind, cell, shell) -> None:
    cell("data = [1]")
    cell(f"%%{sending_kind} 2 -o answers\ndata.append(worker)\nNone")
    assert shell.user_ns["answers"] == [None, None]
    cell(f"%%{sending_kind} 2 -o answers\ndata.append(worker)\ndata, bytes(100_000)")
    assert [answer[0] for answer in shell.user_ns["answers"]] == [[1, 0], [1, 1]]


@pytest.mark.parametrize("options", ["--keep", "--quiet"])
def test_nothing_is_told_where_it_is_meant_or_nothing_is_to_be_shown(sending_kind, cell, options) -> None:
    cell("data = [1]")
    assert OWN not in cell(f"%%{sending_kind} 2 {options}\ndata.append(worker)").text
    cell("%xcores reset")
