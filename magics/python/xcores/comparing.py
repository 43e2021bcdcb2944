# SPDX-License-Identifier: BSD-3-Clause
"""`%%compare`: runs the same cell serially and on workers of each kind, in turns, and says which way to use."""

import argparse
import contextlib
import contextvars
import functools
import io
import itertools
import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from IPython.core.error import UsageError
from IPython.core.magic_arguments import argument, magic_arguments

from xcores import _engine, _failures, _items, _settings, _worker, output
from xcores._transfer import RESULT
from xcores.cell import Cell, read_cell
from xcores.display import Show, View
from xcores.errors import usage_error
from xcores.interrupts import Interrupts
from xcores.mapping import Mapping, SentItems, SharedItems
from xcores.options import ITEMS, Options, arguments, item_name, repetitions, seconds, variable, worker_count
from xcores.run_object import Comparison
from xcores.runner import cell_input, configure, items_of, new_token, notebook_of
from xcores.settings import decimal_context
from xcores.supervision import never_began, rebuilt
from xcores.ways import Results, Way, reading_of

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

KINDS = ("threads", "subinterp", "procs")
_WAIT_SECONDS = 0.1
_MOST_COUNTS = 16


class Stopped(Exception):
    """The user has stopped the comparison."""


class CellInput:
    """The cell as each kind of worker takes it, and the way of its items, made once. A context, at whose end threads
    forget it."""

    def __init__(self, shell: "InteractiveShell", cell: Cell, options: Options) -> None:
        self._cell = cell
        self._options = options
        self._notebook = notebook_of(shell, options)
        self._made: dict[str, tuple[tuple[bytes, list[Any]], SharedItems | SentItems]] = {}
        self._token = new_token()

    def __enter__(self) -> "CellInput":
        configure()
        return self

    def __exit__(self, *_: object) -> None:
        _worker.plans.pop(self._token, None)

    def of(self, kind: str) -> tuple[tuple[bytes, list[Any]], SharedItems | SentItems]:
        """*Failure*: a usage error where the cell needs what cannot be sent."""
        if kind not in self._made:
            options = replace(self._options, kind=kind)
            self._made[kind] = cell_input(options, self._cell, self._notebook, self._token)
        return self._made[kind]

    def serial(self, part: int, parts: int, items: Iterable[Any] | None) -> "SerialPart":
        """To be executed here, in a namespace of its own."""
        job, route = self.of("threads")
        count = None if items is None else len([route.encoded(index, value) for index, value in enumerate(items)])
        made = _worker.prepare(*job, part, parts)
        made.within = contextvars.copy_context().run  # the notebook's: seen by the cell, and not changed
        made.within(_settings.enter_decimal, decimal_context())
        return SerialPart(made, count)


