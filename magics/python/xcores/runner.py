# SPDX-License-Identifier: BSD-3-Clause
"""Runs one cell on several workers, from its text to the results in the notebook."""

import atexit
import builtins
import contextlib
import contextvars
import functools
import itertools
import marshal
import sys
import uuid
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from xcores import _engine, _items, _namespace, _transfer, _worker, engine, jobs, output
from xcores._transfer import type_name
from xcores.capture import Capture, Notebook, Unsendable, labeller, shared_values, worker_input
from xcores.cell import Cell, read_cell
from xcores.errors import CellSyntaxError, usage_error
from xcores.interrupts import Interrupts
from xcores.jobs import Job
from xcores.mapping import Mapping, SentItems, SharedItems
from xcores.names import CellNames
from xcores.options import Options
from xcores.run_object import Run
from xcores.settings import decimal_context
from xcores.snapshots import snapshots_of
from xcores.supervision import Supervision

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

_tokens = itertools.count(1)


def run_cell(shell: "InteractiveShell", options: Options, body: str) -> Job | None:
    """Run `body` on the workers; show what they print, how they ended and where the time went.

    *Thread*: the main thread; with --background the rest is done on a thread of its own, and the job is returned.
    *Failure*: usage errors before anything starts; at the end `WorkersFailed`, `ItemsFailed`, KeyboardInterrupt, or
    what the iterable of --map raises; all results kept.
    """
    __tracebackhide__ = True
    cell = read_cell(shell, options.kind, body)
    configure()
    notebook = notebook_of(shell, options)
    make_items = _items_maker(shell, options)
    token = new_token()
    output.install()
    with contextlib.ExitStack() as stack:
        stack.callback(_worker.plans.pop, token, None)
        job, route = cell_input(options, cell, notebook, token)
        make_mapping = make_items and functools.partial(make_items, route)
        if options.background:
            if options.kind == "procs":
                job = job[0], snapshots_of(job[1])  # cells that come next may change what the workers have not read yet
            supervision = Supervision(shell, options, job, make_mapping, Interrupts())
            with supervision.run:
                supervision.start()
                stack.callback(_keep, shell, options, supervision)
                return _in_background(shell, options, supervision, stack.pop_all())
        interrupts = stack.enter_context(Interrupts())
        supervision = Supervision(shell, options, job, make_mapping, interrupts)
        with supervision.run:
            supervision.start()
            stack.callback(_keep, shell, options, supervision)
            end = supervision.to_the_end()
        if options.out is not None:
            shell.user_ns[options.out] = supervision.answers
    if end is not None:
        raise end
    return None


def _keep(shell: "InteractiveShell", options: Options, supervision: Supervision) -> None:
    """What --run asks for, also of a run that failed."""
    if options.run is not None and supervision.report is not None:
        shell.user_ns[options.run] = Run(supervision.report, options.run)


def _in_background(shell: "InteractiveShell", options: Options, supervision: Supervision,
                   at_end: contextlib.ExitStack) -> Job | None:
    job = jobs.start(options, supervision, at_end)
    if options.out is None:
        return job
    shell.user_ns[options.out] = job
    return None


def _items_maker(shell: "InteractiveShell", options: Options) -> Callable[[SharedItems | SentItems], Mapping] | None:
    """Makes the mapping of each run; the expression of --map has a value only once.

    *Failure*: a usage error, or what the expression raises.
    """
    if options.map is None:
        return None
    items = items_of(shell, options.kind, options.map, again="--repeat" if options.repeat > 1 else None)
    return lambda route: Mapping(items, options.workers, options.on_error, route)


def items_of(shell: "InteractiveShell", kind: str, expression: str, again: str | None) -> Iterable[Any]:
    """The value of --map; `again` is what goes through the items more than once.

    *Failure*: a usage error, or what the expression raises.
    """
    if expression.isidentifier() and expression not in shell.user_ns and not hasattr(builtins, expression):
        raise usage_error(f"%%{kind}: --map: there is no variable `{expression}`.")
    items = eval(compile(expression, "<--map>", "eval"), shell.user_ns)
    if not (hasattr(items, "__iter__") or hasattr(items, "__getitem__")):
        raise usage_error(f"%%{kind}: --map: `{expression}` is of type {type_name(items)}, which has no items.")
    if again and isinstance(items, Iterator):
        raise usage_error(f"%%{kind}: {again} needs items that can be gone through again; `{expression}` is "
                          f"of type {type_name(items)}, which is used up after the first time. Make it a list.")
    return items


