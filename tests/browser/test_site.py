# SPDX-License-Identifier: BSD-3-Clause
"""The workshop's site in a browser, from a folder: wide and narrow, light and dark.

It shows the outputs of build/executed/workshop, where tests/notebooks leaves them, or those that the notebooks have.
"""

import pathlib
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest
from conftest import PROJECT
from selenium.webdriver import Chrome

Screenshot = Callable[[str], None]

INDEX = PROJECT / "notebooks/workshop/00-index.ipynb"
WIDTHS = (1280, 640, 380)

# What lies beyond the right edge of the window, and in nothing that scrolls inside itself.
BEYOND = """
const scrolls = element => element && (["auto", "scroll"].includes(getComputedStyle(element).overflowX) || scrolls(element.parentElement));
return [...document.querySelectorAll("body *")].filter(element => {
    const place = element.getBoundingClientRect();
    return place.width && place.right > document.documentElement.clientWidth + 1 && !scrolls(element.parentElement) && !scrolls(element);
}).map(element => element.outerHTML.slice(0, 200))
"""
IMAGES = """
return [...document.images].map(image => [image.getAttribute("src").slice(0, 80), image.naturalWidth, image.getBoundingClientRect().width,
                                          document.querySelector("main").getBoundingClientRect().width])
"""
# The contrast of text with what lies behind it, as WCAG defines it; pictures have a ground of their own.
FAINT = """
const channels = colour => colour.match(/[\\d.]+/g).map(Number);
const light = rgb => rgb.slice(0, 3).map(c => c / 255).map(c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
const ground = element => {
    for (; element; element = element.parentElement) {
        const colour = channels(getComputedStyle(element).backgroundColor);
        if (colour.length === 3 || colour[3] === 1) return colour;
    }
    return [255, 255, 255];
};
const faint = new Set();
const walk = document.createTreeWalker(document.querySelector("main"), NodeFilter.SHOW_TEXT);
while (walk.nextNode()) {
    const element = walk.currentNode.parentElement;
    if (!walk.currentNode.textContent.trim() || ["STYLE", "SCRIPT"].includes(element.tagName)) continue;
    const [a, b] = [light(channels(getComputedStyle(element).color)), light(ground(element))].sort((x, y) => y - x);
    if ((a + 0.05) / (b + 0.05) < 4.5) faint.add(`${element.outerHTML.slice(0, 150)}: ${((a + 0.05) / (b + 0.05)).toFixed(1)}`);
}
return [...faint]
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    if not INDEX.exists():
        pytest.skip("there is no notebooks/workshop here")
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, str(PROJECT / "notebooks/site/build.py"), "--to", str(folder), "--no-execute"]
    subprocess.run(command, timeout=200, check=False)  # what is wrong with its pages is for tests/notebooks to say
    return folder


@pytest.fixture(scope="module")
def emulating(browser: Chrome) -> Iterator[Callable[[int, str], None]]:
    """Gives the page a width below what a window can have, and a reader who wants it light or dark."""

    def emulate(width: int, scheme: str) -> None:
        size = {"width": width, "height": 1200, "deviceScaleFactor": 1, "mobile": width < 700}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]})

    yield emulate
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def open_folds(browser: Chrome) -> None:
    browser.execute_script("document.querySelectorAll('details').forEach(fold => { fold.open = true })")


@pytest.mark.parametrize("width", WIDTHS)
def test_no_page_scrolls_sideways(browser: Chrome, site: pathlib.Path, emulating: Callable[[int, str], None], screenshot: Screenshot, width: int) -> None:
    emulating(width, "light")
    for page in sorted(site.glob("*.html")):
        browser.get(page.as_uri())
        open_folds(browser)
        scrolled = browser.execute_script("scrollTo(1000, 0); return [scrollX, document.scrollingElement.scrollWidth]")
        assert scrolled[0] == 0 and scrolled[1] <= width, (page.name, scrolled)
        assert browser.execute_script(BEYOND) == [], page.name
        screenshot(f"site-{page.stem}-{width}")


@pytest.mark.parametrize("width", WIDTHS)
def test_every_picture_is_there_and_fits(browser: Chrome, site: pathlib.Path, emulating: Callable[[int, str], None], width: int) -> None:
    emulating(width, "light")
    for page in sorted(site.glob("*.html")):
        browser.get(page.as_uri())
        open_folds(browser)
        for source, pixels, shown, room in browser.execute_script(IMAGES):
            assert pixels > 0 and 0 < shown <= room, (page.name, source)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_and_tables_can_be_read(
    browser: Chrome, site: pathlib.Path, emulating: Callable[[int, str], None], screenshot: Screenshot, scheme: str
) -> None:
    emulating(1280, scheme)
    for page in sorted(site.glob("*.html")):
        browser.get(page.as_uri())
        open_folds(browser)
        assert browser.execute_script(FAINT) == [], page.name
        screenshot(f"site-{page.stem}-{scheme}")


def test_white_pictures_do_not_glare_in_the_dark(browser: Chrome, site: pathlib.Path, emulating: Callable[[int, str], None]) -> None:
    brightness = {}
    for scheme in ("light", "dark"):
        emulating(1280, scheme)
        browser.get((site / "01-concurrency.html").as_uri())
        brightness[scheme] = browser.execute_script("return getComputedStyle(document.querySelector('.output img')).filter")
    assert brightness == {"light": "none", "dark": "brightness(0.85)"}


def test_a_reader_can_walk_from_the_first_page_to_the_last(browser: Chrome, site: pathlib.Path, emulating: Callable[[int, str], None]) -> None:
    emulating(1280, "light")
    browser.get((site / "index.html").as_uri())
    visited = [browser.title]
    while steps := browser.find_elements("css selector", "footer a[rel=next]"):
        steps[0].click()
        visited.append(browser.title)
    assert len(visited) == len(set(visited)) == len(list(INDEX.parent.glob("[0-9][0-9]-*.ipynb"))) + INDEX.with_name("quiz.ipynb").exists()
