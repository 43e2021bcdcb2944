# SPDX-License-Identifier: BSD-3-Clause
"""sys.stdout and sys.stderr of the notebook, and the question under which cell a text belongs."""

import contextvars
import functools
import io
import os
import sys
import threading

import _xcores_kernel as bridge

# The request that this context (a cell, a task that a cell started) works for.
current = contextvars.ContextVar("xcores_request")


def current_request():
    """The request whose cell started what is running: this context's, else this thread's; None is the latest one."""
    request = current.get(None)
    if request is None:
        request = getattr(threading.current_thread(), "_xcores_request", None)
        if request is not None:
            current.set(request)
    return request


def let_threads_remember_their_cell():
    """A new thread has an empty context: the thread object keeps the request of the cell that started it."""
    start = threading.Thread.start

    @functools.wraps(start)
    def start_for_this_request(self):
        self._xcores_request = current_request()
        return start(self)

    threading.Thread.start = start_for_this_request


class Stream(io.TextIOBase):
    """Text on its way to the front end. It has no file descriptor: what would write there would write to the log of
    the Jupyter server, unseen, so that fileno() raises io.UnsupportedOperation."""

    encoding = "utf-8"
    errors = "backslashreplace"
    forked = False

    def __init__(self, name, descriptor):
        super().__init__()
        self.name = name
        self._is_error = name == "<stderr>"
        self._descriptor = descriptor

    def write(self, text):
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        if Stream.forked:
            os.write(self._descriptor, text.encode(self.encoding, self.errors))
        else:
            bridge.write(self._is_error, text, current.get(None) or current_request())
        return len(text)

    def flush(self):
        if not Stream.forked:
            bridge.flush()

    def close(self):
        """Nothing to close: the stream lives as long as the kernel."""
        self.flush()

    closed = property(lambda self: False)

    def writable(self):
        return True

    def isatty(self):
        return False


def install():
    """From now on, what Python prints goes to the front end."""
    sys.stdout.flush()
    sys.stdout, sys.stderr = Stream("<stdout>", 1), Stream("<stderr>", 2)
    let_threads_remember_their_cell()

    def after_fork_in_child():
        Stream.forked = True  # the sockets, and the thread that publishes, are the parent's

    os.register_at_fork(after_in_child=after_fork_in_child)


def uninstall():
    sys.stdout, sys.stderr = sys.__stdout__, sys.__stderr__
