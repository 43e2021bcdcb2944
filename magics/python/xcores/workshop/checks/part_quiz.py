# SPDX-License-Identifier: BSD-3-Clause
"""The quiz: twenty questions with lettered choices. Each wrong choice has a message of its own."""

from dataclasses import dataclass
from typing import Any

from xcores.workshop.exercises import NotYet, exercise


@dataclass(frozen=True)
class _Question:
    right: str
    takeaway: str
    hints: dict[str, str]
    """What to look at after each wrong choice."""

    @property
    def letters(self) -> list[str]:
        return sorted([self.right, *self.hints])

    def check(self, answer: Any) -> str:
        letter = answer.strip().strip(".)\"'").lower() if isinstance(answer, str) else ""
        if letter == self.right:
            return self.takeaway
        if letter in self.hints:
            raise NotYet(self.hints[letter])
        *others, last = self.letters
        raise NotYet(f"The answer is one letter in quotes: {', '.join(others)} or {last}, not {answer!r}.")


_QUESTIONS = (
    # Two threads of one Python process each compute for a second in pure Python. Two cores are idle. How long until both are done?
    _Question("b",
              "One GIL, so one thread runs Python code at a time: concurrent, but not parallel (part 1).", {
        "a": "Each thread may have a core, but it also needs the GIL to run Python code. How many threads can hold that "
             "at once?",
        "c": "Taking turns costs little beside the work. It takes as long as one thread that does all the work.",
    }),
    # Four threads each wait a second for a server's answer. How long until all have it, on a machine with two cores?
    _Question("a",
              "Waiting needs neither a core nor the GIL, so any number of threads can wait at the same time (part 1).", {
        "b": "A thread that waits needs no core, so the number of cores does not matter.",
        "c": "A thread that waits has released the GIL. What keeps the others from waiting at the same time?",
    }),
    # In the picture of a run, one lane is blue while the other is orange, and they swap every few milliseconds. What does orange mean?
    _Question("c",
              "Orange is the time in which a thread could work but another one holds the GIL. Much orange: threads do "
              "not help here (part 1, how to read the picture).", {
        "a": "That is a thin grey line: nothing to do, nothing wanted.",
        "b": "Work without the GIL is light blue with stripes.",
        "d": "A lane that waits for a core is pink with dots: another program, or another worker, has the core.",
    }),
    # Which release of CPython was the first in which interpreters of one process could have a GIL each?
    _Question("b",
              "PEP 684, in 3.12 for C code; since 3.14 the module concurrent.interpreters (PEP 734) offers it to Python "
              "code (part 2).", {
        "a": "3.2 brought the new GIL with its switch interval. There still was one for all.",
        "c": "3.13 brought the first, experimental free-threaded build. Interpreters with their own GIL are a year older.",
        "d": "3.14 brought the module concurrent.interpreters. What it uses was there before, in the C API.",
    }),
    # What is the state of free threading in Python 3.14?
    _Question("c",
              "PEP 779 made it supported in 3.14, and optional: the build is python3.14t (part 2).", {
        "a": "The ordinary build of 3.14 has a GIL. What is the free-threaded one called?",
        "b": "That was 3.13. PEP 779 set the criteria for the next phase.",
    }),
    # Which data of an object is changed even by code that only reads the object, and so needs protection when threads share it?
    _Question("c",
              "To use an object, CPython adds to its reference count and subtracts again. A lost count frees the object "
              "too early, or never (part 3).", {
        "a": "Reading an object does not change its type.",
        "b": "The id is the address in CPython, and stays the same as long as the object lives.",
    }),
    # You make a list with a million references to None. What happens to the reference count of None?
    _Question("b",
              "The count of an immortal object (PEP 683, 3.12) never changes, so interpreters can share None without a "
              "lock (part 3).", {
        "a": "That was so before 3.12. Which objects have had a fixed count since then?",
        "c": "A list does hold references; for an ordinary object the count would grow by a million.",
    }),
    # On Python 3.14 with a GIL, several threads run this in a loop on a global n. Which form loses updates?
    _Question("c",
              "Between the read and the write another thread may run, and its updates are then overwritten (part 4).", {
        "a": "The lock makes read and write one step for all threads that use it.",
        "b": "On 3.14 no thread switch happens between the read and the write of a plain +=. It is no promise of the "
             "language, but it loses nothing here.",
    }),
    # Why does a plain n += 1 on ints lose no updates on 3.14, although it is several bytecode instructions?
    _Question("a",
              "Between these places the interpreter does not check whether another thread wants the GIL. That is a detail of the "
              "implementation: use a lock (part 4).", {
        "b": "The language promises nothing of the kind, and with other operands, or in another version, updates are lost.",
        "c": "dis shows a load, an addition and a store.",
    }),
    # Two threads run: if key not in cache: cache[key] = make(key). What can happen?
    _Question("b",
              "Both threads can check before either acts. A lock around both, or setdefault where make is cheap, fixes "
              "it (part 4).", {
        "a": "Each single operation on a dictionary leaves it whole. The trouble lies between two of them.",
        "c": "Each single operation is. But here are two, a check and an act; what may happen between them?",
    }),
    # Two threads each hold a lock and wait for the lock that the other one holds. What does the picture show, and what prevents it?
    _Question("a",
              "A deadlock: no thread works, and none wants a core. One order for all locks makes it impossible; a "
              "timeout makes it visible (part 4).", {
        "b": "Blue is running. Neither of them runs.",
        "c": "Orange is waiting for the GIL. A thread that waits for a Lock has released the GIL.",
    }),
    # Two threads compute hashlib.sha256 of 100 MB each. What do you see on two idle cores?
    _Question("a",
              "C code may release the GIL while it touches no Python objects: hashlib, zlib, NumPy and others do (part 5).", {
        "b": "The data is in memory already, and hashing computes.",
        "c": "The GIL is needed to run Python code. hashlib computes in C; what does it do with the GIL meanwhile?",
    }),
    # One thread computes in pure Python all the time; another one answers small requests from a socket. Why does each answer come late?
    _Question("b",
              "The convoy: 5 ms or more each time it wakes up. sys.setswitchinterval changes that figure; another "
              "process or interpreter for the computing removes it (part 5).", {
        "a": "Any thread may use a socket.",
        "c": "Both threads have the same priority. The second one gets a core at once, but that is not all it needs.",
    }),
    # asyncio.to_thread(f) with an f that computes in pure Python. What do you gain?
    _Question("c",
              "to_thread keeps the loop running, if late; for more speed f must release the GIL or have another one, in an "
              "interpreter or a process (part 5).", {
        "a": "The loop does run. But f runs in a thread of the same interpreter, and that has one GIL.",
        "b": "f runs in a thread, and the loop gets the GIL again and again meanwhile.",
    }),
    # You hand a lambda to ProcessPoolExecutor of the standard library. What happens?
    _Question("c",
              "Functions travel as a name to import: lambdas, nested functions, open files and locks do not travel "
              "(part 6).", {
        "a": "A single Process can start with a lambda under fork, which pickles nothing. What does a pool do with each job, "
             "whatever the start method?",
        "b": "It has to travel to another process, and for that it is pickled. How does pickle store a function?",
    }),
    # A process with a large list of objects forks. The child only reads the list, and yet its own memory grows. Why?
    _Question("a",
              "Copy-on-write copies the page of each object whose count changes. Large buffers without objects stay "
              "shared (part 6).", {
        "b": "Linux shares the pages and copies a page when a process writes to it. What writes here?",
        "c": "A forked child has the parent's memory; nothing is pickled.",
    }),
    # Eight worker processes have an RSS of 40 MB each, and they share most of it. Which figure can be added up?
    _Question("b",
              "The sum of the PSS is what the processes hold together; the sum of the RSS is more (part 6).", {
        "a": "RSS counts a shared page in full in each process, so the sum counts it eight times.",
        "c": "One of them divides what is shared by the number of those that share it.",
    }),
    # In an interpreter with its own GIL you set module.setting = 1. What does the main interpreter see?
    _Question("c",
              "Modules, classes and globals exist once in each interpreter, as in processes (part 7).", {
        "a": "It can be changed, as anywhere. The question is whose module it is.",
        "b": "One process, but each interpreter imports its own copy of each module.",
    }),
    # Why does import numpy fail in an interpreter with its own GIL?
    _Question("a",
              "An extension module must be free of state that all interpreters share and say so "
              "(Py_MOD_PER_INTERPRETER_GIL_SUPPORTED); otherwise the import is refused (part 7).", {
        "b": "Size does not matter. What does a C extension with static state assume?",
        "c": "NumPy works with many threads. What it assumes is one interpreter.",
    }),
    # Which data reaches another interpreter without a copy?
    _Question("c",
              "Objects belong to one interpreter; the raw memory of a buffer can be shared (PEP 734, part 7).", {
        "a": "Its objects have reference counts, which one GIL must protect. They are copied one by one.",
        "b": "A pickle is a copy, made in one interpreter and read in the other.",
    }),
)

for _number, _question in enumerate(_QUESTIONS, 1):
    exercise(f"quiz-{_number:02}")(_question.check)
