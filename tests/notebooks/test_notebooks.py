# SPDX-License-Identifier: BSD-3-Clause
"""The workshop's notebooks run under the kernel, and what they show stands without it."""

import json
import pathlib
import subprocess

import pytest
from conftest import EXECUTE, code_cells

MAGICS = ("%%threads", "%%subinterp", "%%procs")


def shown(cell: dict) -> set[str]:
    return {mime for output in cell["outputs"] for mime in output.get("data", {})}


@pytest.mark.parametrize("magic", MAGICS)
def test_every_magic_shows_a_table_with_results_and_a_picture(executed: pathlib.Path, magic: str) -> None:
    cells = [cell for cell in code_cells(executed / "quickstart.ipynb") if "".join(cell["source"]).startswith(magic)]
    assert cells
    for cell in cells:
        if "--no-plot" not in "".join(cell["source"]):
            assert {"text/html", "text/plain", "image/png"} <= shown(cell)
            assert "<table" in "".join("".join(output["data"].get("text/html", "")) for output in cell["outputs"] if "data" in output)


def test_any_cell_can_be_looked_at(executed: pathlib.Path) -> None:
    cells = [cell for cell in code_cells(executed / "look-at-any-cell.ipynb") if "".join(cell["source"]).startswith("%%cores")]
    assert len(cells) == 6
    lanes = ["ThreadPoolExecutor", "ThreadPoolExecutor", "asyncio_0", "process ", "process ", "process "]
    for cell, lane in zip(cells, lanes, strict=True):
        tables = "".join("".join(output.get("data", {}).get("text/html", "")) for output in cell["outputs"])
        assert "MainThread" in tables and lane in tables


def test_the_three_kinds_of_workers_come_to_the_same_results(executed: pathlib.Path) -> None:
    found = []
    for cell in code_cells(executed / "quickstart.ipynb"):
        source = "".join(cell["source"])
        if source.startswith(MAGICS) and "is_prime" in source:
            text = "".join("".join(output["data"]["text/plain"]) for output in cell["outputs"] if "text/html" in output.get("data", {}))
            found.append([word for word in text.split() if word in ("24522", "24575")])
    assert found == [["24522", "24575"]] * 3


def test_the_page_needs_neither_script_nor_network_for_tables_and_pictures(executed: pathlib.Path) -> None:
    page = (executed / "quickstart.html").read_text()
    for cell in code_cells(executed / "quickstart.ipynb"):
        for output in cell["outputs"]:
            if picture := output.get("data", {}).get("image/png"):
                assert "".join(picture).strip().replace("\n", "")[:200] in page.replace("\n", "")
            if table := output.get("data", {}).get("text/html"):
                assert "<script" not in "".join(table)
                assert "http" not in "".join(table)


@pytest.mark.parametrize(("source", "told"), [
    ("1/0", "ZeroDivisionError"),
    ("import threading; threading.Event().wait(60)", "CellTimeoutError"),
    ("import os; os._exit(1)", "DeadKernelError"),
])  # fmt: skip
def test_a_cell_that_fails_unexpectedly_fails_the_command_and_no_other_notebook(tmp_path: pathlib.Path, source: str, told: str) -> None:
    for name, code in (("bad", source), ("good", "6 * 7")):
        earlier = {"output_type": "stream", "name": "stdout", "text": "of an earlier run"}
        cell = {"cell_type": "code", "id": "one", "execution_count": 1, "metadata": {}, "outputs": [earlier], "source": code}
        after = {**cell, "id": "two", "source": "'after'"}
        (tmp_path / f"{name}.ipynb").write_text(json.dumps({"cells": [cell, after], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))
    command = [*EXECUTE, str(tmp_path / "bad.ipynb"), str(tmp_path / "good.ipynb"), "--to", str(tmp_path / "out"), "--timeout", "10"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 1
    assert told in done.stderr
    assert (tmp_path / "out/bad.html").exists()
    first, second = code_cells(tmp_path / "out/bad.ipynb")
    assert {output["output_type"] for output in first["outputs"]} == {"error"} and second["outputs"] == []
    assert [cell["outputs"][0]["data"]["text/plain"] for cell in code_cells(tmp_path / "out/good.ipynb")] == [["42"], ["'after'"]]
