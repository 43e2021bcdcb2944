# SPDX-License-Identifier: BSD-3-Clause
"""The exercises of part 12: which kind for which program, how fast it can get, and a comparison of the reader's own."""

from collections.abc import Callable, Mapping
from numbers import Real
from typing import Any

from xcores.run_object import Comparison, Run
from xcores.workshop.exercises import NotYet, exercise

_KINDS = ("serial", "threads", "subinterp", "procs")

_ALIASES = {"thread": "threads", "subinterps": "subinterp", "interpreters": "subinterp", "interpreter": "subinterp",
            "subinterpreters": "subinterp", "processes": "procs", "process": "procs"}

_PROGRAMS: dict[str, tuple[str, dict[str, str]]] = {
    "fetch 200 web pages": ("threads", {
        "serial": "One page after the other waits 200 times. A thread that waits needs neither the GIL nor a core.",
        "subinterp": "That works, but a thread that waits holds no GIL, so a GIL of its own gains nothing. What is lighter?",
        "procs": "That works, but a worker that waits needs no core of its own. What starts faster and shares all data?",
    }),
    "solve 16 Sudokus with a solver in pure Python": ("subinterp", {
        "serial": "Sixteen independent jobs that compute, and large enough: they can use all cores.",
        "threads": "A solver in pure Python holds the GIL all the time, so threads take turns.",
        "procs": "That is as fast. But nothing here refuses to load in an interpreter: what does the same within one process?",
    }),
    "fit 40 models with scikit-learn and a custom loss in Python": ("procs", {
        "serial": "Forty independent jobs that compute, and large enough: they can use all cores.",
        "threads": "The custom loss is Python code and holds the GIL, so threads take turns in it.",
        "subinterp": "scikit-learn is built on NumPy. What does NumPy do in an interpreter with its own GIL?",
    }),
    "compute SHA-256 of 500 large files": ("threads", {
        "serial": "500 independent jobs, and large enough: they can use all cores.",
        "subinterp": "That works, but hashlib releases the GIL while it computes. What is lighter?",
        "procs": "That works, but hashlib releases the GIL while it computes. What is lighter, and reads the files without sending names or results?",
    }),
    "add 1 to each of 1,000 numbers": ("serial", {
        "threads": "The whole work takes less than a millisecond. What does it cost to hand it out?",
        "subinterp": "The whole work takes less than a millisecond. What does it cost to hand it out?",
        "procs": "The whole work takes less than a millisecond. What does it cost to hand it out?",
    }),
    "call a C library that sometimes crashes": ("procs", {
        "serial": "A crash would end the notebook's own process. Which workers can die alone?",
        "threads": "All threads belong to one process, and a crash ends all of it. Which workers can die alone?",
        "subinterp": "Interpreters share one process, and a crash ends all of it. Which workers can die alone?",
    }),
}


@exercise("12-choice")
def choice(answer: Any) -> str:
    if not isinstance(answer, Mapping):
        raise NotYet("The answer is the dictionary of the cell above, with a kind for each program.")
    missing = [program for program in _PROGRAMS if answer.get(program, ...) is ...]
    if missing:
        more = "" if len(missing) == 1 else f", and {len(missing) - 1} more"
        raise NotYet(f"There is no kind yet for: {missing[0]}{more}. Ask the chart's questions from top to bottom.")
    for program, (right, hints) in _PROGRAMS.items():
        given = str(answer[program]).strip().strip("%").lower()
        given = _ALIASES.get(given, given)
        if given not in _KINDS:
            raise NotYet(f"{answer[program]!r} is not one of {', '.join(_KINDS)} (for: {program}).")
        if given != right:
            raise NotYet(f"{program}: {hints[given]}")
    return "All six. You asked what the work waits for, where it computes, what it imports, and how large a job is; no clock was needed."


def _seconds(bound: Callable[..., Any], seconds: list[float], workers: int, cores: int, shared_gil: bool) -> float:
    found = bound(list(seconds), workers, cores, shared_gil)
    if found is None or found is ...:
        raise NotYet("bound returns nothing yet. Begin with sum(seconds), the time that one worker needs, and return it.")
    if isinstance(found, bool) or not isinstance(found, Real):
        raise NotYet(f"bound should return a number of seconds, not {type(found).__name__}.")
    return float(found)


