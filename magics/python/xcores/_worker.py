# SPDX-License-Identifier: BSD-3-Clause
"""The Python half of a worker: takes a job in, runs the cell, gives the result back.

The same file serves all three kinds. Threads use it as the module `xcores._worker`; own interpreters and processes
execute its code after that of the other files that `engine.worker_codes` lists, as one module, without the package.

*GIL*: every function here is called with the GIL of the worker's interpreter held.
*Failure*: `prepare` raises; `execute` and `collect` let nothing out.
"""

import marshal
import sys

if __name__ == "xcores._worker":
    from xcores._changes import Before, with_changes
    from xcores._failures import cut_after, message_of, traceback_of, user_part
    from xcores._hints import add_hint
    from xcores._imports import ImportTime
    from xcores._injected import explain_names
    from xcores._items import run_items
    from xcores._modules import follow_modules
    from xcores._namespace import Namespace, _no_input
    from xcores._settings import enter, enter_decimal, enter_tracker
    from xcores._shared import short_repr
    from xcores._streams import TextStream
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
        self.within = _directly
        """Calls a function with arguments. Of threads in a context of the cell's own: theirs is for jobs and cells to come."""
        self.error = None
        self.import_ns = 0
        """How long modules were imported that its data needs."""
        self.scope = Namespace(index, workers, keep=plan["keep"], is_main=_kind != "threads", enclosed=plan["enclosed"])
        self.namespace = self.scope.names
        self.namespace.pop(RESULT, None)
        self.scope.count_references()

    def load(self, index, data, buffers):
        """The item as the notebook has it, or rebuilt."""
        if _kind == "threads":
            return self.plan["items"][index]
        from io import BytesIO

        try:
            return Reader(BytesIO(data), buffers, self.namespace, self.scope.classes).load()
        except Exception as error:
            raise ImportError(_why_unloadable("the item", error)) from error


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


def _stream(name, number):
    import _xcores

    return TextStream(name, number, lambda text: _xcores.write(number, _encodable(text)), lambda: _xcores.flush(number))


def setup(kind):
    """Make this interpreter a worker of `kind`. Called once, before its first job; not for threads."""
    global _kind
    _kind = kind
    sys.stdout, sys.stderr = _stream("<stdout>", 1), _stream("<stderr>", 2)
    sys.stdin = _NoInput()
    sys.argv = [""]


# Transfer in


def prepare(data, buffers, index, workers, feed=None):
    """The job that `data` and `buffers` describe, ready to run. Raises where something cannot be rebuilt here."""
    if _kind == "threads":
        job = Job(plans[bytes(data)], index, workers, feed)
        job.within = job.plan["context"].copy().run
        if "output" in job.plan:
            job.within(job.plan["output"].begin, index)
        job.within(enter_decimal, job.plan["decimal"])
        for name, value in job.plan["values"].items():
            job.scope.receive(name, value)
        job.before = Before(job, job.plan["values"], shared=True)
        return job
    from io import BytesIO

    stream = BytesIO(data)
    plan = Reader(stream).load()
    _enter(plan, afresh=True)
    plan["code"] = marshal.loads(plan["code"])
    job = Job(plan, index, workers, feed)
    reader = Reader(stream, buffers, job.namespace, job.scope.classes)
    with ImportTime() as imports:
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
    job.import_ns = imports.ns
    job.before = Before(job, plan["names"], shared=False)
    return job


def adopt(job, index, workers, feed):
    """Make `job`, prepared before this process was forked from the one that did, the job of this worker."""
    job.index = index
    job.feed = feed
    job.scope.set("worker", index)
    job.scope.set("workers", workers)
    enter_tracker()


def forget(job):
    """Let go of a job that was prepared and will not be run here."""
    job.scope.drop()
    if _kind != "threads":
        _forget_sources(job)


def _directly(function, *arguments):
    return function(*arguments)


