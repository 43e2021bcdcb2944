# SPDX-License-Identifier: BSD-3-Clause
"""`python3 -m xcores record PROGRAM.py`: records a program from its start, unchanged.

The recording ends, and the report is made, in the exit function that runs after all others: when the main code and the
threads that are not daemons have ended, and after the program's own exit functions, because multiprocessing waits there for
its processes. By then Python has printed a traceback, if any, and how the process ends is not affected.
"""

import atexit
import contextlib
import fcntl
import optparse
import os
import select
import sys
import threading
from typing import Any, NoReturn

from xcores import program
from xcores.recorder import Recording
from xcores.run_object import Run

_USAGE = """\
usage: python3 -m xcores record [-o FILE]… [options] PROGRAM.py [ARGS…]
       python3 -m xcores record [-o FILE]… [options] -m MODULE [ARGS…]
"""
_HELP = """
Records what all threads and child processes of a Python program do, from its start to its end: on which core each ran, which
held the GIL, which waited for it. The program is not changed; it has its own arguments, input, output, signals and exit
status. At its end a table and a picture are printed to stderr.

"""
_MORE = """
PROGRAM.py may also be a folder or a zip file with __main__.py. What follows it goes to the program.

The recording ends with the program: after its main code, the threads that are not daemons, and its exit functions. Ctrl-C, an
exception, sys.exit() and os._exit() end it too. A program that a signal kills, or that becomes another one (os.exec…),
leaves no report. Of child processes there is one line each.
"""


def main(arguments: list[str]) -> None:
    """What `python3 -m xcores` does. Returns or raises as the recorded program does."""
    match arguments:
        case ["record", *rest]:
            _record(rest)
        case ["-h" | "--help", *_]:
            print(f"{_USAGE}\n`python3 -m xcores record -h` explains the options.")
        case []:
            sys.stderr.write(_USAGE)
            raise SystemExit(2)
        case [command, *_]:
            sys.stderr.write(f"{_USAGE}xcores: error: there is no command {command!r}: write record\n")
            raise SystemExit(2)


class _Parser(optparse.OptionParser):
    """optparse, as in cProfile: it stops at the first argument that is no option, and leaves the rest as it is."""

    def get_usage(self) -> str:
        return _USAGE

    def format_help(self, formatter: Any = None) -> str:
        return _USAGE + _HELP + self.format_option_help(formatter) + _MORE

    def error(self, msg: str) -> NoReturn:
        sys.stderr.write(f"{_USAGE}xcores record: error: {msg}\n")
        raise SystemExit(2)


def _take_module(option: Any, flag: str, value: str, parser: Any) -> None:
    """-m MODULE is the last option, as in Python."""
    parser.values.module = value
    parser.largs[:], parser.rargs[:] = parser.rargs, []


def _parser() -> _Parser:
    parser = _Parser()
    parser.disable_interspersed_args()
    parser.add_option("-o", "--out", metavar="FILE", dest="files", action="append", default=[],
                      help=f"also write a file; its ending says what: {', '.join(Run.endings)}; may be given several times")
    parser.add_option("-m", metavar="MODULE", dest="module", type="string", action="callback", callback=_take_module,
                      help="run a module, as python3 -m does")
    parser.add_option("--sample", metavar="HZ", type="float", default=1000.0, help="samples a second, 1000 if not given")
    parser.add_option("-q", "--quiet", action="store_true", default=False, help="print no table and no picture")
    return parser


def _record(arguments: list[str]) -> None:
    parser = _parser()
    options, rest = parser.parse_args(arguments)
    if options.module is None and not rest:
        parser.error("there is no program to run: add PROGRAM.py or -m MODULE")
    for file in options.files:
        try:
            Run.check_target(file)
        except (ValueError, OSError) as error:
            parser.error(f"-o {file}: {error.strerror if isinstance(error, OSError) else error}")
    name = options.module or os.path.basename(rest[0])
    ending = _Ending(name, [os.path.abspath(file) for file in options.files], quiet=options.quiet)
    try:
        ending.begin(options.sample)
    except ValueError as error:
        parser.error(f"--sample: {error}")
    try:
        if options.module is not None:
            program.run_module(options.module, rest)
        else:
            program.run_script(rest[0], rest[1:])
    except program.NotFound as error:
        ending.forget()
        sys.stderr.write(f"xcores record: {error}\n")
        raise SystemExit(error.status) from None


class _Ending:
    """What happens at the end of the program, in its process and not in its forks.

    *Thread*: any may end the program with `os._exit`.
    """

    def __init__(self, name: str, files: list[str], *, quiet: bool) -> None:
        self._name = name
        self._files = files
        self._quiet = quiet
        self._process = os.getpid()
        self._lock = threading.RLock()  # a signal handler may call os._exit() while the report is being made
        self._over = False
        self._exit = os._exit
        self._recording: Recording
        self._stderr = _Stderr()

    def begin(self, sample_hz: float) -> None:
        """*Failure*: ValueError for an impossible rate."""
        atexit.register(self._end)
        os._exit = self._end_at_once
        try:
            self._recording = Recording(sample_hz)
            self._recording.__enter__()
        except BaseException:
            self.forget()
            raise

    def forget(self) -> None:
        """There is no program, so there is nothing to report."""
        self._over = True
        os._exit = self._exit

    def _end_at_once(self, status: int) -> NoReturn:
        """Stands in for `os._exit`."""
        try:
            self._end()
        finally:
            self._exit(status)

    def _end(self) -> None:
        if os.getpid() != self._process:
            return
        with self._lock:
            if self._over:
                return
            self._over = True
            try:
                self._report()
            except KeyboardInterrupt:
                self._stderr.write("xcores record: interrupted while the report was written\n")

    def _report(self) -> None:
        self._recording.__exit__(None, None, None)
        run = Run(self._recording.report, self._name)
        if not self._quiet:
            with contextlib.suppress(OSError, ValueError, AttributeError):  # closed, or replaced by what cannot flush
                sys.stdout.flush()
            self._stderr.write(f"\n{self._recording}\n")
        for file in self._files:
            try:
                run.save(file)
            except OSError as error:
                self._stderr.write(f"xcores record: cannot write {file}: {error.strerror or error}\n")


class _Stderr:
    """Where stderr led when the program began, even if the program closes or redirects its own."""

    def __init__(self) -> None:
        self._descriptor = -1
        with contextlib.suppress(OSError, ValueError, AttributeError):  # python3 … 2>&-
            stream = sys.stderr
            self._encoding = stream.encoding
            self._descriptor = fcntl.fcntl(stream.fileno(), fcntl.F_DUPFD_CLOEXEC, 64)  # leaves the low numbers to the program
            self._file = _identity(self._descriptor)

    def write(self, text: str) -> None:
        data = memoryview(text.encode(self._encoding, "backslashreplace")) if self._descriptor >= 0 else memoryview(b"")
        try:
            while data and _identity(self._descriptor) == self._file:  # or the program has closed all and uses the number
                try:
                    data = data[os.write(self._descriptor, data):]
                except BlockingIOError:
                    select.select([], [self._descriptor], [])
        except OSError:
            return  # nobody reads it, and there is no other place to say so


def _identity(descriptor: int) -> tuple[int, int]:
    status = os.fstat(descriptor)
    return status.st_dev, status.st_ino
