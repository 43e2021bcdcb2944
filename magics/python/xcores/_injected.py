# SPDX-License-Identifier: BSD-3-Clause
"""Explains errors that come from the names which a worker gives to a cell, such as `worker` and `item`.

They belong to the cell: it sees them in place of the notebook's, and functions of the notebook do not see them.

Part of the worker: see `_worker`, in front of which its source is executed.
"""

_MEANINGS = {"worker": "the number of the worker", "workers": "the number of workers", "index": "the number of the item"}


def explain_names(error, plan):
    """Add a line to `error` where one of these names is behind it. `error` has the frames of the user's code only."""
    try:
        if isinstance(error, NameError) and error.name in plan["injected"] and not _is_in_cell(error, plan):
            error.add_note(f"`{error.name}` belongs to the cell, where it is {_meaning(error.name)}: hand it to the "
                           "function as an argument.")
        elif isinstance(error, (TypeError, AttributeError, LookupError)) and plan["hidden"]:
            for name in _names_at(error, plan):
                error.add_note(f"`{name}` is {_meaning(name)} here; it hides the notebook's `{name}`.")
    except Exception:
        pass  # the error is told without it


def _meaning(name):
    return _MEANINGS.get(name, "the item")


def _last(trace):
    while trace.tb_next is not None:
        trace = trace.tb_next
    return trace


def _is_in_cell(error, plan):
    return _last(error.__traceback__).tb_frame.f_code.co_filename == plan["filename"]


def _names_at(error, plan):
    """The hidden names of the notebook that the failing part of the cell mentions."""
    if not _is_in_cell(error, plan):
        return []
    import ast
    import linecache
    from itertools import islice

    last = _last(error.__traceback__)
    # Two bytes an instruction.
    line, end_line, column, end_column = next(islice(last.tb_frame.f_code.co_positions(), last.tb_lasti // 2, None))
    lines = [linecache.getline(plan["filename"], number) for number in range(line, end_line + 1)]
    lines[-1] = lines[-1].encode()[:end_column].decode()
    lines[0] = lines[0].encode()[column:].decode()
    tree = ast.parse("(" + "".join(lines) + "\n)", mode="eval")
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    return [name for name in plan["hidden"] if name in used]
