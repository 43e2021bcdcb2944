# SPDX-License-Identifier: BSD-3-Clause
"""What stands under the cell: while it runs a live view, at its end the table in the same place, then the picture."""

import enum
import math
import uuid
from typing import TYPE_CHECKING, Any

from xcores import _engine

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell


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
        self._identity = _new_identity()
        self._shown = False
        self._schedule = _engine.LiveSchedule(patient)
        self._patient = patient
        self._live: Any = None

    def watch(self, run: Any) -> None:
        """From now on this is what goes on. Our own kernel shows it without the GIL, which the cell may keep for long;
        elsewhere it is shown by `refresh`."""
        make_channel = getattr(self._publisher, "make_channel", None)
        if self._live is None and self._is_live and make_channel is not None:
            channel = make_channel()
            self._live = channel and _engine.LiveView(channel, self._identity["display_id"], self._patient)
        if self._live is not None:
            self._live.watch(run)

    def refresh(self, run: Any) -> None:
        """Show the state of the run, if it is time to."""
        if self._live is not None or self.seconds_to_next() > 0:
            return
        report = run.report()
        self._publish({"text/html": report.live_html(), "text/plain": report.live_text()})
        self._schedule.shown()

    def seconds_to_next(self) -> float:
        return self._schedule.seconds_to_next() if self._is_live and self._live is None else math.inf

    def clear(self) -> None:
        """Nothing is worth showing: what the live view has shown goes."""
        if self._show is not Show.NOTHING and self._live is not None:
            self._shown = self._live.stop() > 0
        if self._shown:
            self._publish({"text/html": "", "text/plain": ""})

    def finish(self, report: Any, *, below: bool = False, picture: bool = True) -> None:
        """Replace the live view by what stays in the notebook, one block below all that the cell has shown. `below`: text
        has been printed since the live view appeared. Our own kernel knows of all outputs."""
        if self._show is Show.NOTHING:
            return
        if self._live is not None:
            place = self._live.stop()
            self._shown = place > 0
            below = self._publisher.count_outputs() > place
        if self._is_terminal:
            self._publisher.publish({"text/plain": report.text()}, {})
            return
        if self._shown and below:
            self._publish({"text/html": "", "text/plain": ""})
            self._identity, self._shown = _new_identity(), False
        self._publish(report.table_bundle())
        if picture and self._show is Show.TABLE_AND_PICTURE:
            self._publisher.publish(*report.picture_bundle())

    def _publish(self, bundle: dict[str, Any]) -> None:
        self._publisher.publish(bundle, {}, transient=self._identity, update=self._shown)
        self._shown = True


def _new_identity() -> dict[str, str]:
    return {"display_id": f"xcores-{uuid.uuid4().hex}"}
