# SPDX-License-Identifier: BSD-3-Clause
"""Executed notebooks opened elsewhere: trusted and not, in JupyterLab, in Notebook 7 and as a page without scripts."""

import base64
import json
import pathlib
import re
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator

import nbformat
import pytest
from conftest import PROJECT, TOKEN
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

Screenshot = Callable[[str], None]

EXECUTE = [sys.executable, str(PROJECT / "tests/tools/execute.py")]
ATTACK = "<img src=x onerror='window.attacked = true'><script>window.attacked = true</script>"
CELLS = [
    "def work():\n    return sum(n * n for n in range(300_000))",
    "%%threads 2 --run first\nwork()",
    "%%subinterp 2 --run second\nwork()",
    "%%compare threads -n 2 --repeat 1\nwork()",
    "import xcores\nxcores.compare(first, second)",
    f"attack = {ATTACK!r}\nattack",
    "%%threads 2 --run hostile\nprint(attack)\nattack",
    "%%procs 2\nprint(attack)\nraise ValueError(attack)",
    "%%compare procs -n 2 --repeat 1\nraise ValueError(attack)",
    "hostile.name = attack\nxcores.compare(hostile, second)",
]
PICTURES = 7  # a comparison of which every part fails has none


@pytest.fixture(scope="module")
def executed(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    folder = tmp_path_factory.mktemp("travel")
    cells = [nbformat.v4.new_code_cell(source) for source in CELLS]
    for cell in cells:
        if "raise ValueError" in cell.source:
            cell.metadata.tags = ["raises-exception"]
    metadata = {"kernelspec": {"name": "xcores", "display_name": "Python (xcores)", "language": "python"}}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=metadata), folder / "travel.ipynb")
    subprocess.run([*EXECUTE, str(folder / "travel.ipynb"), "--to", str(folder / "executed")], check=True, timeout=200)
    return folder / "executed/travel.ipynb"


def upload(lab: str, notebook: pathlib.Path, name: str, *, trusted: bool, keep_outputs: bool = True) -> str:
    """Saves the notebook on the server, which signs it if all its cells are trusted."""
    content = json.loads(notebook.read_text())
    content["cells"].insert(0, nbformat.v4.new_markdown_cell(name))  # a signature is of the contents
    for cell in content["cells"][1:]:
        cell["metadata"]["trusted"] = trusted
        cell["outputs"] = cell["outputs"] if keep_outputs else []
    body = json.dumps({"type": "notebook", "content": content}).encode()
    request = urllib.request.Request(f"{lab}/api/contents/{name}.ipynb?token={TOKEN}", body, method="PUT")
    with urllib.request.urlopen(request, timeout=30):
        return f"{name}.ipynb"


def wait(browser: Chrome, condition: Callable[[Chrome], object], seconds: float = 60) -> None:
    WebDriverWait(browser, seconds).until(condition)


def images(browser: Chrome, within: str) -> list[WebElement]:
    return browser.find_elements(By.CSS_SELECTOR, f"{within} img")


def widths(browser: Chrome, within: str) -> list[int]:
    """Of those that are really displayed: as many pixels as the file has."""
    return [browser.execute_script("return arguments[0].naturalWidth", one) for one in images(browser, within)]


def check_all_is_shown_and_nothing_lives(browser: Chrome, within: str) -> None:
    wait(browser, lambda _: len(images(browser, within)) >= PICTURES)
    wait(browser, lambda _: all(width >= 900 for width in widths(browser, within)))
    assert len(images(browser, within)) == PICTURES
    tables = browser.find_elements(By.CSS_SELECTOR, f"{within} table")
    assert len(tables) >= PICTURES and all(table.size["height"] > 20 for table in tables)
    shown = browser.execute_script("return document.body.innerText")
    assert shown.count("window.attacked = true") >= 4  # as text
    assert browser.execute_script("return window.attacked") is None
    assert browser.find_elements(By.CSS_SELECTOR, "img[src=x], [onerror]") == []
    assert not any("attacked" in (script.get_attribute("textContent") or "")
                   for script in browser.find_elements(By.CSS_SELECTOR, f"{within} script"))  # fmt: skip


