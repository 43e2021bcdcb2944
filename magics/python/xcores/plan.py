# SPDX-License-Identifier: BSD-3-Clause
"""The head of what a worker gets; what it describes follows. Imports next to nothing: the first job waits for it."""

import pickle
from typing import Any

from xcores.reloads import module_versions
from xcores.settings import surroundings


def plan_text(plan: dict[str, Any], names: list[str], submodules: list[str]) -> bytes:
    """`plan`, the surroundings of this process, and which names and submodules follow."""
    head = {**plan, **surroundings(), "modules": module_versions(), "names": names, "submodules": submodules}
    return pickle.dumps(head, protocol=5)
