# SPDX-License-Identifier: BSD-3-Clause
"""`./dev workshop --html [DIR]`: the workshop as a site of plain pages, with what its cells have shown.

    python3 notebooks/site/build.py --to build/site

The pages are assembled here, on nbconvert's filters for Markdown and terminal colours and Pygments for code, and not by
nbconvert's own HTML templates: those load require.js and MathJax from the network, bring some 300 KB of styles a page
that do not follow the reader's dark mode, embed each picture, and know nothing of a series: previous and next, links
from one notebook to another, the solutions of a part. What is left is HTML and one style sheet, which works from a
folder, without scripts and without a network.

Where a notebook's outputs come from, in this order: an executed copy in build/executed/workshop, if it has the same
cells and no cell failed unexpectedly; the outputs in the notebook itself; else it is executed, into that folder.

The site is made in a temporary folder and then takes the place of the one before. The file .xcores-site lists what belongs
to it: whatever else is in the folder stays.

The command fails, after everything has been written, if a link leads nowhere or something could not be shown.
"""

import argparse
import html
import re
import shutil
import subprocess
import sys
import tempfile
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import bs4
from cells import Cell, NotReadable, Outputs, cleaned, code, markdown, notebook_cells, text

HERE = Path(__file__).resolve().parent
NAME = "xcores workshop"
HEADINGS = ["h1", "h2", "h3", "h4", "h5", "h6"]
FIRST = "00-index.ipynb"
MARK = ".xcores-site"
MATH = re.compile(r"\$\$|\\begin\{|\\\(")


@dataclass
class Page:
    """One page of the site and the document that it shows."""

    source: Path
    name: str
    title: str
    body: bs4.BeautifulSoup
    solutions: Path | None = None
    problems: list[str] = field(default_factory=list)

    def href(self, anchor: str = "") -> str:
        return urllib.parse.quote(self.name) + _fragment(anchor)

    def label(self) -> str:
        """The title with the number of the part, for lists."""
        number = re.match(r"(\d\d)-", self.source.name)
        if not number or self.source.name == FIRST:
            return self.title
        return f"{int(number[1])}. {re.sub(r'^(Part )?[0-9]+[.:] *', '', self.title)}"

    def ids(self) -> set[str]:
        return {str(element["id"]) for element in self.body.find_all(id=True)}

    def sections(self) -> list[bs4.Tag]:
        """The headings below the title, without those of the solutions."""
        return [heading for heading in self.body.find_all("h2") if not heading.find_parent("details")]


