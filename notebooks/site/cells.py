# SPDX-License-Identifier: BSD-3-Clause
"""Cells and Markdown as HTML that needs neither scripts nor the network: what the pages of the site are made of."""

import base64
import hashlib
import html
import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import bs4
from nbconvert.filters.ansi import ansi2html, strip_ansi
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexer import Lexer
from pygments.lexers import get_lexer_by_name

Cell = dict[str, Any]
Output = dict[str, Any]

PICTURES = {"image/svg+xml": "svg", "image/png": "png", "image/jpeg": "jpg"}
OTHER_LANGUAGES = {"%%bash": "bash", "%%sh": "bash", "%%html": "html", "%%javascript": "javascript", "%%writefile": "text"}
NOT_ANSWERED = "not yet. Not answered yet."
"""What `xcores.workshop.check` says of an answer that is still `...`: a reader of the site has nothing to answer there."""

_FORMATTER = HtmlFormatter(nowrap=True)
_NUMBER = re.compile(r"[-+−≈]?\s*[\d,._]+(e[-+]?\d+)?|nan|inf|[–-]", re.IGNORECASE)


def text(value: str | list[str] | None) -> str:
    """What a notebook file keeps as a string or as a list of lines."""
    return value if isinstance(value, str) else "".join(value or [])


def markdown(source: str, attachments: dict[str, dict[str, str]] | None = None) -> str:
    """Markdown as Jupyter understands it."""
    renderer = IPythonRenderer(escape=False, exclude_anchor_links=True, attachments=attachments)
    return MarkdownWithMath(renderer).render(source)


def code(source: str) -> str:
    """A code cell, in colours. Below a magic such as `%%threads 2` there is Python, which Jupyter's own lexer takes for text."""
    lines, language = source, _lexer("ipython3")
    first = ""
    if source.startswith("%%"):
        first, _, lines = source.partition("\n")
        language = _lexer(OTHER_LANGUAGES.get(first.split()[0], "ipython3"))
        first = f'<span class="magic">{html.escape(first)}</span>' + ("\n" if lines else "")
    coloured = highlight(lines, language, _FORMATTER).rstrip("\n") if lines else ""
    return f'<pre class="source" tabindex="0"><code>{first}{coloured}</code></pre>'


def _lexer(name: str) -> Lexer:
    if name == "ipython3":
        from IPython.lib.lexers import IPython3Lexer  # comes with a Jupyter of any kind, but is slow to import

        return IPython3Lexer(stripnl=False)
    return get_lexer_by_name(name, stripnl=False)


def merged_streams(outputs: Iterable[Output]) -> list[Output]:
    """Text of one stream is one output, however often it was flushed."""
    merged: list[Output] = []
    for output in outputs:
        if output["output_type"] == "stream":
            if merged and merged[-1]["output_type"] == "stream" and merged[-1]["name"] == output["name"]:
                merged[-1] = {**output, "text": text(merged[-1]["text"]) + text(output["text"])}
                continue
        merged.append(output)
    return merged


def after_carriage_returns(written: str) -> str:
    """What a terminal shows of each line: what follows the last return to its begin."""
    return re.sub(r"^.*\r(?!\n)(?=.)", "", written.replace("\r\n", "\n"), flags=re.M)


