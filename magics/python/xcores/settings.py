# SPDX-License-Identifier: BSD-3-Clause
"""What holds for the notebook as a whole and follows it to its workers: `_settings` takes it over there.

Asks only modules that are loaded, and imports next to nothing: the first job of an executor waits for it.
"""

import os
import sys
import time
import warnings
from collections.abc import Iterator
from typing import Any

_PLAIN_DECIMAL = (28, "ROUND_HALF_EVEN", -999999, 999999, 1, 0, ("DivisionByZero", "InvalidOperation", "Overflow"))
_Filter = tuple[Any, ...]
_filters_seen: list[_Filter] = []
_filters_sent: tuple[_Filter, ...] = ()


def surroundings() -> dict[str, Any]:
    """Of this process, for a plan that is sent."""
    return {"path": list(sys.path), "directory": _directory(), "environment": os.environ.copy(), "settings": _settings()}


def decimal_context() -> tuple[Any, ...] | None:
    """This thread's; None: as it is in a new thread."""
    if "decimal" not in sys.modules:
        return None
    context = sys.modules["decimal"].getcontext()
    traps = tuple(sorted(signal.__name__ for signal, is_on in context.traps.items() if is_on))
    fields = (context.prec, context.rounding, context.Emin, context.Emax, context.capitals, context.clamp, traps)
    return None if fields == _PLAIN_DECIMAL else fields


def _directory() -> str | None:
    """None: it has been removed."""
    try:
        return os.getcwd()
    except OSError:
        return None


def _settings() -> dict[str, Any]:
    return {
        "recursion_limit": sys.getrecursionlimit(),
        "digits": sys.get_int_max_str_digits(),
        "switch_interval": sys.getswitchinterval(),
        "zone": (time.tzname, time.timezone, time.altzone),
        "decimal": decimal_context(),
        "filters": _filters(),
        "logging": _logging(),
        "locale": _locale(),
        "arguments": list(sys.argv),
        **_multiprocessing(),
    }


def _filters() -> tuple[_Filter, ...]:
    """The warning filters, with names in place of patterns and classes."""
    global _filters_seen, _filters_sent
    filters = warnings._get_filters()  # type: ignore[attr-defined] # not `filters`: those of this context, where it has its own
    if filters != _filters_seen:
        _filters_seen = list(filters)
        _filters_sent = tuple(_sendable_filters())
    return _filters_sent


def _sendable_filters() -> Iterator[_Filter]:
    for action, message, category, module, line in _filters_seen:
        texts = [(part.pattern, part.flags) if hasattr(part, "pattern") else part for part in (message, module)]
        if isinstance(category, type) and all(part is None or isinstance(part, (str, tuple)) for part in texts):
            yield action, texts[0], (category.__module__, category.__qualname__), texts[1], line


def _logging() -> tuple[Any, ...] | None:
    """The levels of the loggers, what is disabled, and the root's handlers that write to a standard stream."""
    if "logging" not in sys.modules:
        return None
    logging: Any = sys.modules["logging"]
    loggers = [one for one in list(logging.root.manager.loggerDict.values()) if isinstance(one, logging.Logger)]
    levels = [(one.name, one.level) for one in loggers if one.level != logging.NOTSET]
    if logging.root.level != logging.WARNING:
        levels.append((None, logging.root.level))
    handlers = [sent for handler in logging.root.handlers if (sent := _handler(logging, handler)) is not None]
    return tuple(levels), logging.root.manager.disable, tuple(handlers)


def _handler(logging: Any, handler: Any) -> tuple[Any, ...] | None:
    if not isinstance(handler, logging.StreamHandler) or isinstance(handler, logging.FileHandler):
        return None
    stream = _standard_stream(handler.stream)
    form = handler.formatter
    if stream is None or (form is not None and type(form) is not logging.Formatter):
        return None
    if form is None:
        return stream, handler.level, None
    style = next((name for name, (style, _) in logging._STYLES.items() if type(form._style) is style), "%")
    return stream, handler.level, (form._fmt, form.datefmt, style, False)


def _standard_stream(stream: Any) -> int | None:
    """1 or 2; None: it is another file."""
    if stream is sys.stderr or stream is sys.__stderr__:
        return 2
    if stream is sys.stdout or stream is sys.__stdout__:
        return 1
    return {"<stdout>": 1, "<stderr>": 2}.get(getattr(stream, "name", None) or "")


def _locale() -> str | None:
    """None where nobody can have changed it."""
    if "locale" not in sys.modules:
        return None
    locale = sys.modules["locale"]
    return str(locale.setlocale(locale.LC_ALL, None))


def _multiprocessing() -> dict[str, Any]:
    """What it hands to its own children (multiprocessing.spawn.get_preparation_data): workers are such to a manager's
    proxies, and to shared memory."""
    found: dict[str, Any] = {}
    if "multiprocessing.process" in sys.modules:
        found["authkey"] = bytes(sys.modules["multiprocessing.process"].current_process().authkey)
    if "multiprocessing.context" in sys.modules:
        found["start_method"] = sys.modules["multiprocessing.context"]._default_context.get_start_method(allow_none=True)
    if "multiprocessing.resource_tracker" in sys.modules:
        tracker = sys.modules["multiprocessing.resource_tracker"]._resource_tracker
        if tracker._fd is None and "multiprocessing.shared_memory" in sys.modules:
            tracker.ensure_running()
        if tracker._fd is not None:
            found["tracker"] = os.getpid(), tracker._fd, os.fstat(tracker._fd).st_ino
    return found