class Site:
    """The pages of the workshop. `build()` writes them; `problems` says what is wrong with them."""

    def __init__(self, project: Path, to: Path, executed: Path, *, execute: bool) -> None:
        self.project = project.resolve()
        self.workshop = self.project / "notebooks/workshop"
        self.target = to.resolve()
        self.to = self.target  # where it is made
        self.executed = executed.resolve()
        self.execute = execute
        self.series: list[Page] = []
        self.beside: list[Page] = []
        self.further: list[Page] = []
        self.problems: list[str] = []
        self._by_source: dict[Path, Page] = {}
        self._named: dict[str, Path] = {}

    def build(self) -> None:
        """Write all pages."""
        listed = _site_in(self.target)
        with tempfile.TemporaryDirectory(prefix="xcores-site-") as made:
            self.to = Path(made)
            self._build()
            self.problems += _replaced(self.target, listed, self.to)
        self.to = self.target

    def _build(self) -> None:
        shutil.copy(HERE / "style.css", self.to)
        self._execute_what_has_no_outputs()
        numbered = sorted(self.workshop.glob("[0-9][0-9]-*.ipynb"))
        self.series = [self._page(path) for path in [*numbered, *self.workshop.glob("quiz.ipynb")]]
        rest = [path for path in self.workshop.iterdir() if path.suffix in (".md", ".ipynb") and path.name != "quiz.ipynb"]
        self.beside = [self._page(path) for path in sorted(set(rest) - set(numbered), key=lambda path: path.name.lower())]
        self.further = [self._page(path) for path in self._linked_elsewhere()]
        self._by_source = {page.source: page for page in self.pages()}
        self._by_source |= {page.solutions: page for page in self.pages() if page.solutions}
        for page in self.pages():
            self._rewrite_links(page)
            (self.to / page.name).write_text(self._whole(page), encoding="utf-8")
            self.problems += [f"{page.source.relative_to(self.project)}: {problem}" for problem in page.problems]

    def pages(self) -> list[Page]:
        return [*self.series, *self.beside, *self.further]

    # ---- outputs -----------------------------------------------------------------------------------------------

    def with_outputs(self, path: Path) -> Path | None:
        """The file that has this notebook's outputs, or None."""
        if path.is_relative_to(self.workshop):
            copy = self.executed / path.relative_to(self.workshop)
            if copy.is_file() and is_executed(copy, path):
                return copy
        return path if is_executed(path, path) else None

    def _execute_what_has_no_outputs(self) -> None:
        if not self.execute:
            return
        for folder in (self.workshop, self.workshop / "solutions"):
            missing = [path for path in sorted(folder.glob("*.ipynb")) if same_cells(path, path) and self.with_outputs(path) is None]
            if missing:
                to = self.executed / folder.relative_to(self.workshop)
                command = [sys.executable, self.project / "tests/tools/execute.py", *missing, "--to", to]
                subprocess.run(command, check=False)  # what failed is told for its page

    # ---- pages -------------------------------------------------------------------------------------------------

    def _page(self, path: Path) -> Page:
        name = "index.html" if path.name == FIRST else f"{path.stem.lower()}.html"
        if not path.is_relative_to(self.workshop):
            name = f"more-{name}"
        page = Page(path, name, path.stem, bs4.BeautifulSoup("", "html.parser"))
        while page.name.lower() in self._named:
            page.problems.append(f"its page cannot be {page.name}, which is that of {self._said(self._named[page.name.lower()])}")
            page.name = f"{page.name.removesuffix('.html')}-2.html"
        self._named[page.name.lower()] = path
        if path.suffix == ".md":
            page.body.append(self._document(page, path))
        else:
            page.body.append(self._notebook(page, path))
            solutions = self.workshop / "solutions" / path.name
            if solutions.is_file() and path.parent == self.workshop:
                page.solutions = solutions
                page.body.append(self._folded(page, solutions))
        if title := page.body.find("h1"):
            page.title = title.get_text()
        else:
            page.problems.append("there is no title (# …)")
        _give_ids(page.body)
        _let_tables_scroll(page.body)
        return page

    def _said(self, path: Path) -> str:
        """How a problem names a file."""
        return str(path.relative_to(self.workshop if path.is_relative_to(self.workshop) else self.project))

    def _document(self, page: Page, path: Path) -> bs4.BeautifulSoup:
        try:
            return _cleaned(page, markdown(path.read_text(encoding="utf-8")))
        except UnicodeDecodeError as error:
            page.problems.append(f"{self._said(path)} cannot be read: {error}")
            return _soup("")

    def _notebook(self, page: Page, path: Path) -> bs4.BeautifulSoup:
        try:
            notebook_cells(path)
        except NotReadable as error:
            page.problems.append(f"{self._said(path)} cannot be read: {error}")
            return _soup("")
        found = self.with_outputs(path)
        if found is None:
            page.problems.append(f"{self._said(path)} has no outputs, or a cell of it failed")
            copy = self.executed / path.relative_to(self.workshop) if path.is_relative_to(self.workshop) else path
            found = copy if copy.is_file() and same_cells(copy, path) else path
        outputs = Outputs(self.to, page.name.removesuffix(".html"))
        shown = "".join(self._cell(page, cell, outputs) for cell in notebook_cells(found))
        of = "" if path == page.source else f"{self._said(path)}: "
        page.problems += [of + problem for problem in outputs.problems]
        return _soup(shown)

    def _cell(self, page: Page, cell: Cell, outputs: Outputs) -> str:
        source = text(cell["source"])
        if cell["cell_type"] == "markdown":
            if MATH.search(re.sub(r"(?s)```.*?```|`[^`]*`", "", source)):
                page.problems.append(f"cell {cell.get('id')}: formulas are not rendered")
            outputs.note_headings(source)
            return f'<section class="text">{_cleaned(page, markdown(source, cell.get("attachments")))}</section>'
        if cell["cell_type"] != "code" or not source.strip():
            return ""
        return f'<section class="cell">{code(source)}{outputs.of_cell(cell)}</section>'

    def _folded(self, page: Page, solutions: Path) -> bs4.BeautifulSoup:
        """The solutions of a part, for the end of its page."""
        inside = self._notebook(page, solutions)
        if title := inside.find("h1"):
            title.decompose()
        _give_ids(inside, "solution-")
        for element, attribute, address in _relative_links(inside):
            if address.path:
                element[attribute] = f"{solutions.parent.name}/{element[attribute]}"
        fold = '<details class="solutions"><summary>Solutions</summary><div id="solutions"></div></details>'
        folded = _soup(fold)
        folded.find("div").append(inside)
        return folded

    # ---- links -------------------------------------------------------------------------------------------------

    def _linked_elsewhere(self) -> list[Path]:
        """The project's documents that the pages link to: they become pages, too."""
        found = {target for page in self.pages() for target, _, _ in self._links(page) if target and self._is_document(target)}
        return sorted(found - {page.source for page in self.pages()})

    def _is_document(self, path: Path) -> bool:
        inside = path.is_relative_to(self.project) and not path.is_relative_to(self.workshop / "solutions")
        return inside and path.suffix in (".md", ".ipynb") and path.is_file()

    def _links(self, page: Page) -> Iterator[tuple[Path | None, str, tuple[bs4.Tag, str]]]:
        """Of each link and each picture from a file: the file, None being the page itself, the fragment, and where it stands."""
        for element, attribute, address in _relative_links(page.body):
            path = page.source.parent / urllib.parse.unquote(address.path) if address.path else None
            yield path.resolve() if path else None, urllib.parse.unquote(address.fragment), (element, attribute)

    def _rewrite_links(self, page: Page) -> None:
        for target, fragment, (element, attribute) in list(self._links(page)):
            address = str(element[attribute])
            to = page if target is None else self._by_source.get(target)
            if to is not None:
                anchor = "solutions" if target == to.solutions and target else _matching(fragment, to.ids()) if fragment else ""
                if anchor is None:
                    page.problems.append(f"{address}: there is no such heading")
                element[attribute] = _fragment(anchor or "") if target is None else to.href(anchor or "")
            elif target and target.is_file() and target.is_relative_to(self.workshop):
                copy = Path("files") / target.relative_to(self.workshop)
                (self.to / copy).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(target, self.to / copy)
                element[attribute] = urllib.parse.quote(copy.as_posix())
            elif target and target.exists() and target.is_relative_to(self.project):  # the project is not part of the site
                element.name, element.attrs = "span", {"title": str(target.relative_to(self.project))}
            else:
                page.problems.append(f"{address}: there is no such file")
        for element in page.body.find_all(["img", "source", "video", "audio"]):
            if str(element.get("src", "")).startswith(("http:", "https:", "//")):
                page.problems.append(f"{element['src']}: comes from the network")

    # ---- around a page -----------------------------------------------------------------------------------------

    def _whole(self, page: Page) -> str:
        title = NAME if page.name == "index.html" else f"{page.title} · {NAME}"
        step = self._steps(page)
        return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{html.escape(title)}</title>
