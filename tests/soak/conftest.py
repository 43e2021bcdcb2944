# SPDX-License-Identifier: BSD-3-Clause
import os
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(__file__)), "kernel"))
from notebook import Notebook  # noqa: E402


@pytest.fixture
def notebook():
    """A kernel of its own for each test: what one leaves behind must not be put down to another."""
    notebook = Notebook()
    notebook.run("pass")
    yield notebook
    notebook.close()
