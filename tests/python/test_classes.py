# SPDX-License-Identifier: BSD-3-Clause
"""Classes of the notebook and of cells: what travels is a copy, and which of them are one class."""

from typing import Any

import pytest

import xcores

EXECUTORS = {"subinterp": xcores.SubinterpExecutor, "procs": xcores.ProcessExecutor}


@pytest.fixture
def mapped(cell, shell):
    """Runs a cell body for each of some items and gives the results; fails the test if the cell fails."""

    def run(kind: str, items: str, body: str, workers: int = 2) -> Any:
        ran = cell(f"%%{kind} {workers} --quiet -o answers --map {items}\n{body}")
        assert ran.error is None, ran.text
        return shell.user_ns["answers"]

    return run


# Classes of the notebook


ITEM = "rate = 1\nclass Item:\n    def price(self): return rate\nold = Item()"


def test_a_class_of_the_notebook_is_not_changed_by_an_instance_that_comes_back(sending_kind, cell, results, shell) -> None:
    cell(ITEM)
    results(sending_kind, "Item()")
    cell("rate = 50")
    assert cell("Item().price(), old.price(), [value.price() for value in answers]").value == (50, 50, [50, 50])
    assert cell("[type(value) is Item for value in answers]").value == [True, True]


def test_a_class_of_the_notebook_is_not_changed_by_items_that_come_back(sending_kind, cell, mapped) -> None:
    cell(ITEM + "\nitems = [Item(), Item()]")
    mapped(sending_kind, "items", "Item.more = 1; item")
    cell("rate = 50")
    assert cell("Item().price(), answers[1].price(), hasattr(Item, 'more')").value == (50, 50, False)


def test_a_class_of_the_notebook_is_not_changed_by_an_exception_of_it(sending_kind, cell) -> None:
    cell("rate = 1\nclass Failed(Exception):\n    def price(self): return rate")
    ran = cell(f"%%{sending_kind} 1 --quiet\nFailed.more = 1\nraise Failed('so')")
    assert "Failed" in ran.text
    cell("rate = 50")
    assert cell("Failed('').price(), hasattr(Failed, 'more')").value == (50, False)


def test_a_class_of_the_notebook_is_not_changed_by_a_result_of_an_executor(sending_kind, cell, shell) -> None:
    cell(ITEM + "\ndef work(value):\n    Item.more = 1\n    return value, Item()")
    with EXECUTORS[sending_kind](1) as executor:
        shell.user_ns["answers"] = executor.submit(shell.user_ns["work"], shell.user_ns["old"]).result()
    cell("rate = 50")
    assert cell("[value.price() for value in answers], hasattr(Item, 'more')").value == ([50, 50], False)


@pytest.mark.parametrize("base", ["", "(abc.ABC)", "(enum.Enum)", "(ctypes.Structure)"])
def test_attributes_of_a_class_stay_the_notebooks(sending_kind, cell, results, shell, base) -> None:
    cell(f"import abc, ctypes, enum\nclass Acc{base}:\n    def price(self): return 1\n\nAcc.log, Acc.total = [], 0")
    answers = results(sending_kind, "Acc.total += 1 + worker\nAcc.log = [worker]\nAcc.price = Acc.new = lambda self: 2\nAcc")
    own = shell.user_ns["Acc"]
    assert answers == [own, own]
    assert own.total == 0 and own.price(None) == 1 and not hasattr(own, "new")


def test_what_the_notebook_changes_during_a_job_in_the_background_stays(sending_kind, cell, shell) -> None:
    cell(ITEM)
    assert cell(f"%%{sending_kind} 1 --quiet --background -o job\nItem()").error is None
    cell("Item.price = lambda self: 7")
    cell("answers = job.result()")
    assert cell("Item().price(), old.price(), answers[0].price()").value == (7, 7, 7)


def test_a_class_that_is_gone_from_the_notebook_comes_back_anew(sending_kind, cell, shell) -> None:
    cell(ITEM + "\ndel old")
    assert cell(f"%%{sending_kind} 1 --quiet --background -o job\nimport time; time.sleep(0.3); Item()").error is None
    cell("del Item\nimport gc; gc.collect()")
    cell("answers = job.result()")
    assert cell("answers[0].price()").value == 1