<link rel="stylesheet" href="style.css">
</head>
<body>
<header><a class="skip" href="#content">To the text</a><a href="index.html">{NAME}</a>{step}<a class="to-parts" href="#parts">All parts</a></header>
<div class="columns">
<main id="content">
{page.body}
<footer>{step}</footer>
</main>
<nav id="parts" aria-label="All parts">
{self._list("Parts", self.series, page)}{self._list("Beside them", self.beside, page)}{self._list("Further", self.further, page)}</nav>
</div>
</body>
</html>
"""

    def _steps(self, page: Page) -> str:
        if page not in self.series:
            return ""
        at = self.series.index(page)
        previous, following = self.series[:at][-1:], self.series[at + 1 :][:1]
        links = [_step(each, "prev", "← <span>{}</span>") for each in previous] + [_step(each, "next", "<span>{}</span> →") for each in following]
        return f'<span class="steps">{"".join(links)}</span>'

    def _list(self, heading: str, pages: list[Page], current: Page) -> str:
        if not pages:
            return ""
        items = "".join(self._item(page, current) for page in pages)
        return f"<h2>{heading}</h2>\n<ul>\n{items}</ul>\n"

    def _item(self, page: Page, current: Page) -> str:
        if page is not current:
            return f'<li><a href="{page.href()}">{html.escape(page.label())}</a></li>\n'
        sections = [(html.escape(_fragment(section["id"])), html.escape(section.get_text())) for section in page.sections()]
        inside = "".join(f'<li><a href="{address}">{title}</a></li>' for address, title in sections)
        return f'<li><a href="{page.href()}" aria-current="page">{html.escape(page.label())}</a><ul>{inside}</ul></li>\n'


def _step(page: Page, relation: str, form: str) -> str:
    title = html.escape(page.label())
    return f'<a rel="{relation}" href="{page.href()}" title="{title}">{form.format(title)}</a>'


def same_cells(copy: Path, original: Path) -> bool:
    """Is this a copy of the notebook as it stands there now, whatever its outputs are?"""
    try:
        copied = [(cell["cell_type"], text(cell["source"])) for cell in notebook_cells(copy)]
        return copied == [(cell["cell_type"], text(cell["source"])) for cell in notebook_cells(original)]
    except (OSError, NotReadable):
        return False


def is_executed(copy: Path, original: Path) -> bool:
    """Is this an executed copy of the notebook as it stands there now, in which no cell failed unexpectedly?"""
    if not same_cells(copy, original):
        return False
    cells = [cell for cell in notebook_cells(copy) if cell["cell_type"] == "code" and text(cell["source"]).strip()]
    failed = [cell for cell in cells if any(output.get("output_type") == "error" for output in cell.get("outputs", []))]
    unexpected = [cell for cell in failed if "raises-exception" not in cell.get("metadata", {}).get("tags", [])]
    return not unexpected and all(cell.get("execution_count") for cell in cells)


def _site_in(folder: Path) -> set[Path]:
    """The files of the site that is in a folder, relative to it; makes the folder, where there is none."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SystemExit(f"{folder}: {error.strerror}: give another folder") from error
    mark = folder / MARK
    if not mark.is_file():
        if any(folder.iterdir()):
            raise SystemExit(f"{folder} is not empty, and no site is in it: give another folder")
        return set()
    # An empty mark is that of an earlier version of this program, which listed nothing.
    lines = mark.read_text(encoding="utf-8").splitlines()
    return {Path(line) for line in lines if not Path(line).is_absolute() and ".." not in Path(line).parts} if lines else _files(folder)


