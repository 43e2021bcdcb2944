# SPDX-License-Identifier: BSD-3-Clause
"""The executors beyond what CPython's own tests ask for: notebooks, crashes, reports, programs outside Jupyter."""

import array
import asyncio
import concurrent.futures
import concurrent.futures.process
import json
import os
import signal
import subprocess
import sys
import threading
import time
import traceback
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import xcores

EXECUTORS = {"threads": xcores.ThreadExecutor, "subinterp": xcores.SubinterpExecutor, "procs": xcores.ProcessExecutor}


@pytest.fixture
def executor(kind: str) -> Iterator[Any]:
    with EXECUTORS[kind](2) as made:
        yield made


@pytest.fixture
def sending_executor(sending_kind: str) -> Iterator[Any]:
    with EXECUTORS[sending_kind](2) as made:
        yield made


def script(text: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """Runs a Python program outside Jupyter."""
    return subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, timeout=60, **options)


def test_without_a_program_of_python_processes_say_so_and_interpreters_work() -> None:
    ran = script("import sys\nsys.executable = None\nimport xcores\n"
                 "with xcores.SubinterpExecutor(1) as executor: print(executor.submit(abs, -1).result())\n"
                 "with xcores.ProcessExecutor(1) as executor: executor.submit(abs, -1).result()\n")
    assert ran.stdout == "1\n" and "sys.executable is empty" in ran.stderr


def divide(a: int, b: int) -> float:
    return a / b


# What goes in and comes out


@pytest.mark.parametrize("value", [
    None, True, 0, -(2**63), 2**70, 1.5, "", "ä\ud800", b"", b"x" * 100_000, [], [1, 2], [1.5], [1, "a"], (1, 2), (),
    [True, 1], {"a": [1]}, [[1]], {1, 2}, range(3), array.array("d", [1.0] * 20_000),
], ids=lambda value: repr(value)[:30])
def test_values_arrive_and_come_back_as_they_were(executor, value) -> None:
    came = executor.submit(lambda x: x, value).result()
    assert came == value and type(came) is type(value)


@pytest.mark.parametrize("value", [b"x" * 2_000_000, bytearray(2_000_000), array.array("d", [1.0] * 500_000),
                                   "x" * 2_000_000, memoryview(b"x" * 2_000_000)], ids=lambda value: type(value).__name__)
def test_large_values_arrive_and_come_back_the_same(executor, value) -> None:
    came = executor.submit(lambda x: (isinstance(x, (bytes, bytearray, array.array, str, memoryview)), x), value).result()
    assert came[0] and came[1] == value and isinstance(came[1], type(value))


def test_interpreters_look_at_large_values_where_they_are_and_let_go_of_them() -> None:
    data = bytearray(2_000_000)
    with xcores.SubinterpExecutor(1) as executor:
        assert executor.submit(lambda x: type(x).__name__, data).result() == "shared_bytearray"
    data.append(1)


def keep(data: bytes) -> tuple[int, bytes]:
    kept = sys.__dict__.setdefault("data_kept_by_test", [])
    kept.append(data)
    return len(kept), bytes(one[-1] for one in kept)


def test_large_arguments_that_a_job_has_kept_stay_as_they_were() -> None:
    with xcores.ProcessExecutor(1) as executor:
        for number in range(1, 5):
            assert executor.submit(keep, bytes([number]) * 2_000_000).result() == (number, bytes(range(1, number + 1)))


def test_large_arguments_are_those_of_the_moment_although_their_memory_is_used_again() -> None:
    changing = bytearray(2_000_000)
    with xcores.ProcessExecutor(2) as executor:
        for number in range(8):
            changing[-1] = number
            constant = bytes([number]) * 2_000_000
            calls = [executor.submit(lambda one, other: (one[-1], other[-1]), constant, data)
                     for data in (constant, changing, constant)]
            assert [one.result() for one in calls] == [(number, number)] * 3


def reuse(value: int) -> bytearray:
    kept = sys.__dict__.setdefault("kept_by_test", bytearray(2_000_000))
    kept[0] = value
    return kept


