# SPDX-License-Identifier: BSD-3-Clause
"""CPython's own tests of `concurrent.futures`, as far as they do not depend on one executor, against the three of xcores."""

import asyncio
import logging
import multiprocessing
import os
import sys
import unittest
import unittest.mock
from typing import Any

import pytest

pytest.importorskip("test.test_concurrent_futures", reason="CPython's test-suite is not installed")

from test.test_concurrent_futures import executor as executor_tests
from test.test_concurrent_futures import (
    test_as_completed,
    test_deadlock,
    test_future,
    test_init,
    test_interpreter_pool,
    test_process_pool,
    test_shutdown,
    test_thread_pool,
    test_wait,
    util,
)

import xcores
from xcores.futures import Future, ensure_teller

KINDS = {"Thread": xcores.ThreadExecutor, "Subinterp": xcores.SubinterpExecutor, "Process": xcores.ProcessExecutor}

NO_EVENTS = "an interpreter cannot wait for an event of another one; CPython's InterpreterPoolExecutor leaves it out too"
NO_THREADS_LIST = "looks at `_threads`, an internal of ThreadPoolExecutor"
AT_ONCE = ("expects that a job begins, or counts as begun, while the main thread hands in others; here a job can be cancelled "
           "until a worker has begun it (test_executors: test_shutdown_can_cancel_what_has_not_begun)")
BY_REFERENCE = "uses objects of the test in the worker, which is for threads only"
INTERNALS = "looks at internals of ProcessPoolExecutor: `_processes`, `_executor_manager_thread`, `_call_queue` and the like"
MOCKED = "replaces internals of ProcessPoolExecutor, or of `multiprocessing`, by its own"
ONE_PROCESS = "expects that one process that dies breaks the executor; here only its job fails (test_executors: test_a_process_that_dies_costs_its_own_job_only)"
SENT = "expects that a closure, a local class or a method of its instance is refused; here they are sent"
ITS_ERROR = "expects that what unpickling raises breaks the executor; here the future raises it, and other jobs go on"
OWN_NAMES = "looks for InterpreterPoolExecutor in names; threads are named after `thread_name_prefix` where it is given"
FEW_WORKERS = ("waits a second for each job that has no worker yet, and by default there are as many as cores; "
               "test_blocking_with_limited_workers is the same with four")
THREAD_POOLS = "asyncio takes subclasses of ThreadPoolExecutor only as default executor; run_in_executor takes any"
OWN_CAUSE = "expects `ExecutionFailed` as cause, or on stderr; here the cause is the traceback in the worker"
SKIPPED = {
    "Thread": {
        "test_saturation": NO_THREADS_LIST,
        "test_idle_thread_reuse": NO_THREADS_LIST,
        "test_threads_terminate": NO_THREADS_LIST,
        "test_context_manager_shutdown": NO_THREADS_LIST,
        "test_del_shutdown": NO_THREADS_LIST,
        "test_shutdown_no_wait": NO_THREADS_LIST,
        "test_thread_names_assigned": NO_THREADS_LIST,
        "test_thread_names_default": NO_THREADS_LIST,
        "test_cancel_futures": AT_ONCE,
    },
    "Subinterp": {
        **{name: NO_EVENTS for name in vars(test_wait.WaitTests)
           if name.startswith("test_") and name not in ("test_20369", "test_all_completed")},
        "test_cancel_futures": AT_ONCE,
        "test_saturation": NO_THREADS_LIST,
        "test_idle_thread_reuse": NO_THREADS_LIST,
        "test_default_executor": THREAD_POOLS,
        "test_blocking": FEW_WORKERS,
        "test_init_closure": SENT,
        "test_init_instance_method": SENT,
        "test_submit_closure": SENT,
        "test_submit_local_instance": SENT,
        "test_submit_instance_method": SENT,
        "test_pickle_errors_propagate": ITS_ERROR,
        "test_init_exception_in_func": OWN_CAUSE,
        "test_submit_exception_in_func": OWN_CAUSE,
        "test_thread_name_prefix": OWN_NAMES,
        "test_thread_name_prefix_with_thread_get_name": OWN_NAMES,
    },
    "Process": {
        "test_cancel_futures": AT_ONCE,
        "test_saturation": INTERNALS,
        "test_idle_process_reuse_one": INTERNALS,
        "test_idle_process_reuse_multiple": INTERNALS,
        "test_max_tasks_per_child": INTERNALS,  # test_drop_in has its own
        "test_max_tasks_per_child_defaults_to_spawn_context": INTERNALS,
        "test_shutdown_no_wait_max_tasks_gh119592": INTERNALS,
        "test_gc_during_max_tasks_worker_exit_gh152967": INTERNALS,
        "test_force_shutdown_during_max_tasks_worker_exit": INTERNALS,
        "test_failed_worker_replacement_breaks_pool": MOCKED,
        "test_python_finalization_error": MOCKED,
        "test_force_shutdown_workers_not_started_yet": MOCKED,
        "test_force_shutdown_workers": INTERNALS,  # test_drop_in has its own
        "test_force_shutdown_workers_stops_pool": INTERNALS,
        "test_force_shutdown_workers_invalid_op": INTERNALS,
        "test_terminate_workers": MOCKED,
        "test_kill_workers": MOCKED,
        "test_killed_child": ONE_PROCESS,
        "test_broken_process_pool_traceback": ONE_PROCESS,
        "test_traceback": OWN_CAUSE,
        "test_processes_terminate": INTERNALS,
        "test_context_manager_shutdown": INTERNALS,
        "test_del_shutdown": INTERNALS,
        "test_shutdown_no_wait": INTERNALS,
        "test_shutdown_gh_132969_case_1": INTERNALS,
        "test_shutdown_gh_132969_case_2": INTERNALS,
        "test_shutdown_deadlock_pickle": INTERNALS,
        "test_error_at_task_unpickle": ITS_ERROR,
        "test_exit_at_task_unpickle": ITS_ERROR,
        "test_error_during_result_unpickle_in_result_handler": ITS_ERROR,
        "test_exit_during_result_unpickle_in_result_handler": ITS_ERROR,
    },
}
WITH_CONTEXT = ("ProcessPool", "ProcessPoolShutdown", "Deadlock")
SUITES: list[tuple[str, type, tuple[str, ...]]] = [
    ("Executor", executor_tests.ExecutorTest, tuple(KINDS)),
    ("Initializer", test_init.InitializerMixin, tuple(KINDS)),
    ("FailingInitializer", test_init.FailingInitializerMixin, tuple(KINDS)),
    ("Wait", test_wait.WaitTests, tuple(KINDS)),
    ("AsCompleted", test_as_completed.AsCompletedTests, tuple(KINDS)),
    ("Shutdown", test_shutdown.ExecutorShutdownTest, tuple(KINDS)),
    ("ProcessPool", test_process_pool.ProcessPoolExecutorTest, ("Process",)),
    ("ProcessPoolShutdown", test_shutdown.ProcessPoolShutdownTest, ("Process",)),
    ("Deadlock", test_deadlock.ExecutorDeadlockTest, ("Process",)),
    ("InterpreterPool", test_interpreter_pool.InterpreterPoolExecutorTest, ("Subinterp",)),
    ("InterpreterPoolAsyncio", test_interpreter_pool.AsyncioTest, ("Subinterp",)),
    ("ThreadPool", test_thread_pool.ThreadPoolExecutorTest, ("Thread",)),
    ("ThreadPoolWait", test_wait.ThreadPoolWaitTests, ("Thread",)),
    ("ThreadPoolShutdown", test_shutdown.ThreadPoolShutdownTest, ("Thread",)),
]


