# SPDX-License-Identifier: BSD-3-Clause
"""What a worker reports of an exception: its message and its traceback, both of bounded length.

Part of the worker: see `_worker`, in front of which its source is executed.
"""

_SHOWN_FRAMES = 20
"""How many different frames of a traceback are shown at each end."""
_LONGEST_PART = 10_000
"""Characters of one message, note or frame that are shown."""
_LONGEST_TRACEBACK = 100_000
"""Characters of a whole traceback, all chained and grouped exceptions included."""


def message_of(error):
    """The text of `error`, shortened where it is too long to read."""
    try:
        return shortened(str(error), _LONGEST_PART)
    except Exception:
        return f"<{type(error).__name__} without a text>"


def shortened(text, limit):
    """The beginning and the end of `text` where it has more than `limit` characters."""
    if len(text) <= limit:
        return text
    half = limit // 2
    return f"{text[:half]}\n[{len(text) - 2 * half:,} characters not shown]\n{text[-half:]}"


def user_part(trace, filename):
    """The frames from the cell on: neither ours nor those of asyncio."""
    while trace is not None and trace.tb_frame.f_code.co_filename != filename:
        trace = trace.tb_next
    return trace


def cut_after(trace, files):
    """Leave the frames up to the last one in `files`: the inside of a package that cannot work here helps nobody."""
    last = trace
    while trace is not None:
        if trace.tb_frame.f_code.co_filename in files:
            last = trace
        trace = trace.tb_next
    if last is not None:
        last.tb_next = None


def traceback_of(error, label):
    """The traceback of `error` as text, with what it chains and groups. `label` names the files of cells."""
    import traceback

    try:
        report = traceback.TracebackException.from_exception(error, compact=True)
        parts = [report]
        while parts:
            part = parts.pop()
            if part.stack:
                part.stack = _shown_stack(traceback, part.stack, label)
            parts += [linked for linked in (part.__cause__, part.__context__, *(part.exceptions or ())) if linked]
        text = "".join(shortened(piece, _LONGEST_PART) for piece in report.format())
    except Exception:
        text = f"{type(error).__name__}: {message_of(error)}\n"
    return shortened(text, _LONGEST_TRACEBACK)


def _shown_stack(traceback, stack, label):
    """The frames of `stack` without our own, labelled; of many, those at both ends."""
    folder = traceback_of.__code__.co_filename.rpartition("/")[0]
    own = {f"{folder}/{name}.py" for name in ("_worker", "_items", "_failures")}
    frames = [frame for frame in stack if frame.filename not in own]
    # A frame that repeats the one before counts as one: `traceback` folds them.
    places = [(frame.filename, frame.lineno, frame.name) for frame in frames]
    starts = [at for at, place in enumerate(places) if at == 0 or place != places[at - 1]]
    gap = None
    if len(starts) > 2 * _SHOWN_FRAMES:
        first, last = starts[_SHOWN_FRAMES], starts[-_SHOWN_FRAMES]
        gap = traceback.FrameSummary("", 0, f"  [{last - first:,} frames not shown]\n", lookup_line=False, line="")
        frames[first:last] = [gap]

    class Shown(traceback.StackSummary):
        def format_frame_summary(self, frame, **options):
            return gap.name if frame is gap else super().format_frame_summary(frame, **options)

    for frame in frames:
        frame.filename = label.get(frame.filename, frame.filename)
    return Shown(frames)