# Classes of cells


PER_WORKER = {
    "namedtuple": "from collections import namedtuple\nRow = namedtuple('Row', ['left', 'right'] if {0} == 0 else ['right', 'left'])\n"
                  "Row(left={0}, right=-1)",
    "an attribute": "class Row: left = {0}\nRow()",
    "a method": "if {0} == 0:\n    class Row: left = property(lambda self: 0)\nelse:\n    class Row: left = property(lambda self: 1)\nRow()",
    "a default": "class Row:\n    def get(self, x={0}): return x\n    left = property(get)\nRow()",
    "a closure": "def make(x):\n    class Row:\n        @property\n        def left(self): return x\n    return Row\nRow = make({0})\nRow()",
    "a base": "class Base: left = {0}\nclass Row(Base): pass\nRow()",
    "an attribute of an own class": "class Part:\n    def __init__(self): self.x = {0}\nclass Row:\n    part = Part()\n    left = property(lambda self: self.part.x)\nRow()",
    "an enumeration": "import enum\nclass Row(enum.Enum):\n    ONLY = {0}\n    left = property(lambda self: self.value)\nRow.ONLY",
    "make_dataclass": "import dataclasses\nRow = dataclasses.make_dataclass('Row', ['left'] if {0} == 0 else ['other', 'left'])\nRow(*([0] if {0} == 0 else [5, 1]))",
    "ctypes": "import ctypes\nclass Row(ctypes.Structure): _fields_ = [('left', ctypes.c_int), ('o', ctypes.c_int)][::1 if {0} == 0 else -1]\nRow(left={0})",
    "slots": "class Row: __slots__ = ('left',) if {0} == 0 else ('left', 'more')\nrow = Row()\nrow.left = {0}\nrow",
}


@pytest.mark.parametrize("body", PER_WORKER.values(), ids=PER_WORKER)
def test_classes_that_differ_from_worker_to_worker_stay_apart(sending_kind, results, body) -> None:
    first, second = results(sending_kind, body.format("worker"))
    assert (first.left, second.left) == (0, 1)
    assert type(first) is not type(second)


@pytest.mark.parametrize("body", PER_WORKER.values(), ids=PER_WORKER)
def test_classes_that_differ_from_item_to_item_stay_apart(sending_kind, mapped, body) -> None:
    assert [value.left for value in mapped(sending_kind, "[0,1]", body.format("item"), workers=1)] == [0, 1]


EQUAL = {
    "plain": "class Row:\n    kept = {'a': [1.5, None]}\n    def get(self, x=(1, 2)): return x, Row\nRow()",
    "dataclass": "import dataclasses\n@dataclasses.dataclass(order=True)\nclass Row:\n    x: int\n    y: list = dataclasses.field(default_factory=list)\n"
                 "    @property\n    def z(self): return self.x\nRow(worker)",
    "frozen with slots": "import dataclasses\n@dataclasses.dataclass(frozen=True, slots=True)\nclass Row:\n    x: int = 1\nRow(worker)",
    "NamedTuple": "from typing import NamedTuple\nclass Row(NamedTuple):\n    x: int\n    y: str = ''\nRow(worker)",
    "Enum": "import enum\nclass Row(enum.Enum):\n    A = 1\n    B = 'x'\nRow.A",
    "ABC": "import abc\nclass Base(abc.ABC):\n    @abc.abstractmethod\n    def f(self): ...\nclass Row(Base):\n    def f(self): return super().f()\nRow()",
    "Generic": "class Row[T]:\n    def f(self, x: T) -> T: return x\nRow()",
    "recursive": "class Row:\n    value = []\n    def again(self): return __class__()\nRow.value.append(Row.value)\nRow.itself = Row()\nRow.itself.own = Row.itself\nRow()",
    "decorated": "import functools\nclass Row:\n    @functools.cache\n    def f(self): return 1\n    @functools.cached_property\n    def g(self): return 1\n"
                 "    @functools.singledispatchmethod\n    def h(self, v): return 1\n    @classmethod\n    def c(cls): return 1\nRow()",
    "a set": "class Row:\n    names = {'a', 'b', 'c', 'd'}\n    @staticmethod\n    def f(x): return x in {'p', 'q', 'r'}\nRow()",
    "used before": "import copy\nclass Row:\n    __slots__ = 'a'\nrow = Row()\nrow.a = 1\nif worker: copy.copy(row)\nrow",
}


