# SPDX-License-Identifier: BSD-3-Clause
"""`%%compare`: runs the same cell serially and on workers of each kind, in turns, and says which way to use."""

import argparse
import contextlib
import io
import itertools
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from IPython.core.error import UsageError
from IPython.core.magic_arguments import argument, magic_arguments, parse_argstring

from xcores import _engine, _worker, output
from xcores._transfer import RESULT
from xcores.cell import Cell, read_cell
from xcores.display import Show, View
from xcores.errors import usage_error
from xcores.interrupts import Interrupts
from xcores.options import Options, repetitions, seconds, variable, worker_count
from xcores.run_object import Comparison
from xcores.runner import cell_input, configure, new_token, notebook_of
from xcores.supervision import rebuilt
from xcores.ways import Results, Way, reading_of

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

KINDS = ("threads", "subinterp", "procs")
_WAIT_SECONDS = 0.1
_MOST_COUNTS = 16


class Stopped(Exception):
    """The user has had enough."""


class CellInput:
    """The cell as each kind of worker takes it, made once. A context, at whose end threads forget it."""

    def __init__(self, shell: "InteractiveShell", cell: Cell) -> None:
        self._cell = cell
        self._notebook = notebook_of(shell, Options("threads", 1))
        self._made: dict[str, tuple[bytes, list[Any]]] = {}
        self._token = new_token()

    def __enter__(self) -> "CellInput":
        configure()
        return self

    def __exit__(self, *_: object) -> None:
        _worker.plans.pop(self._token, None)

    def of(self, kind: str) -> tuple[bytes, list[Any]]:
        """*Failure*: a usage error where the cell needs what cannot be sent."""
        if kind not in self._made:
            self._made[kind] = cell_input(Options(kind, 1), self._cell, self._notebook, self._token)[0]
        return self._made[kind]

    def serial(self, part: int, parts: int) -> _worker.Job:
        """To be executed here, in a namespace of its own."""
        return _worker.prepare(*self.of("threads"), part, parts)


class Progress:
    """What stands under the cell while it goes on; it takes the place of a report there."""

    def __init__(self, runs: int, rounds: int) -> None:
        self._runs = runs
        self._rounds = rounds
        self._done = 0
        self._round = 0
        self._way: Way | None = None
        self._start = time.monotonic()

    def begin(self, way: Way, number: int) -> None:
        self._way = way
        self._round = number

    def end(self) -> None:
        self._done += 1

    def report(self) -> "Progress":
        return self

    def live_text(self) -> str:
        width = 30
        filled = width * self._done // max(self._runs, 1)
        bar = "█" * filled + "░" * (width - filled)
        where = f"round {self._round} of {self._rounds}" if self._round else "warming up"
        text = f"{bar}  {self._done} of {self._runs} runs, {where}: {self._way}"
        if self._round and self._done:
            left = (time.monotonic() - self._start) / self._done * (self._runs - self._done)
            text += f"; about {max(1, round(left))} s left"
        return text + "\n"

    def live_html(self) -> str:
        return f"<pre>{self.live_text()}</pre>"


