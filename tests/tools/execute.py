# SPDX-License-Identifier: BSD-3-Clause
"""`./dev execute NOTEBOOK… [--to DIR]`: runs notebooks under the kernel, writes NAME.ipynb and a stand-alone NAME.html.

A cell fails as expected when it carries the tag `raises-exception`; any other failure fails the command, after all
notebooks have been written.
"""

import argparse
import pathlib
import sys
import time

import nbformat
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbconvert import HTMLExporter
from nbconvert.preprocessors import CellExecutionError, ExecutePreprocessor


def run(path: pathlib.Path, folder: pathlib.Path, timeout: int) -> str | None:
    """Executes one notebook; says why it failed, or None."""
    notebook = nbformat.read(path, as_version=4)
    notebook.metadata.kernelspec = {"name": "xcores", "display_name": "Python (xcores)", "language": "python"}
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    for cell in code:  # nothing of an earlier run stays below a cell that fails
        cell.outputs, cell.execution_count = [], None
    failure = None
    begun = code[:1]
    executor = ExecutePreprocessor(timeout=timeout, kernel_name="xcores", on_cell_execute=lambda cell, cell_index: begun.append(cell))
    try:
        executor.preprocess(notebook, {"metadata": {"path": str(path.resolve().parent)}})
    except CellExecutionError as error:
        failure = str(error)
    except (CellTimeoutError, DeadKernelError) as error:  # the notebook shows where it ended
        failure = f"{type(error).__name__}: {error}"
        begun[-1].outputs.append(nbformat.v4.new_output("error", ename=type(error).__name__, evalue=str(error), traceback=[failure]))
    folder.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, folder / path.name)
    page, _ = HTMLExporter(embed_images=True).from_notebook_node(notebook)
    (folder / path.with_suffix(".html").name).write_text(page, encoding="utf-8")
    return failure


def main() -> int:
    parser = argparse.ArgumentParser(prog="./dev execute", description=__doc__.splitlines()[0])
    parser.add_argument("notebooks", nargs="+", type=pathlib.Path, metavar="NOTEBOOK")
    parser.add_argument("--to", type=pathlib.Path, default=pathlib.Path("build/executed"), metavar="DIR")
    parser.add_argument("--timeout", type=int, default=600, help="seconds for one cell (600)")
    options = parser.parse_args()
    failed = False
    for path in options.notebooks:
        start = time.monotonic()
        failure = run(path, options.to, options.timeout)
        print(f"{path}: {'FAILED' if failure else 'ok'} -> {options.to / path.name}, .html ({time.monotonic() - start:.1f} s)", flush=True)
        if failure:
            failed = True
            print(failure, file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
