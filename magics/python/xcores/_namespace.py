# SPDX-License-Identifier: BSD-3-Clause
"""The namespace of a cell in a worker: what it sees besides the notebook's names, and what stays for the next cell.

Part of the worker: see `_worker`, in front of which its source is executed.
"""

import builtins
import sys
from _thread import _local

if __name__ == "xcores._namespace":
    from xcores._definitions import Classes
    from xcores._lifetime import is_unused
    from xcores._transfer import MAIN, make_cell, notebook_shell

_STAND_INS = ("display", "input", "exit", "quit", "get_ipython")
"""What a worker has of its own, unless the notebook has something else under that name."""
_kept = _local()
"""What this worker's thread keeps from cell to cell: a module, and the values and classes that were sent to it."""


def _no_input(prompt=""):
    raise RuntimeError("a worker cannot ask: call input() in a cell before this one, and use its result here")


def _help(*what):
    import pydoc
    return pydoc.help(*what)


if not hasattr(builtins, "help"):  # workers start without `site`, which makes it
    builtins.help = _help


def _display(*objects, **_):
    for one in objects:
        print(repr(one))


class _Shell:
    """As much of `get_ipython()` as `!command` needs."""

    def __init__(self, scope):
        self._scope = scope

    def __reduce__(self):
        return notebook_shell, ()

    def _expanded(self, command, local):
        import re

        def value(found):
            try:
                return str(eval(found[1] or found[2], self._scope, local))
            except Exception:
                return found[0]

        return re.sub(r"\{([^{}]+)\}|\$(\w+)", value, command)

    def _lines(self, command):
        import subprocess

        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        with subprocess.Popen(command, shell=True, text=True, errors="replace", **pipes) as process:
            yield from process.stdout

    def system(self, command):
        for line in self._lines(self._expanded(command, sys._getframe(1).f_locals)):
            sys.stdout.write(line)

    def getoutput(self, command, **_):
        return [line.rstrip("\n") for line in self._lines(self._expanded(command, sys._getframe(1).f_locals))]

    def run_line_magic(self, name, *_, **__):
        raise RuntimeError(f"IPython magics do not run in a worker: %{name}")

    run_cell_magic = run_line_magic


class Namespace:
    """The globals of one cell in one worker, and the names that differ from worker to worker or from item to item."""

    def __init__(self, index, workers, *, keep, is_main, enclosed=()):
        """`enclosed`: names that are variables of the cell alone, because functions of the notebook use them too."""
        self._keeps = keep
        self._sent = getattr(_kept, "sent", {}) if keep else {}
        self._module = keep and getattr(_kept, "module", None) or _fresh_module()
        self.names = self._module.__dict__
        self.classes = keep and getattr(_kept, "classes", None) or Classes(once=True)
        self.classes.renew()
        self.cells = {name: make_cell() for name in enclosed}
        for name in enclosed:
            self.names.pop(name, None)
        # What cells have made here stays theirs; what came from the notebook follows the notebook.
        self._own = {name for name, value in self.names.items() if value is not self._sent.get(name)} if keep else ()
        self.set("worker", index)
        self.set("workers", workers)
        if is_main:
            sys.modules[MAIN] = self._module

    def set(self, name, value):
        """Give the cell one of the names that are not the notebook's."""
        if name in self.cells:
            self.cells[name].cell_contents = value
        else:
            self.names[name] = value

    def receive(self, name, value):
        """Take over a name of the notebook."""
        if name not in self._own or name in _STAND_INS:
            self.names[name] = self._sent[name] = value

    def leave(self):
        """The cell is over. True: its names are no longer needed."""
        if self._keeps:
            _kept.module, _kept.sent, _kept.classes = self._module, self._sent, self.classes
        self._sent = {}
        return not self._keeps

    def count_references(self):
        """Before anything has run: how many refer to the names now tells later whether something has come to use them."""
        self._references = self._counted()

    def _counted(self):
        return sys.getrefcount(self._module), sys.getrefcount(self.names)

    def clear_unused(self):
        """Clear the names of a cell that is over. False: something may still use them, and they are left to it."""
        added = [count - before for count, before in zip(self._counted(), self._references)]
        if is_unused(self._module, added):
            self.names.clear()
            return True
        sys.modules[MAIN] = type(sys)(MAIN)
        self._module = self.names = None
        return False

    def drop(self):
        """The cell will not be run. Its functions refer to its names, which refer to them."""
        self._sent = {}
        if self._module is not getattr(_kept, "module", None):
            self.names.clear()


def _fresh_module():
    # "__main__", as in the notebook: `if __name__ == "__main__"` means the same there and here, and classes of the cell
    # are pickled like classes of the notebook, by value: nobody else could import them.
    module = type(sys)(MAIN)
    scope = module.__dict__
    shell = _Shell(scope)
    scope.update(__builtins__=builtins, display=_display, input=_no_input, exit=sys.exit, quit=sys.exit,
                 get_ipython=lambda: shell)
    return module