class SerialPart:
    """One run of the cell in the notebook's own interpreter; of a mapped cell, one for each of `items` items."""

    def __init__(self, job: _worker.Job, items: int | None) -> None:
        self._job = job
        self._items = items
        self.answers: list[Any] = []

    @property
    def error(self) -> BaseException | None:
        return self._job.error

    def execute(self) -> None:
        """How it ended is kept, whatever it was."""
        if self._items is None:
            _worker.execute(self._job)
            self.answers.append(self._job.namespace.get(RESULT))
            return
        chunks = iter([(0, [(b"", [])] * self._items)])
        self._job.feed = (lambda: next(chunks, None)), self._done
        try:
            self._job.within(_items.run_items, self._job, _worker._run, lambda job, error: (error, job.namespace.get(RESULT)))
        except BaseException as error:
            self._job.error = error

    def _done(self, _: int, ended: tuple[BaseException | None, Any]) -> None:
        error, answer = ended
        if error is not None:
            raise error
        self.answers.append(answer)


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

    def __init__(self, shell: "InteractiveShell", cell: Cell, ways: list[Way], rounds: int, options: Options,
                 items: Iterable[Any] | None) -> None:
        self.cell = cell
        self.ways = ways
        self.rounds = rounds
        self.timeout = options.timeout
        self.items = items
        self.reading = reading_of(cell) if items is None else "mapped"
        self.serial = [Way(None, count) for count in self._serial_counts()]
        self.view = View(shell, options.show)
        self.figures = _engine.Comparison(self.reading, rounds, [(way.kind, way.workers) for way in self.all_ways])
        self.results = Results(self.reading)
        self.inputs = CellInput(shell, cell, options)
        self.broken: dict[Way, BaseException] = {}
        self._from_handler: BaseException | None = None
        """What a signal handler of the user's raised, which is no way's failure."""
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
            finally:
                self._tell_varying()

    def _tell_varying(self) -> None:
        """Random numbers are no fault of the way that returned them: first of all serial is asked about itself."""
        varying = self.results.varying
        if any(way.kind is None for way in varying):
            varying = {*self.serial, *self.different}
        for way in varying:
            self.figures.set_results(self.all_ways.index(way), "varies")

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
            if error is self._from_handler:
                raise
            self._fail(way, error)

    def _fail(self, way: Way, error: BaseException) -> None:
        self.broken[way] = error
        text = str(error).strip().partition("\n")[0]
        words = text if isinstance(error, UsageError) else f"{type(error).__name__}: {text}"
        self.figures.set_failure(self.all_ways.index(way), words[:400])

    def _run_on_workers(self, way: Way, number: int) -> None:
        run, mapping = self._finished(way, fresh=number == 0)  # the start-up of new workers is to be measured
        report = run.report()
        answers = _answers_of(way, run, report.outcomes, mapping)
        index = self.all_ways.index(way)
        if number == 0:
            self.figures.set_startup(index, report)
        else:
            self.figures.add_round(index, report)
        self._compare(way, answers)

    def _finished(self, way: Way, *, fresh: bool) -> tuple[Any, Mapping | None]:
        job, route = self.inputs.of(way.kind)
        mapping = None if self.items is None else Mapping(self.items, way.workers, "stop", route)
        with Interrupts() as interrupts, _engine.Run() as run:
            try:
                run.start(way.kind, [job] * way.workers, timeout=self.timeout, fresh=fresh, items=mapping and mapping.queue)
                self._wait_for_end(way, run, mapping, interrupts)
            except BaseException as error:
                if run.started:
                    self._from_handler = error
                raise
        if interrupts.requested:
            raise Stopped
        return run, mapping

    def _wait_for_end(self, way: Way, run: Any, mapping: Mapping | None, interrupts: Interrupts) -> None:
        ended = stopping = False
        while not ended:
            if mapping is not None:
                mapping.feed(interrupts)
            ended = run.wait(min(_WAIT_SECONDS, self.view.seconds_to_next()))
            run.read_output()  # a cell that prints does so in every run: nobody wants to read that
            if mapping is not None:
                mapping.gather(functools.partial(rebuilt, way.kind))
            self.view.refresh(self.progress)
            if interrupts.requested and not stopping:
                run.stop("interrupt")
                stopping = True

    def _run_serially(self, number: int) -> None:
        """All parts one after the other, in this interpreter, as the cell would run without a magic."""
        parts = self.serial[-1].workers
        answers: list[Any] = []
        wall = cpu = waited = 0
        for part in range(parts):
            job = self.inputs.serial(part, parts, self.items)
            waited_before = _core_wait_ns()
            start, start_cpu = time.perf_counter_ns(), time.thread_time_ns()
            with contextlib.redirect_stdout(_Nowhere()), contextlib.redirect_stderr(_Nowhere()):
                job.execute()
            cpu += time.thread_time_ns() - start_cpu
            wall += time.perf_counter_ns() - start
            waited += _core_wait_ns() - waited_before
            if isinstance(job.error, KeyboardInterrupt):
                raise Stopped
            if job.error is not None:
                trace = _failures.user_part(job.error.__traceback__, self.cell.filename)
                job.error.with_traceback(trace)
                for way in self.serial:
                    self._fail(way, job.error)
                return
            answers += job.answers
            for index, way in enumerate(self.serial):
                if number > 0 and way.workers == part + 1:
                    self.figures.add_serial(index, wall, cpu, waited)
        self._compare(Way(None, parts), answers)

    def _compare(self, way: Way, answers: list[Any]) -> None:
        for one, is_same in self.results.add(way, answers).items():
            if not is_same:
                self.different.add(one)
            self.figures.set_results(self.all_ways.index(one), "different" if one in self.different else "same")


