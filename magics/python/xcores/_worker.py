# SPDX-License-Identifier: BSD-3-Clause
"""The Python half of a worker: takes a job in, runs the cell, gives the result back.

The same file serves all three kinds. Threads use it as the module `xcores._worker`; own interpreters and processes
execute its source after those of `_shared`, `_transfer`, `_namespace` and `_items`, as one module, without the package `xcores`.

*GIL*: every function here is called with the GIL of the worker's interpreter held.
*Failure*: `prepare` raises; `execute` and `collect` let nothing out.
"""

import marshal
import sys

if __name__ == "xcores._worker":
    from xcores._items import run_items
    from xcores._namespace import Namespace, _no_input
    from xcores._shared import short_repr
    from xcores._transfer import MAIN, RESULT, Reader, dumped, refused_extension, settled, type_name

_OTHER_KINDS = "Use %%threads or %%procs for this cell."
_IS_COROUTINE = 0x80  # inspect.CO_COROUTINE, without the import
_NOTHING = ("returned", "", "", "", None, "", b"", [])
_kind = "threads"
plans = {}
"""Threads only: the plan for each token, values by reference."""
results = {}
"""Threads only: what the workers gave back, by reference."""


class Job:
    """One run of the cell in this worker."""

    def __init__(self, plan, index, workers, feed):
        self.plan = plan
        self.index = index
        self.feed = feed
        """Of a mapped cell: the functions `take` and `done`."""
        self.item = None
        """The number and the value of the item under way."""
        self.error = None
        self.scope = Namespace(index, workers, keep=plan["keep"], is_main=_kind != "threads")
        self.namespace = self.scope.names
        self.namespace.pop(RESULT, None)

    def load(self, index, data, buffers):
        """The item as the notebook has it, or rebuilt."""
        if _kind == "threads":
            return self.plan["items"][index]
        from io import BytesIO

        try:
            return Reader(BytesIO(data), buffers, self.namespace).load()
        except Exception as error:
            raise ImportError(_why_unloadable("the item", error)) from error


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


# Transfer in


def prepare(data, buffers, index, workers, feed=None):
    """The job that `data` and `buffers` describe, ready to run. Raises where something cannot be rebuilt here."""
    if _kind == "threads":
        job = Job(plans[bytes(data)], index, workers, feed)
        for name, value in job.plan["values"].items():
            job.scope.receive(name, value)
        return job
    from io import BytesIO

    stream = BytesIO(data)
    plan = Reader(stream).load()
    _enter(plan)
    plan["code"] = marshal.loads(plan["code"])
    job = Job(plan, index, workers, feed)
    reader = Reader(stream, buffers, job.namespace)
    for name in plan["names"]:
        try:
            job.scope.receive(name, reader.load())
        except Exception as error:
            raise ImportError(_why_unloadable(f"the notebook's `{name}`", error)) from error
    for name in plan["submodules"]:
        try:
            __import__(name)
        except ImportError:
            pass
    return job


def adopt(job, index, workers, feed):
    """Make `job`, prepared before this process was forked from the one that did, the job of this worker."""
    job.index = index
    job.feed = feed
    job.namespace.update(worker=index, workers=workers)


def forget(job):
    """Let go of a job that was prepared and will not be run here."""
    job.scope.drop()
    if _kind != "threads":
        _forget_sources(job)


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


def _why_unloadable(what, error):
    refused = refused_extension(error) if _kind == "subinterp" else None
    if refused is not None:
        return f"{what} needs {refused}. {_OTHER_KINDS}"
    return f"{what} cannot be rebuilt in the worker: {type(error).__name__}: {error}"


# Run


def execute(job):
    """Run the cell. How it ended is kept in the job, whatever it was."""
    try:
        try:
            if job.feed is None:
                _run(job)
            else:
                run_items(job, _run, _answer)
        except BaseException as error:
            job.error = error
    except BaseException as late:
        # An interrupt is raised wherever the thread happens to be, even in the lines above.
        job.error = job.error or late.__context__ or late


def _run(job):
    plan = job.plan
    if "globals" in plan:  # the notebook's own: what differs from worker to worker comes as arguments
        arguments = [job.namespace[name] for name in plan["parameters"]]
        value = type(_run)(plan["code"], plan["globals"])(*arguments)
        job.namespace[RESULT] = _awaited(value) if plan["code"].co_flags & _IS_COROUTINE else value
        return
    waiting = eval(plan["code"], job.namespace)
    if waiting is not None:
        _awaited(waiting)


def _awaited(waiting):
    import asyncio

    return asyncio.run(waiting)


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
    job.item = None
    if job.feed is None:
        answer = _answer(job, job.error)
    else:
        answer = _NOTHING if job.error is None else _ended(job, job.error)
    if job.scope.leave() and _kind != "threads":
        _forget_sources(job)
        # The functions of the cell refer to its namespace, which refers to them.
        job.namespace.clear()
        if _kind == "subinterp":  # a module may have kept what the result consists of, for a later cell to change
            answer = (*answer[:-1], settled(answer[-1], goes_on=False))
    return answer


def _forget_sources(job):
    import linecache

    for name in job.plan["sources"]:
        linecache.cache.pop(name, None)


def _answer(job, error):
    """How the cell ended, once or for one item."""
    if error is None or (isinstance(error, KeyboardInterrupt) and RESULT in job.namespace):
        return _returned(job, job.namespace.get(RESULT))
    return _ended(job, error)


def _returned(job, value):
    try:
        data, buffers = _sent(job, value)
    except Exception as error:
        message = (f"the result, a {type_name(value)}, cannot be sent back ({error}). Let the cell end in plain data, "
                   "or use %%threads, which shares objects")
        return ("failed", type(error).__name__, _encodable(message), "", None, _item_text(job), b"", [])
    return ("returned", "", "", "", None, _encodable(summary(value)) if job.item is None else "", data, buffers)


def _item_text(job):
    return "" if job.item is None else _encodable(summary(job.item[1])) or "None"


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
    return (kind, type(error).__name__, _encodable(message), _encodable(trace), code, _item_text(job), data, buffers)


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


def summary(value):
    """At most 80 characters on one line; cheap even for huge values."""
    if value is None:
        return ""
    try:
        text = " ".join(short_repr(value).split())
    except Exception:
        text = f"<{type_name(value)} object>"
    return text if len(text) <= 80 else text[:79] + "…"


def _sent(job, value):
    """`value` as (data, buffers) for `Run.reply`. Raises where it cannot be pickled."""
    if _kind == "threads":
        if job.plan["token"] not in plans:
            return b"", []  # left behind: nobody waits for this result any more
        token = b"%s/%d" % (job.plan["token"], job.index if job.item is None else job.item[0])
        results[token] = value
        return token, []
    classes = [one for one in job.namespace.values() if isinstance(one, type) and one.__module__ == MAIN]
    data, buffers = dumped(value, classes, job.plan["token"])
    goes_on = job.feed is not None or job.plan["keep"]  # what runs next may change what this result consists of
    return data, settled(buffers, goes_on=True) if goes_on and _kind == "subinterp" else buffers
