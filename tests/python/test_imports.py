# SPDX-License-Identifier: BSD-3-Clause
"""Importing the modules that a cell's data needs is a phase of its own, beside moving that data."""

import _frozen_importlib
import importlib
import json
import sys
import threading
from collections.abc import Callable, Iterator
from itertools import count
from types import SimpleNamespace
from typing import Any

import pytest

import xcores
from xcores import _imports
from xcores._imports import ImportTime
from xcores.run_object import Run

SECONDS = 0.05
"""How long a slow module takes to be imported, at least."""
SLOW = f"""
import time
until = time.monotonic() + {SECONDS}
while time.monotonic() < until:
    pass
def double(n): return 2 * n
"""
WAYS = ["threads", "subinterp", "subinterp --gil shared", "procs --start forkserver", "procs --start spawn"]
SENDING = WAYS[1:]
_numbers = count()


@pytest.fixture
def module(tmp_path, monkeypatch) -> Iterator[Callable[[str], str]]:
    """Writes a module that nobody has imported, and tells its name."""
    monkeypatch.syspath_prepend(tmp_path)
    names = []

    def write(text: str = SLOW) -> str:
        names.append(f"imported_{next(_numbers)}")
        (tmp_path / f"{names[-1]}.py").write_text(text)
        importlib.invalidate_caches()
        return names[-1]

    yield write
    for name in names:
        sys.modules.pop(name, None)


@pytest.fixture
def run(cell, shell) -> Callable[..., Run]:
    """The run of a cell that must succeed."""

    def make(way: str, body: str, options: str = "") -> Run:
        kind, _, more = way.partition(" ")
        ran = cell(f"%%{kind} 2 {more} {options} --run r\n{body}")
        assert ran.error is None, ran.text
        return shell.user_ns["r"]

    return make


def imports(run: Run) -> list[float | None]:
    return [worker["import_s"] for worker in run.workers]


def check_order(run: Run) -> None:
    """The phases divide the time: none is counted twice, and none overlaps another."""
    for worker in run.report["workers"]:
        phases = [worker.get(f"{name}_ns") for name in ("startup", "import", "transfer_in", "run", "transfer_out")]
        times = [time for phase in phases if phase for time in phase]
        assert times == sorted(times)
        if "import_ns" in worker:
            assert worker["import_ns"][1] == worker["transfer_in_ns"][0]


# In all kinds


@pytest.mark.parametrize("way", SENDING)
@pytest.mark.parametrize("options", ["", "--map range(4)"])
def test_the_import_of_a_module_that_the_cell_names_is_told_of_cold_workers_only(cell, run, module, way, options) -> None:
    name = module()
    cell(f"import {name} as slow")
    cold = run(way, "slow.double(21)", f"{options} --fresh")
    check_order(cold)
    assert max(filter(None, imports(cold))) >= SECONDS
    assert " import " in cold._view.text()
    if "forkserver" not in way:  # there one process imports for both, and who comes late does not wait as long
        assert min(imports(cold)) >= SECONDS
    warm = run(way, "slow.double(21)", options)
    check_order(warm)
    assert imports(warm) == [None, None]
    assert " import " not in warm._view.text()


@pytest.mark.parametrize("way", SENDING)
@pytest.mark.parametrize("define", [
    "from {0} import double",
    "import {0}\ndef double(n): return {0}.double(n)",
    "import {0}\ndef double(n, other={0}.double): return other(n)",
], ids=["of the module", "uses the module", "holds a part of it"])  # fmt: skip
def test_the_import_that_a_function_needs_is_told(cell, run, module, way, define) -> None:
    cell(define.format(module()))
    cold = run(way, "double(21)", "--fresh")
    check_order(cold)
    assert max(filter(None, imports(cold))) >= SECONDS
    assert imports(run(way, "double(21)")) == [None, None]


@pytest.mark.parametrize("way", SENDING)
def test_a_warm_worker_tells_the_import_of_what_is_new_to_it(cell, run, module, way) -> None:
    run(way, "1", "--fresh")
    cell(f"import {module()} as slow")
    assert min(imports(run(way, "slow.double(1)"))) >= SECONDS
    cell("import importlib\nimportlib.reload(slow)")
    assert min(imports(run(way, "slow.double(1)"))) >= SECONDS


@pytest.mark.parametrize("way", SENDING)
def test_what_a_submodule_takes_is_told(cell, run, tmp_path, monkeypatch, way) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    package = f"imported_{next(_numbers)}"
    (tmp_path / package).mkdir()
    (tmp_path / package / "__init__.py").write_text("")
    (tmp_path / package / "inside.py").write_text(SLOW)
    cell(f"import {package}.inside, {package} as package")
    assert max(filter(None, imports(run(way, "package.inside.double(2)", "--fresh")))) >= SECONDS
    for name in (package, f"{package}.inside"):
        sys.modules.pop(name, None)


@pytest.mark.parametrize("way", WAYS)
def test_nothing_is_told_where_nothing_is_imported(cell, run, way) -> None:
    cell("def fib(n): return n if n < 2 else fib(n - 1) + fib(n - 2)")
    plain = run(way, "fib(10)", "--fresh")
    check_order(plain)
    assert imports(plain) == [None, None]
    assert "import" not in plain._view.text() and ">import<" not in plain._view.svg()