def test_the_result_of_a_job_stays_as_it_was(sending_executor) -> None:
    assert [one[0] for one in sending_executor.map(reuse, [3, 4, 5, 6], chunksize=4)] == [3, 4, 5, 6]
    first, second = (sending_executor.submit(reuse, value).result() for value in (7, 8))
    assert (first[0], second[0]) == (7, 8)


def test_results_outlive_the_workers_that_made_them(sending_kind) -> None:
    with EXECUTORS[sending_kind](2, initializer=print) as executor:  # its workers end with it
        answers = list(executor.map(lambda value: bytes([value]) * 2_000_000, [1, 2, 3]))
    assert [set(one) for one in answers] == [{1}, {2}, {3}]


def test_numpy_arrays_arrive_in_interpreters_as_views() -> None:
    numpy = pytest.importorskip("numpy")
    numbers = numpy.arange(600_000.0).reshape(3, 200_000)
    with xcores.SubinterpExecutor(1) as executor:
        seen = executor.submit(lambda x: (type(x).__name__, x.shape, x.format, x.readonly, x[2, 1]), numbers).result()
    assert seen == ("memoryview", (3, 200_000), "d", True, 400_001.0)


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_processes_start_as_wished(method) -> None:
    with xcores.ProcessExecutor(2, start_method=method) as executor:
        parents = {executor.submit(os.getppid).result() for _ in range(4)}
    assert (parents == {os.getpid()}) == (method == "spawn")


def test_a_wrong_way_to_start_is_refused() -> None:
    with pytest.raises(ValueError, match="start_method must be spawn or forkserver, not fork"):
        xcores.ProcessExecutor(start_method="fork")
    with pytest.raises(ValueError, match="gil must be own or shared"):
        xcores.SubinterpExecutor(gil="none")


def test_interpreters_of_an_executor_can_share_one_gil() -> None:
    with xcores.SubinterpExecutor(2, gil="shared") as executor:
        list(executor.map(sum, [range(200_000)] * 20))
        gils = json.loads(executor.report().to_json())["gils"]
    assert [gil["name"] for gil in gils] == ["main interpreter"]


def test_many_arguments_and_named_ones_arrive(executor) -> None:
    assert executor.submit(lambda *a, **k: (a, k), *range(20), x="y").result() == (tuple(range(20)), {"x": "y"})


def test_an_object_twice_in_the_arguments_is_one_object_in_the_job(executor) -> None:
    one = ["x"]
    assert executor.submit(lambda a, b: a is b, one, one).result()


def test_threads_use_the_very_objects() -> None:
    value = object()
    with xcores.ThreadExecutor(1) as executor:
        assert executor.submit(lambda: value).result() is value


def test_a_result_that_cannot_be_sent_fails_its_own_job_only(sending_executor) -> None:
    future = sending_executor.submit(lambda: (n for n in []))
    assert isinstance(future.exception(), TypeError)
    assert sending_executor.submit(abs, -1).result() == 1


def test_arguments_that_cannot_be_sent_fail_their_own_job_only(sending_executor) -> None:
    assert isinstance(sending_executor.submit(abs, threading.Lock()).exception(), TypeError)
    assert sending_executor.submit(abs, -1).result() == 1


def test_an_exception_has_the_traceback_of_the_worker_as_its_cause(sending_executor) -> None:
    error = sending_executor.submit(divide, 1, 0).exception()
    assert isinstance(error, ZeroDivisionError)
    text = "".join(traceback.format_exception(error))
    assert "in divide" in text and "return a / b" in text


def test_an_exception_that_cannot_be_sent_is_told(sending_executor) -> None:
    def raise_unsendable() -> None:
        class Local(Exception):
            def __reduce__(self) -> Any:
                raise RuntimeError("never")

        raise Local("the text")

    error = sending_executor.submit(raise_unsendable).exception()
    assert "Local: the text" in str(error)


# Functions of a notebook


