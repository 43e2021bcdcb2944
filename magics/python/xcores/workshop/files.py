# SPDX-License-Identifier: BSD-3-Clause
"""The sales figures of 24 branches, as CSV and Excel files, for the part on loading data.

    from xcores.workshop import files

    paths = files.make(folder)            # branch-01.csv, branch-02.xlsx, branch-03.csv, …

The figures are random and the same on every machine. Half of the branches send CSV, the other half Excel. A file has a
header and then one sale a row: day, product, region, quantity, and price in cents.

`make` needs openpyxl for the Excel files.
"""

import csv
import datetime
import os
import random
from collections.abc import Iterator, Sequence
from pathlib import Path

HEADER = ("day", "product", "region", "quantity", "cents")
REGIONS = ("north", "east", "south", "west")
PRODUCTS = ("bolt", "bracket", "hinge", "latch", "nut", "rivet", "screw", "washer")

Sale = tuple[datetime.date, str, str, int, int]

_FIRST_DAY = datetime.date(2026, 1, 1)
_SAVED_AT = datetime.datetime(2026, 12, 31)


def make(folder: str | os.PathLike[str], count: int = 24, rows: int = 900, seed: int = 2026) -> list[Path]:
    """Write `count` files of about `rows` sales each into `folder`, which is made if need be; their paths, by name.

    *Failure*: OSError; ImportError where openpyxl is missing and `count` is more than 1.
    """
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    paths = []
    for branch in range(1, count + 1):
        path = target / f"branch-{branch:02}.{'csv' if branch % 2 else 'xlsx'}"
        table = list(sales(branch, rows, seed))
        if path.suffix == ".csv":
            _write_csv(path, table)
        else:
            _write_excel(path, table)
        paths.append(path)
    return paths


def sales(branch: int, rows: int = 900, seed: int = 2026) -> Iterator[Sale]:
    """The sales of one branch, the same for the same arguments. Branches differ in size by up to a half."""
    numbers = random.Random(f"{seed}/{branch}")
    for _ in range(numbers.randint(rows * 3 // 4, rows * 5 // 4)):
        day = _FIRST_DAY + datetime.timedelta(days=numbers.randrange(365))
        yield (day, numbers.choice(PRODUCTS), numbers.choice(REGIONS), numbers.randint(1, 20), numbers.randint(5, 5000))


def revenue(table: Sequence[Sale] | Iterator[Sale]) -> dict[str, int]:
    """Cents taken in each region, regions in alphabetical order: what loaded files are checked against."""
    totals = dict.fromkeys(sorted(REGIONS), 0)
    for _, _, region, quantity, cents in table:
        totals[region] += quantity * cents
    return totals


def _write_csv(path: Path, table: Sequence[Sale]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(HEADER)
        writer.writerows(table)


def _write_excel(path: Path, table: Sequence[Sale]) -> None:
    import openpyxl

    book = openpyxl.Workbook(write_only=True)
    book.properties.created = book.properties.modified = _SAVED_AT
    sheet = book.create_sheet("sales")
    sheet.append(HEADER)
    for sale in table:
        sheet.append(sale)
    book.save(path)
    book.close()
