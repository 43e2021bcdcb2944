# SPDX-License-Identifier: BSD-3-Clause
"""The line magic `%xcores`: what the workers do, and how the cell magics behave."""

import argparse
from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from xcores import _engine, jobs, options, recording_access
from xcores.errors import counted, usage_error

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

NAME = "xcores"
_SWITCHES = {"yes": True, "on": True, "true": True, "no": False, "off": False, "false": False}

_HELP = """See and set what %%threads, %%subinterp and %%procs do.

    %xcores status                   the workers of each kind: idle, busy, left behind; their memory
    %xcores reset                    end the idle workers: the next cell starts new ones
    %xcores jobs                     the cells that run in the background (--background)
    %xcores stop JOB | all           stop one of them, or all
    %xcores config                   the defaults of this notebook
    %xcores config NAME=VALUE …      set them: workers=4 timeout=60 plot=no quiet=yes on_error=continue; NAME=default
"""


def _switch(text: str) -> bool:
    if text.lower() not in _SWITCHES:
        raise argparse.ArgumentTypeError(f"{text!r} is neither yes nor no")
    return _SWITCHES[text.lower()]


def _on_error(text: str) -> str:
    if text not in options.ON_ERROR:
        raise argparse.ArgumentTypeError(f"{text!r} is neither {' nor '.join(options.ON_ERROR)}")
    return text


_SETTINGS: dict[str, Callable[[str], Any]] = {
    "workers": options.worker_count,
    "timeout": options.seconds,
    "plot": _switch,
    "quiet": _switch,
    "on_error": _on_error,
    "sample": options.sampling_rate,
}


def magic(shell: "InteractiveShell") -> Callable[[str], None]:
    def xcores(line: str) -> None:
        __tracebackhide__ = True
        command, *arguments = line.split() or [""]
        if command not in _COMMANDS:
            known = ", ".join(_COMMANDS)
            what = f"there is no command {command!r}" if command else "a command is missing"
            raise usage_error(f"%xcores: {what}; there are {known}. See %xcores? for help.")
        _COMMANDS[command](arguments)

    xcores.__doc__ = _HELP
    return xcores


def _nothing_after(command: str, arguments: list[str]) -> None:
    if arguments:
        raise usage_error(f"%xcores {command}: nothing is expected after it, but there is {' '.join(arguments)!r}.")


def _status(arguments: list[str]) -> None:
    _nothing_after("status", arguments)
    rows = [("", "idle", "busy", "left behind", "memory when idle")]
    for kind, (idle, busy, left_behind, memory, _) in _engine.status().items():
        rows.append((kind, str(idle), str(busy), str(left_behind), "–" if memory is None else f"{memory / 1e6:.1f} MB"))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for first, *others in rows:
        cells = (cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True))
        print("  ".join([first.ljust(widths[0]), *cells]))
    if any(now[2] for now in _engine.status().values()):
        print("Left behind: did not stop when asked; they end when the call that they wait for returns.")
    _say_who_serves()
    print(recording_access.sentence())
    running = jobs.running()
    if running:
        print(f"{counted(len(running), 'job')} in the background: %xcores jobs")


def _reset(arguments: list[str]) -> None:
    _nothing_after("reset", arguments)
    idle = sum(now[0] for now in _engine.status().values())
    busy = sum(now[1] for now in _engine.status().values())
    in_time = _engine.shutdown()
    text = f"{counted(idle, 'idle worker')} {'ended' if in_time else 'asked to end; some still do'}."
    print(text + (f" {counted(busy, 'worker')} busy in the background: %xcores stop." if busy else ""))
    _say_who_serves()


def _say_who_serves() -> None:
    serving = sum(now[4] for now in _engine.status().values())
    if serving:
        verb, them = ("belongs", "it") if serving == 1 else ("belong", "them")
        print(f"{counted(serving, 'worker')} {verb} to executors: shutdown() of these gives {them} back.")


def _list_jobs(arguments: list[str]) -> None:
    _nothing_after("jobs", arguments)
    for job in jobs.all_jobs():
        print(job)
    if not jobs.all_jobs():
        print("No cell runs in the background, and none has: that is what --background is for.")


def _stop(arguments: list[str]) -> None:
    running = {job.number: job for job in jobs.running()}
    numbers = f"running: {', '.join(map(str, running))}" if running else "none is running"
    if len(arguments) != 1:
        raise usage_error(f"%xcores stop: which job, or all? ({numbers})")
    if arguments == ["all"]:
        chosen = list(running.values())
    elif arguments[0].isdecimal() and int(arguments[0]) in running:
        chosen = [running[int(arguments[0])]]
    elif arguments[0].isdecimal() and (job := jobs.ended(int(arguments[0]))):
        print(f"job {job.number} had already ended: {job}")
        return
    else:
        raise usage_error(f"%xcores stop: there is no job {arguments[0]!r} ({numbers}).")
    for job in chosen:
        print(f"job {job.number} is being stopped." if job.cancel() else f"job {job.number} had already ended: {job}")
    if not chosen:
        print("No job is running.")


def _settings_in(arguments: list[str]) -> list[str]:
    """`--workers 4` and `--workers=4`, as they are written in cells, are `workers=4`."""
    settings: list[str] = []
    for text in arguments:
        if settings and settings[-1].endswith("=") and not text.startswith("-"):
            settings[-1] += text
        elif text.startswith("--"):
            name, equals, value = text[2:].replace("-", "_").partition("=")
            settings.append(f"{name}={value}" if equals else f"{name}=")
        else:
            settings.append(text)
    return settings


def _config(arguments: list[str]) -> None:
    changes = {}
    for one in _settings_in(arguments):
        name, equals, text = one.partition("=")
        if name not in _SETTINGS:
            raise usage_error(f"%xcores config: there is no {name!r}; there are {', '.join(_SETTINGS)}.")
        if not (equals and text):
            raise usage_error(f"%xcores config: {name} needs a value: {name}=VALUE, or {name}=default.")
        try:
            changes[name] = getattr(options.Defaults(), name) if text == "default" else _SETTINGS[name](text)
        except argparse.ArgumentTypeError as error:
            raise usage_error(f"%xcores config: {name}: {error}.") from None
    options.configure(**changes)
    for name, value in asdict(options.defaults).items():
        print(f"{name}={_shown(name, value)}")


def _shown(name: str, value: Any) -> str:
    if value is None:
        return f"default  ({len(_engine.usable_cores())}, as many as cores)" if name == "workers" else "default  (none)"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)


_COMMANDS: dict[str, Callable[[list[str]], None]] = {
    "status": _status, "reset": _reset, "jobs": _list_jobs, "stop": _stop, "config": _config}
