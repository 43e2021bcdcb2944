# SPDX-License-Identifier: BSD-3-Clause
"""Writes the README's gallery: `python3 tests/tools/gallery.py`, after the notebooks have been executed.

Where README.md says `<!-- gallery NOTEBOOK CELL -->`, the source of the cell with that id follows as a code block, and the
picture that the executed notebook keeps of it, as docs/gallery/CELL.png. The order and the texts around are the README's own.
"""

import base64
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
_ENTRY = re.compile(
    r"^<!-- gallery (?P<notebook>\S+) (?P<cell>\S+) -->\n"
    r"(?P<shown>(?:```ipython\n.*?^```\n\n)?!\[(?P<alt>[^\]]*)\]\([^)]*\)\n)",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Entry:
    """One place of the gallery. `shown`: what the README has there; `expected`: what it should have."""

    cell: str
    shown: str
    expected: str
    picture: bytes

    @property
    def file(self) -> Path:
        return ROOT / "docs/gallery" / f"{self.cell}.png"


def entries() -> Iterator[Entry]:
    """Raises LookupError where a notebook has no such cell, or the cell no picture."""
    for found in _ENTRY.finditer((ROOT / "README.md").read_text(encoding="utf-8")):
        notebook, name = found["notebook"], found["cell"]
        cells = json.loads((ROOT / notebook).read_text(encoding="utf-8"))["cells"]
        cell = next((cell for cell in cells if cell["id"] == name), None)
        if cell is None:
            raise LookupError(f"{notebook} has no cell {name!r}")
        pictures = [output["data"]["image/png"] for output in cell["outputs"] if "image/png" in output.get("data", {})]
        if not pictures:
            raise LookupError(f"the cell {name!r} of {notebook} has no picture: execute the notebook first")
        expected = f"```ipython\n{''.join(cell['source'])}\n```\n\n![{found['alt']}](docs/gallery/{name}.png)\n"
        yield Entry(name, found["shown"], expected, base64.b64decode("".join(pictures[-1])))


def main() -> None:
    readme = ROOT / "README.md"
    text = readme.read_text(encoding="utf-8")
    for entry in entries():
        entry.file.parent.mkdir(exist_ok=True)
        entry.file.write_bytes(entry.picture)
        text = text.replace(entry.shown, entry.expected)
    readme.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
