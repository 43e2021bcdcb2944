# SPDX-License-Identifier: BSD-3-Clause
"""Part 1: concurrency or parallelism."""

import math
from collections.abc import Mapping
from numbers import Real
from typing import Any

from xcores.run_object import Run
from xcores.workshop.exercises import NotYet, exercise

_KINDS = {
    "A": ("neither", "Each page is requested only when the previous one has arrived: how many downloads are in progress at once?"),
    "B": ("concurrent", "100 waits are in progress, but in a single thread. What can compute at the same instant?"),
    "C": ("concurrent", "Four threads of one process. How many GILs do they have between them?"),
    "D": ("parallel", "Each process has a GIL of its own, and there are four cores."),
    "E": ("concurrent", "There are four GILs. On how many cores may the processes run?"),
    "F": ("concurrent", "All of them are in progress. Does any of them compute while it waits?"),
}


@exercise("01-kinds")
def kinds(answer: Any) -> str:
    """A dictionary from the letter of each program to what it is."""
    if not isinstance(answer, Mapping):
        raise NotYet(f'Give a dictionary, {{"A": "neither", …}}, instead of {type(answer).__name__}.')
    open_ones = [letter for letter in _KINDS if answer.get(letter, ...) is ...]
    if open_ones:
        raise NotYet(f"Not answered yet: {', '.join(open_ones)}.")
    words = ("neither", "concurrent", "parallel")
    for letter in _KINDS:
        if answer[letter] not in words:
            raise NotYet(f"{letter}: {answer[letter]!r} is none of {', '.join(words)}.")
    wrong = [letter for letter, (right, _) in _KINDS.items() if answer[letter] != right]
    if wrong:
        more = "" if len(wrong) == 1 else f" There are {len(wrong)} to reconsider."
        raise NotYet(f"{wrong[0]}: {_KINDS[wrong[0]][1]}{more}")
    return "Only D computes on several cores at the same instant. The other concurrent programs gain because they wait, or do not gain."


# jobs, waiting, computing, workers, cores, gils
_CASES: tuple[tuple[tuple[int, float, float, int, int, int], float, str], ...] = (
    ((8, 1, 0, 8, 2, 1), 1, "eight jobs that only wait, on eight workers: all the waits overlap, whatever the cores and GILs"),
    ((8, 1, 0, 4, 2, 1), 2, "eight jobs that only wait, on four workers: each worker has two of them, one after the other"),
    ((8, 0, 1, 8, 4, 1), 8, "eight jobs that compute, on eight workers with one GIL: only one computes at any instant"),
    ((8, 0, 1, 4, 4, 4), 2, "eight jobs that compute, on four workers with a core and a GIL each"),
    ((8, 0, 1, 8, 2, 8), 4, "eight jobs that compute, on eight workers with a GIL each but two cores"),
    ((4, 0, 1, 1, 4, 4), 4, "four jobs that compute, on one worker: further cores do not help it"),
    ((8, 1, 0.5, 4, 4, 1), 4, "jobs that wait and compute, with one GIL: the computing of all of them takes longer than the two rounds of a worker"),
    ((3, 1, 1, 2, 2, 2), 4, "three jobs for two workers: one of them has two jobs, so use math.ceil"),
    ((5, 1, 1, 4, 4, 4), 4, "five jobs for four workers: one of them has two jobs, so use math.ceil, not round"),
)  # fmt: skip


@exercise("01-least-time")
def least_time(answer: Any) -> str:
    """A function that says how fast jobs can be done at best."""
    if not callable(answer):
        raise NotYet(f"Hand over the function least_time itself, instead of {type(answer).__name__}.")
    for arguments, right, what in _CASES:
        found = answer(*arguments)
        call = f"least_time{arguments}"
        if found is ... or found is None:
            what = "an Ellipsis, the ... of its body" if found is ... else "None"
            raise NotYet(f"{call} returns {what}. Let it return the max() of the two terms.")
        if not isinstance(found, Real):
            raise NotYet(f"{call} returns {type(found).__name__}. Let it return a number of seconds.")
        if not math.isclose(found, right):
            raise NotYet(f"{call} is {found:g}, but should be {right:g}: {what}.")
    return "Waiting is limited by the number of workers; computing by workers, cores and GILs, whichever is least."


_LEAST_CPU_SECONDS = 0.005
"""A small part of what count_primes(60_000) takes, and much more than what a cell takes that computes nothing."""


@exercise("01-no-gil-wait")
def no_gil_wait(answer: Any) -> str:
    """A run of two workers, none of which shares its GIL with another one."""
    if not isinstance(answer, Run):
        raise NotYet(f"Give the run that `--run mine` keeps, instead of {type(answer).__name__}.")
    workers = answer.workers
    failed = [worker["worker"] for worker in workers if worker["outcome"] != "returned"]
    if failed:
        raise NotYet(f"Worker {failed[0]} did not return: {workers[failed[0]]['error'] or workers[failed[0]]['outcome']}. Repair that first.")
    if len(workers) < 2:
        raise NotYet("There is only one worker, which has nothing to wait for. Use two.")
    if {worker["result"] for worker in workers} != {"6057"}:
        raise NotYet("The workers should both return count_primes(60_000), as before.")
    idle = [worker["worker"] for worker in workers if (worker["cpu_s"] or 0) < _LEAST_CPU_SECONDS]
    if idle:
        raise NotYet(f"The result of worker {idle[0]} is right, but it took almost no CPU time. Let both compute count_primes(60_000).")
    if any(len(gil["workers"]) > 1 for gil in answer.report["gils"]):
        waited = sum(worker["gil_wait_s"] or 0 for worker in workers) / sum(worker["run_s"] or 0 for worker in workers)
        shared = "" if answer.kind == "threads" else ", because of --gil shared"
        raise NotYet(
            f"All workers share one GIL{shared}, and waited for it {waited:.0%} of their runs. Which magic gives each worker "
            "a GIL of its own?"
        )
    return f"Each of the {len(workers)} workers has a GIL of its own. How many run at the same instant now depends on the cores."
