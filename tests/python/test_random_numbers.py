# SPDX-License-Identifier: BSD-3-Clause
"""No two workers draw the same random numbers, however the notebook came to its generator."""

import sys

import pytest

import xcores

# What the notebook imports, and an expression that draws from it.
DRAWS = [
    ("import random", "random.random()"),
    ("from random import random", "random()"),
    ("from random import gauss as g", "g(0, 1)"),
    ("from random import uniform, random\ndraws = [uniform, {'one': random}]", "draws[0](0, 1), draws[1]['one']()"),
    ("import random\ndraw = random._inst.randint", "draw(0, 10**12)"),
    ("import random\ngenerator = random._inst", "generator.random()"),
    ("from random import random\ndef draw(f=random): return f()", "draw()"),
    ("from random import random\ndef make():\n    f = random\n    return lambda: f()\ndraw = make()", "draw()"),
    ("import functools\nfrom random import uniform\ndraw = functools.partial(uniform, 0, 1)", "draw()"),
    ("from secrets import randbelow, choice", "randbelow(10**12), choice(range(10**12))"),
    ("from random import SystemRandom\nrng = SystemRandom()", "rng.random()"),
]
NUMPY_DRAWS = [
    ("import numpy as np", "float(np.random.rand())"),
    ("import numpy.random", "float(numpy.random.rand())"),
    ("from numpy import random as npr", "float(npr.normal())"),
    ("from numpy.random import rand", "float(rand())"),
    ("from numpy.random import normal\ndraws = {'n': normal}", "float(draws['n']())"),
    ("from numpy.random import mtrand\ngenerator = mtrand._rand", "float(generator.rand())"),
    ("import numpy.random\nbits = numpy.random.get_bit_generator()", "int(bits.random_raw())"),
]


@pytest.mark.parametrize(("setup", "draw"), DRAWS)
def test_workers_of_each_kind_draw_numbers_of_their_own(kind, cell, results, setup: str, draw: str) -> None:
    assert cell(setup).error is None
    first = results(kind, draw, 3)
    second = results(kind, draw, 3)
    assert len({*first, *second}) == 6


@pytest.mark.parametrize("options", ["--fresh", "--start spawn"])
@pytest.mark.parametrize(("setup", "draw"), NUMPY_DRAWS)
def test_numpys_generator_is_each_processs_own(cell, shell, setup: str, draw: str, options: str) -> None:
    pytest.importorskip("numpy")
    cell("import numpy.random\nnumpy.random.seed(1)")
    assert cell(setup).error is None
    seen = set()
    for option in (options, ""):
        ran = cell(f"%%procs 3 --quiet -o answers {option}\n{draw}")
        assert ran.error is None, ran.text
        seen.update(shell.user_ns["answers"])
    assert len(seen) == 6


def test_the_generator_of_scipy_is_numpys(cell, results) -> None:
    pytest.importorskip("scipy.stats")
    cell("import scipy.stats as st\nfrom scipy.stats import norm\nfrozen = norm(1)")
    answers = results("procs", "float(st.norm.rvs()), float(norm.rvs()), float(frozen.rvs())", 3)
    assert len({number for one in answers for number in one}) == 9


def test_items_of_a_mapped_cell_draw_numbers_of_their_own(kind, cell, shell) -> None:
    cell("from random import random")
    assert cell(f"%%{kind} 2 --quiet -o answers --map range(8)\nrandom()").error is None
    assert len(set(shell.user_ns["answers"])) == 8


def test_items_that_are_methods_of_the_shared_generator_refer_to_the_workers(sending_kind, cell, shell) -> None:
    cell("from random import random, gauss\nimport time")
    body = "time.sleep(0.02)\nitem()"
    assert cell(f"%%{sending_kind} 2 --quiet -o answers --map [random]*4\n{body}").error is None
    assert len(set(shell.user_ns["answers"])) == 4


EXECUTED = """
from random import random, gauss
def inside(n):
    return [random() for _ in range(2)] + [gauss(0, 1)]
"""


@pytest.mark.parametrize("executor", [xcores.ThreadExecutor, xcores.SubinterpExecutor, xcores.ProcessExecutor])
def test_executors_draw_numbers_of_their_own(executor, cell, shell) -> None:
    cell(EXECUTED)
    inside, random, gauss = (shell.user_ns[name] for name in ("inside", "random", "gauss"))
    shell.user_ns["__name__"] = "__main__"
    with executor(2) as pool:
        numbers = [number for part in pool.map(inside, range(6), chunksize=1) for number in part]
        numbers += [pool.submit(random).result() for _ in range(4)]
        numbers += [pool.submit(gauss, 0, 1).result() for _ in range(4)]
    with executor(2) as pool:
        numbers += [pool.submit(random).result() for _ in range(4)]
    assert len(set(numbers)) == len(numbers)