def shot_of_each(browser: Chrome, screenshot: Screenshot, within: str, name: str) -> None:
    for number, picture in enumerate(images(browser, within)):
        if number in (0, 2, 3, 4):
            browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", picture)
            screenshot(f"travel-{name}-{number}")


@pytest.mark.parametrize("trusted", [True, False], ids=["trusted", "untrusted"])
def test_jupyterlab_shows_every_table_and_picture(
    browser: Chrome, lab: str, executed: pathlib.Path, screenshot: Screenshot, *, trusted: bool
) -> None:
    word = "trusted" if trusted else "untrusted"
    name = upload(lab, executed, f"travel-{word}", trusted=trusted)
    browser.get(f"{lab}/lab/tree/{name}?token={TOKEN}&reset")
    wait(browser, lambda page: page.find_elements(By.CSS_SELECTOR, ".jp-Notebook .jp-CodeCell"))
    count = f"{len(CELLS) if trusted else 0} of {len(CELLS)} code cells trusted"
    wait(browser, lambda page: page.find_elements(By.CSS_SELECTOR, f"[title*='{count}']"))
    check_all_is_shown_and_nothing_lives(browser, ".jp-OutputArea-output")
    shot_of_each(browser, screenshot, ".jp-OutputArea-output", f"lab-{word}")


def test_notebook_7_shows_every_table_and_picture(browser: Chrome, lab: str, executed: pathlib.Path, screenshot: Screenshot) -> None:
    name = upload(lab, executed, "travel-notebook", trusted=False)
    browser.get(f"{lab}/notebooks/{name}?token={TOKEN}")
    wait(browser, lambda page: page.find_elements(By.CSS_SELECTOR, ".jp-Notebook .jp-CodeCell"))
    check_all_is_shown_and_nothing_lives(browser, ".jp-OutputArea-output")
    shot_of_each(browser, screenshot, ".jp-OutputArea-output", "notebook")


@pytest.fixture
def page_without_scripts(executed: pathlib.Path) -> Iterator[str]:
    page = re.sub(r"<script\b.*?</script>", "", executed.with_suffix(".html").read_text(), flags=re.S)
    path = executed.with_name("plain.html")
    path.write_text(page)
    yield path.as_uri()


def test_the_html_page_shows_all_without_scripts(browser: Chrome, page_without_scripts: str, screenshot: Screenshot) -> None:
    browser.get(page_without_scripts)
    check_all_is_shown_and_nothing_lives(browser, ".jp-OutputArea-output")
    shot_of_each(browser, screenshot, ".jp-OutputArea-output", "html")


def test_the_printed_page_has_every_picture(browser: Chrome, page_without_scripts: str) -> None:
    browser.get(page_without_scripts)
    wait(browser, lambda _: all(width >= 900 for width in widths(browser, ".jp-OutputArea-output")))
    printed = base64.b64decode(browser.print_page())
    assert printed.startswith(b"%PDF")
    widths_there = re.findall(rb"/Subtype /Image\s+/Width (\d+)[^>]*?/SMask", printed)  # a mask is an image too
    assert len([width for width in widths_there if int(width) >= 900]) == PICTURES


def test_a_live_cell_lets_nothing_of_a_worker_into_the_page(browser: Chrome, lab: str, executed: pathlib.Path) -> None:
    name = upload(lab, executed, "travel-live", trusted=True, keep_outputs=False)
    browser.get(f"{lab}/lab/tree/{name}?token={TOKEN}&reset")
    wait(browser, lambda page: page.find_elements(By.CSS_SELECTOR, ".jp-Notebook-ExecutionIndicator[data-status=idle]"))
    browser.execute_script("window.stillHere = true")
    browser.find_element(By.CSS_SELECTOR, ".jp-Notebook .jp-CodeCell").click()
    run_all(browser)
    check_all_is_shown_and_nothing_lives(browser, ".jp-OutputArea-output")
    assert browser.execute_script("return window.stillHere")


def run_all(browser: Chrome) -> None:
    browser.find_element(By.XPATH, "//div[contains(@class, 'lm-MenuBar-itemLabel')][text()='Run']").click()
    wait(browser, lambda page: page.find_elements(By.CSS_SELECTOR, "[data-command='runmenu:run-all']"))
    browser.find_element(By.CSS_SELECTOR, "[data-command='runmenu:run-all']").click()
