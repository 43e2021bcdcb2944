# SPDX-License-Identifier: BSD-3-Clause
"""Whether the system lets xcores record events, and what to do where it does not. The causes: perf_event_open(2)."""

import contextlib
import errno
import pathlib

from xcores import _engine

_MOST_PARANOID = 2
"""Up to this value of kernel.perf_event_paranoid, users may record their own threads."""

_PARANOID = pathlib.Path("/proc/sys/kernel/perf_event_paranoid")
_STATUS = pathlib.Path("/proc/self/status")


def sentence() -> str:
    """One line for people: what pictures are made from, and the command that would change it."""
    refusal = _engine.recording_refusal()
    if refusal == 0:
        return "Pictures show each context switch and each hand-over of a GIL, where there are not too many to record."
    if refusal == errno.ECANCELED:
        return "Pictures are made from samples, because XCORES_EXACT is 0 in the environment of the kernel."
    return f"Pictures are made from samples, because {_cause(refusal)}"


def _cause(refusal: int) -> str:
    if refusal in (errno.EACCES, errno.EPERM):
        paranoid = _paranoid()
        if paranoid is not None and paranoid > _MOST_PARANOID:
            return (f"kernel.perf_event_paranoid is {paranoid}. To record events instead: "
                    f"sudo sysctl kernel.perf_event_paranoid={_MOST_PARANOID}")
        if _is_filtered():
            return "a seccomp filter forbids perf_event_open. In Docker: docker run --cap-add PERFMON …"
        return "too little memory may be locked. To record events instead: ulimit -l unlimited"
    if refusal == errno.ENOSYS:
        return "this system has no perf_event_open, or a seccomp filter hides it. In Docker: docker run --cap-add PERFMON …"
    if refusal == errno.ENOENT:
        return "this Python is linked in a way that leaves no place to record what it does with its GIL."
    return f"the system refuses to record events: {errno.errorcode.get(refusal, refusal)}."


def _paranoid() -> int | None:
    with contextlib.suppress(OSError, ValueError):
        return int(_PARANOID.read_text())
    return None


def _is_filtered() -> bool:
    with contextlib.suppress(OSError):
        return any(line.split() == ["Seccomp:", "2"] for line in _STATUS.read_text().splitlines())
    return False
