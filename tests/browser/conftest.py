# SPDX-License-Identifier: BSD-3-Clause
"""Real JupyterLab with the installed kernel, and headless Chromium."""

import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service

PROJECT = pathlib.Path(__file__).parents[2]
SHOTS = PROJECT / "build/screenshots"
TOKEN = "test"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for_server(url: str, server: subprocess.Popen, log: pathlib.Path) -> None:
    limit = time.monotonic() + 60
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except (urllib.error.URLError, ConnectionError):
            if server.poll() is not None or time.monotonic() > limit:
                raise RuntimeError(f"JupyterLab does not answer:\n{log.read_text()}") from None
            time.sleep(0.1)  # between two tries of a server that is starting; nothing is assumed about how long that takes


def write_settings(folder: pathlib.Path) -> None:
    settings = {
        # All cells are in the page, also those out of sight, so that a test can ask for them.
        "notebook-extension/tracker": {"windowingMode": "none"},
        "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
    }
    for name, value in settings.items():
        path = folder / f"@jupyterlab/{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(value))


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a running JupyterLab whose folder holds the notebooks."""
    folder = tmp_path_factory.mktemp("lab")
    for notebook in PROJECT.glob("notebooks/*.ipynb"):
        shutil.copy(notebook, folder)
    port = free_port()
    log = folder.parent / "lab.log"
    command = [sys.executable, "-m", "jupyter", "lab", "--no-browser", "--ip=127.0.0.1", f"--port={port}", f"--notebook-dir={folder}"]
    command += [f"--IdentityProvider.token={TOKEN}", "--ServerApp.port_retries=0"]
    if os.getuid() == 0:
        command.append("--allow-root")
    write_settings(folder.parent / "settings")
    settings = {"JUPYTERLAB_SETTINGS_DIR": str(folder.parent / "settings"), "JUPYTERLAB_WORKSPACES_DIR": str(folder.parent / "workspaces")}
    with log.open("w") as output:
        server = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, env=os.environ | settings)
    try:
        wait_for_server(f"http://127.0.0.1:{port}/api?token={TOKEN}", server, log)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(30)


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    options = Options()
    for switch in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
                   "--disable-component-update", "--disable-sync", "--window-size=1180,1500"):  # fmt: skip
        options.add_argument(switch)
    options.add_argument(f"--user-data-dir={tmp_path_factory.mktemp('profile')}")
    driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
    try:
        yield driver
    finally:
        driver.quit()


@pytest.fixture
def screenshot(browser: webdriver.Chrome) -> Callable[[str], None]:
    SHOTS.mkdir(parents=True, exist_ok=True)
    return lambda name: browser.save_screenshot(str(SHOTS / f"{name}.png"))
