# SPDX-License-Identifier: BSD-3-Clause
"""The Python half of a worker that serves an executor: functions, arguments and results that are no plain values.

Own interpreters and processes execute its source after those of `_transfer` and `_worker`, as one module. Threads do
without: they use the caller's objects.

*GIL*: every function here is called with the GIL of the worker's interpreter held. *Failure*: they raise.
"""

_given = {}
"""What the caller's `__main__` gave, by name: what a job has put there instead since stays."""


def begin_jobs():
    """Start anew, for another executor: with a `__main__` of its own, in which its functions live."""
    module = type(sys)(MAIN)
    module.__dict__["__builtins__"] = builtins
    sys.modules[MAIN] = module
    _given.clear()


def function(data, buffers):
    """The function that `xcores.executors` has sent."""
    from io import BytesIO

    stream = BytesIO(data)
    plan = Reader(stream).load()
    _enter(plan)
    if plan["authkey"] is not None and _kind == "procs":
        from multiprocessing import process

        process.current_process().authkey = plan["authkey"]
    scope = sys.modules[MAIN].__dict__
    reader = Reader(stream, buffers, scope)
    made = reader.load()
    for name in plan["names"]:
        value = reader.load()
        if name not in scope or scope[name] is _given.get(name, _given):
            scope[name] = _given[name] = value
    for name in plan["submodules"]:
        try:
            __import__(name)
        except ImportError:
            pass
    return made


def loaded(data, buffers):
    from io import BytesIO

    return Reader(BytesIO(data), buffers).load()


def dumped_result(value):
    """A result that others follow before it is sent: what they change must not show in it."""
    data, buffers = dumped(value)
    return data, settled(buffers, goes_on=True)


def dumped_last(value):
    """The last result of those that are sent together, or an exception. A process sends it before anything else runs."""
    return dumped(value) if _kind == "procs" else dumped_result(value)


def failure(error):
    """A job's exception as (type, message, traceback, the exception or None)."""
    refused = refused_extension(error) if _kind == "subinterp" else None
    if refused is not None:
        error = ImportError(f"the job needs {refused}. Use ThreadExecutor or ProcessExecutor for it.").with_traceback(
            error.__traceback__)
    trace = _encodable(_traceback(error, {}))
    return _encodable(type(error).__name__), _encodable(_text(error)), trace, error
