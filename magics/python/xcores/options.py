# SPDX-License-Identifier: BSD-3-Clause
"""The options of the cell magics: what they are called, what they may be, and what they mean together."""

import argparse
import difflib
import keyword
import math
import re
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any

from IPython.core.error import UsageError
from IPython.core.magic_arguments import argument, parse_argstring

from xcores import _engine
from xcores.display import Show
from xcores.errors import usage_error


@dataclass(frozen=True, slots=True)
class Options:
    """One cell."""

    kind: str
    workers: int
    out: str | None = None
    run: str | None = None
    timeout: float | None = None
    show: Show = Show.TABLE_AND_PICTURE
    sample_hz: float = 1000.0
    map: str | None = None
    """An expression for the items."""
    item: str = "item"
    on_error: str = "stop"
    background: bool = False
    repeat: int = 1
    fresh: bool = False
    keep: bool = False
    names: tuple[str, ...] = ()
    """To be sent, whether the cell uses them or not."""
    captures: bool = True
    shared: bool = False
    pin: bool = False
    gil: str = "own"
    start_method: str = "forkserver"
    line: str = ""
    """As it was given, behind the name of the magic."""

    @property
    def injected(self) -> tuple[str, ...]:
        """What differs from worker to worker, or from item to item."""
        return ("worker", "workers", *((self.item, "index") if self.map is not None else ()))


@dataclass(frozen=True, slots=True)
class Defaults:
    """What `%xcores config` sets: options of all cells that do not say otherwise."""

    workers: int | None = None
    timeout: float | None = None
    plot: bool = True
    quiet: bool = False
    on_error: str = "stop"
    sample: float = 1000.0


defaults = Defaults()


def configure(**changes: Any) -> None:
    global defaults
    defaults = replace(defaults, **changes)


def forget_configuration() -> None:
    configure(**{one.name: one.default for one in fields(Defaults)})