def test_functions_of_the_notebook_work_with_what_they_use(kind, cell) -> None:
    cell("import math\nbase = 10\nclass Point:\n    def __init__(self, x): self.x = x\n"
         "def helper(x): return Point(math.floor(x) + base)\ndef work(x): return helper(x)\n"
         "from concurrent.futures import as_completed\nimport xcores")
    ran = cell(f"with xcores.{EXECUTORS[kind].__name__}(2) as executor:\n"
               "    points = [executor.submit(work, 1.5).result(), *executor.map(work, [2.5, 3.5])]\n"
               "[p.x for p in points], {type(p) is Point for p in points}")
    assert ran.value == ([11, 12, 13], {True}), ran.text


def test_a_redefined_function_replaces_the_old_one_and_its_data(kind, cell) -> None:
    cell(f"import xcores\nexecutor = xcores.{EXECUTORS[kind].__name__}(2)\ny = 1\ndef f(): return y")
    assert cell("executor.submit(f).result()").value == 1
    cell("y = 2\ndef f(): return y * 10")
    assert cell("executor.submit(f).result()").value == 20
    cell("executor.shutdown()")


def test_what_the_initializer_sets_stays(kind, cell) -> None:
    cell("import xcores\nstate = None\ndef begin(value):\n    global state\n    state = value\ndef read(): return state")
    ran = cell(f"with xcores.{EXECUTORS[kind].__name__}(1, initializer=begin, initargs=(7,)) as executor:\n"
               "    answer = executor.submit(read).result()\nanswer")
    assert ran.value == 7, ran.text


def test_a_name_that_cannot_be_sent_is_told(sending_kind, cell) -> None:
    cell("import threading, xcores\nlock = threading.Lock()\ndef guarded():\n    with lock: return 1")
    ran = cell(f"with xcores.{EXECUTORS[sending_kind].__name__}(1) as executor: executor.submit(guarded).result()")
    assert "`lock` (used by `guarded`)" in str(ran.error)


def test_an_executor_keeps_no_function_alive(executor) -> None:
    gone = threading.Event()

    def make() -> Callable[[], int]:
        return lambda: 1

    function = make()
    weakref.finalize(function, gone.set)
    assert executor.submit(function).result() == 1
    assert executor.submit(function).result() == 1
    del function
    assert gone.wait(30)


# map


def test_map_gives_many_tiny_results_in_order(executor) -> None:
    assert list(executor.map(str, range(20_000))) == [str(n) for n in range(20_000)]