@pytest.mark.parametrize("body", EQUAL.values(), ids=EQUAL)
def test_equal_classes_of_several_workers_are_one_class(sending_kind, results, body) -> None:
    first, second = results(sending_kind, body)
    assert type(first) is type(second)


def test_classes_of_items_are_one_class_where_they_are_equal(sending_kind, mapped) -> None:
    rows = mapped(sending_kind, "range(6)", "from collections import namedtuple\nRow = namedtuple('Row', 'x y')\nRow(item, 1)")
    assert len(set(map(type, rows))) == 1 and [row.x for row in rows] == list(range(6))


def test_a_class_that_a_cell_changes_between_results_comes_as_it_is(sending_kind, cell, shell) -> None:
    cell(f"%%{sending_kind} 1 --quiet --keep -o first\nclass Row: n = 0\nRow()")
    ran = cell(f"%%{sending_kind} 1 --quiet --keep -o second\nRow.n = 5\nRow()")
    assert ran.error is None, ran.text
    assert (shell.user_ns["first"][0].n, shell.user_ns["second"][0].n) == (0, 5)


def test_a_class_of_a_cell_that_goes_to_workers_again_is_the_same_class_afterwards(sending_kind, cell, results, shell) -> None:
    results(sending_kind, "class Row: n = 0\nRow()")
    cell("row = answers[0]")
    answers = results(sending_kind, "type(row).n = 5\nrow")
    assert [type(value) for value in answers] == [type(shell.user_ns["row"])] * 2
    assert shell.user_ns["row"].n == 0


# Classes of the notebook in workers


def test_attributes_that_a_cell_sets_are_not_there_for_the_next_cell(sending_kind, cell, results) -> None:
    cell("class A: n = 0")
    results(sending_kind, "A.seen = worker\nA.n += 1")
    assert results(sending_kind, "getattr(A, 'seen', None), A.n") == [(None, 0)] * 2


def test_attributes_that_a_cell_sets_stay_with_keep(sending_kind, cell, shell) -> None:
    cell("class A: n = 0")
    cell(f"%%{sending_kind} 1 --quiet --keep\nkept = A()\nA.seen = 1")
    cell("A.n = 7")
    cell(f"%%{sending_kind} 1 --quiet\nA.n = 9\nA.seen = 9")  # does not disturb it
    ran = cell(f"%%{sending_kind} 1 --quiet --keep -o answers\nisinstance(kept, A), A.seen, A.n")
    assert ran.error is None, ran.text
    assert shell.user_ns["answers"] == [(True, 1, 7)]


def test_attributes_that_a_cell_sets_are_there_for_the_next_item(sending_kind, cell, mapped) -> None:
    cell("class A: n = 0\nitems = [A(), A(), A()]")
    assert mapped(sending_kind, "items", "A.n += 1\nitem.n", workers=1) == [1, 2, 3]


def test_a_class_that_comes_with_items_only_follows_the_notebook_from_cell_to_cell(sending_kind, cell, shell) -> None:
    cell("class A: n = 0\nitems = [A(), A()]")
    for number in (1, 2):
        cell(f"A.n = {number}")
        ran = cell(f"%%{sending_kind} 1 --quiet --keep --map items -o answers\nitem.n")
        assert ran.error is None, ran.text
        assert shell.user_ns["answers"] == [number] * 2


