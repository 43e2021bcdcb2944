# SPDX-License-Identifier: BSD-3-Clause
"""Says what workers have changed in their copies of the notebook's data."""

from collections.abc import Collection

from xcores.options import Options

_MOST_NAMES = 5


def note(names: Collection[str], options: Options) -> str:
    """A line for the user; empty if there is nothing to say."""
    if not names:
        return ""
    first = [f"`{name}`" for name in sorted(names)[:_MOST_NAMES]]
    if len(names) > _MOST_NAMES:
        first.append(f"{len(names) - _MOST_NAMES} more")
    several = len(first) > 1
    were, are = ("were", "are") if several else ("was", "is")
    which = f"{', '.join(first[:-1])} and {first[-1]}" if several else first[0]
    if options.kind == "threads":
        remedy = " (--shared assigns the notebook's own)"
    else:
        remedy = "" if options.out is not None else " (use -o to return results)"
    return f"{which} {were} changed in the workers; the notebook's own {are} unchanged{remedy}"