def test_threads_have_the_modules_of_the_notebook(cell, run, module) -> None:
    cell(f"import {module()} as slow")
    assert imports(run("threads", "slow.double(21)", "--fresh")) == [None, None]


@pytest.mark.parametrize("way", SENDING)
def test_what_the_cell_itself_imports_belongs_to_its_run(run, module, way) -> None:
    own = run(way, f"import {module()} as slow\nslow.double(1)", "--fresh")
    assert imports(own) == [None, None]
    assert min(worker["run_s"] for worker in own.workers) >= SECONDS


@pytest.mark.parametrize("way", SENDING)
def test_what_an_item_needs_is_imported_while_the_cell_runs(cell, run, module, way) -> None:
    name = module(SLOW + "class Part: pass\n")
    cell(f"import {name}\nitems = [{name}.Part() for _ in range(8)]\ndel {name}")
    mapped = run(way, "type(item).__name__", "--map items --fresh")
    assert imports(mapped) == [None, None]
    assert max(worker["run_s"] for worker in mapped.workers) >= SECONDS


# Elsewhere than in a cell's table


def test_a_comparison_tells_what_its_new_workers_imported(cell, shell, module) -> None:
    cell(f"import {module()} as slow")
    ran = cell("%%compare -n 2 --repeat 1 -o comparison\nslow.double(worker)")
    assert ran.error is None, ran.text
    comparison = shell.user_ns["comparison"]
    told = {row["kind"]: row["import_s"] for row in comparison.rows}
    assert told["serial"] is None and told["threads"] is None
    assert told["subinterp"] >= SECONDS and told["procs"] >= SECONDS
    assert "import" in comparison._view.text()
    written = json.loads(comparison._view.to_json())["configurations"]
    assert ["import_ns" in one for one in written] == [False, False, True, True]


@pytest.mark.parametrize("make", [xcores.SubinterpExecutor, xcores.ProcessExecutor])
def test_what_a_job_imports_belongs_to_the_run_of_its_worker(module, make) -> None:
    slow = importlib.import_module(module())
    with make(1) as executor:
        assert executor.submit(slow.double, 21).result() == 42
    (worker,) = Run(executor.report()).workers
    assert worker["import_s"] is None and worker["transfer_in_s"] is None
    assert worker["run_s"] >= SECONDS


def test_a_saved_run_has_its_imports(cell, run, module, tmp_path) -> None:
    cell(f"import {module()} as slow")
    imported = run("subinterp", "slow.double(21)", "--fresh")
    imported.save(tmp_path / "run.json")
    assert imports(xcores.load(tmp_path / "run.json")) == imports(imported)
    own = run("subinterp", "1")  # written as it was before imports were measured
    own.save(tmp_path / "own.json")
    assert "import" not in (tmp_path / "own.json").read_text()
    assert imports(xcores.load(tmp_path / "own.json")) == [None, None]


# The clock


@pytest.fixture
def clock(monkeypatch) -> Iterator[Any]:
    """Time that only modules make go on: by `clock.now += 5`."""
    clock = sys.modules["clock_of_imports"] = SimpleNamespace(now=1000)
    monkeypatch.setattr(_imports, "monotonic_ns", lambda: clock.now)
    yield clock
    del sys.modules["clock_of_imports"]


TICK = "import clock_of_imports as clock\nclock.now += {}\n"


def test_what_a_module_imports_in_turn_is_counted_once(module, clock) -> None:
    inner = module(TICK.format(3))
    outer = module(TICK.format(5) + f"import {inner}\nclock.now += 1\n")
    last = module(TICK.format(20) + f"import {inner}\n")
    with ImportTime() as time:
        __import__(outer)
        clock.now += 100
        importlib.import_module(last)
    assert time.ns == 5 + 3 + 1 + 20


def test_what_is_loaded_already_takes_no_time(module, clock, monkeypatch) -> None:
    name = module(TICK.format(5))
    __import__(name)

    find_and_load = _frozen_importlib._find_and_load

    def slow(*arguments: Any) -> Any:
        clock.now += 1
        return find_and_load(*arguments)

    monkeypatch.setattr(_frozen_importlib, "_find_and_load", slow)
    with ImportTime() as time:
        __import__(name)
        importlib.import_module(name)  # asks also for what is loaded
    assert time.ns == 0 and clock.now == 1006


def test_an_import_that_fails_is_counted_and_fails_as_it_would(module, clock) -> None:
    broken = module(TICK.format(7) + "1 / 0\n")
    before = _frozen_importlib._find_and_load
    time = ImportTime()
    with pytest.raises(ZeroDivisionError), time:
        __import__(broken)
    with pytest.raises(ModuleNotFoundError, match="no_such_module"), time:
        import no_such_module  # noqa: F401
    assert time.ns == 7
    assert _frozen_importlib._find_and_load is before


def test_imports_of_other_threads_are_not_counted(module, clock) -> None:
    name = module(TICK.format(5))
    with ImportTime() as time:
        other = threading.Thread(target=__import__, args=(name,))
        other.start()
        other.join()
    assert name in sys.modules and time.ns == 0