def test_executors_follow_the_class_of_the_caller(sending_kind, cell, shell) -> None:
    cell("class A: n = 0; gone = 1\ndef look(value): return value.n, getattr(value, 'gone', None), getattr(value, 'own', None), isinstance(value, A)\n"
         "def own(): A.own = 3\na = A()")
    names = shell.user_ns
    with EXECUTORS[sending_kind](1) as executor:
        assert executor.submit(names["look"], names["a"]).result() == (0, 1, None, True)
        executor.submit(names["own"]).result()
        cell("A.n = 5\ndel A.gone")
        assert executor.submit(names["look"], names["a"]).result() == (5, None, 3, True)


# Slots, and attributes that a class and its base share


SLOTTED = {
    "a tuple": "class S: __slots__ = ('a', '_b')\ns = S()\ns.a = 1",
    "a string": "class S: __slots__ = 'a'\ns = S()\ns.a = 1",
    "documented": "class S: __slots__ = {'a': 'what it is'}\ns = S()\ns.a = 1",
    "private names": "class S:\n    __slots__ = ('a', '__b')\n    def __init__(self): self.a, self.__b = 1, 2\n    def b(self): return self.__b\ns = S()",
    "a base": "class R: __slots__ = 'a'\nclass S(R): __slots__ = ()\ns = S()\ns.a = 1",
    "weak references": "class S: __slots__ = ('a', '__weakref__')\ns = S()\ns.a = 1",
    "a dataclass": "import dataclasses\n@dataclasses.dataclass(slots=True)\nclass R: a: int = 1\n@dataclasses.dataclass(slots=True)\nclass S(R): b: int = 2\ns = S()",
    "a frozen dataclass": "import dataclasses\n@dataclasses.dataclass(slots=True, frozen=True, weakref_slot=True)\nclass S: a: int = 1\ns = S()",
    "an ABC": "import abc\nclass R(abc.ABC):\n    __slots__ = ()\n    @abc.abstractmethod\n    def f(self): ...\nclass S(R):\n    __slots__ = 'a'\n    def f(self): ...\ns = S()\ns.a = 1",
    "a generic class": "class S[T]:\n    __slots__ = ('a',)\ns = S[int]()\ns.a = 1",
}


@pytest.mark.parametrize("setup", SLOTTED.values(), ids=SLOTTED)
def test_a_class_with_slots_has_them_in_workers(sending_kind, cell, results, shell, setup) -> None:
    cell(setup)
    body = "s.a\nt = S()\nif not hasattr(t, 'a'): t.a = 1\nhasattr(s, '__dict__'), s, t"
    for has_dict, own, made in results(sending_kind, body):
        assert not has_dict
        assert type(own) is type(made) is shell.user_ns["S"]
        assert own.a == made.a == 1
    with EXECUTORS[sending_kind](1) as executor:
        assert executor.submit(lambda value: (value.a, hasattr(value, "__dict__"), value), shell.user_ns["s"]).result()[:2] == (1, False)


@pytest.mark.parametrize("setup", SLOTTED.values(), ids=SLOTTED)
def test_a_class_with_slots_comes_back_from_the_cell_that_made_it(sending_kind, results, setup) -> None:
    first, second = results(sending_kind, setup + "\ns")
    assert type(first) is type(second) and first.a == 1 and not hasattr(first, "__dict__")


def test_slots_may_be_together_with_a_dict(sending_kind, cell, results) -> None:
    cell("class S: __slots__ = ('a', '__dict__')\ns = S()\ns.a, s.b = 1, 2\nclass P: pass\nP.__slots__ = ('x',)\np = P()\np.y = 3")
    answers = results(sending_kind, "s.c = 3\np.z = 1\ns, 'a' in s.__dict__, p.y, s.b")
    assert [(value.a, value.b, value.c, own, y, b) for value, own, y, b in answers] == [(1, 2, 3, False, 3, 2)] * 2


def test_a_named_tuple_has_no_dict_in_workers(sending_kind, cell, results) -> None:
    cell("import collections, typing\nA = collections.namedtuple('A', 'x y')\nclass B(typing.NamedTuple):\n    x: int = 1\na, b = A(1, 2), B()")
    assert results(sending_kind, "hasattr(a, '__dict__'), hasattr(b, '__dict__'), a.x, b.x") == [(False, False, 1, 1)] * 2