def test_map_does_not_hold_up_short_items_behind_a_long_one(executor, tmp_path) -> None:
    """The first item ends when the last one has run: were they handed out together, it never would."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    assert list(executor.map(meet, ["r", *[""] * 50, "w"], [str(path)] * 52)) == ["r", *[""] * 50, "w"]


def meet(mode: str, path: str) -> str:
    if mode:
        open(path, mode).close()  # waits for the other side
    return mode


def test_map_raises_at_its_place_and_cancels_the_rest(executor) -> None:
    results = executor.map(divide, [4, 2, 1, 9], [2, 1, 0, 3])
    assert next(results) == 2 and next(results) == 2
    with pytest.raises(ZeroDivisionError):
        next(results)
    with pytest.raises(StopIteration):
        next(results)


def test_map_of_nothing_gives_nothing(executor) -> None:
    assert list(executor.map(abs, [])) == []


# Being told


def test_asyncio_runs_functions_in_it(executor) -> None:
    async def main() -> list[int]:
        loop = asyncio.get_running_loop()
        return await asyncio.gather(*(loop.run_in_executor(executor, abs, -n) for n in range(20)))

    assert asyncio.run(main()) == list(range(20))


def test_callbacks_and_results_may_be_asked_for_in_any_order(executor) -> None:
    told: list[Any] = []
    futures = [executor.submit(abs, -n) for n in range(50)]
    for future in futures[::2]:
        future.add_done_callback(told.append)
    assert [future.result() for future in futures] == list(range(50))
    done, not_done = concurrent.futures.wait(futures, timeout=0)
    assert done == set(futures) and not not_done
    executor.shutdown()
    assert {id(one) for one in told} == {id(one) for one in futures[::2]}


def test_many_threads_may_wait_for_one_future(executor) -> None:
    future = executor.submit(dict, a=[1])
    seen: list[Any] = []
    threads = [threading.Thread(target=lambda: seen.append(future.result())) for _ in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert len(seen) == 8 and len({id(one) for one in seen}) == 1


def test_what_a_job_prints_is_read_before_its_result(sending_executor, capsys) -> None:
    sending_executor.submit(print, "from the job").result()
    assert capsys.readouterr().out == "from the job\n"


# Ends


def test_a_process_that_dies_costs_its_own_job_only() -> None:
    with xcores.ProcessExecutor(2) as executor:
        futures = [executor.submit(abs, n) for n in range(10)]
        dying = executor.submit(os._exit, 3)
        futures += [executor.submit(abs, n) for n in range(10, 20)]
        with pytest.raises(concurrent.futures.process.BrokenProcessPool, match="exit code 3"):
            dying.result()
        assert [future.result() for future in futures] == list(range(20))


def test_an_interrupt_while_waiting_leaves_the_executor_and_the_job_alone(executor, tmp_path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    future = executor.submit(meet, "r", str(path))
    main = threading.main_thread().ident
    with pytest.raises(KeyboardInterrupt):
        threading.Thread(target=signal.pthread_kill, args=(main, signal.SIGINT)).start()
        future.result()
    assert executor.submit(abs, -5).result() == 5
    meet("w", str(path))
    assert future.result() == "r"


def test_a_dropped_executor_ends_its_jobs_and_workers(kind) -> None:
    executor = EXECUTORS[kind](2)
    future = executor.submit(sum, range(10))
    del executor
    assert future.result() == 45


def hold(begun: str, gate: str) -> str:
    open(begun, "w").close()
    open(gate).close()
    return "held"


def test_shutdown_can_cancel_what_has_not_begun(kind, tmp_path) -> None:
    begun, gate = str(tmp_path / "begun"), str(tmp_path / "gate")
    os.mkfifo(begun)
    os.mkfifo(gate)
    executor = EXECUTORS[kind](1)
    first = executor.submit(hold, begun, gate)
    open(begun).close()  # waits for the job
    others = [executor.submit(abs, -n) for n in range(50)]
    executor.shutdown(wait=False, cancel_futures=True)
    assert first.running() and all(one.cancelled() for one in others)
    open(gate, "w").close()
    executor.shutdown()
    assert first.result() == "held" and all(one.cancelled() for one in others)


def test_all_jobs_can_be_cancelled_before_a_worker_is_there(kind) -> None:
    executor = EXECUTORS[kind](2, initializer=print)  # it takes none that are warm
    others = [executor.submit(abs, -n) for n in range(50)]
    executor.shutdown(cancel_futures=True)
    assert all(one.done() for one in others)
    assert [one.result() for one in others if not one.cancelled()] == [n for n, one in enumerate(others) if not one.cancelled()]


@pytest.mark.parametrize("name", [one.__name__ for one in EXECUTORS.values()])
def test_a_script_needs_no_guard_and_ends_by_itself(name) -> None:
    ran = script(f"from xcores import {name}\n"
                 "def square(x): return x * x\n"
                 f"executor = {name}(2)\n"
                 "print(sum(executor.map(square, range(1000))))\n"
                 "executor.submit(print, 'late')\n")
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "332833500\nlate\n", "")


@pytest.mark.parametrize("name", [one.__name__ for one in EXECUTORS.values()])
def test_a_script_ends_quietly_with_results_in_use(name) -> None:
    ran = script("import atexit\n"
                 "atexit.register(lambda: print(set(kept)))\n"
                 f"from xcores import {name}\n"
                 "def make(size): return bytes(size)\n"
                 f"kept = {name}(1).submit(make, 2_000_000).result()\n")
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "{0}\n", "")


# Reports


def test_the_report_tells_of_the_workers(kind, executor) -> None:
    list(executor.map(sum, [range(200_000)] * 8))
    report = json.loads(executor.report().to_json())
    assert report["kind"] == kind and 1 <= len(report["workers"]) <= 2
    assert any(worker["run_ns"] for worker in report["workers"])


def test_an_executor_shows_itself_in_a_notebook(executor) -> None:
    assert set(executor._repr_mimebundle_()) == {"text/plain"}
    executor.submit(abs, -1).result()
    bundle = executor._repr_mimebundle_()
    assert "worker" in bundle["text/plain"] and "<table" in bundle["text/html"] and "data:image/png" in bundle["text/html"]


def test_what_a_report_says_is_text_in_its_html(monkeypatch) -> None:
    with xcores.ThreadExecutor(1) as executor:
        executor.submit(abs, -1).result()
        report = executor.report()

        class Quoting:
            caption = '"><script>'
            outcomes, png, html, text = report.outcomes, report.png, report.html, report.text

        monkeypatch.setattr(executor, "report", Quoting)
        assert 'alt="&quot;&gt;&lt;script&gt;"' in executor._repr_mimebundle_()["text/html"]


# Misuse


@pytest.mark.parametrize("make, message", [
    (lambda kind: kind(0), "greater than 0"), (lambda kind: kind(100_000), "at most"),
    (lambda kind: kind(1, initializer=5), "callable"), (lambda kind: kind("two"), "a whole number, not 'two'"),
], ids=["no worker", "too many workers", "no function", "no number"])
def test_nonsense_is_refused_at_once(kind, make: Callable[[Any], Any], message) -> None:
    with pytest.raises((ValueError, TypeError), match=message):
        make(EXECUTORS[kind])


def test_a_function_can_be_the_initializer_and_a_job(kind) -> None:
    with EXECUTORS[kind](1, initializer=abs, initargs=(-1,)) as executor:
        assert executor.submit(abs, -2).result(60) == 2


def test_a_program_ends_cleanly_after_an_executor_with_an_initializer(kind) -> None:
    """Its workers are not used again: their interpreters are still being ended when the program ends."""
    code = (f"import xcores\nwith xcores.{EXECUTORS[kind].__name__}(2, initializer=len, initargs=('',)) as executor:\n"
            "    print(sum(executor.map(abs, range(10))))")
    for _ in range(5):
        ran = script(code)
        assert (ran.returncode, ran.stdout, ran.stderr) == (0, "45\n", "")


# Large arguments are what they were when they were handed over


def first_after(values: Any, _: object = None) -> float:
    time.sleep(0.01)
    return float(memoryview(values)[0])


def test_a_large_argument_can_be_changed_after_submit() -> None:
    values = array.array("d", [0.0]) * (1 << 18)
    with xcores.ProcessExecutor(2) as executor:
        futures = []
        for number in range(8):
            values[0] = number
            futures.append(executor.submit(first_after, values))
        values[0] = -1
        assert [future.result() for future in futures] == list(range(8))


@pytest.mark.parametrize("buffersize", [None, 3])
def test_items_made_on_demand_may_use_their_memory_again(sending_executor, buffersize) -> None:
    def items() -> Iterator[Any]:
        values = array.array("d", [0.0]) * (1 << 18)
        for number in range(8):
            values[0] = number
            yield values

    assert list(sending_executor.map(first_after, items(), buffersize=buffersize)) == list(range(8))
    assert list(sending_executor.map(first_after, items(), range(8), buffersize=buffersize)) == list(range(8))
    kept = [array.array("d", [float(number)]) * (1 << 18) for number in range(8)]
    assert list(sending_executor.map(first_after, kept, buffersize=buffersize)) == list(range(8))


def test_an_argument_that_has_not_changed_is_copied_once() -> None:
    from xcores.snapshots import snapshots_of

    values = bytearray(1 << 20)
    (first,), (second,) = snapshots_of([memoryview(values)]), snapshots_of([memoryview(values)])
    values[-1] = 1
    (third,) = snapshots_of([memoryview(values)])
    assert first is second and third is not second and third[-1] == 1 and first[-1] == 0
    constant = bytes(1 << 20)
    assert snapshots_of([constant])[0] is constant
