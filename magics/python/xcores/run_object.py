# SPDX-License-Identifier: BSD-3-Clause
"""Runs and comparisons as values: shown again, saved, read back, laid beside each other.

What is shown is what stood under the cell. What a notebook file keeps may have fewer samples; the object in memory has
all of them, and so has what `save` writes.
"""

import errno
import gzip
import html
import json
import os
import shutil
from pathlib import Path
from typing import Any

from xcores import _engine

SAVED_AS = (".html", ".svg", ".png", ".json")
# Longer endings first: "x.trace.json" is no report.
TRACES = (".trace.json.gz", ".trace.json", ".profile.json.gz", ".profile.json")


def _ending_of(path: Path) -> str:
    name = path.name.lower()
    return next((ending for ending in TRACES if name.endswith(ending)), path.suffix.lower())


_PAGE = """<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><title>{title}</title>
<style>body {{ font: 15px/1.4 sans-serif; margin: 2em auto; max-width: 920px }} table {{ border-collapse: collapse }}
th, td {{ padding: 2px 9px; border-bottom: 1px solid #ddd }}</style></head>
<body>
{table}
{picture}
</body>
</html>
"""


def _part_of(whole: Path) -> Path:
    return whole.with_name(f".{whole.name}.{os.getpid()}.part")


def _check_writable(target: Path) -> None:
    whole = Path(os.path.realpath(target))
    if whole.is_dir():
        example = target / f"run{target.suffix}"
        raise IsADirectoryError(errno.EISDIR, f"this is a folder; name a file in it, as in {example}", target)
    if not whole.parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, f"there is no folder {whole.parent}; make it first", target)
    if whole.exists() and not whole.is_file():  # a pipe or a device: to open it may have consequences
        if not os.access(whole, os.W_OK):
            raise PermissionError(errno.EACCES, "it may not be written; choose another file", target)
        return
    part = _part_of(whole)
    try:
        part.touch()
        part.unlink()
    except OSError as error:
        advice = f"no file can be made in {whole.parent} ({error.strerror}); choose another folder"
        raise OSError(error.errno, advice, target) from None


def _replace(target: Path, content: bytes) -> None:
    """Writes the file whole or not at all: a full disk must not leave half of it, or destroy what was there."""
    whole = Path(os.path.realpath(target))
    if whole.exists() and not whole.is_file():  # a pipe or a device
        whole.write_bytes(content)
        return
    part = _part_of(whole)
    try:
        part.write_bytes(content)
        if whole.exists():
            shutil.copymode(whole, part)
        part.replace(whole)
    except BaseException as error:
        part.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.filename is not None and os.fspath(error.filename) == os.fspath(part):
            error.filename = os.fspath(target)
        raise


