# SPDX-License-Identifier: BSD-3-Clause
"""The generated files of the workshop's part on loading data, and the checks of its exercises."""

import csv
import datetime
import importlib.util
from pathlib import Path

import pytest

from xcores import workshop
from xcores.workshop import files

needs_openpyxl = pytest.mark.skipif(importlib.util.find_spec("openpyxl") is None, reason="openpyxl is not installed")


def rows_of_csv(path: Path) -> list[files.Sale]:
    with path.open(newline="", encoding="utf-8") as file:
        lines = csv.reader(file)
        assert tuple(next(lines)) == files.HEADER
        return [(datetime.date.fromisoformat(day), product, region, int(quantity), int(cents))
                for day, product, region, quantity, cents in lines]


def rows_of_excel(path: Path) -> list[files.Sale]:
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.load_workbook(path, read_only=True)
    header, *rows = book.active.iter_rows(values_only=True)
    book.close()
    assert header == files.HEADER
    return [(day.date(), *rest) for day, *rest in rows]


@needs_openpyxl
def test_there_are_24_files_half_of_each_kind(tmp_path: Path) -> None:
    paths = files.make(tmp_path / "new folder", rows=8)
    assert paths == sorted((tmp_path / "new folder").iterdir())
    assert [path.suffix for path in paths] == [".csv", ".xlsx"] * 12


@needs_openpyxl
def test_files_hold_the_sales_of_their_branch(tmp_path: Path) -> None:
    plain, excel = files.make(tmp_path, 2, rows=40)
    assert rows_of_csv(plain) == list(files.sales(1, 40))
    assert rows_of_excel(excel) == list(files.sales(2, 40))


def test_the_figures_are_the_same_each_time_and_differ_from_seed_to_seed() -> None:
    assert list(files.sales(3, 50)) == list(files.sales(3, 50))
    assert list(files.sales(3, 50)) != list(files.sales(3, 50, seed=1))
    assert list(files.sales(3, 50)) != list(files.sales(4, 50))
    assert next(files.sales(1)) == (datetime.date(2026, 12, 13), "nut", "west", 4, 3863)


def test_revenue_is_a_sum_for_each_region() -> None:
    day = datetime.date(2026, 1, 1)
    table = [(day, "nut", "west", 2, 50), (day, "nut", "east", 1, 7), (day, "nut", "west", 1, 1)]
    assert files.revenue(table) == {"east": 7, "north": 0, "south": 0, "west": 101}


def load(path: Path) -> list[files.Sale]:
    return rows_of_csv(path) if path.suffix == ".csv" else rows_of_excel(path)


def summed(path: Path, value) -> dict[str, int]:
    totals: dict[str, int] = {}
    for sale in load(path):
        totals[sale[2]] = totals.get(sale[2], 0) + value(sale)
    return totals


def by_product(path: Path) -> dict[str, int]:
    return {product: 1 for _, product, *_ in load(path)}


@pytest.mark.parametrize("answer, message", [
    (lambda path: None, "returns nothing"),
    (lambda path: sum(quantity * cents for *_, quantity, cents in load(path)), "That is one number"),
    (load, "rows come back"),
    (lambda path: "much", "This is a str"),
    (by_product, "is no region"),
    (lambda path: {"north": 1}, "which is missing"),
    (lambda path: summed(path, lambda sale: sale[4]), "the sum of the prices"),
    (lambda path: summed(path, lambda sale: sale[3]), "the sum of the quantities"),
    (lambda path: summed(path, lambda sale: 1), "the number of sales"),
    (lambda path: summed(path, lambda sale: sale[3] * sale[4] + 1), "you have"),
    ({"north": 1}, "without a call"),
])
def test_a_wrong_summary_is_told_what_is_wrong(answer, message: str) -> None:
    verdict = workshop.check("09-summary", answer)
    assert not verdict and message in verdict.message


def test_a_right_summary_passes() -> None:
    assert workshop.check("09-summary", lambda path: summed(path, lambda sale: sale[3] * sale[4]))


@pytest.mark.parametrize("answer, message", [
    (sorted, "g.xlsx (10 of 19.7 units of work) begins at"),
    (lambda paths: sorted(paths, key=lambda path: path.stat().st_size), "g.xlsx"),
    (lambda paths: paths.sort(), "list.sort() returns None"),
    (lambda paths: paths[1:], "Each file has to be there"),
    ([], "without a call"),
])
def test_a_wrong_order_is_told_what_is_wrong(answer, message: str) -> None:
    verdict = workshop.check("09-order", answer)
    assert not verdict and message in verdict.message


def test_the_longest_first_passes() -> None:
    assert workshop.check("09-order", lambda paths: sorted(paths, key=lambda path: (path.suffix, path.stat().st_size), reverse=True))


RIGHT = {"openpyxl": "subinterp", "pandas": "procs", "download": "threads"}


@pytest.mark.parametrize("changed, message", [
    ({"openpyxl": ...}, "no answer to 'openpyxl'"),
    ({"openpyxl": "threads"}, "holds the GIL"),
    ({"pandas": "subinterp"}, "tried to import it"),
    ({"pandas": "threads"}, "with the GIL held"),
    ({"download": "%%procs"}, "a process of its own"),
    ({"download": "subinterp"}, "a GIL of its own"),
    ({"download": "asyncio"}, "none of"),
])
def test_a_wrong_choice_is_told_what_to_look_at(changed: dict[str, object], message: str) -> None:
    verdict = workshop.check("09-choice", RIGHT | changed)
    assert not verdict and message in verdict.message


@pytest.mark.parametrize("changed", [{}, {"openpyxl": "procs"}, {"download": "%%threads"}])
def test_a_right_choice_passes(changed: dict[str, str]) -> None:
    assert workshop.check("09-choice", RIGHT | changed)
