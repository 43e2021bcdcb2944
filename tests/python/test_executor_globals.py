# SPDX-License-Identifier: BSD-3-Clause
"""Executors run functions with the globals that these have when they are submitted."""

import pytest

import xcores

KINDS = [xcores.ThreadExecutor, xcores.SubinterpExecutor, xcores.ProcessExecutor]


@pytest.fixture(params=KINDS)
def pool(request):
    with request.param(1) as executor:
        yield executor


@pytest.mark.parametrize(("setup", "change", "before", "after"), [
    ("rate = 1\ndef job(): return 10 * rate", "rate = 5", 10, 50),
    ("def helper(): return 'old'\ndef job(): return helper()", "def helper(): return 'new'", "old", "new"),
    ("base = 1\ndef helper(): return base\ndef job(): return helper()", "base = 2", 1, 2),
    ("class Point:\n    x = 1\ndef job(): return Point.x", "class Point:\n    x = 2", 1, 2),
    ("rate = 1\nclass Box:\n    def get(self): return rate\ndef job(): return Box().get()", "rate = 2", 1, 2),
    ("import functools\nrate = 1\n@functools.cache\ndef cached(): return rate\ndef job(): return cached.__wrapped__()",
     "rate = 2", 1, 2),
    ("def make():\n    n = 1\n    def job(): return n\n    def change():\n        nonlocal n\n        n = 2\n    return job, change\n"
     "job, change = make()", "change()", 1, 2),
    ("rate = 1\nhelper = (lambda: rate)\ndef make(h):\n    def job(): return h()\n    return job\njob = make(helper)",
     "rate = 2", 1, 2),
    ("import math as m\ndef job(): return m.__name__", "import cmath as m", "math", "cmath"),
    ("values = [1]\ndef job(): return sum(values)", "values = [2, 3]", 1, 5),
    ("limit = None\ndef job(): return [limit for _ in range(1)]", "limit = 3", [None], [3]),
])  # fmt: skip
def test_a_changed_global_reaches_a_running_executor(pool, cell, shell, setup, change, before, after) -> None:
    assert cell(setup).error is None
    job = shell.user_ns["job"]
    assert pool.submit(job).result() == before
    assert pool.submit(job).result() == before
    assert cell(change).error is None
    assert pool.submit(job).result() == after
    assert list(pool.map(lambda _: job(), [0])) == [after]
    assert pool.submit(job).result() == after


def test_a_global_that_is_defined_or_deleted_later_reaches_a_running_executor(pool, cell, shell) -> None:
    cell("def job(): return later")
    job = shell.user_ns["job"]
    with pytest.raises(NameError):
        pool.submit(job).result()
    cell("later = 1")
    assert pool.submit(job).result() == 1
    cell("del later")
    with pytest.raises(NameError):
        pool.submit(job).result()


def test_a_function_is_sent_once_as_long_as_nothing_changes(cell, shell) -> None:
    cell("import numpy, json\nrate = [1]\ndef job(): return rate, json")
    job = shell.user_ns["job"]
    with xcores.SubinterpExecutor(1) as pool:
        pool.submit(job)
        sent = pool._functions[id(job)][1]
        pool.submit(job)
        list(pool.map(job, *[[]]))
        assert pool._functions[id(job)][1] is sent


def test_what_a_job_assigns_in_a_worker_stays_while_the_notebooks_does_not_change(cell, shell) -> None:
    cell("count = 0\ndef job():\n    global count\n    count += 1\n    return count")
    with xcores.ProcessExecutor(1) as pool:
        assert [pool.submit(shell.user_ns["job"]).result() for _ in range(3)] == [1, 2, 3]
