# SPDX-License-Identifier: BSD-3-Clause
import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(__file__))
from notebook import Gate, Notebook  # noqa: E402


@pytest.fixture(scope="module")
def notebook():
    """One kernel for the tests of a file."""
    notebook = Notebook()
    notebook.run("pass")  # where the magics are not installed, the first cell says so
    yield notebook
    notebook.close()


@pytest.fixture
def new_notebook():
    """Starts kernels that a test may end, or that need an environment of their own."""
    started = []

    def start(**options):
        started.append(Notebook(**options))
        return started[-1]

    yield start
    for each in started:
        each.close()


@pytest.fixture
def gate(tmp_path):
    return Gate(tmp_path)
