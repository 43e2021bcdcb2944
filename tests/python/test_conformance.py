# SPDX-License-Identifier: BSD-3-Clause
"""CPython's own tests of `concurrent.futures`, as far as they do not depend on one executor, against the three of xcores."""

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
    test_future,
    test_init,
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
NOT_FORKABLE = "CPython cannot fork a process that has interpreters (it crashes), and these tests leave some behind"
AT_ONCE = ("expects that a job begins, or counts as begun, while the main thread hands in others; here a job can be cancelled "
           "until a worker has begun it (test_executors: test_shutdown_can_cancel_what_has_not_begun)")
BY_REFERENCE = "uses objects of the test in the worker, which is for threads only"
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
        "test_hang_global_shutdown_lock": NOT_FORKABLE,
        "test_process_fork_from_a_threadpool": NOT_FORKABLE,
        "test_cancel_futures": AT_ONCE,
    },
    "Subinterp": {
        **{name: NO_EVENTS for name in vars(test_wait.WaitTests)
           if name.startswith("test_") and name not in ("test_20369", "test_all_completed")},
        "test_cancel_futures": AT_ONCE,
    },
    "Process": {"test_cancel_futures": AT_ONCE},
}
SUITES: list[tuple[str, type, tuple[str, ...]]] = [
    ("Executor", executor_tests.ExecutorTest, tuple(KINDS)),
    ("Initializer", test_init.InitializerMixin, tuple(KINDS)),
    ("FailingInitializer", test_init.FailingInitializerMixin, tuple(KINDS)),
    ("Wait", test_wait.WaitTests, tuple(KINDS)),
    ("AsCompleted", test_as_completed.AsCompletedTests, tuple(KINDS)),
    ("Shutdown", test_shutdown.ExecutorShutdownTest, tuple(KINDS)),
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
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(test_shutdown, "assert_python_ok", script_of_xcores)
        patch.setattr(sys.modules["__main__"], "__spec__", None, raising=False)  # multiprocessing wants one
        for module in (util, test_future):
            patch.setattr(module, "Future", Future)
        yield


def suite(kind: str, name: str, tests: type) -> type[unittest.TestCase]:
    bases = (tests,) if issubclass(tests, unittest.TestCase) else (tests, MIXINS[kind], util.BaseTestCase)
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