class _Shown:
    """What can be displayed and saved. `_view` is the engine's value, which does both."""

    _view: Any
    title: str

    def _ipython_display_(self) -> None:
        from IPython.core.displaypub import DisplayPublisher
        from IPython.core.getipython import get_ipython

        shell = get_ipython()
        if shell is None or type(shell.display_pub) is DisplayPublisher:
            print(self._view.text())
            return
        shell.display_pub.publish(self._view.table_bundle(), {})
        shell.display_pub.publish(*self._view.picture_bundle())

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write it to a file: a page that stands alone (.html), the picture (.svg, .png), all figures (.json).

        A run has two more forms, for other tools: `.trace.json` is the Trace Event format, which Perfetto
        (https://ui.perfetto.dev) and chrome://tracing open, with times in microseconds; `.profile.json` is the processed
        profile format of the Firefox Profiler (https://profiler.firefox.com), with times in milliseconds. Both have a
        track for each worker with its phases and states, one for each GIL with the worker that held it, and one for each
        core with the worker that ran on it. With `.gz` behind them they are compressed, which these tools read as well.

        A file that is there already is replaced as a whole, or stays as it is.

        *Failure*: ValueError for any other ending; OSError.
        """
        self.check_target(path)
        target = Path(path)
        _replace(target, self._form(_ending_of(target)))

    @classmethod
    def check_target(cls, path: str | os.PathLike[str]) -> None:
        """Say before there is anything to save whether `save` would refuse `path`, as far as can be told.

        *Failure*: ValueError and OSError as from `save`; the message of the latter says what to do.
        """
        target = Path(path)
        if _ending_of(target) not in cls.endings:
            raise cls._unknown(_ending_of(target))
        _check_writable(target)

    @classmethod
    def _unknown(cls, ending: str) -> ValueError:
        return ValueError(f"a {cls.__name__} is saved as one of {', '.join(cls.endings)}, not {ending or 'that'}")

    def _form(self, ending: str) -> bytes:
        if ending not in self.endings:
            raise self._unknown(ending)
        if ending.endswith(".gz"):
            return gzip.compress(self._form(ending.removesuffix(".gz")), compresslevel=6, mtime=0)
        match ending:
            case ".html":
                page = _PAGE.format(title=html.escape(self.title), table=self._view.html(), picture=self._view.svg())
                return page.encode()
            case ".svg":
                return self._view.svg().encode()
            case ".png":
                return self._view.png()
            case ".json":
                return self._view.to_json().encode()
            case ".trace.json":
                return self._view.trace_event().encode()
            case ".profile.json":
                return self._view.firefox_profile().encode()
        raise AssertionError(ending)

    endings = SAVED_AS


class Run(_Shown):
    """One run of a cell on several workers: what happened, as figures and as a picture.

    `report` has the figures as plain data, `workers` those of each worker in seconds and bytes; None is unknown.
    """

    endings = SAVED_AS + TRACES

    def __init__(self, view: Any, name: str | None = None) -> None:
        self._view = view
        self.name = name or f"%%{view.kind} {len(view.outcomes)}"

    @property
    def title(self) -> str:
        return f"{self.name}: {self.caption}"

    @property
    def kind(self) -> str:
        """`threads`, `subinterp` or `procs`."""
        return self._view.kind

    @property
    def caption(self) -> str:
        """One sentence on what happened."""
        return self._view.caption

    @property
    def wall_s(self) -> float | None:
        return None if self._view.wall_ns is None else self._view.wall_ns / 1e9

    @property
    def workers(self) -> list[dict[str, Any]]:
        return self._view.figures

    @property
    def report(self) -> dict[str, Any]:
        """Everything, as in the file that `save("x.json")` writes."""
        return json.loads(self._view.to_json())

    def to_pandas(self) -> Any:
        """A DataFrame with a row for each worker."""
        import pandas

        return pandas.DataFrame(self.workers).set_index("worker")

    def __repr__(self) -> str:
        return f"<Run {self.name}: {self.caption}>"


class Comparison(_Shown):
    """The same cell, run in several ways: `recommendation` says which to use, `rows` has the figures of each."""

    def __init__(self, view: Any) -> None:
        self._view = view

    @property
    def title(self) -> str:
        return self.sentence

    @property
    def sentence(self) -> str:
        return self.recommendation["sentence"]

    @property
    def recommendation(self) -> dict[str, Any]:
        """`kind` (None: stay serial), `workers`, `why` in a word, `sentence`."""
        return self._view.recommendation

    @property
    def rows(self) -> list[dict[str, Any]]:
        return self._view.rows

    def to_pandas(self) -> Any:
        """A DataFrame with a row for each way of running the cell."""
        import pandas

        return pandas.DataFrame(self.rows).set_index(["kind", "workers"])

    def __repr__(self) -> str:
        return f"<Comparison: {self.sentence}>"


class RunPair(_Shown):
    """Two runs in one table and over one time axis."""

    endings = SAVED_AS[:3]

    def __init__(self, first: Run, second: Run) -> None:
        names = (first.name, second.name)
        if first.name == second.name:
            names = (f"{first.name} (first)", f"{second.name} (second)")
        self._view = _engine.Pair(names[0], first._view, names[1], second._view)

    @property
    def caption(self) -> str:
        return self._view.caption

    @property
    def title(self) -> str:
        return self.caption

    def __repr__(self) -> str:
        return f"<RunPair: {self.caption}>"


def compare(first: Run, second: Run) -> RunPair:
    """Both runs in one table and one picture; the figures of the second relative to the first."""
    for one in (first, second):
        if not isinstance(one, Run):
            raise TypeError(f"compare() takes two runs, not {type(one).__name__}")
    return RunPair(first, second)


def load(path: str | os.PathLike[str]) -> Run | Comparison:
    """What `save("x.json")` wrote.

    *Failure*: ValueError where the file is something else; OSError.
    """
    content = Path(path).read_bytes()
    try:
        text = content.decode()
        document = json.loads(text)
        schema = document.get("schema") if isinstance(document, dict) else None
        if isinstance(schema, str) and schema.startswith("xcores.comparison/"):
            return Comparison(_engine.Comparison.from_json(text))
        return Run(_engine.Report.from_json(text))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{os.fspath(path)} is no saved run: {error}") from None
