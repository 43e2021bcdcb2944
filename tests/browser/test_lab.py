# SPDX-License-Identifier: BSD-3-Clause
"""The quickstart as a newcomer meets it: JupyterLab, run from the keyboard."""

from collections.abc import Callable

import pytest
from conftest import TOKEN
from selenium.webdriver import ActionChains, Chrome, Keys
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

Screenshot = Callable[[str], None]

CELLS = ".jp-Notebook .jp-CodeCell"
SCROLL = "arguments[0].scrollIntoView({block: 'start'})"


def wait(browser: Chrome, condition: Callable[[Chrome], object], seconds: float = 60) -> None:
    WebDriverWait(browser, seconds).until(condition)


def open_notebook(browser: Chrome, lab: str, name: str) -> None:
    browser.get(f"{lab}/lab/tree/{name}?token={TOKEN}&reset")
    wait(browser, lambda page: page.find_elements(By.CSS_SELECTOR, CELLS))
    wait(browser, lambda page: "Python (xcores)" in page.find_element(By.CSS_SELECTOR, ".jp-NotebookPanel-toolbar").text)
    wait(browser, lambda page: page.find_elements(By.CSS_SELECTOR, ".jp-Notebook-ExecutionIndicator[data-status=idle]"))


def keys(browser: Chrome, *modifiers_and_key: str) -> None:
    actions = ActionChains(browser)
    for key in modifiers_and_key[:-1]:
        actions.key_down(key)
    actions.send_keys(modifiers_and_key[-1])
    for key in modifiers_and_key[:-1]:
        actions.key_up(key)
    actions.perform()


def cell_with(browser: Chrome, text: str) -> WebElement:
    return next(cell for cell in browser.find_elements(By.CSS_SELECTOR, CELLS) if text in cell.text)


def run_current_cell(browser: Chrome) -> None:
    keys(browser, Keys.SHIFT, Keys.ENTER)


def visible(element: WebElement) -> bool:
    return element.is_displayed() and element.size["width"] > 50 and element.size["height"] > 20


@pytest.fixture(scope="module")
def quickstart(browser: Chrome, lab: str) -> Chrome:
    """The quickstart with the outputs cleared and every cell run anew from the keyboard."""
    open_notebook(browser, lab, "quickstart.ipynb")
    browser.find_element(By.CSS_SELECTOR, ".jp-Notebook .jp-Cell").click()
    keys(browser, Keys.ESCAPE)
    for _ in browser.find_elements(By.CSS_SELECTOR, ".jp-Notebook .jp-Cell"):
        run_current_cell(browser)
    wait(browser, lambda page: not any("[*]" in cell.text for cell in page.find_elements(By.CSS_SELECTOR, CELLS)))
    return browser


@pytest.mark.parametrize("magic", ["%%threads", "%%subinterp", "%%procs"])
def test_each_magic_displays_its_table_and_its_picture(quickstart: Chrome, screenshot: Screenshot, magic: str) -> None:
    cell = cell_with(quickstart, f"{magic} 2")
    quickstart.execute_script(SCROLL, cell)
    wait(quickstart, lambda _: cell.find_elements(By.CSS_SELECTOR, ".jp-OutputArea-output img"))
    assert any(visible(table) for table in cell.find_elements(By.CSS_SELECTOR, ".jp-OutputArea-output table"))
    picture = cell.find_element(By.CSS_SELECTOR, ".jp-OutputArea-output img")
    assert visible(picture)
    # Two dots a unit, or fewer where the picture is dense: a notebook has to stay small.
    assert quickstart.execute_script("return arguments[0].naturalWidth", picture) >= 1350
    assert "24522" in cell.text and "24575" in cell.text
    screenshot(f"quickstart-{magic.strip('%')}")


def test_an_error_names_the_worker_and_keeps_the_other_result(quickstart: Chrome, screenshot: Screenshot) -> None:
    cell = cell_with(quickstart, "10 / worker")
    quickstart.execute_script(SCROLL, cell)
    wait(quickstart, lambda _: "1 of 2 workers failed" in cell.text)
    assert "ZeroDivisionError" in cell.text
    screenshot("quickstart-error")


def test_the_stop_button_ends_a_cell_on_all_workers(browser: Chrome, lab: str, quickstart: Chrome, screenshot: Screenshot) -> None:
    keys(quickstart, Keys.ESCAPE)
    keys(quickstart, "b")
    keys(quickstart, Keys.ENTER)
    ActionChains(quickstart).send_keys("%%threads 2\nwhile True: pass").perform()
    run_current_cell(quickstart)
    wait(quickstart, lambda page: "running" in cell_with(page, "while True").text)
    screenshot("live")
    quickstart.find_element(By.CSS_SELECTOR, "[data-command='notebook:interrupt-kernel'], [title^='Interrupt']").click()
    wait(quickstart, lambda page: "KeyboardInterrupt" in cell_with(page, "while True").text, seconds=10)
    screenshot("interrupted")
