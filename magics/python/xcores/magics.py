# SPDX-License-Identifier: BSD-3-Clause
"""The cell magics `%%threads`, `%%subinterp` and `%%procs`: one mechanism, three names. And `%xcores` beside them."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from IPython.core.magic_arguments import magic_arguments

from xcores import control
from xcores.options import ARGUMENTS, OF_KIND, forget_configuration, parsed
from xcores.runner import run_cell

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

_ABOUT = {
    "threads": """Run the cell on several threads of this process.

    Threads share the notebook's objects and its GIL: only one of them runs Python at any moment. Use them for work
    that waits (network, files, sleep) or that lets the GIL go (NumPy, hashing, compression), and for objects that
    cannot be sent. For work in pure Python use %%subinterp or %%procs.
    """,
    "subinterp": """Run the cell on several interpreters of this process, each with a GIL of its own (PEP 684).

    They run Python on all cores at once and start faster than processes. Use them for pure Python and
    for those extension modules that support them; NumPy, pandas and others do not yet: use %%procs for these.
    """,
    "procs": """Run the cell on several processes.

    They run Python on all cores at once. Use them for work with any module (NumPy, pandas), and for what may crash:
    that leaves the notebook alone. They take longer to start.
    """,
}

_COMMON = """
    The cell runs once in each worker, with names of its own. `worker` is the worker's number from 0, `workers` how many
    there are. The names the cell uses are sent along: functions and classes of the notebook, data, modules. What the
    cell assigns stays in the worker; the value of its last expression is the worker's result, unless it ends with a
    semicolon. Below the cell appear what the workers print, a table of where the time went, and a picture of which
    worker ran where.

    With `--map ITEMS` the workers share the items out among themselves, a few at a time, and the cell runs once for
    each. What it assigns for one item is still there for the next one of the same worker, so that what takes long
    can be made once: `if "model" not in globals(): model = load()`. The results are those of the items, in their order.

    Large data (bytes, bytearray, array, memoryview, NumPy arrays, and whatever pickles into buffers) is not copied on its
    way. What a process changes is its own copy. In an interpreter memoryviews of 1 MB and more are read-only, and an array
    of NumPy, which does not load there, is a memoryview with its shape and format.
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


def _magic(shell: "InteractiveShell", kind: str) -> Callable[[str, str], Any]:
    def magic(line: str, cell: str) -> Any:
        # Frames with this mark are left out where IPython shows a traceback.
        __tracebackhide__ = True
        return run_cell(shell, parsed(magic, kind, line), cell)

    magic.__name__ = magic.__qualname__ = kind
    magic.__doc__ = _ABOUT[kind] + _COMMON.replace("{kind}", kind)
    decorated: Any = magic
    for decorate in reversed((*ARGUMENTS, *OF_KIND[kind])):
        decorated = decorate(decorated)
    return magic_arguments(f"%{kind}")(decorated)


def register(shell: "InteractiveShell") -> None:
    for kind in _ABOUT:
        shell.register_magic_function(_magic(shell, kind), "cell", kind)
    shell.register_magic_function(control.magic(shell), "line", control.NAME)


def unregister(shell: "InteractiveShell") -> None:
    for kind in _ABOUT:
        shell.magics_manager.magics["cell"].pop(kind, None)
    shell.magics_manager.magics["line"].pop(control.NAME, None)
    forget_configuration()