def _files(folder: Path) -> set[Path]:
    """The files below a folder, relative to it, without what symbolic links lead to."""
    paths = [place / name for place, _, names in folder.walk() for name in names if name != MARK]
    return {path.relative_to(folder) for path in paths if not path.is_symlink()}


def _replaced(folder: Path, listed: set[Path], made: Path) -> list[str]:
    """Put what was made into a folder, in place of the site there; the folder itself stays, as it can be a mount.

    The mark lists, at any moment, all files that may be there of either site. Returns what is wrong: files in the way.
    """
    new, problems = _files(made), []
    theirs = {path for path in new - listed if (folder / path).exists() or (folder / path).is_symlink()}
    theirs |= {path for path in new | listed if any((folder / above).is_symlink() for above in path.parents[:-1])}
    (folder / MARK).write_text(_lines((listed | new) - theirs), encoding="utf-8")
    for path in sorted(listed - theirs):
        (folder / path).unlink(missing_ok=True)
    for above in sorted({folder / above for path in listed - theirs for above in path.parents[:-1]}, reverse=True):
        if above.is_dir() and not any(above.iterdir()):
            above.rmdir()
    for path in sorted(new):
        if path in theirs:
            problems.append(f"{folder / path} is not of the site, and in its way: it stays")
            continue
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(made / path, folder / path)
    (folder / MARK).write_text(_lines(new - theirs), encoding="utf-8")
    return problems