def _enter(plan, afresh):
    """Take over what belongs to the notebook as a whole, not to one job."""
    enter(plan, _kind, afresh)
    follow_modules(plan["modules"])
    if plan["sources"]:
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
                job.within(_run, job)
            else:
                job.within(run_items, job, _run, _answer)
        except BaseException as error:
            job.error = error
    except BaseException as late:
        # An interrupt is raised wherever the thread happens to be, even in the lines above.
        job.error = job.error or late.__context__ or late


def _run(job):
    plan = job.plan
    if plan["enclosed"]:
        cells = tuple(job.scope.cells[name] for name in plan["code"].co_freevars)
        value = type(_run)(plan["code"], plan.get("globals", job.namespace), None, None, cells)()
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
            answer = _collected(job)
            _finish_output(job)
            return answer
        except KeyboardInterrupt:
            # An interrupt that came too late to stop the cell must not lose what the cell made.
            continue
    return ("interrupted", "KeyboardInterrupt", "", "", None, "", b"", [])


def _finish_output(job):
    """This thread prints nothing more for the cell."""
    for stream in (sys.stdout, sys.stderr):
        finish = getattr(getattr(stream, "buffer", None), "finish", None)
        if finish is not None:
            finish()
    if "output" in job.plan:
        job.plan["output"].end()


def _collected(job):
    job.item = None
    changed = job.before.changed(job.namespace)
    if job.feed is None:
        answer = _answer(job, job.error)
    else:
        answer = _NOTHING if job.error is None else _ended(job, job.error)
    job.error = None  # its traceback refers to the names
    if changed and _kind == "threads":
        job.plan.setdefault("changed", []).extend(changed)
    elif changed and answer[0] == "returned":
        answer = (*answer[:-2], with_changes(answer[-2], changed), answer[-1])
    if job.scope.leave() and _kind != "threads":
        _forget_sources(job)
        if not job.scope.clear_unused():
            job.namespace = None  # whatever still uses the names keeps them
            from gc import collect

            collect()  # the data of the notebook goes now, and finalizers print under their cell
        if _kind == "subinterp":  # a module may have kept what the result consists of, for a later cell to change
            answer = (*answer[:-1], settled(answer[-1], goes_on=False))
    return answer


def _forget_sources(job):
    if job.plan["sources"]:
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
        message = f"the result, a {type_name(value)}, cannot be sent back ({error}). {_advice(value)}"
        return ("failed", type(error).__name__, _encodable(message), "", None, _item_text(job), b"", [])
    return ("returned", "", "", "", None, _encodable(summary(value)) if job.item is None else "", data, buffers)


def _advice(value):
    """What to end the cell in instead of `value`, which cannot be pickled."""
    kind = type(value)
    if kind.__name__ == "coroutine":
        value.close()  # or Python warns that it was never awaited
        return "Await it: let the cell end in `await …`"
    data = "plain data"
    if kind.__name__ == "async_generator":
        data += ", such as `[value async for value in …]`"
    elif hasattr(kind, "__next__") and kind.__module__ in ("builtins", "itertools"):
        data += ", such as `list(…)`"
    return f"Let the cell end in {data}, or use %%threads, which shares objects"


def _item_text(job):
    return "" if job.item is None else _encodable(summary(job.item[1])) or "None"


def _ended(job, error):
    refused = refused_extension(error) if _kind == "subinterp" else None
    if refused is not None:
        trace = user_part(error.__traceback__, job.plan["filename"])
        cut_after(trace, job.plan["sources"])
        error = ImportError(f"the cell needs {refused}. {_OTHER_KINDS}").with_traceback(trace)
    error.__traceback__ = user_part(error.__traceback__, job.plan["filename"])
    explain_names(error, job.plan)
    add_hint(error)
    kind, code, message = "raised", None, message_of(error)
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
    trace = traceback_of(error, job.plan["label"])
    return (kind, type(error).__name__, _encodable(message), _encodable(trace), code, _item_text(job), data, buffers)


def _exit_code(code):
    if code is None:
        return 0
    return code if isinstance(code, int) and abs(code) < 1 << 31 else 1


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
