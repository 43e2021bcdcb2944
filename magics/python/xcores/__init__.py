# SPDX-License-Identifier: BSD-3-Clause
"""xcores runs a notebook cell on many cores, `%%threads`, `%%subinterp`, `%%procs`, and shows any cell: `%%cores`.

The kernel "Python (xcores)" has the magics from the start; in any other IPython `%load_ext xcores` brings them.
Programs have the same workers as `concurrent.futures` executors: `ThreadExecutor`, `SubinterpExecutor`, `ProcessExecutor`.
Importing this package alone needs neither IPython nor the engine.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from xcores.executors import ProcessExecutor, SubinterpExecutor, ThreadExecutor

__all__ = ["ProcessExecutor", "SubinterpExecutor", "ThreadExecutor", "compare", "last_report", "last_run", "load",
           "load_ipython_extension", "record", "unload_ipython_extension"]


def __getattr__(name: str) -> Any:
    if name.endswith("Executor") and name in __all__:
        from xcores import executors

        return getattr(executors, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def last_report() -> Any:
    """The report of the latest run in this notebook (`to_json()`, `text()`, `svg()`, …), or None before the first."""
    from xcores.latest import last_report

    return last_report()


def record(sample_hz: float = 1000.0) -> Any:
    """Record what all threads and child processes do in a `with` block; `print` the result to see it.

    The same as `%%cores`, for scripts and parts of cells: see `xcores.recorder.record`.
    """
    from xcores.recorder import Recording

    return Recording(sample_hz)


def last_run() -> Any:
    """The latest run in this notebook as a `Run` (figures, `save`, `to_pandas`), or None before the first."""
    from xcores.run_object import Run

    report = last_report()
    return None if report is None else Run(report)


def load(path: Any) -> Any:
    """The `Run` or `Comparison` that was saved as JSON in the file `path`."""
    from xcores.run_object import load

    return load(path)


def compare(first: Any, second: Any) -> Any:
    """Two runs in one table and one picture."""
    from xcores.run_object import compare

    return compare(first, second)


def load_ipython_extension(shell: "InteractiveShell") -> None:
    """Add the magics to `shell`. Doing it again changes nothing."""
    from xcores import _engine, comparing, cores, errors, magics, output, reloads

    reloads.watch()
    errors.uninstall(shell)
    errors.install(shell)
    magics.register(shell)
    cores.register(shell)
    comparing.register(shell)
    output.install()
    # The first picture of a process has to find the fonts: better now than under the first cell.
    _engine.warm_fonts()


def unload_ipython_extension(shell: "InteractiveShell") -> None:
    """Take away all that `load_ipython_extension` added. Workers that are ready stay so until the kernel ends."""
    from xcores import comparing, cores, errors, magics, output, reloads

    reloads.forget(shell)
    magics.unregister(shell)
    cores.unregister(shell)
    comparing.unregister(shell)
    errors.uninstall(shell)
    output.uninstall()
