# SPDX-License-Identifier: BSD-3-Clause
"""The notebooks, executed once for all tests."""

import json
import pathlib
import subprocess
import sys

import pytest

PROJECT = pathlib.Path(__file__).parents[2]
WORKSHOP = PROJECT / "notebooks/workshop"
EXECUTE = [sys.executable, str(PROJECT / "tests/tools/execute.py")]


@pytest.fixture(scope="session")
def executed(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    folder = tmp_path_factory.mktemp("executed")
    subprocess.run([*EXECUTE, *map(str, PROJECT.glob("notebooks/*.ipynb")), "--to", str(folder)], check=True, timeout=600)
    return folder


@pytest.fixture(scope="session")
def executed_workshop() -> pathlib.Path:
    """The folder of the workshop after one run of all its notebooks, of which some may have failed. A cell has two minutes.

    It is where `./dev workshop --html` and tests/browser look for executed notebooks.
    """
    folder = PROJECT / "build/executed/workshop"
    for notebooks, to in ((WORKSHOP, folder), (WORKSHOP / "solutions", folder / "solutions")):
        if paths := sorted(map(str, notebooks.glob("*.ipynb"))):
            command = [*EXECUTE, *paths, "--to", str(to), "--timeout", "120"]
            print(subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=1500).stdout)
    return folder


def code_cells(path: pathlib.Path) -> list[dict]:
    return [cell for cell in json.loads(path.read_text())["cells"] if cell["cell_type"] == "code"]


def outputs_of(path: pathlib.Path) -> list[dict]:
    """The MIME bundles of all displays."""
    return [output["data"] for cell in code_cells(path) for output in cell["outputs"] if "data" in output]
