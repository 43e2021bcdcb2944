# SPDX-License-Identifier: BSD-3-Clause
"""The namespace of a cell in a worker: what it sees besides the notebook's names, and what stays for the next cell.

Part of the worker: see `_worker`, in front of which its source is executed.
"""

import builtins
import sys
from _thread import _local

if __name__ == "xcores._namespace":
    from xcores._transfer import MAIN

_kept = _local()
"""What this worker's thread keeps from cell to cell: a module, and the values that were sent to it."""


def _no_input(prompt=""):
    raise RuntimeError("a worker cannot ask: call input() in a cell before this one, and use its result here")


def _display(*objects, **_):
    for one in objects:
        print(repr(one))


class _Shell:
    """As much of `get_ipython()` as `!command` needs."""

    def __init__(self, scope):
        self._scope = scope

    def _expanded(self, command):
        import re

        def value(found):
            try:
                return str(eval(found[1] or found[2], self._scope))
            except Exception:
                return found[0]

        return re.sub(r"\{([^{}]+)\}|\$(\w+)", value, command)

    def _lines(self, command):
        import subprocess

        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        with subprocess.Popen(self._expanded(command), shell=True, text=True, errors="replace", **pipes) as process:
            yield from process.stdout

    def system(self, command):
        for line in self._lines(command):
            sys.stdout.write(line)

    def getoutput(self, command, **_):
        return [line.rstrip("\n") for line in self._lines(command)]

    def run_line_magic(self, name, *_, **__):
        raise RuntimeError(f"IPython magics do not run in a worker: %{name}")

    run_cell_magic = run_line_magic


class Namespace:
    """The globals of one cell in one worker."""

    def __init__(self, index, workers, *, keep, is_main):
        self._keeps = keep
        self._sent = getattr(_kept, "sent", {}) if keep else {}
        self._module = keep and getattr(_kept, "module", None) or _fresh_module()
        self.names = self._module.__dict__
        self.names.update(worker=index, workers=workers)
        # What cells have made here stays theirs; what came from the notebook follows the notebook.
        self._own = {name for name, value in self.names.items() if value is not self._sent.get(name)} if keep else ()
        if is_main:
            sys.modules[MAIN] = self._module

    def receive(self, name, value):
        """Take over a name of the notebook."""
        if name not in self._own:
            self.names[name] = self._sent[name] = value

    def leave(self):
        """The cell is over. True: its names are no longer needed."""
        if self._keeps:
            _kept.module, _kept.sent = self._module, self._sent
        self._sent = {}
        return not self._keeps

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