def test_an_attribute_of_a_class_is_its_own_although_it_equals_that_of_the_base(sending_kind, cell, results) -> None:
    cell("class B:\n    'doc'\n    n = 0\n    def f(self): return 1\nclass D(B):\n    'doc'\n    n = 0\n    f = B.f\nclass E(D, B): n = 0")
    body = "B.n += 5\nB.f = None\nD.n, E.n, D().f(), D.__doc__, 'n' in E.__dict__"
    assert results(sending_kind, body) == [(0, 0, 1, "doc", True)] * 2
    assert results(sending_kind, "class B: n = 0\nclass D(B): n = 0\nB, D")[0][1].__dict__["n"] == 0


# Objects whose rebuilding runs code of the notebook


REBUILDING = {
    "__setstate__": "import threading\nclass Lk:\n    def __init__(self): self.lock = threading.Lock()\n    def __getstate__(self): return {'a': 1}\n"
                    "    def __setstate__(self, state): self.__init__()\nlo = Lk()",
    "__hash__": "factor = 3\nclass Lk:\n    def __hash__(self): return factor\nlo = {Lk(): 1}",
    "__eq__": "factor = 3\nclass Lk:\n    def __hash__(self): return 1\n    def __eq__(self, other): return factor == 4\nlo = {Lk(), Lk()}",
    "__reduce__": "factor = 3\ndef make(): return Lk(factor)\nclass Lk:\n    def __init__(self, x): pass\n    def __reduce__(self): return make, ()\nlo = [Lk(1)]",
    "__new__": "factor = 3\nclass Lk:\n    def __new__(cls): return super().__new__(cls) if factor else None\nlo = Lk()",
    "__setitem__": "factor = 3\nclass Lk(dict):\n    def __setitem__(self, key, value): super().__setitem__(key, value * factor)\nlo = Lk(a=1)",
    "append": "factor = 3\nclass Lk(list):\n    def append(self, value): super().append(value * factor)\n    def extend(self, values):\n        for value in values: self.append(value)\nlo = Lk([1])",
    "an exception": "factor = 3\nclass Lk(Exception):\n    def __init__(self, text): super().__init__(text); self.factor = factor\nlo = Lk('a')",
    "__setattr__": "factor = 3\nclass Lk:\n    __slots__ = 'a'\n    def __setattr__(self, name, value): super().__setattr__(name, (value, factor))\nlo = Lk()\nlo.a = 1",
    "one after the other": "factor = 3\nclass Small:\n    def __setstate__(self, state): self.x = factor\n    def __getstate__(self): return 1\nsmall = Small()\nsmall.x = 3\n"
                           "class Lk:\n    def __setstate__(self, state): self.x = small.x\n    def __getstate__(self): return 1\nlo = Lk()",
    "a function of copyreg": "import copyreg\nfactor = 3\nclass Lk: pass\ndef make(): return (factor, Lk())[1]\ncopyreg.pickle(Lk, lambda value: (make, ()))\nlo = Lk()",
    "each other": "class Lk:\n    def __setstate__(self, state): self.other = lambda: more\n    def __getstate__(self): return 1\nlo = Lk()\nmore = Lk()",
}


@pytest.mark.parametrize("setup", REBUILDING.values(), ids=REBUILDING)
def test_what_runs_code_of_the_notebook_when_it_is_rebuilt_finds_its_names(sending_kind, cell, results, mapped, shell, setup) -> None:
    assert cell(setup).error is None
    assert results(sending_kind, "type(lo).__name__", workers=1) == [type(shell.user_ns["lo"]).__name__]
    assert results(sending_kind, "Lk and lo and 1", workers=1) == [1]
    cell("items = [lo, lo]")
    assert mapped(sending_kind, "items", "1") == [1, 1]
    with EXECUTORS[sending_kind](1) as executor:
        assert executor.submit(shell.ev("lambda: [lo] != []")).result()
        assert executor.submit(shell.ev("lambda value: [value] != []"), shell.user_ns["lo"]).result()
