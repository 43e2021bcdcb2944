# SPDX-License-Identifier: BSD-3-Clause
"""Whole cells, through the magics, as a user runs them."""

import functools

from IPython.core.interactiveshell import InteractiveShell

FIB = """
def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)
fib(32)
"""


@functools.cache
def shell() -> InteractiveShell:
    made = InteractiveShell.instance()
    made.run_line_magic("load_ext", "xcores")
    return made


def run(magic: str, options: str, body: str) -> None:
    shell().run_cell_magic(magic, options, body)
