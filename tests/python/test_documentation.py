# SPDX-License-Identifier: BSD-3-Clause
"""The Python cells of the documents run as printed, one after the other, as in one notebook."""

import importlib.util
import json
import re
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[2]
_DOCUMENTS = ("README.md", "docs/guide.md")
_COMPARISON = "application/vnd.xcores.comparison+json"
_BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def cells_of(document: str) -> list[str]:
    return _BLOCK.findall((_ROOT / document).read_text(encoding="utf-8"))


@pytest.mark.parametrize("document", _DOCUMENTS)
def test_the_cells_of_a_document_run_as_printed(document, cell, monkeypatch) -> None:
    monkeypatch.chdir(_ROOT)
    cells = cells_of(document)
    assert cells
    for number, text in enumerate(cells):
        ran = cell(text)
        assert ran.error is None, f"cell {number} of {document}:\n{text}\n{ran.text}"


@pytest.mark.parametrize("document", _DOCUMENTS)
def test_every_magic_that_a_document_names_exists(document, shell) -> None:
    text = (_ROOT / document).read_text(encoding="utf-8")
    shell.extension_manager.load_extension("autoreload")
    known = {"cell": shell.magics_manager.magics["cell"], "line": shell.magics_manager.magics["line"]}
    for magic in set(re.findall(r"%%(\w+)", text)):
        assert magic in known["cell"], magic
    for magic in set(re.findall(r"(?<!%)%(\w+)", text)):
        assert magic in known["line"], magic


def test_the_recommendation_in_the_readme_is_the_one_that_the_notebook_keeps() -> None:
    cells = json.loads((_ROOT / "notebooks" / "which-one.ipynb").read_text(encoding="utf-8"))["cells"]
    code = next(text for text in cells_of("README.md") if text.startswith("%%compare -n 2"))
    kept = next(cell for cell in cells if "".join(cell["source"]).splitlines()[1:] == code.splitlines()[1:])
    (sentence,) = {output["data"][_COMPARISON]["recommendation"]["sentence"] for output in kept["outputs"]
                   if _COMPARISON in output.get("data", {})}
    readme = " ".join((_ROOT / "README.md").read_text(encoding="utf-8").split())
    assert f"*{sentence}*" in readme


def test_the_gallery_shows_what_the_executed_notebooks_keep() -> None:
    # "python3 tests/tools/gallery.py" writes it anew.
    spec = importlib.util.spec_from_file_location("gallery", _ROOT / "tests/tools/gallery.py")
    gallery = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(gallery)
    entries = list(gallery.entries())
    assert len(entries) == 4
    for entry in entries:
        assert entry.shown == entry.expected
        assert entry.file.read_bytes() == entry.picture
