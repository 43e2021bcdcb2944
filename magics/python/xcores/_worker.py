# SPDX-License-Identifier: BSD-3-Clause
"""The Python half of a worker: takes a job in, runs the cell, gives the result back.

The same file serves all three kinds. Threads use it as the module `xcores._worker`; own interpreters and processes
execute its source after that of `_transfer`, as one module, without the package `xcores`.

*GIL*: every function here is called with the GIL of the worker's interpreter held.
*Failure*: `prepare` raises; `execute` and `collect` let nothing out.
"""

import builtins
import marshal
import sys

if __name__ == "xcores._worker":
    from xcores._transfer import MAIN, Reader, dumped, refused_extension, type_name

RESULT = "_xcores_result"
"""The cell is compiled so that the value of its last expression is bound to this name."""

_OTHER_KINDS = "Use %%threads or %%procs for this cell."
_kind = "threads"
plans = {}
"""Threads only: the plan for each token, values by reference."""
results = {}
"""Threads only: what the workers gave back, by reference."""


class Job:
    """One run of the cell in this worker."""

    def __init__(self, plan, index, workers):
        self.plan = plan
        self.index = index
        self.error = None
        self.namespace = _fresh_namespace(index, workers)


class _Stream:
    """A text stream into the output of this worker."""

    encoding = "utf-8"
    errors = "backslashreplace"
    newlines = None
    closed = False

    def __init__(self, number, name):
        import _xcores

        self._number = number
        self._send = _xcores.write
        self.name = name
        self.buffer = _Bytes(self)

    def write(self, text):
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        self._send(self._number, _encodable(text))
        return len(text)

    def writelines(self, lines):
        for line in lines:
            self.write(line)

    def flush(self):
        pass

    close = flush

    def isatty(self):
        return False

    readable = seekable = isatty

    def writable(self):
        return True

    def fileno(self):
        import io

        raise io.UnsupportedOperation("the output of a worker is no file")


class _Bytes:
    """What programs expect as `sys.stdout.buffer`."""

    def __init__(self, text_stream):
        self._text_stream = text_stream

    def write(self, data):
        self._text_stream.write(bytes(data).decode("utf-8", "replace"))
        return len(data)

    def flush(self):
        pass


class _NoInput:
    encoding = "utf-8"
    closed = False

    def readline(self, *_):
        _no_input()

    read = readline

    def isatty(self):
        return False


def _encodable(text):
    # A lone surrogate has no UTF-8, and must not end the cell.
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


def setup(kind):
    """Make this interpreter a worker of `kind`. Called once, before its first job; not for threads."""
    global _kind
    _kind = kind
    sys.stdout = _Stream(1, "<stdout>")
    sys.stderr = _Stream(2, "<stderr>")
    sys.stdin = _NoInput()
    sys.argv = [""]


# What the cell sees besides the notebook's names


def _no_input(prompt=""):
    raise RuntimeError("a worker cannot ask: call input() in a cell before this one, and use its result here")


def _display(*objects, **_):
    for one in objects:
        print(repr(one))


class _Shell:
    """As much of `get_ipython()` as `!command` needs."""

    def __init__(self, scope):
        self._scope = scope

    def _expanded(self, command):
        import re

        def value(found):
            try:
                return str(eval(found[1] or found[2], self._scope))
            except Exception:
                return found[0]

        return re.sub(r"\{([^{}]+)\}|\$(\w+)", value, command)

    def _lines(self, command):
        import subprocess

        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        with subprocess.Popen(self._expanded(command), shell=True, text=True, errors="replace", **pipes) as process:
            yield from process.stdout

    def system(self, command):
        for line in self._lines(command):
            sys.stdout.write(line)

    def getoutput(self, command, **_):
        return [line.rstrip("\n") for line in self._lines(command)]

    def run_line_magic(self, name, *_, **__):
        raise RuntimeError(f"IPython magics do not run in a worker: %{name}")

    run_cell_magic = run_line_magic


def _fresh_namespace(index, workers):
    # "__main__", as in the notebook: `if __name__ == "__main__"` means the same there and here, and classes of the cell
    # are pickled like classes of the notebook, by value: nobody else could import them.
    module = type(sys)(MAIN)
    scope = module.__dict__
    shell = _Shell(scope)
    scope.update(__builtins__=builtins, worker=index, workers=workers, display=_display, input=_no_input, exit=sys.exit,
                 quit=sys.exit, get_ipython=lambda: shell)
    if _kind != "threads":
        sys.modules[MAIN] = module
    return scope


# Transfer in


def prepare(data, buffers, index, workers):
    """The job that `data` and `buffers` describe, ready to run. Raises where something cannot be rebuilt here."""
    if _kind == "threads":
        job = Job(plans[bytes(data)], index, workers)
        job.namespace.update(job.plan["values"])
        return job
    from io import BytesIO

    stream = BytesIO(data)
    plan = Reader(stream).load()
    _enter(plan)
    plan["code"] = marshal.loads(plan["code"])
    job = Job(plan, index, workers)
    reader = Reader(stream, buffers, job.namespace)
    for name in plan["names"]:
        try:
            job.namespace[name] = reader.load()
        except Exception as error:
            raise ImportError(_why_unloadable(name, error)) from error
    for name in plan["submodules"]:
        try:
            __import__(name)
        except ImportError:
            pass
    return job


def _enter(plan):
    """Take over what belongs to the notebook as a whole, not to one job."""
    sys.path[:] = plan["path"]
    if _kind == "procs":
        import os

        if os.getcwd() != plan["directory"]:
            os.chdir(plan["directory"])
        if dict(os.environ) != plan["environment"]:
            os.environ.clear()
            os.environ.update(plan["environment"])
    import linecache

    for name, text in plan["sources"].items():
        linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)