class Comparing:
    """One comparison under way.

    *Thread*: the main thread, which runs the serial part itself.
    """

    def __init__(self, shell: "InteractiveShell", cell: Cell, ways: list[Way], rounds: int, timeout: float | None,
                 show: Show) -> None:
        self.cell = cell
        self.ways = ways
        self.rounds = rounds
        self.timeout = timeout
        self.reading = reading_of(cell, shell.user_ns)
        self.serial = [Way(None, count) for count in self._serial_counts()]
        self.view = View(shell, show)
        self.figures = _engine.Comparison(self.reading, rounds, [(way.kind, way.workers) for way in self.all_ways])
        self.results = Results(self.reading)
        self.inputs = CellInput(shell, cell)
        self.broken: dict[Way, BaseException] = {}
        self.different: set[Way] = set()
        self.progress = Progress((rounds + 1) * (1 + len(ways)), rounds)

    @property
    def all_ways(self) -> list[Way]:
        return [*self.serial, *self.ways]

    def _serial_counts(self) -> list[int]:
        """Numbered parts have a sum of their own for each number of them."""
        return sorted({way.workers for way in self.ways}) if self.reading == "numbered" else [1]

    def to_the_end(self) -> bool:
        """Whether it came to its end; else the user stopped it."""
        output.install()
        with self.inputs:
            try:
                for number in range(self.rounds + 1):
                    self._one_round(number)
                return True
            except (Stopped, KeyboardInterrupt):
                self.figures.set_interrupted()
                return False

    def _one_round(self, number: int) -> None:
        """Number 0 is not measured: it starts the workers, and the modules that the cell imports are loaded there."""
        turns = [None, *self.ways]
        # Each round begins elsewhere, so that nobody always runs after the same neighbour.
        start = number % len(turns)
        for way in (*turns[start:], *turns[:start]):
            self.progress.begin(way or self.serial[0], number)
            self.view.refresh(self.progress)
            if (way or self.serial[0]) not in self.broken:
                self._run(way, number)
            self.progress.end()

    def _run(self, way: Way | None, number: int) -> None:
        if way is None:
            self._run_serially(number)
            return
        try:
            self._run_on_workers(way, number)
        except (Stopped, KeyboardInterrupt):
            raise
        except Exception as error:
            self._fail(way, error)

    def _fail(self, way: Way, error: BaseException) -> None:
        self.broken[way] = error
        text = str(error).strip().partition("\n")[0]
        words = text if isinstance(error, UsageError) else f"{type(error).__name__}: {text}"
        self.figures.set_failure(self.all_ways.index(way), words[:400])

    def _run_on_workers(self, way: Way, number: int) -> None:
        run = self._finished(way, fresh=number == 0)  # the start-up of new workers is to be measured
        report = run.report()
        outcomes = report.outcomes
        answers = [rebuilt(way.kind, worker, outcome, run.reply(worker)) for worker, outcome in enumerate(outcomes)]
        for answer, outcome in zip(answers, outcomes, strict=True):
            if outcome["kind"] != "returned":
                raise answer
        index = self.all_ways.index(way)
        if number == 0:
            self.figures.set_startup(index, report)
        else:
            self.figures.add_round(index, report)
        self._compare(way, answers)

    def _finished(self, way: Way, *, fresh: bool) -> Any:
        job = self.inputs.of(way.kind)
        with Interrupts() as interrupts:
            run = _engine.start(way.kind, [job] * way.workers, timeout=self.timeout, fresh=fresh)
            stopping = False
            while not run.wait(min(_WAIT_SECONDS, self.view.seconds_to_next())):
                run.read_output()  # a cell that prints does so in every run: nobody wants to read that
                self.view.refresh(self.progress)
                if interrupts.requested and not stopping:
                    run.stop("interrupt")
                    stopping = True
        if interrupts.requested:
            raise Stopped
        return run

    def _run_serially(self, number: int) -> None:
        """All parts one after the other, in this interpreter, as the cell would run without a magic."""
        parts = self.serial[-1].workers
        answers: list[Any] = []
        wall = cpu = waited = 0
        for part in range(parts):
            job = self.inputs.serial(part, parts)
            waited_before = _core_wait_ns()
            start, start_cpu = time.perf_counter_ns(), time.thread_time_ns()
            with contextlib.redirect_stdout(_Nowhere()), contextlib.redirect_stderr(_Nowhere()):
                _worker.execute(job)
            cpu += time.thread_time_ns() - start_cpu
            wall += time.perf_counter_ns() - start
            waited += _core_wait_ns() - waited_before
            if isinstance(job.error, KeyboardInterrupt):
                raise Stopped
            if job.error is not None:
                trace = _worker._user_part(job.error.__traceback__, self.cell.filename)
                job.error.with_traceback(trace)
                for way in self.serial:
                    self._fail(way, job.error)
                return
            answers.append(job.namespace.get(RESULT))
            for index, way in enumerate(self.serial):
                if number > 0 and way.workers == part + 1:
                    self.figures.add_serial(index, wall, cpu, waited)
        self._compare(Way(None, parts), answers)

    def _compare(self, way: Way, answers: list[Any]) -> None:
        for one, is_same in self.results.add(way, answers).items():
            if not is_same:
                self.different.add(one)
            self.figures.set_results(self.all_ways.index(one), one not in self.different)


