# SPDX-License-Identifier: BSD-3-Clause
"""Sums up JUnit files: prints what failed and was skipped, and `N passed, N failed` as the last line.

usage: verdict.py FOLDER | verdict.py --record MESSAGE FILE | verdict.py --record-passed MESSAGE FILE
"""

import collections
import pathlib
import sys
import xml.etree.ElementTree as xml
from xml.sax.saxutils import quoteattr


def record(message: str, path: str, passed: bool) -> None:
    inner = "" if passed else f"<failure message={quoteattr(message)}/>"
    pathlib.Path(path).write_text(f"<testsuite><testcase name={quoteattr(message)}>{inner}</testcase></testsuite>")


def outcome_of(case: xml.Element) -> str:
    if case.get("status") == "disabled" or case.find("skipped") is not None or case.get("status") == "notrun":
        return "skipped"
    failed = case.find("failure") is not None or case.find("error") is not None or case.get("status") == "fail"
    return "failed" if failed else "passed"


def sum_up(folder: pathlib.Path) -> int:
    counts = collections.Counter()
    for path in sorted(folder.glob("*.xml")):
        for case in xml.parse(path).iter("testcase"):
            outcome = outcome_of(case)
            counts[outcome] += 1
            if outcome != "passed":
                reason = case.find("skipped") if outcome == "skipped" else None
                why = f" ({reason.get('message')})" if reason is not None and reason.get("message") else ""
                print(f"{outcome}: {path.stem}: {case.get('name')}{why}")
    skipped = f", {counts['skipped']} skipped" if counts["skipped"] else ""
    print(f"{counts['passed']} passed, {counts['failed']} failed{skipped}", flush=True)
    return 1 if counts["failed"] or not counts["passed"] else 0


if __name__ == "__main__":
    if sys.argv[1].startswith("--record"):
        record(sys.argv[2], sys.argv[3], passed=sys.argv[1] == "--record-passed")
    else:
        sys.exit(sum_up(pathlib.Path(sys.argv[1])))