def notebook_of(shell: "InteractiveShell", options: Options) -> Notebook:
    return Notebook(shell.user_ns, shell.user_ns_hidden, labeller(shell), options.injected)


def new_token() -> bytes:
    """Under this, threads find the plan of their cell."""
    return b"%d" % next(_tokens)


def cell_input(options: Options, cell: Cell, notebook: Notebook,
               token: bytes) -> tuple[tuple[bytes, list[Any]], SharedItems | SentItems]:
    """What all workers get, and the way of the items. Of threads it stands in `_worker.plans` under `token`.

    *Failure*: a usage error.
    """
    names = cell.names if options.captures else CellNames(bound=cell.names.bound, attributes=cell.names.attributes)
    for name in options.names:
        if not notebook.gives(name):
            raise usage_error(f"%%{options.kind}: --in: there is no variable `{name}` to send.")
        names.needed[name] = None
    if options.kind == "threads":
        return _shared_input(options, cell, names, notebook, token)
    return _sent_input(options, cell, names, notebook)


@functools.cache
def configure() -> None:
    """Make the engine ready, once; at the end of the program its workers end, and the jobs before them."""
    engine.configure()
    atexit.register(jobs.stop_all)


class _Labels:
    """A mapping from file names to labels that asks when asked."""

    def __init__(self, label: Callable[[str], str | None]) -> None:
        self._label = label

    def get(self, filename: str, default: str) -> str:
        return self._label(filename) or default


def _shared_input(options: Options, cell: Cell, names: CellNames, notebook: Notebook,
                  token: bytes) -> tuple[tuple[bytes, list[Any]], SharedItems]:
    items: dict[int, Any] = {}
    _worker.plans[token] = {
        **_injection(cell, notebook, options.injected if options.shared else ()),
        "filename": cell.filename,
        "label": _Labels(notebook.label),
        "token": token,
        "values": {} if options.shared else shared_values(names, notebook),
        "keep": options.keep,
        "item": options.item,
        "items": items,
        "output": output.CellOutput(),
        "context": contextvars.copy_context() if sys.flags.thread_inherit_context else contextvars.Context(),
        "decimal": decimal_context(),
    }
    if options.shared:
        _worker.plans[token]["globals"] = notebook.names
    return (token, []), SharedItems(items)


def _sent_input(options: Options, cell: Cell, names: CellNames,
                notebook: Notebook) -> tuple[tuple[bytes, list[Any]], SentItems]:
    try:
        capture = Capture(names, notebook, options.kind)
    except Unsendable as error:
        raise usage_error(f"%%{options.kind} cannot send {error}.\nMake it inside the cell instead, or use %%threads, "
                          "whose workers share the notebook's objects.") from None
    enclosed = options.injected if notebook.keeps(capture.read, items=options.map is not None) else ()
    try:
        plan = _injection(cell, notebook, enclosed)
    except CellSyntaxError as error:
        names = ", ".join(f"`{name}`" for name in enclosed if name in capture.read or notebook.has(name))
        raise usage_error(f"%%{options.kind}: the notebook has a use of its own for {names}, and then this is not possible "
                          f"in a cell: {error.msg}. Use other names in the notebook.") from None
    plan |= {
        "code": marshal.dumps(plan["code"]),
        "filename": cell.filename,
        "label": capture.labels,
        "token": uuid.uuid4().hex,
        "sources": {**capture.sources, cell.filename: cell.source},
        "keep": options.keep,
        "item": options.item,
    }
    # A name that the notebook gets meanwhile must not take the place of what the cell has under it.
    known = capture.names if enclosed else [*capture.names, *options.injected]
    return worker_input(plan, capture), SentItems(notebook, known, options.kind)


def _injection(cell: Cell, notebook: Notebook, enclosed: tuple[str, ...]) -> dict[str, Any]:
    """The cell's code, and what is to be known of the names that it has besides the notebook's."""
    read = {*cell.names.needed, *cell.names.optional}
    hidden = [name for name in notebook.injected if name in read and notebook.has(name)]
    return {
        "code": cell.enclosed(enclosed) if enclosed else cell.code,
        "enclosed": enclosed,
        "injected": notebook.injected,
        "hidden": [name for name in hidden if _is_used_otherwise(name, notebook.names[name])],
    }


def _is_used_otherwise(name: str, value: Any) -> bool:
    """Whether code that takes the name which a cell is given for `value` fails."""
    return callable(value) or (name in ("worker", "workers", "index") and not isinstance(value, int))
