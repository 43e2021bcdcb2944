# SPDX-License-Identifier: BSD-3-Clause
"""The head of what a worker gets; what it describes follows. Imports next to nothing: the first job waits for it."""

import os
import pickle
import sys
from typing import Any


def plan_text(plan: dict[str, Any], names: list[str], submodules: list[str]) -> bytes:
    """`plan`, the surroundings of this process, and which names and submodules follow."""
    environment = {"path": list(sys.path), "directory": os.getcwd(), "environment": dict(os.environ)}
    return pickle.dumps({**plan, **environment, "names": names, "submodules": submodules}, protocol=5)
