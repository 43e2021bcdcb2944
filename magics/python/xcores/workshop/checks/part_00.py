# SPDX-License-Identifier: BSD-3-Clause
"""The exercise of the index, which shows what a check does."""

import os
from numbers import Integral
from typing import Any

from xcores.workshop.exercises import NotYet, exercise


@exercise("00-cores")
def cores_of_this_process(answer: Any) -> str:
    usable = len(os.sched_getaffinity(0))
    installed = os.cpu_count() or usable
    if callable(answer):
        raise NotYet("That is a function. Call it, with () behind its name.")
    if isinstance(answer, (set, frozenset, list, tuple)):
        raise NotYet("That is a collection of cores. How many are in it?")
    if isinstance(answer, bool) or not isinstance(answer, Integral):
        raise NotYet(f"The answer is a whole number, not {type(answer).__name__}.")
    if answer in (usable, os.process_cpu_count()):
        return (f"{answer} cores: that is how many workers a cell gets if you give no number. A check that does not pass says what to look "
                "at next; a check that passes says what to take away, as here.")
    if answer == installed:
        raise NotYet(f"{installed} is what the machine has, but this process may not use all of them. Which function of os says how many it may?")
    raise NotYet(f"{answer} is neither the number of cores of the machine nor of this process. os.process_cpu_count() knows the latter.")
