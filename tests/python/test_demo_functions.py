# SPDX-License-Identifier: BSD-3-Clause
"""What the desktop demonstration runs on its workers, and what it says where there is no Qt."""

import os
import subprocess
import sys
import threading

import pytest

from xcores.demo import memory
from xcores.demo.functions import run_job
from xcores.demo.jobs import KINDS, WINDOW, Jobs, Order, Outcome, check
from xcores.demo.presets import PRESETS

_SMALL = {"fib": (10, "55"), "primes": (10, "4"), "sum": (10, "45"), "pieces": (120_000, str(sum(range(120_000)))), "wait": (1, "None"),
          "digest": (1, "'d29751f2'"), "fail": (5, "2")}


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != WINDOW])
def test_each_function_returns_the_same_in_every_kind_of_worker(kind: str) -> None:
    assert _SMALL.keys() == PRESETS.keys()
    with KINDS[kind](1) as executor:
        for name, (argument, expected) in _SMALL.items():
            preset = PRESETS[name]
            outcome = Outcome._make(executor.submit(run_job, preset.function, preset.arguments(argument, 2)).result())
            assert (outcome.result, outcome.error) == (expected, ""), name
            assert outcome.began <= outcome.ended and outcome.cpu_s >= 0
            assert (outcome.process == os.getpid()) == (kind != "processes")


def test_the_argument_that_is_offered_can_be_run() -> None:
    for name, preset in PRESETS.items():
        assert check(Order("threads", 1, name, preset.argument, 1)) == ""


def test_an_error_is_an_outcome_with_the_frames_of_the_function() -> None:
    preset = PRESETS["fail"]
    outcome = Outcome._make(run_job(preset.function, preset.arguments(3, 5)))
    assert outcome.error == "ValueError: job 5 fails: 6 is a multiple of 3"
    assert "in fail_each" in outcome.trace and "in run_job" not in outcome.trace
    assert (outcome.process, outcome.thread) == (os.getpid(), threading.get_native_id())


def test_jobs_without_workers_run_one_by_one_where_they_are_asked_for() -> None:
    told = []
    order = Jobs(Order(WINDOW, 1, "fib", 5, 3), lambda job, future: told.append((job, future.cancelled() or future.result()[5])))
    order.start()
    assert order.run_next() and told == [(0, "5")]
    order.stop()
    assert order.run_next() and order.run_next() and not order.run_next()
    assert told == [(0, "5"), (1, True), (2, True)]


def test_the_memory_of_a_process_below_this_one_counts() -> None:
    alone = memory.of_application()
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        both = memory.of_application()
        child.communicate(b"\n", timeout=60)
    assert alone is not None and both is not None
    assert both.processes > alone.processes and both.bytes > 0


def test_without_qt_one_line_says_what_to_install() -> None:
    program = "import sys; sys.modules['PyQt6'] = None; from xcores.demo.desktop import main; sys.exit(main([]))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.count("\n") == 1 and "PyQt6" in done.stderr and "python3-pyqt6" in done.stderr