class ThreadMixin(util.ThreadPoolMixin):
    executor_type = xcores.ThreadExecutor


class SubinterpMixin(util.InterpreterPoolMixin):
    executor_type = xcores.SubinterpExecutor


class ProcessMixin(util.ExecutorMixin):
    executor_type = xcores.ProcessExecutor

    def setUp(self) -> None:
        super().setUp()
        self.manager: Any = None

    def create_event(self) -> Any:
        self.manager = self.manager or multiprocessing.get_context("spawn").Manager()
        return self.manager.Event()


class ContextMixin(ProcessMixin):
    """With a context of `multiprocessing`, as the tests of ProcessPoolExecutor alone give it."""

    ctx = "forkserver"


MIXINS = {"Thread": ThreadMixin, "Subinterp": SubinterpMixin, "Process": ProcessMixin}


def script_of_xcores(*arguments: str) -> Any:
    """The scripts of the suite, with our executors in place of the standard ones."""
    return original_assert_python_ok(*(text.replace("from concurrent.futures import", "from xcores import").replace("PoolExecutor", "Executor")
                                       for text in arguments), PYTHONPATH=os.pathsep.join(sys.path))


original_assert_python_ok = test_shutdown.assert_python_ok


@pytest.fixture(autouse=True, scope="module")
def our_names() -> Any:
    """Where the suite names a class of the standard library, it finds ours."""
    ensure_teller()  # before the suite counts threads
    asyncio.events._set_event_loop_policy(None)  # CPython's tests of asyncio refuse one that an earlier test has left
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(test_shutdown, "assert_python_ok", script_of_xcores)
        patch.setattr(sys.modules["__main__"], "__spec__", None, raising=False)  # multiprocessing wants one
        for module in (util, test_future):
            patch.setattr(module, "Future", Future)
        yield


def suite(kind: str, name: str, tests: type) -> type[unittest.TestCase]:
    bases = (tests,) if issubclass(tests, unittest.TestCase) else (tests, ContextMixin if name in WITH_CONTEXT else MIXINS[kind], util.BaseTestCase)
    made = type(f"Test{kind}{name}", bases, {"__module__": __name__, "executor_type": KINDS[kind]})
    for method, reason in SKIPPED[kind].items():
        if hasattr(made, method):
            setattr(made, method, unittest.skip(reason)(getattr(made, method)))
    return made


for _name, _tests, _kinds in SUITES:
    for _kind in _kinds:
        _made = suite(_kind, _name, _tests)
        globals()[_made.__name__] = _made


class TestFuture(test_future.FutureTests):
    def setUp(self) -> None:
        super().setUp()
        # Some tests read what logging writes when nobody has set it up, as pytest has.
        root = logging.getLogger()
        self.enterContext(unittest.mock.patch.object(root, "handlers", []))


del _made, _tests
