# SPDX-License-Identifier: BSD-3-Clause
"""Adds to an exception of the cell that the data is shared with the notebook and therefore read-only.

Part of the worker: see `_worker`, in front of which its source is executed.
"""

if __name__ == "xcores._hints":
    from xcores._shared import is_lent

_READ_ONLY = ("read-only", "read-write", "not writable")
"""Of the messages of memoryview, NumPy, ctypes, struct, readinto."""


def add_hint(error):
    """Add a note to `error` where it came from writing to data that the notebook has lent."""
    try:
        if isinstance(error, (TypeError, ValueError, BufferError)) and any(text in str(error) for text in _READ_ONLY):
            note = _hint(error)
            if note is not None and note not in getattr(error, "__notes__", ()):
                error.add_note(note)
    except Exception:
        pass  # the error is shown without it


def _hint(error):
    trace = error.__traceback__
    frames = []
    while trace is not None:
        frames.append((trace.tb_frame, trace.tb_lineno))
        trace = trace.tb_next
    for frame, line in reversed(frames):
        name, value = _lent_name(frame, line)
        if name is not None:
            copy = _copy_of(name, value)
            return f"`{name}` is shared with the notebook: change a copy{f' (`{name} = {copy}`)' if copy else ''}"
    return None


def _lent_name(frame, line):
    """A variable that the frame uses, on this line if its text is known, and that is or holds what was lent."""
    import linecache
    import re

    code = frame.f_code
    used = (*code.co_varnames, *code.co_cellvars, *code.co_freevars, *code.co_names)
    text = linecache.getline(code.co_filename, line)
    words = re.findall(r"\w+", text) if text else used
    for holds in (_is_lent, _holds_lent):
        for name in dict.fromkeys(used):
            value = frame.f_locals.get(name, frame.f_globals.get(name))
            if name in words and holds(value):
                return name, value
    return None, None


def _is_lent(value):
    """Whether it is a view of memory of the notebook that cannot be written to."""
    if type(value).__module__ == "numpy" and type(value).__name__ == "ndarray":
        value = value.base if value.base is not None and not value.flags.writeable else None
    return is_lent(value)


def _holds_lent(value):
    if isinstance(value, dict):
        value = list(value.values())
    return isinstance(value, (list, tuple)) and any(map(_is_lent, value[:100]))


def _copy_of(name, value):
    if type(value) is not memoryview:
        return None if isinstance(value, (list, tuple, dict)) else f"{name}.copy()"
    if (value.format, value.ndim) == ("B", 1):
        return f"bytearray({name})"
    return f"memoryview(bytearray({name})).cast({name}.format, {name}.shape)"
