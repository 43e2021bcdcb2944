# SPDX-License-Identifier: BSD-3-Clause
"""The workshop as a site: whole, without scripts, without the network. How it looks: tests/browser."""

import pathlib
import re
import subprocess
import sys
import urllib.parse
from html.parser import HTMLParser

import pytest
from conftest import PROJECT, WORKSHOP, code_cells, outputs_of

pytestmark = [
    pytest.mark.timeout(3000),  # the first test waits for all notebooks
    pytest.mark.skipif(not (WORKSHOP / "00-index.ipynb").exists(), reason="there is no notebooks/workshop here"),
]

BUILD = [sys.executable, str(PROJECT / "notebooks/site/build.py")]
SERIES = sorted(WORKSHOP.glob("[0-9][0-9]-*.ipynb")) + sorted(WORKSHOP.glob("quiz.ipynb"))
VOID = {"img", "link", "meta", "br", "hr", "input", "source", "wbr", "col"}


def page_of(path: pathlib.Path) -> str:
    return "index.html" if path.name == "00-index.ipynb" else f"{path.stem}.html"


NAMES = [page_of(path) for path in SERIES]


class Page(HTMLParser):
    """What a page links to, loads and names, and the text of its folds."""

    def __init__(self, path: pathlib.Path) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.pictures: list[tuple[str, str, str]] = []  # the file, what is said of it, where it leads
        self.ids: list[str] = []
        self.relations: dict[str, str] = {}
        self.handlers: list[str] = []
        self.folded = ""
        self._open: list[str] = []
        self._leads_to = ""
        self.feed(path.read_text())

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attributes}
        self.tags.append(tag)
        self.ids += [given["id"]] if "id" in given else []
        self.handlers += [name for name in given if name.startswith("on")]
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
            self.relations.setdefault(given.get("rel", ""), given["href"])
        self.loaded += [given[name] for name in ("src", "srcset", "data", "poster") if name in given]
        self.loaded += [given["href"]] if tag == "link" else []
        if tag == "img":
            self.pictures.append((given["src"], given["alt"], self._leads_to if "a" in self._open else ""))
        if tag == "a":
            self._leads_to = given.get("href", "")
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        while tag not in VOID and self._open and self._open.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        if "details" in self._open:
            self.folded += data


@pytest.fixture(scope="module")
def site(executed_workshop: pathlib.Path, tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    folder = tmp_path_factory.mktemp("site")
    command = [*BUILD, "--to", str(folder), "--executed", str(executed_workshop), "--no-execute"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def pages(site: pathlib.Path) -> dict[str, Page]:
    return {path.name: Page(path) for path in site.glob("*.html")}


def test_every_document_has_a_page(pages: dict[str, Page]) -> None:
    assert {*NAMES, "how-to-read-the-picture.html", "glossary.html", "teaching.html"} <= pages.keys()


def test_every_page_lists_all_pages(pages: dict[str, Page]) -> None:
    for name, page in pages.items():
        assert pages.keys() <= set(page.links), name


def test_previous_and_next_lead_through_the_series(pages: dict[str, Page]) -> None:
    for name, following in zip(NAMES, NAMES[1:]):
        assert pages[name].relations["next"] == following
        assert pages[following].relations["prev"] == name
    assert "prev" not in pages[NAMES[0]].relations and "next" not in pages[NAMES[-1]].relations


def test_every_link_leads_somewhere(pages: dict[str, Page], site: pathlib.Path) -> None:
    dead = []
    for name, page in pages.items():
        for link in page.links:
            address = urllib.parse.urlsplit(link)
            if address.scheme:
                continue
            target = urllib.parse.unquote(address.path) or name
            fragment = urllib.parse.unquote(address.fragment)
            if not (site / target).is_file() or (fragment and fragment not in pages[target].ids):
                dead.append(f"{name}: {link}")
    assert dead == []


def test_nothing_runs_and_nothing_comes_from_the_network(pages: dict[str, Page], site: pathlib.Path) -> None:
    for name, page in pages.items():
        assert not {"script", "iframe", "object", "embed", "base"} & set(page.tags), name
        assert page.handlers == [], name
        for loaded in page.loaded:
            assert loaded.startswith("data:") or (site / urllib.parse.unquote(loaded)).is_file(), f"{name}: {loaded[:80]}"
    for style in [*site.glob("*.css"), *site.glob("*.html")]:
        assert not re.findall(r"@import|url\((?!#)", style.read_text()), style.name


def test_ids_are_unique(pages: dict[str, Page]) -> None:
    for name, page in pages.items():
        assert len(page.ids) == len(set(page.ids)), f"{name}: {sorted(one for one in page.ids if page.ids.count(one) > 1)}"


@pytest.mark.parametrize("path", SERIES, ids=lambda path: path.name)
def test_every_picture_and_every_table_of_a_part_is_on_its_page(executed_workshop: pathlib.Path, pages: dict[str, Page], path: pathlib.Path) -> None:
    name = page_of(path)
    files = [executed_workshop / path.name, executed_workshop / "solutions" / path.name]
    bundles = [bundle for file in files if file.is_file() for bundle in outputs_of(file)]
    pictures = [bundle for bundle in bundles if "image/png" in bundle and "text/html" not in bundle]
    tables = sum("".join(bundle.get("text/html", "")).count("<table") for bundle in bundles)
    assert sum(loaded.startswith("pictures/") for loaded in pages[name].loaded) >= len(pictures)
    assert pages[name].tags.count("table") >= tables


def test_every_picture_leads_to_its_file_and_says_what_it_shows(pages: dict[str, Page]) -> None:
    for name, page in pages.items():
        for file, says, leads_to in page.pictures:
            assert leads_to == file, name
            assert len(says) > len("Picture: "), f"{name}: {file} is called {says!r}"


def test_numbers_of_pandas_tables_stand_right_and_so_do_their_headings(site: pathlib.Path) -> None:
    page = (site / "10-web-server.html").read_text()
    tables = re.findall(r'(?s)<table [^>]*class="dataframe".*?</table>', page)
    assert tables
    for table in tables:
        assert "text-align" not in table
        assert re.search(r'<th class="number">memory MB</th>', table) or "primes.py" in table
        assert not re.search(r"<td>[\d.]+</td>", table)


def test_the_quiz_has_no_outputs_of_questions_that_nobody_has_answered(pages: dict[str, Page], site: pathlib.Path) -> None:
    for name in NAMES:
        assert "Not answered yet. Replace the" not in (site / name).read_text(), name


@pytest.mark.parametrize("path", sorted(WORKSHOP.glob("solutions/*.ipynb")), ids=lambda path: path.name)
def test_solutions_are_folded_at_the_end_of_their_part(pages: dict[str, Page], path: pathlib.Path) -> None:
    page = pages[page_of(path)]
    folded = re.sub(r"\s+", "", page.folded)
    for cell in code_cells(path):
        assert re.sub(r"\s+", "", "".join(cell["source"])) in folded
    assert "solutions" in page.ids


def test_a_folder_with_other_files_is_left_alone(tmp_path: pathlib.Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    done = subprocess.run([*BUILD, "--to", str(tmp_path), "--no-execute"], capture_output=True, text=True, timeout=60)
    assert done.returncode != 0 and "not empty" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]
