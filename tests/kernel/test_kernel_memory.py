# SPDX-License-Identifier: BSD-3-Clause
"""What the kernel keeps of cells that are over: no more than the user can ask for."""

import pytest

PARSED = """import ast, executing, gc, linecache, os
gc.collect()
found = gc.get_objects()
files = sorted(os.path.basename(each.filename) for each in found if isinstance(each, executing.Source))
trees = [each for each in found if isinstance(each, ast.Module) and hasattr(each.body[0], "parent")]
cells = [file for file in files if file.startswith("<ipython-input")]
print(*(file for file in files if file not in cells), len(cells), len(trees))
print(*sorted(os.path.basename(name) for name, entry in linecache.cache.items() if entry[1:] and entry[1] is not None))
del found, trees"""

ERRORS = {
    "in the cell": ("1 / 0", ""),
    "in a library": ("import json; json.loads('{')", "__init__.py decoder.py "),
    "with a cause": ("import fractions\ntry: fractions.Fraction('a')\nexcept ValueError as error: raise KeyError from error",
                     "fractions.py "),
}


@pytest.mark.parametrize("code, libraries", ERRORS.values(), ids=ERRORS)
def test_of_the_files_in_tracebacks_only_those_of_the_latest_stay_parsed(notebook, code, libraries):
    for earlier in ["import decimal; decimal.Decimal('a')", "import statistics; statistics.mean([])", "[][1]", code]:
        assert notebook.run(earlier).status == "error"
    expected = sorted([*libraries.split(), "interactiveshell.py"])
    assert notebook.run(PARSED).stdout == f"{' '.join(expected)} 1 {len(expected) + 1}\n{' '.join(expected)}\n"


def test_a_file_is_not_parsed_again_for_the_same_error(notebook):
    notebook.run("import json, stack_data\ndef parsed(): return {id(each) for each in vars(stack_data.Source)"
                 "['__source_cache_with_lines'].values() if 'json' in each.filename}")
    for _ in range(2):
        notebook.run("json.loads('{')")
        notebook.run("before = globals().get('now'); now = parsed()")
    assert notebook.run("len(now), before == now").result == "(2, True)"


def test_outputs_and_errors_are_not_kept_for_an_export(notebook):
    for code in ["5", "display(5)", "print(5)", "1 / 0", "def (", "%%threads 1\n1 / 0"]:
        notebook.run(code)
    assert notebook.run("manager = get_ipython().history_manager; len(manager.outputs), len(manager.exceptions)").result == "(0, 0)"


def test_a_traceback_is_laid_out_once(notebook):
    notebook.run("laid_out, layout = [], get_ipython().InteractiveTB\n"
                 "lay_out = layout.structured_traceback\n"
                 "def counting(*arguments, **options):\n"
                 "    laid_out.append(arguments[0])\n"
                 "    return lay_out(*arguments, **options)\n"
                 "layout.structured_traceback = counting")
    assert notebook.run("1 / 0").error == "ZeroDivisionError"
    assert notebook.run("layout.structured_traceback = lay_out; laid_out").result == "[ZeroDivisionError]"
