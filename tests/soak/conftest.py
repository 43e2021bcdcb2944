# SPDX-License-Identifier: BSD-3-Clause
import contextlib
import os
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(__file__)), "kernel"))
from notebook import Notebook  # noqa: E402


@pytest.fixture
def new_notebook():
    """Starts a kernel, which the caller closes.

    The C library would learn to keep blocks of some megabytes for each thread that has freed one (mallopt(3),
    M_MMAP_THRESHOLD): a reserve of any size up to the peak, that hides what is looked for. With a fixed limit it does not.
    """

    def start():
        notebook = Notebook(env=os.environ | {"MALLOC_MMAP_THRESHOLD_": "131072", "MALLOC_TRIM_THRESHOLD_": "131072"})
        notebook.run("pass")
        return notebook

    return start


@pytest.fixture
def notebook(new_notebook):
    """A kernel of its own for each test: what one leaves behind must not be put down to another."""
    with contextlib.closing(new_notebook()) as notebook:
        yield notebook