def _core_wait_ns() -> int:
    """How long this thread has been kept from a core, all in all; 0 where the system does not tell."""
    try:
        return int(Path("/proc/thread-self/schedstat").read_text().split()[1])
    except (OSError, IndexError, ValueError):
        return 0


class _Nowhere(io.TextIOBase):
    def write(self, text: str) -> int:
        return len(text)


def _counts(text: str) -> list[int]:
    counts = sorted({worker_count(part.strip()) for part in text.split(",")})
    if len(counts) > _MOST_COUNTS:
        raise argparse.ArgumentTypeError(f"at most {_MOST_COUNTS} different numbers of workers, not {len(counts)}")
    return counts


def _default_counts() -> list[int]:
    """1, 2, 4, … and as many as there are cores."""
    cores = len(_engine.usable_cores())
    powers = itertools.takewhile(lambda count: count < cores, (1 << power for power in range(10)))
    return [*powers, min(cores, _engine.worker_limit)]


_ARGUMENTS = (
    argument("kinds", metavar="KIND", nargs="*",
             help="threads, subinterp, procs; all three if none is given."),
    argument("-n", "--workers", metavar="N,…", type=_counts,
             help="How many workers, several numbers with commas: `-n 1,2,4`. If not given: 1, 2, 4 and so on, up to "
                  "the number of cores."),
    argument("--repeat", metavar="R", type=repetitions, default=3, help="How many rounds; 3 if not given."),
    argument("-o", "--out", metavar="NAME", type=variable, help="Put the comparison into this variable."),
    argument("--timeout", metavar="SECONDS", type=seconds,
             help="Give up a way whose workers take longer than this for one run; serial takes as long as it takes."),
    argument("--no-plot", action="store_true", help="Do not draw the chart."),
)


def _compare(shell: "InteractiveShell", magic: Any, line: str, body: str) -> None:
    __tracebackhide__ = True
    try:
        given = parse_argstring(magic, line)
    except UsageError as error:
        raise usage_error(f"%%compare: {error}. See %%compare? for help.") from None
    kinds = [kind for kind in KINDS if kind in given.kinds] or KINDS
    for kind in given.kinds:
        if kind not in KINDS:
            raise usage_error(f"%%compare: there is no kind {kind!r}; there are {', '.join(KINDS)}.")
    ways = [Way(kind, count) for kind in kinds for count in given.workers or _default_counts()]
    cell = read_cell(shell, "compare", body)
    show = Show.TABLE if given.no_plot else Show.TABLE_AND_PICTURE
    comparing = Comparing(shell, cell, ways, given.repeat, given.timeout, show)
    complete = comparing.to_the_end()
    if given.out is not None:
        shell.user_ns[given.out] = Comparison(comparing.figures)
    comparing.view.finish(comparing.figures)
    if not complete:
        error = KeyboardInterrupt("the comparison was stopped; what it had measured is shown")
        error._render_traceback_ = lambda: [f"KeyboardInterrupt: {error}"]
        raise error
    if all(way in comparing.broken for way in comparing.all_ways):
        raise comparing.broken[comparing.serial[0]]


def _magic(shell: "InteractiveShell") -> Any:
    def compare(line: str, cell: str) -> None:
        """Run the cell serially and on workers of each kind, and say which way to use for it, and why.

        After one run of each that is not measured the ways take turns, several rounds of them, and their results are
        compared. Serially means: here in the
        notebook's interpreter, in a namespace of its own. What the cell prints is not shown.

        A cell that reads `workers` divides its work, so serial is one run with `worker` 0 of 1, and the times are
        compared. In a cell that reads neither `worker` nor `workers` each worker does all of the work, so the work per
        second is compared. A cell that reads `worker` only has a part for each worker, and serial is the same parts one
        after the other.

        Example::

          In [1]: %%compare -n 1,2,4
             ...: sum(n * n for n in range(worker, 3_000_000, workers))
        """
        __tracebackhide__ = True
        _compare(shell, compare, line, cell)

    decorated: Any = compare
    for decorate in reversed(_ARGUMENTS):
        decorated = decorate(decorated)
    compare = magic_arguments("%compare")(decorated)
    return compare


def register(shell: "InteractiveShell") -> None:
    shell.register_magic_function(_magic(shell), "cell", "compare")


def unregister(shell: "InteractiveShell") -> None:
    shell.magics_manager.magics["cell"].pop("compare", None)
