# SPDX-License-Identifier: BSD-3-Clause
"""`%%cores`: runs a cell as if the line were not there, and shows what all threads and processes did meanwhile."""

import argparse
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from IPython.core.error import UsageError
from IPython.core.magic_arguments import argument, magic_arguments

from xcores.display import Show, View
from xcores.errors import usage_error
from xcores.options import arguments, sampling_rate
from xcores.recorder import Recording

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

_HEAD = re.compile(r"\s*%%cores(?:[ \t]+(.*))?$")


def _rate(text: str) -> float:
    rate = sampling_rate(text)
    if rate == 0:
        raise argparse.ArgumentTypeError("without samples there is nothing to see here: from 10 to 10000 per second")
    return rate


class Cores:
    """The magic in one shell.

    The line is taken away before IPython reads the cell, so that the cell is any other cell: its last expression is
    displayed, it may hold magics and await, and it is interrupted as always.
    """

    def __init__(self, shell: "InteractiveShell") -> None:
        self._shell = shell
        self._cells = 0
        self._recording: Recording | None = None
        self._view: View
        self._transform = self._make_transform()
        self.magic = self._make_magic()

    def install(self) -> None:
        self._shell.input_transformers_cleanup.append(self._transform)
        self._shell.events.register("pre_run_cell", self._before_cell)
        self._shell.events.register("post_run_cell", self._after_cell)
        self._shell.register_magic_function(self.magic, "cell", "cores")
        self._shell._xcores_cores = self

    def uninstall(self) -> None:
        if self._transform in self._shell.input_transformers_cleanup:
            self._shell.input_transformers_cleanup.remove(self._transform)
        self._shell.events.unregister("pre_run_cell", self._before_cell)
        self._shell.events.unregister("post_run_cell", self._after_cell)
        self._shell.magics_manager.magics["cell"].pop("cores", None)
        del self._shell._xcores_cores

    def _make_magic(self) -> Callable[[str, str], Any]:
        @magic_arguments("%cores")
        @argument("count", metavar="N", nargs="?", help=argparse.SUPPRESS)
        @argument("--sample", metavar="HZ", type=_rate, default=1000.0, help="Samples a second, 1000 if not given.")
        @argument("--no-plot", action="store_true", help="Do not draw the picture.")
        def cores(line: str, cell: str) -> Any:
            """Run the cell as it is, in the notebook, and show what every thread and process did meanwhile.

            All threads of the notebook's process appear with their names: Python threads (of a ThreadPoolExecutor, of
            asyncio, your own), native threads (of NumPy's BLAS, of compressors, of Arrow), and the processes that were
            started (multiprocessing, joblib, subprocess): on which core each ran, which held the GIL, which waited for
            it. Threads and processes that did nothing are left out, and those that live for less than 30 ms may be
            missed. Which thread holds the GIL of another process is not known.

            Example::

              In [1]: %%cores
                 ...: from concurrent.futures import ThreadPoolExecutor
                 ...: with ThreadPoolExecutor(4) as pool:
                 ...:     sizes = list(pool.map(download, addresses))
            """
            return self._shell.run_cell(f"%%cores {line}\n{cell}").result

        return cores

    def _options(self, line: str) -> Any:
        given = arguments(self.magic, "cores", line)
        if given.count is not None:
            raise usage_error(f"%%cores: there are no workers, so {given.count!r} has no meaning: it shows what runs in the "
                              "cell as it is. Workers are for %%threads, %%subinterp and %%procs.")
        return given

    def _make_transform(self) -> Callable[[list[str]], list[str]]:
        def transform(lines: list[str]) -> list[str]:
            head = _HEAD.match(lines[0]) if lines else None
            if head is None:
                return lines
            self._options(head[1] or "")
            body = lines[1:]
            if not "".join(body).strip():
                raise usage_error("%%cores: the cell is empty, there is nothing to run.")
            if body[0].startswith("%%"):
                return body
            # A part of a cell that runs already, as below %%time, is no cell of its own: it has to say when it begins.
            begin = f"get_ipython()._xcores_cores.begin({head[1] or ''!r})\n"
            return [begin if self._cells else "\n", *body]

        transform.has_side_effects = True  # type: ignore[attr-defined]  # so it is not asked about unfinished cells
        return transform

    def _before_cell(self, info: Any) -> None:
        self._cells += 1
        head = _HEAD.match((info.raw_cell or "").lstrip("\n").partition("\n")[0])
        if head is not None:
            try:
                self.begin(head[1] or "")
            except UsageError:
                pass  # the transform has said it

    def begin(self, line: str) -> None:
        """Record from now on to the end of the cell."""
        if self._recording is not None:
            return
        options = self._options(line)
        recording = Recording(options.sample)
        recording.__enter__()
        self._recording = recording
        self._view = View(self._shell, Show.TABLE if options.no_plot else Show.TABLE_AND_PICTURE)
        recording.show_in(self._view)

    def _after_cell(self, result: Any) -> None:
        self._cells = max(0, self._cells - 1)
        recording, self._recording = self._recording, None
        if recording is None:
            return
        recording.__exit__(None, None, None)
        if result is None or result.error_before_exec is None:
            self._view.finish(recording.report)


def register(shell: "InteractiveShell") -> None:
    unregister(shell)
    Cores(shell).install()


def unregister(shell: "InteractiveShell") -> None:
    installed = getattr(shell, "_xcores_cores", None)
    if installed is not None:
        installed.uninstall()
