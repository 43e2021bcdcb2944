# SPDX-License-Identifier: BSD-3-Clause
"""The Python half of a worker that serves an executor: functions, arguments and results that are no plain values.

Own interpreters and processes execute its source after those of `_transfer` and `_worker`, as one module. Threads do
without: they use the caller's objects.

*GIL*: every function here is called with the GIL of the worker's interpreter held. *Failure*: they raise.
"""

if __name__ == "xcores._calls":
    from xcores._definitions import Classes

_given = {}
"""What the caller's `__main__` gave, by name: what a job has put there instead since stays."""
_labels = {}
"""What the caller calls its files in tracebacks."""
_classes = Classes(once=False)
"""Those of the caller. They follow it: each job may come with a new state of them."""
_thread_names = []
"""The name of this worker's thread before an executor gave it another."""


def begin_jobs():
    """Start anew, for another executor: with a `__main__` of its own, in which its functions live."""
    global _classes
    begin_anew()
    module = type(sys)(MAIN)
    module.__dict__["__builtins__"] = builtins
    sys.modules[MAIN] = module
    _classes = Classes(once=False)
    _given.clear()
    _labels.clear()
    if _thread_names:
        sys.modules["threading"].current_thread().name = _thread_names.pop()


def function(data, buffers):
    """The function that `xcores.executors` has sent."""
    from io import BytesIO

    stream = BytesIO(data)
    plan = Reader(stream).load()
    _enter(plan, afresh=False)
    _labels.update(plan["labels"])
    if plan["thread_name"] and not _thread_names:
        _name_thread(plan["thread_name"])
    scope = sys.modules[MAIN].__dict__
    reader = Reader(stream, buffers, scope, _classes)
    made = reader.load()
    for name in plan["names"]:
        value = reader.load()
        if name not in scope or scope[name] is _given.get(name, _given):
            scope[name] = _given[name] = value
    for name in plan["missing"]:  # the caller's `__main__` may have had it when another function was sent
        if name in scope and scope[name] is _given.get(name, _given):
            del scope[name], _given[name]
    for name in plan["submodules"]:
        try:
            __import__(name)
        except ImportError:
            pass
    return made


def _name_thread(prefix):
    from threading import current_thread, get_native_id

    thread = current_thread()
    _thread_names.append(thread.name)
    thread.name = f"{prefix}_{get_native_id()}"


def refused_module(error):
    """The module whose import failed while a function was loaded; empty: none did."""
    trace = error.__traceback__
    while trace is not None:
        frame = trace.tb_frame
        if frame.f_code.co_name == "<module>":
            return frame.f_globals.get("__name__") or ""
        trace = trace.tb_next
    return isinstance(error, ImportError) and error.name or ""


def loaded(data, buffers):
    from io import BytesIO

    return Reader(BytesIO(data), buffers, classes=_classes).load()


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
    add_hint(error)
    trace = _encodable(traceback_of(error, _labels))
    return _encodable(type(error).__name__), _encodable(message_of(error)), trace, error
