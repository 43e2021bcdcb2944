# SPDX-License-Identifier: BSD-3-Clause
"""The notebooks, executed once for all tests."""

import json
import pathlib
import subprocess
import sys

import pytest

PROJECT = pathlib.Path(__file__).parents[2]
EXECUTE = [sys.executable, str(PROJECT / "tests/tools/execute.py")]


@pytest.fixture(scope="session")
def executed(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    folder = tmp_path_factory.mktemp("executed")
    subprocess.run([*EXECUTE, *map(str, PROJECT.glob("notebooks/*.ipynb")), "--to", str(folder)], check=True, timeout=600)
    return folder


def code_cells(path: pathlib.Path) -> list[dict]:
    return [cell for cell in json.loads(path.read_text())["cells"] if cell["cell_type"] == "code"]


def outputs_of(path: pathlib.Path) -> list[dict]:
    """The MIME bundles of all displays."""
    return [output["data"] for cell in code_cells(path) for output in cell["outputs"] if "data" in output]