def _same(first: float, second: float) -> bool:
    return abs(first - second) <= 1e-9 * max(1.0, abs(second))


@exercise("12-bound")
def least_time(answer: Any) -> str:
    if not callable(answer):
        raise NotYet("Hand over the function: workshop.check(\"12-bound\", bound).")
    alone = _seconds(answer, [1.0] * 8, 1, 4, False)
    if not _same(alone, 8.0):
        raise NotYet(f"Eight jobs of a second, one worker: that takes 8 s on any machine, but bound says {alone:g} s.")
    few_workers = _seconds(answer, [1.0] * 8, 2, 4, False)
    if _same(few_workers, 8.0):
        raise NotYet("Eight jobs of a second, 2 workers, 4 cores: bound says 8 s, as for one worker. Divide the work by what can compute at once.")
    if not _same(few_workers, 4.0):
        raise NotYet(f"Eight jobs of a second, 2 workers, 4 cores: two jobs run at once, so 4 s; bound says {few_workers:g} s. "
                     "Cores without a worker do nothing.")
    few_cores = _seconds(answer, [1.0] * 8, 8, 2, False)
    if not _same(few_cores, 4.0):
        raise NotYet(f"Eight jobs of a second, 8 workers, 2 cores: bound says {few_cores:g} s. How many can compute at the same moment?")
    threads = _seconds(answer, [1.0] * 8, 8, 4, True)
    if not _same(threads, 8.0):
        raise NotYet(f"With one GIL for all, 8 threads on 4 cores: bound says {threads:g} s. How many can run Python code at the same moment?")
    uneven = _seconds(answer, [5.0, 1.0, 1.0, 1.0], 4, 4, False)
    if not _same(uneven, 5.0):
        raise NotYet(f"Jobs of 5, 1, 1 and 1 s with 4 workers on 4 cores: bound says {uneven:g} s, but the first job alone takes 5 s. "
                     "A job cannot be divided.")
    if not _same(_seconds(answer, [5.0, 1.0, 1.0, 1.0], 4, 4, True), 8.0):
        raise NotYet("Jobs of 5, 1, 1 and 1 s in threads that share a GIL: all of them take turns, so 8 s.")
    try:
        nothing = _seconds(answer, [], 4, 4, False)
    except (ArithmeticError, LookupError, ValueError) as error:
        raise NotYet(f"Without jobs, bound raises {type(error).__name__}: {error}. No jobs take no time; max has a default for that.") from None
    if not _same(nothing, 0.0):
        raise NotYet(f"No jobs take no time, but bound says {nothing:g} s.")
    return ("No scheduler can do better than that: the work divided by what can compute at once, and never less than the longest job. "
            "Compare it with the times of your forty jobs.")


@exercise("12-own")
def own_comparison(answer: Any) -> str:
    if isinstance(answer, Run):
        raise NotYet("That is one run. Put %%compare -n 2 -o mine at the top of the cell instead, without --run.")
    if not isinstance(answer, Comparison):
        raise NotYet(f"That is {type(answer).__name__}, not a comparison. The cell begins with %%compare -n 2 -o mine.")
    rows = answer.rows
    serial_failures = [row["failure"] for row in rows if row["kind"] == "serial" and row["failure"]]
    if serial_failures:
        raise NotYet(f"The cell failed when it ran serially: {serial_failures[0]}. Make it run without workers first.")
    worked = {row["kind"] for row in rows if row["time_s"] is not None and row["kind"] != "serial"}
    if not worked:
        raise NotYet("No kind of worker finished the cell. The column `results` of its table says why.")
    compared = {row["kind"] for row in rows} - {"serial"}
    if len(compared) < 2:
        raise NotYet("Compare at least two kinds: name none of them after %%compare and it takes all three.")
    if all(row["results"] == "different" for row in rows if row["kind"] in worked):
        raise NotYet("The workers return something else than the serial run. Does the cell divide its work by `worker` and `workers`?")
    if answer.recommendation["why"] == "disturbed":
        return f"Your own comparison. {answer.sentence} Repeat it when the machine is idle."
    return f"Your own comparison. {answer.sentence}"