def _why_unloadable(name, error):
    refused = refused_extension(error) if _kind == "subinterp" else None
    if refused is not None:
        return f"the notebook's `{name}` needs {refused}. {_OTHER_KINDS}"
    return f"the notebook's `{name}` cannot be rebuilt in the worker: {type(error).__name__}: {error}"


# Run


def execute(job):
    """Run the cell. How it ended is kept in the job, whatever it was."""
    try:
        try:
            waiting = eval(job.plan["code"], job.namespace)
            if waiting is not None:
                import asyncio

                asyncio.run(waiting)
        except BaseException as error:
            job.error = error
    except BaseException as late:
        # An interrupt is raised wherever the thread happens to be, even in the lines above.
        job.error = job.error or late.__context__ or late


# Transfer out


def collect(job):
    """How the job ended: (kind, type, message, traceback, code, summary, data, buffers)."""
    for _ in range(8):
        try:
            return _collected(job)
        except KeyboardInterrupt:
            # An interrupt that came too late to stop the cell must not lose what the cell made.
            continue
    return ("interrupted", "KeyboardInterrupt", "", "", None, "", b"", [])


def _collected(job):
    error = job.error
    if error is None or (isinstance(error, KeyboardInterrupt) and RESULT in job.namespace):
        answer = _returned(job, job.namespace.get(RESULT))
    else:
        answer = _ended(job, error)
    if _kind != "threads":
        import linecache

        for name in job.plan["sources"]:
            linecache.cache.pop(name, None)
        # The functions of the cell refer to its namespace, which refers to them.
        job.namespace.clear()
    return answer


def _returned(job, value):
    try:
        data, buffers = _sent(job, value)
    except Exception as error:
        message = (f"the result, a {type_name(value)}, cannot be sent back ({error}). Let the cell end in plain data, "
                   "or use %%threads, which shares objects")
        return ("failed", type(error).__name__, _encodable(message), "", None, "", b"", [])
    return ("returned", "", "", "", None, _encodable(_summary(value)), data, buffers)


def _ended(job, error):
    refused = refused_extension(error) if _kind == "subinterp" else None
    if refused is not None:
        trace = _user_part(error.__traceback__, job.plan["filename"])
        _cut_after(trace, job.plan["sources"])
        error = ImportError(f"the cell needs {refused}. {_OTHER_KINDS}").with_traceback(trace)
    error.__traceback__ = _user_part(error.__traceback__, job.plan["filename"])
    kind, code, message = "raised", None, _text(error)
    if isinstance(error, KeyboardInterrupt):
        kind = "interrupted"
    elif isinstance(error, SystemExit):
        kind, code = "exited", _exit_code(error.code)
        message = message if isinstance(error.code, str) else f"exit code {code}"
    data, buffers = b"", []
    if kind == "raised":
        try:
            data, buffers = _sent(job, error)
        except Exception:
            pass  # the notebook then makes an exception of its own from the texts
    trace = _traceback(error, job.plan["label"])
    return (kind, type(error).__name__, _encodable(message), _encodable(trace), code, "", data, buffers)


def _exit_code(code):
    if code is None:
        return 0
    return code if isinstance(code, int) and abs(code) < 1 << 31 else 1


def _text(error):
    try:
        return str(error)
    except Exception:
        return f"<{type(error).__name__} without a text>"


def _user_part(trace, filename):
    """The frames from the cell on: neither ours nor those of asyncio."""
    while trace is not None and trace.tb_frame.f_code.co_filename != filename:
        trace = trace.tb_next
    return trace


def _cut_after(trace, files):
    """Leave the frames up to the last one in `files`: the inside of a package that cannot work here helps nobody."""
    last = trace
    while trace is not None:
        if trace.tb_frame.f_code.co_filename in files:
            last = trace
        trace = trace.tb_next
    if last is not None:
        last.tb_next = None


def _traceback(error, label):
    import traceback

    own = _traceback.__code__.co_filename
    try:
        report = traceback.TracebackException.from_exception(error, compact=True)
        parts = [report]
        while parts:
            part = parts.pop()
            for frame in part.stack or ():
                frame.filename = label.get(frame.filename, frame.filename)
            if part.stack:
                part.stack[:] = [frame for frame in part.stack if frame.filename != own]
            parts += [one for one in (part.__cause__, part.__context__, *(part.exceptions or ())) if one is not None]
        return "".join(report.format())
    except Exception:
        return f"{type(error).__name__}: {_text(error)}\n"


def _summary(value):
    """At most 80 characters on one line; cheap even for huge values."""
    if value is None:
        return ""
    import reprlib

    short = reprlib.Repr(maxstring=72, maxother=72, maxlong=60, maxlevel=4)
    try:
        text = " ".join(short.repr(value).split())
    except Exception:
        text = f"<{type_name(value)} object>"
    return text if len(text) <= 80 else text[:79] + "…"


def _sent(job, value):
    """`value` as (data, buffers) for `Run.reply`. Raises where it cannot be pickled."""
    if _kind == "threads":
        if job.plan["token"] not in plans:
            return b"", []  # left behind: nobody waits for this result any more
        token = b"%s/%d" % (job.plan["token"], job.index)
        results[token] = value
        return token, []
    classes = [one for one in job.namespace.values() if isinstance(one, type) and one.__module__ == MAIN]
    return dumped(value, classes, job.plan["token"])