def test_a_generator_that_the_notebook_made_is_a_copy(sending_kind, cell, results) -> None:
    cell("import random\nrng = random.Random(1)\nexpected = random.Random(1).random()")
    assert results(sending_kind, "rng.random() == expected") == [True, True]


def test_a_spawned_generator_for_each_worker_draws_its_own_numbers(cell, shell) -> None:
    pytest.importorskip("numpy")
    cell("import numpy as np\nrng = np.random.default_rng(1)")
    cell("%%procs 3 --quiet -o answers\nfloat(rng.spawn(workers)[worker].random())")
    first = shell.user_ns["answers"]
    cell("%%procs 3 --quiet -o answers\nfloat(rng.spawn(workers)[worker].random())")
    assert len(set(first)) == 3
    assert shell.user_ns["answers"] == first


@pytest.mark.parametrize("text", [
    "import random\nrng = random.Random()\ndraw = rng.random\n",
    "import random\ndraw = random.Random().random\n",
    "import random\nclass Dice:\n    rng = random.Random()\ndraw = lambda: Dice.rng.random()\n",
    "import random\nclass Dice:\n    def __init__(self): self.rng = random.Random()\ndice = Dice()\n"
    "draw = lambda: dice.rng.random()\n",
    "import random\ngenerators = [random.Random()]\ndef draw(): return generators[0].random()\n",
    "import numpy.random\nrng = numpy.random.default_rng()\ndef draw(): return rng.random()\n",
])  # fmt: skip
@pytest.mark.parametrize("start", ["import own_generator", "import own_generator\nfrom own_generator import draw"])
def test_a_generator_of_an_imported_module_is_each_workers_own(
    sending_kind, cell, shell, tmp_path, monkeypatch, text: str, start: str
) -> None:
    if "numpy" in text:
        pytest.importorskip("numpy")
        if sending_kind == "subinterp":
            pytest.skip("NumPy does not load there")
    monkeypatch.setitem(sys.modules, "own_generator", None)
    del sys.modules["own_generator"]
    (tmp_path / "own_generator.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    assert cell(f"%xcores reset\n{start}").error is None
    seen = []
    for _ in range(2):
        draw = "own_generator.draw()" + (", draw()" if "from" in start else "")
        ran = cell(f"%%{sending_kind} 3 --fresh --quiet -o answers\n{draw}")
        assert ran.error is None, ran.text
        seen += shell.user_ns["answers"] if "from" not in start else [one for two in shell.user_ns["answers"] for one in two]
    assert len(set(seen)) == len(seen)
    cell("%xcores reset")


def test_a_generator_that_is_imported_by_name_is_not_copied(sending_kind, cell, results, tmp_path, monkeypatch) -> None:
    (tmp_path / "named_generator.py").write_text("import random\nrng = random.Random()\n")
    monkeypatch.syspath_prepend(tmp_path)
    cell("from named_generator import rng")
    assert len(set(results(sending_kind, "rng.random()", 3))) == 3


@pytest.mark.parametrize("text", ["import random\nrng = random.Random()\n", "", "rng = None\ndef put(it):\n    global rng; rng = it\n"])
@pytest.mark.parametrize("put", ["replaced_generator.rng = rng", "setattr(replaced_generator, 'rng', rng)"])
@pytest.mark.parametrize("cells", [1, 2])
def test_a_generator_of_the_notebook_is_a_copy_though_a_module_holds_it(
    sending_kind, cell, results, tmp_path, monkeypatch, text: str, put: str, cells: int
) -> None:
    monkeypatch.setitem(sys.modules, "replaced_generator", None)
    del sys.modules["replaced_generator"]
    (tmp_path / "replaced_generator.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    steps = ["import replaced_generator\nimport random\nrng = random.Random(42)\nexpected = random.Random(42).random()", put]
    for step in steps if cells == 2 else ["\n".join(steps)]:
        assert cell(step).error is None
    assert results(sending_kind, "rng.random() == expected") == [True, True]
    cell("draw = rng.random")
    assert results(sending_kind, "draw() == expected") == [True, True]
    assert type(sys.modules["replaced_generator"].__spec__).__name__ == "ModuleSpec"


def test_a_generator_of_a_module_that_was_loaded_again_is_its_own(sending_kind, cell, results, tmp_path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "reloaded_generator", None)
    del sys.modules["reloaded_generator"]
    (tmp_path / "reloaded_generator.py").write_text("import random\nrng = random.Random()\n")
    monkeypatch.syspath_prepend(tmp_path)
    cell("import reloaded_generator, importlib")
    cell("importlib.reload(reloaded_generator)\nfrom reloaded_generator import rng")
    assert len(set(results(sending_kind, "rng.random()", 3))) == 3
    cell("import sys\ndel sys.modules['reloaded_generator']\nfrom reloaded_generator import rng")
    assert len(set(results(sending_kind, "rng.random()", 3))) == 3
