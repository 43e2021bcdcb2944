# SPDX-License-Identifier: BSD-3-Clause
"""Executed notebooks as people pass them on: every table and every picture arrives."""

import json
import pathlib
import re
import subprocess
import sys
from html.parser import HTMLParser

import pytest
from conftest import PROJECT, code_cells, outputs_of
from github_html import stripped_by_github

NAMES = sorted(path.name for path in PROJECT.glob("notebooks/*.ipynb"))
COMPARISON = "application/vnd.xcores.comparison+json"
RUN = "application/vnd.xcores.run+json"


def text(value: str | list[str]) -> str:
    return "".join(value)


def convert(notebook: pathlib.Path, form: str, folder: pathlib.Path) -> str:
    """The text of what `jupyter nbconvert --to FORM` makes."""
    command = [sys.executable, "-m", "nbconvert", str(notebook), "--to", form, f"--output-dir={folder}"]
    subprocess.run(command, check=True, timeout=200, capture_output=True)
    (made,) = (path for path in folder.iterdir() if path.is_file())
    return made.read_text()


def pictures(notebook: pathlib.Path) -> int:
    return sum("image/png" in bundle for bundle in outputs_of(notebook))


def captions(notebook: pathlib.Path) -> list[str]:
    """The first line of each table. A live view that made room for one below it is empty."""
    tables = [bundle for bundle in outputs_of(notebook) if text(bundle.get("text/html", ""))]
    found = [text(bundle["text/plain"]).partition("\n")[0] for bundle in tables]
    assert found
    return found


@pytest.mark.parametrize("name", NAMES)
def test_markdown_has_every_picture_as_a_file_and_every_table(executed: pathlib.Path, tmp_path: pathlib.Path, name: str) -> None:
    page = convert(executed / name, "markdown", tmp_path)
    files = re.findall(r"!\[png\]\(([^)]+)\)", page)
    assert len(files) == pictures(executed / name) > 0
    assert all((tmp_path / file).read_bytes().startswith(b"\x89PNG") for file in files)
    assert page.count("<table>") == sum("<table>" in text(one.get("text/html", "")) for one in outputs_of(executed / name))


@pytest.mark.parametrize("name", NAMES)
def test_latex_has_every_picture_and_what_every_table_says(executed: pathlib.Path, tmp_path: pathlib.Path, name: str) -> None:
    page = convert(executed / name, "latex", tmp_path)
    assert page.count(r"\adjustimage") + page.count(r"\includegraphics") >= pictures(executed / name) > 0
    words = re.sub(r"[^a-z]+", "", re.sub(r"\\[a-zA-Z]+", "", page))
    for caption in captions(executed / name):
        assert re.sub(r"[^a-z]+", "", caption.partition("(")[0]) in words


class _Page(HTMLParser):
    """The images of a page, and the text of its tables."""

    def __init__(self) -> None:
        super().__init__()
        self.images: list[str] = []
        self.tables = 0

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        if tag == "img":
            self.images.append(dict(attributes).get("src") or "")
        self.tables += tag == "table"


@pytest.mark.parametrize("name", NAMES)
def test_html_without_scripts_has_every_picture_and_every_table(executed: pathlib.Path, name: str) -> None:
    page = _Page()
    page.feed(re.sub(r"<script.*?</script>", "", (executed / name).with_suffix(".html").read_text(), flags=re.S))
    assert sum(one.startswith("data:image/png;base64,iVBOR") for one in page.images) == pictures(executed / name)
    assert page.tables >= len(captions(executed / name))


@pytest.mark.parametrize("name", NAMES)
def test_outputs_have_nothing_that_github_strips(executed: pathlib.Path, name: str) -> None:
    for bundle in outputs_of(executed / name):
        assert stripped_by_github(text(bundle.get("text/html", ""))) == []
        assert not {"image/svg+xml", "application/javascript"} & bundle.keys()


