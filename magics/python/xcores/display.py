# SPDX-License-Identifier: BSD-3-Clause
"""What stands under the cell: while it runs a live view, at its end the table in the same place, then the picture."""

import enum
import time
import uuid
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

_FIRST_SECONDS = 0.15
"""A run that is over by then needs no live view."""
_PERIOD_SECONDS = 0.25
_LONGEST_PERIOD_SECONDS = 5.0


class Show(enum.Enum):
    NOTHING = "nothing"
    TABLE = "table"
    TABLE_AND_PICTURE = "table and picture"


class View:
    """The displays of one run.

    *Thread*: the one that runs the cell.
    """

    def __init__(self, shell: "InteractiveShell", show: Show, *, patient: bool = False) -> None:
        """`patient`: nobody waits for it, so that what goes on for long is shown less and less often."""
        from IPython.core.displaypub import CapturingDisplayPublisher, DisplayPublisher

        self._publisher = shell.display_pub
        self._show = show
        self._is_terminal = type(self._publisher) is DisplayPublisher
        keeps_everything = isinstance(self._publisher, CapturingDisplayPublisher)
        self._is_live = show is not Show.NOTHING and not self._is_terminal and not keeps_everything
        self._identity = {"display_id": f"xcores-{uuid.uuid4().hex}"}
        self._shown = False
        self._patient = patient
        self._start = time.monotonic()
        self._next = time.monotonic() + _FIRST_SECONDS

    def refresh(self, run: Any) -> None:
        """Show the state of the run, if it is time to."""
        now = time.monotonic()
        if not self._is_live or now < self._next:
            return
        report = run.report()
        self._publish({"text/html": report.live_html(), "text/plain": report.live_text()})
        # Measured from the end: a slow display must not eat the cores of the workers.
        self._next = time.monotonic() + self._period()

    def _period(self) -> float:
        if not self._patient:
            return _PERIOD_SECONDS
        return min(max(_PERIOD_SECONDS, (time.monotonic() - self._start) / 50), _LONGEST_PERIOD_SECONDS)

    def seconds_to_next(self) -> float:
        return max(0.0, self._next - time.monotonic()) if self._is_live else _PERIOD_SECONDS

    def finish(self, report: Any) -> None:
        """Replace the live view by what stays in the notebook."""
        if self._show is Show.NOTHING:
            return
        if self._is_terminal:
            self._publisher.publish({"text/plain": report.text()}, {})
            return
        self._publish(report.table_bundle())
        if self._show is Show.TABLE_AND_PICTURE:
            self._publisher.publish(*report.picture_bundle())

    def _publish(self, bundle: dict[str, Any]) -> None:
        self._publisher.publish(bundle, {}, transient=self._identity, update=self._shown)
        self._shown = True
