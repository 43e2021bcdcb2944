# SPDX-License-Identifier: BSD-3-Clause
"""`!command`: what it prints appears as it comes, as on a terminal; its input is closed.

IPython would fork this process (pexpect); its threads, and interpreters at work, make that unsafe. Here the child is
started by `subprocess`, which does not copy the process.
"""

import codecs
import contextlib
import fcntl
import os
import select
import signal
import struct
import subprocess
import sys
import termios
import time

COLUMNS, ROWS = 80, 24  # of the terminal, as IPython has it
PATIENCE = 0.5  # seconds that a command may take to end after an interrupt


def run(command):
    """The exit code; negative: the signal that ended the command. An interrupt is for the command."""
    output, terminal = open_terminal()
    try:
        child = subprocess.Popen(["/bin/sh", "-c", command], stdin=subprocess.DEVNULL, stdout=terminal, stderr=terminal,
                                 start_new_session=True)
    except BaseException:
        os.close(output)
        raise
    finally:
        os.close(terminal)
    try:
        show(output, child)
    except KeyboardInterrupt:
        with contextlib.suppress(KeyboardInterrupt):  # impatient users interrupt several times
            signal_all(child, signal.SIGINT)
            show(output, child, until=time.monotonic() + PATIENCE)
        signal_all(child, signal.SIGKILL)
    finally:
        os.close(output)
    code = child.wait()
    return 128 - code if code > 128 else code  # sh tells so of a signal


def open_terminal():
    ours, theirs = os.openpty()
    attributes = termios.tcgetattr(theirs)
    attributes[1] &= ~termios.OPOST  # lines end in "\n" alone
    termios.tcsetattr(theirs, termios.TCSANOW, attributes)
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    return ours, theirs


def show(output, child, until=None):
    """Until the command has ended; what it has left in the background may hold the terminal longer."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    ended = os.pidfd_open(child.pid) if child.returncode is None else None
    try:
        while True:
            left = None if until is None else max(0, until - time.monotonic())
            ready = select.select([output, *([] if ended is None else [ended])], [], [], left)[0]
            if output not in ready:
                break
            try:
                data = os.read(output, 1 << 16)
            except OSError:  # nobody has the terminal open any more
                child.wait(None if until is None else left)
                break
            sys.stdout.write(decoder.decode(data))
            sys.stdout.flush()
    except subprocess.TimeoutExpired:
        pass
    finally:
        if ended is not None:
            os.close(ended)
        sys.stdout.write(decoder.decode(b"", True))
        sys.stdout.flush()


def signal_all(child, number):
    if child.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, number)