def _number[Number: (int, float)](text: str, convert: Callable[[str], Number], what: str) -> Number:
    try:
        return convert(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not {what}") from None


def worker_count(text: str) -> int:
    count = _number(text, int, "a whole number")
    if count < 1:
        raise argparse.ArgumentTypeError(f"at least 1 worker is needed, not {count}")
    limit = _engine.worker_limit
    if count > limit:
        raise argparse.ArgumentTypeError(
            f"at most {limit} workers, not {count}: each is a thread, an interpreter or a process with its own memory, "
            f"and more than the {len(_engine.usable_cores())} cores here do not make pure computing faster")
    return count


def seconds(text: str) -> float:
    value = _number(text, float, "a number of seconds")
    if not (value > 0 and math.isfinite(value)):
        raise argparse.ArgumentTypeError(f"the time limit must be more than 0 seconds, not {text}")
    return value


def sampling_rate(text: str) -> float:
    rate = _number(text, float, "a number of samples per second")
    if rate != 0 and not 10 <= rate <= 10_000:
        raise argparse.ArgumentTypeError(f"the rate must be 0 (off) or from 10 to 10000 samples per second, not {text}")
    return rate


def repetitions(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 1000:
        raise argparse.ArgumentTypeError(f"a cell can be repeated 1 to 1000 times, not {text!r}")
    return int(text)


def variable(text: str) -> str:
    if not text.isidentifier() or keyword.iskeyword(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a name for a variable")
    return text


def _variables(text: str) -> tuple[str, ...]:
    return tuple(variable(name.strip()) for name in text.split(","))


def _expression(text: str) -> str:
    # IPython leaves quotes around what was quoted to keep it together.
    if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"":
        text = text[1:-1]
    try:
        compile(text.strip(), "--map", "eval")
    except (SyntaxError, ValueError):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a Python expression (one with spaces needs quotes)") from None
    return text.strip()


ITEMS = (
    argument("--map", metavar="ITEMS", type=_expression,
             help="Run the cell once for each item of this variable or expression (any iterable, also an endless "
                  "one). The cell sees `item` and `index`."),
    argument("--as", dest="item", metavar="NAME", type=variable, help="With --map: what the cell calls `item`."),
)

ON_ERROR = ("stop", "continue")

ARGUMENTS = (
    argument("count", metavar="N", nargs="?", type=worker_count,
             help="How many workers; as many as there are cores if not given."),
    argument("-n", "--workers", metavar="N", type=worker_count, help="The same as the plain N."),
    argument("-o", "--out", metavar="NAME", type=variable,
             help="Put the results into this variable: a list, in the order of the workers or items. With "
                  "--background: the job."),
    argument("--run", metavar="NAME", type=variable,
             help="Put the run into this variable: its figures, and what is shown here, to show again, save or "
                  "compare."),
    *ITEMS,
    argument("--on-error", choices=ON_ERROR,
             help="With --map: whether an item that fails stops the others. What has finished is kept."),
    argument("--timeout", metavar="SECONDS", type=seconds, help="Stop the workers that run longer than this."),
    argument("--repeat", metavar="R", type=repetitions, default=1,
             help="Run the cell so many times on the same workers and show the median and the spread of the times. The "
                  "picture is that of the median run, the results are those of the last one."),
    argument("--background", action="store_true",
             help="Return at once, with a job: result(), done(), cancel(); `%%xcores jobs` lists them."),
    argument("--fresh", action="store_true", help="Use new workers; those that wait are ended first."),
    argument("--keep", action="store_true",
             help="Keep each worker's names for the next cell with --keep, in which worker 0 is the same one again."),
    argument("--in", dest="names", metavar="NAMES", type=_variables, default=(),
             help="Send these names too: `--in a,b`. For names that the cell builds from text."),
    argument("--no-capture", action="store_true", help="Send only what --in names, not what the cell uses."),
    argument("--pin", action="store_true", help="Pin worker i to core i; with more workers than cores, start over at the first core."),
    argument("--plot", action="store_true", help="Draw the picture, whatever %%xcores config says."),
    argument("--sample", metavar="HZ", type=sampling_rate,
             help="How often to sample the workers, per second: 10 to 10000; 1000 if not given; 0 not at all."),
    argument("--no-plot", action="store_true", help="Do not draw the picture."),
    argument("--quiet", action="store_true",
             help="Show neither table nor picture: only what workers print, and errors."),
)

_SHARED = argument("--shared", action="store_true",
                  help="Run in the notebook's own globals, where threads meet: for races, and for results that are "
                       "gathered in one place. What the cell assigns is assigned in the notebook; only `worker`, "
                       "`workers`, `item` and `index` are each worker's own.")
_GIL = argument("--gil", choices=("own", "shared"), default="own",
                help="A GIL for each interpreter (PEP 684), or the main one's for all, as before Python 3.12.")
_START = argument("--start", choices=("forkserver", "spawn"), default="forkserver",
                  help="Fork workers from a process of xcores that holds a started Python and what is sent along, or start "
                       "each anew. The kernel itself is never forked.")
OF_KIND = {"threads": (_SHARED,), "subinterp": (_GIL,), "procs": (_START,)}
"""The options that only one kind has."""


def explained(error: str, kind: str, line: str, magic: Callable[..., Any]) -> str:
    """A sentence: what argparse says of an option that does not exist, with what may have been meant."""
    for option in re.findall(r"(?<!\S)--[\w-]+", line):
        for other, arguments in OF_KIND.items():
            if other != kind and any(option in one.args for one in arguments):
                return f"{option} is only for %%{other}."
    unknown = re.match(r"unrecognized arguments: (--[\w-]+)", error)
    if unknown is None:
        return f"{error}."
    option = unknown[1]
    close = difflib.get_close_matches(option, magic.parser._option_string_actions, 1)  # type: ignore[attr-defined]
    return f"there is no option {option}; did you mean {close[0]}?" if close else f"{error}."


def arguments(magic: Callable[..., Any], kind: str, line: str) -> argparse.Namespace:
    """The arguments of a magic's line.

    *Failure*: a usage error.
    """
    try:
        return parse_argstring(magic, line)
    except (UsageError, ValueError) as error:  # ValueError: a quotation mark without its counterpart
        raise usage_error(f"%%{kind}: {explained(str(error), kind, line, magic)} See %%{kind}? for help.") from None


def item_name(kind: str, given: argparse.Namespace) -> str:
    """What a mapped cell calls its item.

    *Failure*: a usage error.
    """
    if given.item is not None and given.map is None:
        raise usage_error(f"%%{kind}: --as is for cells with --map.")
    if given.item in ("worker", "workers", "index"):
        raise usage_error(f"%%{kind}: --as: `{given.item}` is taken: the cell has a variable of that name already.")
    return given.item or "item"


def parsed(magic: Callable[..., Any], kind: str, line: str) -> Options:
    """*Failure*: a usage error."""
    given = arguments(magic, kind, line)
    if given.count and given.workers and given.count != given.workers:
        raise usage_error(f"%%{kind}: the number of workers is given twice, as {given.count} and as {given.workers}.")
    if given.plot and given.no_plot:
        raise usage_error(f"%%{kind}: --plot and --no-plot are opposites.")
    if given.on_error is not None and given.map is None:
        raise usage_error(f"%%{kind}: --on-error is for cells with --map.")
    shared = kind == "threads" and given.shared
    if shared and (given.keep or given.names or given.no_capture):
        raise usage_error(f"%%{kind}: a cell that is --shared uses the notebook's names as they are: --keep, --in and "
                          "--no-capture have no meaning there.")
    quiet = given.quiet or (defaults.quiet and not given.plot)
    plot = given.plot or (defaults.plot and not given.no_plot)
    return Options(
        kind=kind,
        line=line.strip(),
        workers=given.count or given.workers or defaults.workers or len(_engine.usable_cores()),
        out=given.out,
        run=given.run,
        timeout=given.timeout or defaults.timeout,
        show=Show.NOTHING if quiet else Show.TABLE_AND_PICTURE if plot else Show.TABLE,
        sample_hz=defaults.sample if given.sample is None else given.sample,
        map=given.map,
        item=item_name(kind, given),
        on_error=given.on_error or defaults.on_error,
        background=given.background,
        repeat=given.repeat,
        fresh=given.fresh,
        keep=given.keep,
        names=given.names,
        captures=not given.no_capture,
        shared=shared,
        pin=given.pin,
        gil=getattr(given, "gil", "own"),
        start_method=getattr(given, "start", "forkserver"),
    )