def _lines(paths: set[Path]) -> str:
    return "".join(f"{path.as_posix()}\n" for path in sorted(paths))


def _fragment(anchor: str) -> str:
    return "#" + anchor.replace("%", "%25") if anchor else ""


def _cleaned(page: Page, fragment: str) -> bs4.BeautifulSoup:
    """The HTML of a text, which is to hold no more than that of an output."""
    return cleaned(fragment, lambda problem: page.problems.append(f"{problem} in a text is left out"))


def _soup(fragment: str) -> bs4.BeautifulSoup:
    return bs4.BeautifulSoup(fragment, "html.parser")


def _relative_links(body: bs4.BeautifulSoup) -> Iterator[tuple[bs4.Tag, str, urllib.parse.SplitResult]]:
    """The links and pictures that lead to files, not those that the outputs have become."""
    for element in body.find_all(["a", "img"]):
        attribute = "href" if element.name == "a" else "src"
        address = urllib.parse.urlsplit(str(element.get(attribute, "")))
        if (address.path or address.fragment) and not address.scheme and not address.netloc and not address.path.startswith("pictures/"):
            yield element, attribute, address


def _anchor(heading: bs4.Tag) -> str:
    """The name that Jupyter gives to a heading."""
    return heading.get_text().strip().replace(" ", "-")


def _give_ids(body: bs4.BeautifulSoup, prefix: str = "") -> None:
    taken = {str(element["id"]) for element in body.find_all(id=True)}
    for heading in body.find_all(HEADINGS):
        if heading.get("id"):
            continue
        name, number = prefix + _anchor(heading), 1
        while name in taken:
            number += 1
            name = f"{prefix}{_anchor(heading)}-{number}"
        heading["id"] = name
        taken.add(name)


def _let_tables_scroll(body: bs4.BeautifulSoup) -> None:
    for table in body.find_all("table"):
        if not table.find_parent("table"):
            table.wrap(body.new_tag("div", attrs={"class": "scroll", "tabindex": "0"}))
    for pre in body.find_all("pre"):
        pre["tabindex"] = "0"


def _matching(fragment: str, ids: set[str]) -> str | None:
    """The id that a link means: Jupyter keeps a heading's letters, GitHub makes them small and leaves out punctuation."""
    if fragment in ids:
        return fragment

    def plain(name: str) -> str:
        return re.sub(r"[^\w-]", "", name).lower()

    return next((name for name in sorted(ids) if plain(name) == plain(fragment)), None)


def main() -> int:
    parser = argparse.ArgumentParser(prog="./dev workshop --html", description=(__doc__ or "").splitlines()[0])
    project = HERE.parents[1]
    parser.add_argument("--to", type=Path, default=project / "build/site", metavar="DIR", help="where the site goes (build/site)")
    parser.add_argument("--executed", type=Path, default=project / "build/executed/workshop", metavar="DIR")
    parser.add_argument("--no-execute", dest="execute", action="store_false", help="show what has no outputs without them")
    options = parser.parse_args()
    site = Site(project, options.to, options.executed, execute=options.execute)
    site.build()
    for problem in site.problems:
        print(problem, file=sys.stderr)
    print(f"{len(site.pages())} pages: {site.to / 'index.html'}")
    return 1 if site.problems else 0


if __name__ == "__main__":
    sys.exit(main())