@pytest.mark.parametrize(("html", "stripped"), [
    ("<p style='color: red'>x</p>", ["<p style>"]),
    ("<script>1</script><svg></svg>", ["<script>", "<svg>"]),
    ("<td>1</td>", ["<td>"]),
    ("<table><tr><td align='left' onclick='x'>1</td></tr></table>", ["<td onclick>"]),
    ("<img src='data:image/png;base64,'><!-- x -->", ["<img src=data:image/png;base6>", "<!-- -->"]),
    ("<table><thead><tr><th>1</th></tr></thead></table><p><b>2</b><br></p>", []),
])  # fmt: skip
def test_the_sanitiser_itself_finds_what_is_stripped(html: str, stripped: list[str]) -> None:
    assert stripped_by_github(html) == stripped


@pytest.mark.parametrize("name", NAMES)
def test_what_a_cell_leaves_in_the_file_is_small(executed: pathlib.Path, name: str) -> None:
    for cell in code_cells(executed / name):
        for output in cell["outputs"]:
            assert len(json.dumps(output, indent=1)) < 200_000


@pytest.mark.parametrize("name", NAMES)
def test_every_picture_has_its_figures_with_it(executed: pathlib.Path, name: str) -> None:
    pictured = [bundle for bundle in outputs_of(executed / name) if "image/png" in bundle]
    with_figures = [bundle for bundle in pictured if {RUN, COMPARISON} & bundle.keys()]
    assert with_figures
    for bundle in with_figures:
        assert (bundle.get(RUN) or bundle[COMPARISON])["schema"].startswith("xcores.")


def compared(executed: pathlib.Path, name: str) -> dict:
    """The comparison that the notebook keeps under this name."""
    for cell in code_cells(executed / "which-one.ipynb"):
        if text(cell["source"]).startswith("%%compare") and f"-o {name}\n" in text(cell["source"]):
            (figures,) = (one["data"][COMPARISON] for one in cell["outputs"] if COMPARISON in one.get("data", {}))
            return figures
    raise LookupError(name)


def check_verdict(figures: dict, why: str, sentence: str, kinds: tuple[str | None, ...]) -> None:
    """What is recommended, and its reason. On a busy machine it is only told that nothing can be recommended."""
    use = figures["recommendation"]
    expected = {why: (sentence, kinds), "disturbed": ("^No recommendation, because other programs used the cores", (None,))}
    told, recommended = expected[use["why"]]
    assert re.search(told, use["sentence"]) and use["kind"] in recommended, use


def measured(figures: dict, what: str, workers: int) -> dict[str | None, float | None]:
    return {one["kind"]: one[what] for one in figures["configurations"] if one["workers"] == workers}


def test_computing_in_python_is_for_workers_with_gils_of_their_own(executed: pathlib.Path) -> None:
    figures = compared(executed, "computing")
    check_verdict(figures, "parallel_python", "^Use %%(subinterp|procs) 2: ", ("subinterp", "procs"))
    waits = measured(figures, "gil_wait", 2)
    assert waits["threads"] > 0.1 and not waits["subinterp"] and not waits["procs"], waits


def test_waiting_is_for_threads(executed: pathlib.Path) -> None:
    figures = compared(executed, "waiting")
    check_verdict(figures, "waiting", "^Use %%threads 4: ", ("threads",))
    assert all(share > 0.5 for share in measured(figures, "blocked", 4).values()), figures


def test_much_data_with_little_to_do_stays_serial(executed: pathlib.Path) -> None:
    figures = compared(executed, "moving")
    check_verdict(figures, "data", "^Stay serial: .*the data costs more to move than the work saves", (None,))
    moving, moved = measured(figures, "transfer", 2), measured(figures, "moved_bytes", 2)
    assert all(moving[kind] > 0.15 and moved[kind] > 10_000_000 for kind in ("subinterp", "procs")), (moving, moved)
