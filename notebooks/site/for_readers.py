# SPDX-License-Identifier: BSD-3-Clause
"""`./dev workshop`: gives the reader copies of the notebooks that are theirs to edit.

    python3 notebooks/site/for_readers.py FROM TO

What was given is kept in a hidden folder beside the copies. A copy that is still the same is replaced when the project has
a new version; one that the reader has changed never is. One that the reader has removed comes again.
"""

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

GIVEN = ".given"
NOT_FOR_READERS = {".ipynb_checkpoints", "__pycache__", GIVEN}


def give(source: Path, to: Path) -> list[Path]:
    """Copy the files of `source` that the reader has not changed in `to`; return the changed ones of which there is a new version."""
    kept = []
    for path in sorted(_files(source)):
        copy, given = to / path, to / GIVEN / path
        new = (source / path).read_bytes()
        if copy.is_file() and copy.read_bytes() != (given.read_bytes() if given.is_file() else new):
            if not given.is_file() or given.read_bytes() != new:
                kept.append(path)
            continue
        for place in (copy, given):
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source / path, place)
    return kept


def _files(folder: Path) -> Iterator[Path]:
    for path in folder.rglob("*"):
        if path.is_file() and not NOT_FOR_READERS & set(path.relative_to(folder).parts):
            yield path.relative_to(folder)


def main() -> None:
    source, to = map(Path, sys.argv[1:])
    for path in give(source, to):
        print(f"dev: you have changed {to / path}: it stays. There is a new version, which you get when you remove yours.", file=sys.stderr)


if __name__ == "__main__":
    main()
