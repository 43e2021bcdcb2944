# SPDX-License-Identifier: BSD-3-Clause
"""Loading and unloading."""

import subprocess
import sys

import xcores
from xcores.output import Router


def test_loading_twice_changes_nothing(shell, cell) -> None:
    xcores.load_ipython_extension(shell)
    before = (shell.custom_exceptions, sys.stdout)
    xcores.load_ipython_extension(shell)
    assert (shell.custom_exceptions, sys.stdout) == before
    assert "1 of 1 worker failed" in cell("%%threads 1 --quiet\n1 / 0").text


def test_unloading_takes_everything_away(shell) -> None:
    xcores.unload_ipython_extension(shell)
    assert not {"threads", "subinterp", "procs"} & set(shell.magics_manager.magics["cell"])
    assert not isinstance(sys.stdout, Router) and not isinstance(sys.stderr, Router)
    assert shell.custom_exceptions == ()
    xcores.unload_ipython_extension(shell)
    xcores.load_ipython_extension(shell)


def test_loading_keeps_an_exception_handler_that_was_there(shell, cell) -> None:
    xcores.unload_ipython_extension(shell)
    seen = []
    shell.set_custom_exc((KeyError,), lambda self, kind, error, trace, tb_offset=None: seen.append(error))
    xcores.load_ipython_extension(shell)
    cell("raise KeyError('mine')")
    cell("%%threads 1 --quiet\n1 / 0")
    xcores.unload_ipython_extension(shell)
    assert [type(error) for error in seen] == [KeyError] and shell.custom_exceptions == (KeyError,)
    shell.set_custom_exc((), None)
    xcores.load_ipython_extension(shell)


def test_the_package_alone_imports_neither_ipython_nor_the_engine() -> None:
    code = "import xcores, sys; print(sorted(set(sys.modules) & {'IPython', 'xcores._engine', 'cloudpickle'}))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_a_plain_ipython_program_runs_the_magics_and_ends() -> None:
    cells = "\\n".join(f"get_ipython().run_cell_magic('{kind}', '2 --quiet', 'print(worker)')"
                       for kind in ("threads", "subinterp", "procs"))
    code = f"get_ipython().run_line_magic('load_ext', 'xcores')\\n{cells}".replace("\\n", "\n")
    command = [sys.executable, "-m", "IPython", "--colors=nocolor", "-c", code]
    ran = subprocess.run(command, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert sorted(ran.stdout.splitlines()) == ["[0] 0"] * 3 + ["[1] 1"] * 3
