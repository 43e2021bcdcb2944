# SPDX-License-Identifier: BSD-3-Clause
"""A bare IPython shell with the magics loaded: no kernel, no front end."""

import contextlib
import io
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from IPython.core.displaypub import DisplayPublisher
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

KINDS = ("threads", "subinterp", "procs")
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


class Recorder(DisplayPublisher):
    """Stands in for a front end: keeps what is displayed."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.messages: list[dict[str, Any]] = []
        self.on_message: Callable[[], None] = lambda: None

    def publish(
        self, data: Any, metadata: Any = None, *, transient: Any = None, update: bool = False, **_: Any
    ) -> None:
        identity = (transient or {}).get("display_id")
        self.messages.append({"data": data, "metadata": metadata, "id": identity, "update": update})
        self.on_message()


@dataclass
class Ran:
    """What running a cell did."""

    value: Any
    error: BaseException | None
    stdout: str
    stderr: str
    displays: list[dict[str, Any]] = field(default_factory=list)

    @property
    def text(self) -> str:
        """All that the user reads, without colours."""
        return _COLOUR.sub("", self.stdout + self.stderr)


@pytest.fixture(scope="session")
def _one_shell() -> InteractiveShell:
    config = Config({"HistoryManager": {"hist_file": ":memory:"}, "InteractiveShell": {"colors": "nocolor"}})
    return InteractiveShell.instance(config=config, display_pub_class=Recorder)


@pytest.fixture
def shell(_one_shell: InteractiveShell) -> Iterator[InteractiveShell]:
    _one_shell.reset(new_session=False)
    _one_shell.compile.reset_compiler_flags()  # or `from __future__` of one test holds for the next
    _one_shell.display_pub.messages = []
    _one_shell.display_pub.on_message = lambda: None
    _one_shell.extension_manager.load_extension("xcores")
    yield _one_shell
    _one_shell.extension_manager.unload_extension("xcores")


@pytest.fixture
def cell(shell: InteractiveShell) -> Callable[[str], Ran]:
    """Runs a cell as a front end would."""

    def run(text: str) -> Ran:
        out, err = io.StringIO(), io.StringIO()
        messages = getattr(shell.display_pub, "messages", [])
        before = len(messages)
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            result = shell.run_cell(text, store_history=True)
        error = result.error_before_exec or result.error_in_exec
        return Ran(result.result, error, out.getvalue(), err.getvalue(), messages[before:])

    return run


@pytest.fixture
def results(cell: Callable[[str], Ran], shell: InteractiveShell) -> Callable[..., Any]:
    """Runs a cell body on workers and gives their results; fails the test if the cell fails."""

    def run(kind: str, body: str, workers: int = 2) -> Any:
        ran = cell(f"%%{kind} {workers} --quiet -o answers\n{body}")
        assert ran.error is None, ran.text
        return shell.user_ns["answers"]

    return run


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(params=["subinterp", "procs"])
def sending_kind(request: pytest.FixtureRequest) -> str:
    """The kinds whose workers do not share the notebook's objects."""
    return request.param
