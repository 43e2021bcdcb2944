# SPDX-License-Identifier: BSD-3-Clause
"""The workshop as a site: whole, without scripts, without the network. How it looks: tests/browser."""

import json
import pathlib
import re
import subprocess
import sys
import urllib.parse
from html.parser import HTMLParser

import pytest
from conftest import PROJECT, WORKSHOP, code_cells, outputs_of

sys.path.insert(0, str(PROJECT / "notebooks/site"))
import build

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


# ---- small workshops, made here: what a page must not have, and what cannot be shown ---------------------------------


def code_cell(*outputs: dict, source: str = "pass", **more: object) -> dict:
    return {"cell_type": "code", "id": "made", "metadata": {}, "execution_count": 1, "source": source, "outputs": list(outputs)} | more


def shown(**data: str) -> dict:
    return {"output_type": "display_data", "metadata": {}, "data": {name.replace("_", "/"): value for name, value in data.items()}}


class Small:
    """A workshop of files given by the test, and the site made of it."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.workshop = folder / "project/notebooks/workshop"
        self.workshop.mkdir(parents=True)
        self.to = folder / "to"
        self.notebook("00-index.ipynb")

    def notebook(self, name: str, *cells: dict) -> None:
        path = self.workshop / name
        path.parent.mkdir(exist_ok=True)
        title = {"cell_type": "markdown", "id": "title", "metadata": {}, "source": f"# About {path.stem}"}
        path.write_text(json.dumps({"cells": [title, *cells], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))

    def build(self) -> list[str]:
        site = build.Site(self.workshop.parents[1], self.to, self.workshop.parents[1] / "executed", execute=False)
        site.build()
        return site.problems

    def page(self, name: str = "index.html") -> str:
        return (self.to / name).read_text()


@pytest.fixture
def small(tmp_path: pathlib.Path) -> Small:
    return Small(tmp_path)


UNSAFE = [
    '<a href="javascript:alert(1)">it</a>',
    '<a href=" java&#10;script:alert(1)">it</a>',
    '<a href="vbscript:x">it</a>',
    '<a href="data:text/html,x">it</a>',
    '<meta http-equiv="refresh" content="0; url=http://a.example">',
    '<base href="http://a.example/">',
    '<form action="http://a.example"><b>x</b></form>',
    '<style>@import url(http://a.example/x.css);</style>',
    "<style>@\\69mport 'http://a.example/x.css';</style>",
    '<style>p { background: u/**/rl(//a.example) }</style>',
    '<p style="background: url(http://a.example/x.png)">it</p>',
    '<p style="background: \\75rl(http://a.example/x.png)">it</p>',
    '<svg><image href="http://a.example/x.png"/></svg>',
    '<svg><image xlink:href="//a.example/x.png"/></svg>',
    '<svg><use href="http://a.example/x.svg#a"/></svg>',
    '<svg><rect fill="url(http://a.example/x.svg#a)"/></svg>',
    '<svg><a href="#"><animate attributeName="href" to="javascript:alert(1)"/></a></svg>',
    '<img src="http://a.example/x.png">',
    '<img src="\\\\a.example/x.png">',
    '<img srcset="x.png 1x, //a.example/x.png 2x">',
    '<table background="http://a.example/x.png"></table>',
    '<p onclick="alert(1)">it</p>',
    '<button formaction="javascript:alert(1)">it</button>',
    '<iframe srcdoc="x"></iframe>',
    "<script>alert(1)</script>",
]


@pytest.mark.parametrize("unsafe", UNSAFE)
def test_what_would_run_or_load_something_is_left_out_and_reported(small: Small, unsafe: str) -> None:
    small.notebook("01-output.ipynb", code_cell(shown(text_html=f"<i>before</i>{unsafe}")))
    small.notebook("02-text.ipynb", {"cell_type": "markdown", "id": "made", "metadata": {}, "source": f"before\n\n<div>{unsafe}</div>"})
    problems = small.build()
    for name in "01-output", "02-text":
        page = small.page(f"{name}.html")
        assert "before" in page
        assert not re.search(r"a\.example|alert|script:|srcdoc|data:text|<form|http-equiv", page)
        assert any(name in problem and "is left out" in problem for problem in problems)


@pytest.mark.parametrize("safe", [
    '<a href="https://docs.python.org/3/">it</a>', '<a href="mailto:a@b.example">it</a>', '<a href="#About-01-output">it</a>',
    '<img alt="a dot" src="data:image/png;base64,AAAA">', '<svg><rect fill="url(#gradient)"/><use href="#it"/></svg>',
    '<p title="url(x)" style="color: red">it</p>',
])  # fmt: skip
def test_what_does_not_is_kept(small: Small, safe: str) -> None:
    small.notebook("01-output.ipynb", code_cell(shown(text_html=safe)))
    assert small.build() == []
    assert Page(small.to / "01-output.html").tags.count(safe[1:].partition(" ")[0].partition(">")[0]) > 0
    for value in re.findall(r'(?:href|src|fill|style)="([^"]*)"', safe):
        assert value in small.page("01-output.html")


def test_an_svg_picture_that_would_run_something_is_not_shown(small: Small) -> None:
    small.notebook("01-x.ipynb", code_cell(shown(**{"image_svg+xml": "<svg><script>alert(1)</script></svg>", "text_plain": "in words"})))
    (problem,) = small.build()
    assert "SVG" in problem and "in words" in small.page("01-x.html")
    assert not (small.to / "pictures").exists()


def test_names_that_collide_are_reported_and_nothing_is_overwritten(small: Small) -> None:
    for name in "90-x", "90-X":
        small.notebook(f"{name}.ipynb", code_cell())
    (small.workshop / "index.md").write_text("# Another\n")
    problems = small.build()
    assert len(problems) == 2 and all("its page cannot be" in problem for problem in problems)
    assert "About 00-index" in small.page() and "Another" in small.page("index-2.html")
    titles = {re.findall(r"<h1[^>]*>([^<]*)", small.page(f"{name}.html"))[0] for name in ("90-x", "90-x-2")}
    assert titles == {"About 90-x", "About 90-X"}


def test_links_to_files_with_odd_names(small: Small) -> None:
    name = '91-a "b" #1 50%'
    small.notebook(f"{name}.ipynb", {"cell_type": "markdown", "id": "x", "metadata": {}, "source": "## 5%41\n\n[there](#5%2541)"},
                   code_cell(shown(image_png="AAAA", text_plain="a dot")))  # fmt: skip
    assert small.build() == []
    for page in map(Page, small.to.glob("*.html")):
        for address in page.links + page.loaded:
            split = urllib.parse.urlsplit(address)
            assert (small.to / urllib.parse.unquote(split.path)).exists(), address
            assert split.path or urllib.parse.unquote(split.fragment) in page.ids, address


def test_what_cannot_be_read_is_a_problem_under_its_own_name(small: Small) -> None:
    files = {"91-empty.ipynb": "", "92-old.ipynb": '{"worksheets": [], "nbformat": 3}', "93-list.ipynb": "[]", "94-bytes.md": "\udcff"}
    for name, content in files.items():
        (small.workshop / name).write_text(content, errors="surrogateescape")
    small.notebook("95-no-outputs.ipynb", {"cell_type": "code", "id": "made", "source": "1"})
    small.notebook("96-no-source.ipynb", {"cell_type": "code", "id": "made", "outputs": []})
    small.notebook("97-no-base64.ipynb", code_cell(shown(image_png="A", text_plain="in words")))
    small.notebook("98-no-data.ipynb", code_cell({"output_type": "display_data"}))
    problems = "\n".join(small.build())
    for name in [*files, "96-no-source.ipynb"]:
        assert f"{name} cannot be read: " in problems
    assert "95-no-outputs.ipynb has no outputs" in problems
    assert "97-no-base64.ipynb: cell made: image/png" in problems and "in words" in small.page("97-no-base64.html")
    assert "98-no-data.ipynb: cell made: its outputs cannot be read" in problems


def test_a_width_in_pixels_and_one_that_is_none(small: Small) -> None:
    for number, width in enumerate(("100px", 100, "wide")):
        output = shown(image_png="AAAA", text_plain="a dot") | {"metadata": {"image/png": {"width": width}}}
        small.notebook(f"0{number + 1}-x.ipynb", code_cell(output))
    assert small.build() == []
    assert ['width="100"' in small.page(f"0{number}-x.html") for number in (1, 2, 3)] == [True, True, False]


def test_missing_outputs_of_a_solution_are_reported_under_its_name(small: Small) -> None:
    small.notebook("01-x.ipynb", code_cell())
    small.notebook("solutions/01-x.ipynb", code_cell(execution_count=None))
    (problem,) = small.build()
    assert "solutions/01-x.ipynb has no outputs" in problem


def test_a_site_takes_the_place_of_the_one_before_and_of_nothing_else(small: Small, tmp_path: pathlib.Path) -> None:
    small.notebook("01-x.ipynb", code_cell(shown(image_png="AAAA", text_plain="a dot")))
    assert small.build() == []
    (small.to / "mine.txt").write_text("mine")
    (small.to / "pictures/mine.txt").write_text("mine")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/mine.txt").write_text("mine")
    (small.to / "link").symlink_to(tmp_path / "elsewhere")
    (small.to / "02-y.html").write_text("mine")
    (small.workshop / "01-x.ipynb").unlink()
    small.notebook("02-y.ipynb", code_cell())
    for _ in range(2):
        (problem,) = small.build()
        assert "02-y.html is not of the site" in problem
        kept = {path.relative_to(small.to).as_posix() for path in small.to.rglob("*")}
        assert kept == {"index.html", "02-y.html", "style.css", build.MARK, "mine.txt", "pictures", "pictures/mine.txt", "link"}
        assert {(small.to / name).read_text() for name in ("mine.txt", "pictures/mine.txt", "02-y.html", "link/mine.txt")} == {"mine"}


def test_a_site_of_an_earlier_version_is_replaced(small: Small, tmp_path: pathlib.Path) -> None:
    (small.to / "pictures").mkdir(parents=True)
    (small.to / "link").symlink_to(tmp_path)
    for name in build.MARK, "01-gone.html", "pictures/old.png":
        (small.to / name).touch()
    assert small.build() == []
    assert {path.name for path in small.to.iterdir()} == {"index.html", "style.css", build.MARK, "link"}


def test_a_build_that_fails_leaves_the_site_before(small: Small, monkeypatch: pytest.MonkeyPatch) -> None:
    assert small.build() == []
    monkeypatch.setattr(build, "markdown", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        small.build()
    assert "About 00-index" in small.page()
    monkeypatch.undo()
    assert small.build() == []


def test_a_file_in_place_of_the_folder(tmp_path: pathlib.Path) -> None:
    (tmp_path / "file").write_text("mine")
    for to in tmp_path / "file", tmp_path / "file/below":
        done = subprocess.run([*BUILD, "--to", str(to), "--no-execute"], capture_output=True, text=True, timeout=60)
        assert done.returncode == 1 and "give another folder" in done.stderr and "Traceback" not in done.stderr
