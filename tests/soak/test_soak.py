# SPDX-License-Identifier: BSD-3-Clause
"""A thousand runs of each magic, well and badly ended ones mixed, and nothing that stays of them.

Counts must not grow at all. Threads and processes that were told to end do so a little later, hence a count is read
until it is down, and fails the test if it never is. Memory is measured when the allocator has given back what it had in
reserve; what lies scattered among what is in use differs by some megabytes from time to time. The libraries that draw
keep glyphs that they have drawn, for each fraction of a pixel at which one begins, up to a limit of their own: pictures of
many sorts are drawn beforehand. What each run were to keep of its report or its data, 30 kilobytes and more, would be above
the bound.
"""

import random
import time

import pytest
from footprint import Footprint
from notebook import TIMEOUT

RUNS, WARM_UP = 1000, 200

DATA = """import array, numpy
text, numbers, items = b'x' * 100_000, array.array('d', range(20_000)), [{'a': n} for n in range(100)]
matrix, large = numpy.arange(200_000.0), bytearray(2_000_000)"""
TRIM = "import ctypes; ctypes.CDLL(None).malloc_trim(0)"
SPIN = "print('in', flush=True)\nwhile True: pass"

DRAW_MANY_SORTS = """import json, random, xcores
from xcores import _engine
some = json.loads(xcores.last_report().to_json())
for _ in range(100):
    for worker in some["workers"]:
        spans = worker["spans"]
        spans["length_ns"] = [random.randrange(100_000, 10_000_000) for _ in spans["length_ns"]]
    _engine.Report.from_json(json.dumps(some)).png()"""

# kind: (options, body, what the cell's error is called, or None)
KINDS = {
    "bytes": ("-o kept", "text + b'y'", None),
    "array": ("-o kept", "numbers[worker] = 7\nnumbers", None),
    "list": ("-o kept", "[*items, worker]", None),
    "large": ("-o kept", "len(large), bytes([worker]) * 2_000_000", None),
    "prints": ("", "for line in range(100): print(line)", None),
    "mapped": ("-o kept --map items", "item['a'] + len(text)", None),
    "mapped error": ("--map items --on-error continue", "1 / item['a']", "ItemsFailed"),
    "quiet": ("--quiet -o kept", "worker", None),
    "error": ("", "text[worker] / worker", "WorkersFailed"),
    "exit": ("", "if worker: raise SystemExit", "WorkersFailed"),
    "timeout": ("--timeout 0.05", "while True: pass", "WorkersFailed"),
    "interrupt": ("", SPIN, "KeyboardInterrupt"),
    "mapped interrupt": ("--map items", SPIN, "KeyboardInterrupt"),
}
OWN_KINDS = {
    "threads": {"matrix": ("-o kept", "matrix * worker", None)},
    "subinterp": {"matrix": ("-o kept", "matrix[worker], matrix", None)},
    "procs": {
        "matrix": ("-o kept", "matrix * worker", None),
        "crash": ("", "import ctypes\nif worker: ctypes.string_at(0)", "WorkersFailed"),
        "mapped crash": ("--map items --on-error continue", "import os\nif item['a'] == 50: os._exit(3)", "ItemsFailed"),
        "sudden exit": ("", "import os\nif worker: os._exit(3)", "WorkersFailed"),
        "spawned": ("--start spawn -o kept", "worker", None),
    },
}


def run(notebook, magic, options, body, error):
    cell = notebook.start(f"%%{magic} 2 {options}\n{body}", store_history=False)
    if error == "KeyboardInterrupt":
        cell.wait_for(lambda: cell.stdout.count("in\n") == 2)
        notebook.interrupt()
    cell.wait()
    notebook.cells.clear()
    notebook.replies.clear()
    names = [content["ename"] for content in cell.contents("error")]
    assert names == ([] if error is None else [error]), (options, body, cell.traceback, cell.stderr)


def at_rest(notebook, settle, before=None):
    """The footprint when all that ends has ended."""
    deadline = time.monotonic() + TIMEOUT
    while True:
        for code in settle:
            assert notebook.run(code, store_history=False).status == "ok"
        notebook.cells.clear()
        notebook.replies.clear()
        now = Footprint.of(notebook.process.pid)
        if before is None or not now.exceeds(before) or time.monotonic() > deadline:
            return now


def check_growth(before, after, bound):
    print(f"\n  before {before}\n  after  {after}")
    assert after.exceeds(before) == {}
    assert after.memory - before.memory < bound, (before, after)
    assert after.names == []


@pytest.mark.timeout(400)
@pytest.mark.parametrize("magic", ["threads", "subinterp", "procs"])
def test_nothing_is_left_of_a_thousand_runs(notebook, magic):
    kinds = {**KINDS, **OWN_KINDS[magic]}
    order = [kind for kind in kinds for _ in range(-(-RUNS // len(kinds)))]
    random.Random(12).shuffle(order)
    assert notebook.run(DATA).status == "ok"
    notebook.run(f"%%{magic} 2 --timeout 0.3\nwhile True: pass")
    for _ in range(8):
        drawn = notebook.run(DRAW_MANY_SORTS, store_history=False)
        assert drawn.status == "ok", drawn.traceback
    # In the state that all kinds share: two idle workers of each sort, nothing kept.
    settle = [f"%%{magic} 2 -o kept\nlarge[worker]", "import gc; del kept; gc.collect()", TRIM]
    if magic == "procs":
        settle.insert(0, "%%procs 2 --start spawn\nlarge[worker]")
    before = None
    for number, kind in enumerate(order[:RUNS]):
        if number == WARM_UP:
            assert set(order[:WARM_UP]) == set(kinds)
            before = at_rest(notebook, settle)
        run(notebook, magic, *kinds[kind])
    check_growth(before, at_rest(notebook, settle, before), bound=4)


EXECUTORS = """import os, xcores, concurrent.futures
def divide(a, b): return a / b
def begin(value): pass
def use(kind, number):
    chosen = {} if number % 3 else {"initializer": begin, "initargs": (1,)}
    executor = kind(2, **chosen)
    with executor:
        assert executor.submit(len, large).result() == 2_000_000
        assert list(executor.map(divide, range(50), [2] * 50)) == [n / 2 for n in range(50)]
        assert executor.submit(divide, 1, 0).exception()
        assert len(executor.submit(bytes, 500_000).result()) == 500_000
        if kind is xcores.ProcessExecutor and number % 5 == 0:
            assert executor.submit(os._exit, 3).exception()
        if number % 7 == 0: executor.report().png()
        told = []
        executor.submit(abs, -1).add_done_callback(told.append)
        if number % 2: executor.shutdown(wait=False, cancel_futures=True)"""


@pytest.mark.parametrize("name", ["ThreadExecutor", "SubinterpExecutor", "ProcessExecutor"])
def test_nothing_is_left_of_six_hundred_executors(notebook, name):
    assert notebook.run(f"{DATA}\n{EXECUTORS}\nkind = xcores.{name}").status == "ok"

    def open_and_close(count):
        cell = notebook.run(f"for number in range({count}): use(kind, number)")
        assert cell.status == "ok", cell.traceback

    settle = ["import gc\nwith kind(2) as one: list(one.map(abs, range(100)))\ndel one; gc.collect()", TRIM]
    open_and_close(300)  # only then memory has found its level, of 79 to 84 MB
    before = at_rest(notebook, settle)
    open_and_close(300)
    check_growth(before, at_rest(notebook, settle, before), bound=8)
