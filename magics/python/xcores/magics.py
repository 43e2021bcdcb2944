# SPDX-License-Identifier: BSD-3-Clause
"""The cell magics `%%threads`, `%%subinterp` and `%%procs`: one mechanism, three names."""

import argparse
import keyword
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from IPython.core.error import UsageError
from IPython.core.magic_arguments import argument, magic_arguments, parse_argstring

from xcores import _engine
from xcores.display import Show
from xcores.errors import usage_error
from xcores.runner import Options, run_cell

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

_ABOUT = {
    "threads": """Run the cell on several threads of this process.

    Threads share the notebook's objects and its GIL: only one of them runs Python at any moment. Use them for work
    that waits (network, files, sleep) or that lets the GIL go (NumPy, hashing, compression), and for objects that
    cannot be sent. For work in pure Python use %%subinterp or %%procs.
    """,
    "subinterp": """Run the cell on several interpreters of this process, each with a GIL of its own (PEP 684).

    They run Python on all cores at once, start faster than processes and need less memory. Use them for pure Python and
    for those extension modules that support them; NumPy, pandas and others do not yet: use %%procs for these.
    """,
    "procs": """Run the cell on several processes.

    They run Python on all cores at once. Use them for work with any module (NumPy, pandas), and for what may crash:
    that leaves the notebook alone. Each takes longer to start and more memory, and what goes in and out is copied.
    """,
}

_COMMON = """
    The cell runs once in each worker, with names of its own. `worker` is the worker's number from 0, `workers` how many
    there are. The names the cell uses are sent along: functions and classes of the notebook, data, modules. What the
    cell assigns stays in the worker; the value of its last expression is the worker's result, unless it ends with a
    semicolon. Below the cell appear what the workers print, a table of where the time went, and a picture of who ran
    where.

    Arrays and memoryviews arrive as read-only views of the notebook's data where that saves a copy.
    `-o NAME` sets NAME also when workers fail: where a result is missing, its place holds the exception.
    If workers fail the cell raises an ExceptionGroup of their exceptions, after all have ended.

    Example::

      In [1]: def count(limit):
         ...:     return sum(1 for n in range(2, limit) if all(n % d for d in range(2, int(n ** 0.5) + 1)))

      In [2]: %%{kind} 2 -o counts
         ...: print("hello from", worker, "of", workers)
         ...: count(100_000 * (worker + 1))

      In [3]: sum(counts)
    """


def _worker_count(text: str) -> int:
    try:
        count = int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number") from None
    if count < 1:
        raise argparse.ArgumentTypeError(f"at least 1 worker is needed, not {count}")
    limit = _engine.worker_limit
    if count > limit:
        raise argparse.ArgumentTypeError(
            f"at most {limit} workers, not {count}: each is a thread, an interpreter or a process with its own memory, "
            f"and more than the {len(_engine.usable_cores())} cores here do not make pure computing faster")
    return count


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds") from None
    if not (seconds > 0 and math.isfinite(seconds)):
        raise argparse.ArgumentTypeError(f"the time limit must be more than 0 seconds, not {text}")
    return seconds


def _sampling_rate(text: str) -> float:
    try:
        rate = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of samples per second") from None
    if rate != 0 and not 10 <= rate <= 10_000:
        raise argparse.ArgumentTypeError(f"the rate must be 0 (off) or from 10 to 10000 samples per second, not {text}")
    return rate


def _variable(text: str) -> str:
    if not text.isidentifier() or keyword.iskeyword(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a name for a variable")
    return text


_ARGUMENTS = (
    argument("count", metavar="N", nargs="?", type=_worker_count,
             help="How many workers; as many as there are cores if not given."),
    argument("-n", "--workers", metavar="N", type=_worker_count, help="The same as the plain N."),
    argument("-o", "--out", metavar="NAME", type=_variable,
             help="Put the results into this variable: a list, in worker order."),
    argument("--timeout", metavar="SECONDS", type=_seconds, help="Stop the workers that run longer than this."),
    argument("--sample", metavar="HZ", type=_sampling_rate, default=1000.0,
             help="How often to look at the workers, per second: 10 to 10000; 1000 if not given; 0 not at all."),
    argument("--no-plot", action="store_true", help="Do not draw the picture."),
    argument("--quiet", action="store_true",
             help="Show neither table nor picture: only what workers print, and errors."),
)


def _options(magic: Callable[..., None], kind: str, line: str) -> Options:
    try:
        given = parse_argstring(magic, line)
    except UsageError as error:
        raise usage_error(f"%%{kind}: {error}. See %%{kind}? for help.") from None
    if given.count and given.workers and given.count != given.workers:
        raise usage_error(f"%%{kind}: the number of workers is given twice, as {given.count} and as {given.workers}.")
    show = Show.NOTHING if given.quiet else Show.TABLE if given.no_plot else Show.TABLE_AND_PICTURE
    workers = given.count or given.workers or len(_engine.usable_cores())
    return Options(kind, workers, given.out, given.timeout, show, given.sample)


def _magic(shell: "InteractiveShell", kind: str) -> Callable[[str, str], None]:
    def magic(line: str, cell: str) -> None:
        # Frames with this mark are left out where IPython shows a traceback.
        __tracebackhide__ = True
        run_cell(shell, _options(magic, kind, line), cell)

    magic.__name__ = magic.__qualname__ = kind
    magic.__doc__ = _ABOUT[kind] + _COMMON.replace("{kind}", kind)
    decorated: Any = magic
    for decorate in reversed(_ARGUMENTS):
        decorated = decorate(decorated)
    return magic_arguments(f"%{kind}")(decorated)


def register(shell: "InteractiveShell") -> None:
    for kind in _ABOUT:
        shell.register_magic_function(_magic(shell, kind), "cell", kind)


def unregister(shell: "InteractiveShell") -> None:
    for kind in _ABOUT:
        shell.magics_manager.magics["cell"].pop(kind, None)
