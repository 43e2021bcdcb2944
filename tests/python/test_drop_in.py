# SPDX-License-Identifier: BSD-3-Clause
"""What the executors accept and say as the standard ones do."""

import concurrent.futures
import concurrent.futures.process
import multiprocessing
import os
import threading
import time

import pytest

import xcores

EXECUTORS = {"threads": xcores.ThreadExecutor, "subinterp": xcores.SubinterpExecutor, "procs": xcores.ProcessExecutor}


def test_the_arguments_of_the_standard_process_pool_are_accepted() -> None:
    for method in ("spawn", "forkserver"):
        with xcores.ProcessExecutor(1, multiprocessing.get_context(method)) as executor:
            assert executor.submit(abs, -1).result() == 1
    with pytest.raises(ValueError, match=r"get_context\('forkserver'\)"):
        xcores.ProcessExecutor(1, mp_context=multiprocessing.get_context("fork"))
    with pytest.raises(TypeError, match="mp_context must be a context of multiprocessing, not int"):
        xcores.ProcessExecutor(1, 2)


def test_a_process_is_replaced_after_its_number_of_jobs() -> None:
    with xcores.ProcessExecutor(1, max_tasks_per_child=3) as executor:
        processes = [executor.submit(os.getpid).result() for _ in range(7)]
    assert [processes.count(one) for one in dict.fromkeys(processes)] == [3, 3, 1]


def test_all_jobs_run_however_few_a_process_may_do() -> None:
    with xcores.ProcessExecutor(2, max_tasks_per_child=1) as executor:
        assert list(executor.map(abs, range(-6, 0))) == [6, 5, 4, 3, 2, 1]


@pytest.mark.parametrize(("value", "error"), [(0, ValueError), ("two", TypeError)])
def test_a_senseless_number_of_jobs_for_a_process_is_refused_as_usual(value, error) -> None:
    with pytest.raises(error, match="max_tasks_per_child must be"):
        xcores.ProcessExecutor(1, max_tasks_per_child=value)


@pytest.mark.parametrize("end", ["terminate_workers", "kill_workers"])
def test_workers_can_be_ended_with_the_jobs_they_run(end) -> None:
    executor = xcores.ProcessExecutor(1)
    running, waiting = executor.submit(time.sleep, 1000), executor.submit(abs, 1)
    while not running.running():  # nothing tells of it
        time.sleep(0.01)
    getattr(executor, end)()
    assert isinstance(running.exception(timeout=30), concurrent.futures.process.BrokenProcessPool)
    assert waiting.cancelled()
    with pytest.raises(RuntimeError, match="after shutdown"):
        executor.submit(abs, 1).result()


def test_threads_of_interpreters_are_named_as_asked() -> None:
    name = lambda: threading.current_thread().name  # noqa: E731
    with xcores.SubinterpExecutor(1, "mine") as executor:
        assert executor.submit(name).result().startswith("mine_")
    with xcores.SubinterpExecutor(1) as executor:
        assert not executor.submit(name).result().startswith("mine_")


def test_a_number_of_workers_that_is_none_is_refused_with_the_type_of_the_standard(kind) -> None:
    with pytest.raises(TypeError, match="max_workers must be a whole number, not 'two'"):
        EXECUTORS[kind]("two")
    with pytest.raises(TypeError):
        concurrent.futures.ThreadPoolExecutor("two")


def test_executors_and_reports_say_what_they_are(kind) -> None:
    executor = EXECUTORS[kind](2)
    executor.submit(abs, -1).result()
    plural = {"threads": "threads", "subinterp": "interpreters", "procs": "processes"}[kind]
    assert repr(executor) == f"<{type(executor).__name__}: at most 2 {plural}, open; report().text() tells what they did>"
    assert repr(executor.report()).startswith("<Report: ") and "text() gives the table" in repr(executor.report())


def test_tracebacks_of_jobs_name_cells(sending_kind, shell, cell) -> None:
    ran = cell(f"import xcores\ndef divide(a): return a / 0\nwith xcores.{EXECUTORS[sending_kind].__name__}(1) as executor:\n"
               "    try: executor.submit(divide, 1).result()\n    except ZeroDivisionError as error: print(error.__cause__)")
    assert 'File "Cell In[' in ran.stdout and "ipython-input" not in ran.stdout
