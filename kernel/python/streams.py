# SPDX-License-Identifier: BSD-3-Clause
"""sys.stdout and sys.stderr of the notebook, and the question under which cell a text belongs."""

import contextlib
import contextvars
import faulthandler
import os
import sys

import _xcores_kernel as bridge
from xcores_kernel import origins
from xcores_kernel.text_streams import TextStream, check_text

# The request that this context (a cell, a task or a thread that a cell started) works for; None: the latest cell.
current = contextvars.ContextVar("xcores_request")


def current_request():
    """The request whose cell started what is running; None is the latest one."""
    return origins.get(current)


class Stream(TextStream):
    """Text on its way to the front end, without a detour through its descriptor, which leads there too."""

    forked = False

    def __init__(self, name, descriptor):
        super().__init__(name, descriptor)
        self._is_error = descriptor == 2
        self._line = ""  # of a forked child

    def write(self, text):
        if not isinstance(text, str):
            check_text(text)
        if Stream.forked:
            self._write_lines(text)
        else:
            bridge.write(self._is_error, text, current.get(None) or current_request())
        return len(text)

    def flush(self):
        if not Stream.forked:
            bridge.flush()
        elif self._line:
            self._write_out(len(self._line))

    def _write_lines(self, text):
        """The sockets, and the thread that publishes, are the parent's. Whole lines of several children do not mix."""
        self._line += text
        end = self._line.rfind("\n") + 1
        if end:
            self._write_out(end)

    def _write_out(self, end):
        data, self._line = self._line[:end].encode("utf-8", "backslashreplace"), self._line[end:]
        while data:
            data = data[os.write(self._descriptor, data):]


def install():
    """From now on, what Python and the programs that it starts print goes to the front end."""
    sys.stdout.flush()
    faulthandler.disable()  # its handlers chain to those of the kernel, which must be there first
    log = bridge.capture_descriptors()
    with contextlib.suppress(Exception):
        faulthandler.enable(log)
    for file in (sys.__stdout__, sys.__stderr__):
        file.reconfigure(line_buffering=True)
    sys.stdout, sys.stderr = Stream("<stdout>", 1), Stream("<stderr>", 2)
    origins.carry(current)

    def after_fork_in_child():
        Stream.forked = True
        bridge.after_fork()

    os.register_at_fork(after_in_child=after_fork_in_child)


def finish():
    """The cell is over: what is written and not shown yet belongs to it."""
    for stream in (sys.__stdout__, sys.__stderr__):
        with contextlib.suppress(OSError, ValueError):  # the cell may have closed it
            stream.flush()
    for stream in (sys.stdout, sys.stderr):
        finish_bytes = getattr(getattr(stream, "buffer", None), "finish", None)
        if finish_bytes is not None:
            finish_bytes()


def uninstall():
    sys.stdout, sys.stderr = sys.__stdout__, sys.__stderr__
