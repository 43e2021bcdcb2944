# SPDX-License-Identifier: BSD-3-Clause
"""What the jobs of the demonstration compute. Each new worker imports this module, so it imports little itself."""

import os
import threading
import time

PIECE = 50_000
"""So many numbers `sum_in_pieces` adds in one call."""


def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)


def count_primes(limit):
    return sum(all(n % d for d in range(2, int(n**0.5) + 1)) for n in range(2, limit))


def sum_at_once(n):
    return sum(range(n))


def sum_in_pieces(n):
    return sum(sum(range(start, min(start + PIECE, n))) for start in range(0, n, PIECE))


def wait(milliseconds):
    time.sleep(milliseconds / 1000)


def digest(megabytes):
    from hashlib import sha256

    block, total = bytes(1_000_000), sha256()
    for _ in range(megabytes):
        total.update(block)
    return total.hexdigest()[:8]


def fail_each(nth, job):
    if (job + 1) % nth == 0:
        raise ValueError(f"job {job} fails: {job + 1} is a multiple of {nth}")
    return job


def run_job(function, arguments):
    """Call `function`, and say what it did: the fields of `xcores.demo.jobs.Outcome`.

    What it raises is said too, not raised, so that the window learns which worker it was.
    """
    began, cpu = time.monotonic(), time.thread_time()
    result = error = trace = ""
    try:
        result = repr(function(*arguments))
    except Exception as failure:
        from traceback import format_exception, format_exception_only

        error = format_exception_only(failure)[-1].strip()
        trace = "".join(format_exception(failure.with_traceback(failure.__traceback__.tb_next)))
    cpu_s = time.thread_time() - cpu
    return began, time.monotonic(), cpu_s, os.getpid(), threading.get_native_id(), result, error, trace
