# SPDX-License-Identifier: BSD-3-Clause
"""Runs and comparisons as values: shown again, saved, read back, laid beside each other.

What is shown is what stood under the cell. What a notebook file keeps may have fewer samples; the object in memory has
all of them, and so has what `save` writes.
"""

import html
import json
import os
from pathlib import Path
from typing import Any

from xcores import _engine

SAVED_AS = (".html", ".svg", ".png", ".json")

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

        *Failure*: ValueError for any other ending; OSError.
        """
        target = Path(path)
        target.write_bytes(self._form(target.suffix.lower()))

    def _form(self, ending: str) -> bytes:
        match ending:
            case ".html":
                page = _PAGE.format(title=html.escape(self.title), table=self._view.html(), picture=self._view.svg())
                return page.encode()
            case ".svg":
                return self._view.svg().encode()
            case ".png":
                return self._view.png()
            case ".json" if hasattr(self._view, "to_json"):
                return self._view.to_json().encode()
        known = ", ".join(self.endings)
        raise ValueError(f"a {type(self).__name__} is saved as one of {known}, not {ending or 'that'}")

    endings = SAVED_AS


class Run(_Shown):
    """One run of a cell on several workers: what happened, as figures and as a picture.

    `report` has the figures as plain data, `workers` those of each worker in seconds and bytes; None is unknown.
    """

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
    text = Path(path).read_text(encoding="utf-8")
    try:
        document = json.loads(text)
        schema = document.get("schema") if isinstance(document, dict) else None
        if isinstance(schema, str) and schema.startswith("xcores.comparison/"):
            return Comparison(_engine.Comparison.from_json(text))
        return Run(_engine.Report.from_json(text))
    except ValueError as error:
        raise ValueError(f"{os.fspath(path)} is no saved run: {error}") from None
