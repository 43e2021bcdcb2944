# SPDX-License-Identifier: BSD-3-Clause
"""Cells and Markdown as HTML that needs neither scripts nor the network: what the pages of the site are made of."""

import base64
import binascii
import hashlib
import html
import json
import re
import urllib.parse
from collections.abc import Callable, Iterable
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

# What runs, loads or leads elsewhere without being asked, and what changes such a thing afterwards.
NOT_SHOWN = ["script", "iframe", "frame", "frameset", "object", "embed", "applet", "portal", "link", "meta", "base", "form", "template",
             "animate", "animatemotion", "animatetransform", "set", "foreignobject"]
FOLLOWED = {"a", "area"}
"""Elements whose address is fetched when the reader asks for it, and not before."""
ADDRESSES = {"href", "xlink:href", "src", "srcset", "imagesrcset", "data", "poster", "background", "action", "formaction", "ping", "srcdoc"}
SCHEMES = {"", "http", "https", "mailto"}

_LOADING_STYLE = re.compile(r"@import|(url|src)\(\s*(?!['\"]?#)|image-set\(|expression\(|-moz-binding|behavior:", re.IGNORECASE)
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
        try:
            shown = [self._shown(output, cell) for output in merged_streams(cell.get("outputs", []))]
        except (KeyError, TypeError, AttributeError) as error:  # not what a notebook has there
            self.problems.append(f"cell {cell.get('id')}: its outputs cannot be read: {error!r}")
            return ""
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
            if mime in data and (content := self._content(mime, text(data[mime]), cell)):
                return self._picture(mime, content, metadata.get(mime, {}), text(data.get("text/plain")))
        if "text/markdown" in data:
            return self._safe(markdown(text(data["text/markdown"])), cell)
        if "text/plain" in data:
            return _pre(text(data["text/plain"]), "result")
        self.problems.append(f"cell {cell.get('id')}: no form of this output can be shown: {', '.join(data)}")
        return ""

    def _content(self, mime: str, data: str, cell: Cell) -> bytes | None:
        """The bytes of a picture that can be shown, or None."""
        if mime == "image/svg+xml":  # on its own page, what is in it would run
            found: list[str] = []
            cleaned(data, found.append)
            self.problems += [f"cell {cell.get('id')}: {problem} of an SVG picture, which is left out" for problem in found]
            return None if found else data.encode()
        try:
            return base64.b64decode("".join(data.split()), validate=True)
        except binascii.Error as error:
            self.problems.append(f"cell {cell.get('id')}: {mime}: {error}")
            return None

    def _picture(self, mime: str, content: bytes, metadata: dict[str, Any], plain: str) -> str:
        name = f"pictures/{self._page}-{hashlib.sha256(content).hexdigest()[:10]}.{PICTURES[mime]}"
        (self._site / name).parent.mkdir(exist_ok=True)
        (self._site / name).write_bytes(content)
        caption = metadata.get("alt") or self._named(plain)
        lengths = {side: re.match(r"\s*(\d+)(\.\d*)?\s*(px)?\s*$", str(metadata.get(side))) for side in ("width", "height")}
        size = "".join(f' {side}="{length[1]}"' for side, length in lengths.items() if length)
        address = urllib.parse.quote(name)
        image = f'<img src="{address}" alt="{html.escape(caption)}"{size}>'
        return f'<a class="picture" href="{address}" title="this picture alone, at its full size">{image}</a>'

    def _safe(self, found: str, cell: Cell) -> str:
        """HTML of an output without what would run or load something."""
        if not found.strip():
            return ""
        fragment = cleaned(found, lambda problem: self.problems.append(f"cell {cell.get('id')}: {problem} in an output is left out"))
        for table in fragment.select("table.dataframe"):
            _align(table)
        return f'<div class="html">{fragment}</div>'


def cleaned(found: str, report: Callable[[str], None]) -> bs4.BeautifulSoup:
    """HTML or SVG without what would run, or come from the network; `report` is told what has been left out."""
    fragment = bs4.BeautifulSoup(found, "html.parser")
    for element in fragment.find_all(NOT_SHOWN):
        report(f"<{element.name}>")
        element.decompose()
    for style in fragment.find_all("style"):
        if _loads(style.get_text()):
            report("<style> with an address")
            style.decompose()
    for element in fragment.find_all(True):
        for name, value in list(element.attrs.items()):
            written = " ".join(value) if isinstance(value, list) else str(value)
            loads = name not in ("alt", "title") and _loads(written)
            if loads or name.startswith("on") or (name in ADDRESSES and not _harmless(element.name, written)):
                report(f"<{element.name} {name}>")
                del element[name]
    return fragment


def _loads(style: str) -> bool:
    """Does a style sheet, or an attribute that may hold a style, load something? Addresses within the page do not."""
    plain = re.sub(r"(?s)/\*.*?\*/", "", style)
    plain = re.sub(r"\\([0-9a-fA-F]{1,6})\s?|\\(.)", lambda match: match[2] or chr(min(int(match[1], 16), 0x10FFFF)), plain)
    return bool(_LOADING_STYLE.search(plain))


def _harmless(element: str, address: str) -> bool:
    """May an element have this address? Links may lead to the network; what is loaded is here, or in the page itself."""
    plain = re.sub(r"[\x00-\x20]", "", address).replace("\\", "/")  # as browsers read it
    try:
        split = urllib.parse.urlsplit(plain)
    except ValueError:
        return False
    if element in FOLLOWED:
        return split.scheme.lower() in SCHEMES
    return plain.lower().startswith("data:image/") or not (split.scheme or split.netloc or ":" in plain.partition("/")[0] or "//" in plain)


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


class NotReadable(ValueError):
    """A file that is no notebook of format 4, or no text. The message says why."""


def notebook_cells(path: Path) -> list[Cell]:
    """The cells of a notebook file."""
    try:
        notebook = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise NotReadable(f"not a notebook: {error}") from error
    if not isinstance(notebook, dict) or not isinstance(notebook.get("cells"), list):
        raise NotReadable("not a notebook of format 4: there are no cells")
    for number, cell in enumerate(notebook["cells"], 1):
        if not isinstance(cell, dict) or "cell_type" not in cell or not isinstance(cell.get("source"), str | list):
            raise NotReadable(f"cell {number} has no type or no source")
    return notebook["cells"]