class Outputs:
    """Makes HTML of the outputs of one page. Pictures become files of the site; what a page cannot show is a problem."""

    def __init__(self, site: Path, page: str) -> None:
        self._site = site
        self._page = page
        self._below: dict[int, str] = {}
        self.problems: list[str] = []

    def note_headings(self, source: str) -> None:
        """Remember the headings of a Markdown cell: a picture without a text of its own is named after the one that it stands below."""
        for marks, heading in re.findall(r"^(#{1,6}) +(.+?)\s*$", re.sub(r"(?s)```.*?```", "", source), re.MULTILINE):
            level = len(marks)
            self._below = {each: name for each, name in self._below.items() if each < level} | {level: re.sub(r"[`*]", "", heading)}

    def _named(self, plain: str) -> str:
        """The alternative text of a picture: what it shows as text, or what it is and the heading of its section."""
        first_line = strip_ansi(plain).partition("\n")[0]
        if first_line and not first_line.startswith("<"):
            return first_line
        kind = "Chart" if first_line.startswith("<Figure") else "Picture"
        heading = next((name for level, name in self._below.items() if level == 2), "") or next(iter(self._below.values()), "")
        return f"{kind}: {heading}" if heading else kind

    def of_cell(self, cell: Cell) -> str:
        """The outputs of one code cell, one below the other."""
        shown = [self._shown(output, cell) for output in merged_streams(cell.get("outputs", []))]
        found = "".join(f'<div class="output">{one}</div>' for one in shown if one)
        return f'<div class="outputs">{found}</div>' if found else ""

    def _shown(self, output: Output, cell: Cell) -> str:
        if output["output_type"] == "stream":
            return _pre(after_carriage_returns(text(output["text"])), output["name"])
        if output["output_type"] == "error":
            return _pre("\n".join(output["traceback"]) or f"{output['ename']}: {output['evalue']}", "error")
        return self._bundle(output["data"], output.get("metadata", {}), cell)

    def _bundle(self, data: dict[str, Any], metadata: dict[str, Any], cell: Cell) -> str:
        """The richest form that a page can show. An empty one is that of a display that has made room for another."""
        if NOT_ANSWERED in text(data.get("text/plain")):
            return ""
        if "text/html" in data:
            return self._safe(text(data["text/html"]), cell)
        for mime in PICTURES:
            if mime in data:
                return self._picture(mime, text(data[mime]), metadata.get(mime, {}), text(data.get("text/plain")))
        if "text/markdown" in data:
            return self._safe(markdown(text(data["text/markdown"])), cell)
        if "text/plain" in data:
            return _pre(text(data["text/plain"]), "result")
        self.problems.append(f"cell {cell.get('id')}: no form of this output can be shown: {', '.join(data)}")
        return ""

    def _picture(self, mime: str, data: str, metadata: dict[str, Any], plain: str) -> str:
        content = data.encode() if mime == "image/svg+xml" else base64.b64decode(data)
        name = f"pictures/{self._page}-{hashlib.sha256(content).hexdigest()[:10]}.{PICTURES[mime]}"
        (self._site / name).parent.mkdir(exist_ok=True)
        (self._site / name).write_bytes(content)
        caption = metadata.get("alt") or self._named(plain)
        size = "".join(f' {side}="{int(metadata[side])}"' for side in ("width", "height") if side in metadata)
        image = f'<img src="{name}" alt="{html.escape(caption)}"{size}>'
        return f'<a class="picture" href="{name}" title="this picture alone, at its full size">{image}</a>'

    def _safe(self, found: str, cell: Cell) -> str:
        """HTML of an output without what would run."""
        if not found.strip():
            return ""
        fragment = bs4.BeautifulSoup(found, "html.parser")
        for element in fragment.find_all(["script", "iframe", "object", "embed", "link"]):
            self.problems.append(f"cell {cell.get('id')}: <{element.name}> in an output is left out")
            element.decompose()
        for element in fragment.find_all(True):
            for attribute in [name for name in element.attrs if name.startswith("on")]:
                del element[attribute]
        for table in fragment.select("table.dataframe"):
            _align(table)
        return f'<div class="html">{fragment}</div>'


def _align(table: bs4.Tag) -> None:
    """Numbers of a pandas table and their headings stand right, text and its headings left. The style that pandas adds goes."""
    for style in table.parent.find_all("style", recursive=False) if table.parent else []:
        style.decompose()
    for row in table.select("thead tr"):
        del row["style"]
    columns: dict[int, list[bs4.Tag]] = {}
    for row in table.find_all("tr"):
        for place, each in enumerate(reversed(row.find_all(["th", "td"]))):  # index cells, at the left, may span rows
            columns.setdefault(place, []).append(each)
    for cells in columns.values():
        values = [each.get_text().strip() for each in cells if each.name == "td"]
        if values and all(_NUMBER.fullmatch(value) for value in values):
            for each in cells:
                each["class"] = "number"


def _pre(written: str, kind: str) -> str:
    return f'<pre class="{kind}" tabindex="0">{ansi2html(written.rstrip())}</pre>' if written.strip() else ""


def notebook_cells(path: Path) -> list[Cell]:
    """The cells of a notebook file."""
    return json.loads(path.read_text(encoding="utf-8"))["cells"]
