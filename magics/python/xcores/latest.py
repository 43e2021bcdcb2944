# SPDX-License-Identifier: BSD-3-Clause
"""Keeps the report of the latest run. Imports nothing, so a script that only records does not import IPython."""

from typing import Any

_report: Any = None


def last_report() -> Any:
    """The report of the latest run in this process, or None before the first."""
    return _report


def remember(report: Any) -> None:
    """Make this the latest run."""
    global _report
    _report = report