def _answers_of(way: Way, run: Any, outcomes: list[dict[str, Any]], mapping: Mapping | None) -> list[Any]:
    """Of the workers, or of the items.

    *Failure*: what one of them ended in.
    """
    if mapping is not None and not never_began(outcomes):
        problem = mapping.failure(timed_out=any(outcome["kind"] == "timed_out" for outcome in outcomes))
        if problem is not None:
            raise problem.exceptions[0] if isinstance(problem, BaseExceptionGroup) and problem.exceptions else problem
        return mapping.answers()
    answers = [rebuilt(way.kind, worker, outcome, run.reply(worker)) for worker, outcome in enumerate(outcomes)]
    for answer, outcome in zip(answers, outcomes, strict=True):
        if outcome["kind"] != "returned":
            raise answer
    return answers


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
             help="threads, subinterp, procs; all three if none is given. A number here is that of -n."),
    argument("-n", "--workers", metavar="N,…", type=_counts,
             help="How many workers, several numbers with commas: `-n 1,2,4`. If not given: 1, 2, 4 and so on, up to "
                  "the number of cores."),
    *ITEMS,
    argument("--repeat", metavar="R", type=repetitions, default=3, help="How many rounds; 3 if not given."),
    argument("-o", "--out", metavar="NAME", type=variable, help="Put the comparison into this variable."),
    argument("--timeout", metavar="SECONDS", type=seconds,
             help="Give up a way whose workers take longer than this for one run; serial takes as long as it takes."),
    argument("--no-plot", action="store_true", help="Do not draw the chart."),
)


def _kinds_and_counts(given: argparse.Namespace) -> tuple[list[str], list[int]]:
    """A plain number, or several with commas, is that of `-n`, as in `%%threads 2`.

    *Failure*: a usage error.
    """
    kinds = [text.lstrip("%") for text in given.kinds]
    numbers = [text for text in kinds if text[:1].isdecimal()]
    if numbers and (given.workers or len(numbers) > 1):
        raise usage_error("%%compare: the number of workers is given twice. Several numbers: -n 1,2,4.")
    for kind in kinds:
        if kind not in KINDS and kind not in numbers:
            raise usage_error(f"%%compare: there is no kind {kind!r}; there are {', '.join(KINDS)}.")
    try:
        return kinds, _counts(numbers[0]) if numbers else given.workers or []
    except argparse.ArgumentTypeError as error:
        raise usage_error(f"%%compare: {error}.") from None


def _compare(shell: "InteractiveShell", magic: Any, line: str, body: str) -> None:
    __tracebackhide__ = True
    given = arguments(magic, "compare", line)
    named, counts = _kinds_and_counts(given)
    kinds = [kind for kind in KINDS if kind in named] or KINDS
    ways = [Way(kind, count) for kind in kinds for count in counts or _default_counts()]
    cell = read_cell(shell, "compare", body)
    show = Show.TABLE if given.no_plot else Show.TABLE_AND_PICTURE
    options = Options("threads", 1, timeout=given.timeout, show=show, map=given.map, item=item_name("compare", given))
    items = None if given.map is None else items_of(shell, "compare", given.map, again="the comparison")
    comparing = Comparing(shell, cell, ways, given.repeat, options, items)
    complete = comparing.to_the_end()
    if given.out is not None:
        shell.user_ns[given.out] = Comparison(comparing.figures)
    failed_everywhere = all(way in comparing.broken for way in comparing.all_ways)
    if failed_everywhere and len({str(error) for error in comparing.broken.values()}) == 1:
        comparing.view.clear()  # its own error says it all
    else:
        comparing.view.finish(comparing.figures, picture=not failed_everywhere)
    if not complete:
        measured = any(row["time_s"] for row in comparing.figures.rows)
        error = KeyboardInterrupt("the comparison was stopped" + ("; what it had measured is shown" if measured else ""))
        error._render_traceback_ = lambda: [f"KeyboardInterrupt: {error}"]
        raise error
    if failed_everywhere:
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
        after the other. With `--map` the workers share the items out, and serial is one item after the other.

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
