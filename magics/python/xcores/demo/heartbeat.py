# SPDX-License-Identifier: BSD-3-Clause
"""Whether a window answers: a timer that is due again and again, and how late each of its beats came."""

import statistics
import time
from bisect import bisect_left
from math import log10
from typing import Any, NamedTuple

from PyQt6.QtCore import QObject, QPointF, QRectF, QSize, Qt, QTimer, pyqtSignal
from PyQt6.QtGui import QColor, QPainter, QPaintEvent, QPalette, QPen
from PyQt6.QtWidgets import QSizePolicy, QWidget

INTERVAL_S = 0.010
FRAME_S = 0.016
"""A screen that shows 60 pictures a second shows each for so long."""
NOTICED_S = 0.1
"""From about here on, people notice that they wait."""

_SHOWN_S = 10.0
_REPAINT_S = 0.05
_COLOURS = {"light": ("#0072b2", "#d98e00", "#c8321e"), "dark": ("#4aa8e0", "#f0b232", "#ff6f59")}


class Beat(NamedTuple):
    """When the timer was due, in seconds of the monotonic clock, and how much later the window got to it."""

    due: float
    late: float


class Heartbeat(QObject):
    """Beats while the event loop runs. Each beat is due `INTERVAL_S` after the one before came."""

    repaint = pyqtSignal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.beats: list[Beat] = []
        self._timer = QTimer(self)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.setSingleShot(True)
        self._timer.setInterval(round(INTERVAL_S * 1000))
        self._timer.timeout.connect(self._beat)
        self._painted = 0.0
        self._keeps_all = False
        self._arm()

    def begin(self) -> float:
        """Keep all beats from now on, and forget the earlier ones. The moment, on the monotonic clock."""
        self.beats = []
        self._keeps_all = True
        self._arm()
        return self._due - INTERVAL_S

    def end(self) -> tuple[Beat, ...]:
        """The beats since `begin`, with the one that is late now."""
        late = time.monotonic() - self._due
        if late > 0:
            self.beats.append(Beat(self._due, late))
        self._arm()
        self._keeps_all = False
        return tuple(self.beats)

    def skip(self) -> None:
        """What the window has just done for a program that drives it is not to count."""
        self._arm()

    def _arm(self) -> None:
        self._due = time.monotonic() + INTERVAL_S
        self._timer.start()

    def _beat(self) -> None:
        at_present = time.monotonic()
        self.beats.append(Beat(self._due, max(0.0, at_present - self._due)))
        if not self._keeps_all and len(self.beats) > 2 * _SHOWN_S / INTERVAL_S:
            del self.beats[: len(self.beats) // 2]
        if at_present - self._painted >= _REPAINT_S:
            self._painted = at_present
            self.repaint.emit()
        self._arm()


def figures(beats: tuple[Beat, ...], begin: float, seconds: float) -> dict[str, Any]:
    """What the beats of a run of so many seconds tell."""
    late = [beat.late for beat in beats]
    return {
        "interval_ms": INTERVAL_S * 1000,
        "frame_ms": FRAME_S * 1000,
        "beats": len(beats),
        "in_time": sum(delay <= FRAME_S for delay in late) / len(late) if late else None,
        "median_ms": statistics.median(late) * 1000 if late else None,
        "longest_ms": max(late) * 1000 if late else None,
        "late_share": min(1.0, sum(late) / seconds) if seconds else None,
        "due_ms": [round((beat.due - begin) * 1000, 3) for beat in beats],
        "late_ms": [round(delay * 1000, 3) for delay in late],
    }


def in_words(seconds: float) -> str:
    """A time for people: three figures at most."""
    for unit, size in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= size:
            value = seconds / size
            return f"{value:.0f} {unit}" if value >= 100 else f"{value:.1f} {unit}" if value >= 10 else f"{value:.2f} {unit}"
    return f"{seconds * 1e6:.0f} µs"


class Trace(QWidget):
    """Paints each beat as a bar: where it was due, how long it was late, how late on a logarithmic scale."""

    def __init__(self, heartbeat: Heartbeat) -> None:
        super().__init__()
        self._heartbeat = heartbeat
        self._run: tuple[tuple[Beat, ...], float, float] | None = None
        heartbeat.repaint.connect(self._go_on)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName("How late each beat of the window came")

    def sizeHint(self) -> QSize:
        return QSize(640, 9 * self.fontMetrics().height())

    def follow(self) -> None:
        """Show what comes."""
        self._run = None
        self.update()

    def keep(self, beats: tuple[Beat, ...], begin: float, seconds: float) -> None:
        """Show this run until told to follow."""
        self._run = beats, begin, begin + seconds
        self.update()

    def _go_on(self) -> None:
        if self._run is None:
            self.update()

    def _shown(self) -> tuple[list[Beat], float, float]:
        if self._run is not None:
            beats, begin, end = self._run
            return list(beats), begin, max(end, begin + 0.01)
        end = time.monotonic()
        beats = self._heartbeat.beats
        begin = end - _SHOWN_S
        if beats and beats[0].due > begin:
            begin = beats[0].due
        first = bisect_left(beats, begin, key=lambda beat: beat.due + beat.late)
        return beats[first:], begin, max(end, begin + 1.0)

    def paintEvent(self, event: QPaintEvent | None) -> None:
        beats, begin, end = self._shown()
        longest = max((beat.late for beat in beats), default=0.0)
        steps = 4 if longest <= 1 else 5  # powers of ten above 0.1 ms: up to 1 s or 10 s
        with QPainter(self) as painter:
            font = painter.font()
            font.setPointSizeF(font.pointSizeF() * 0.85)
            painter.setFont(font)
            line = painter.fontMetrics().height()
            gutter = painter.fontMetrics().horizontalAdvance("100 ms ") + 4
            plot = QRectF(gutter, line / 2, self.width() - gutter - 1, self.height() - 2 * line)
            self._paint_scale(painter, plot, begin, end, steps)
            self._paint_beats(painter, plot, beats, begin, end, steps)

    @staticmethod
    def _height(plot: QRectF, late: float, steps: int) -> float:
        """So far above the floor a delay is painted. The floor is 0.1 ms."""
        return plot.height() * min(1.0, max(0.0, log10(late / 1e-4) / steps)) if late > 1e-4 else 0.0

    def _paint_scale(self, painter: QPainter, plot: QRectF, begin: float, end: float, steps: int) -> None:
        palette = self.palette()
        text = palette.color(QPalette.ColorRole.PlaceholderText)
        grid = QColor(palette.color(QPalette.ColorRole.WindowText))
        grid.setAlpha(34)
        painter.fillRect(plot, palette.color(QPalette.ColorRole.Base))
        line = painter.fontMetrics().height()
        labels = [(1e-3, "1 ms"), (1e-2, "10 ms"), (1e-1, "100 ms"), (1.0, "1 s"), (10.0, "10 s")]
        for late, label in labels[:steps]:
            y = plot.bottom() - self._height(plot, late, steps)
            painter.setPen(QPen(grid, 1))
            painter.drawLine(QPointF(plot.left(), y), QPointF(plot.right(), y))
            painter.setPen(text)
            box = QRectF(0, y - line / 2, plot.left() - 6, line)
            painter.drawText(box, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, label)
        step = _nice_step((end - begin) / 8)
        mark = 0.0
        while mark <= end - begin:
            x = plot.left() + mark / (end - begin) * plot.width()
            painter.setPen(QPen(grid, 1))
            painter.drawLine(QPointF(x, plot.top()), QPointF(x, plot.bottom()))
            painter.setPen(text)
            label = f"{mark:g} s" if step >= 1 else f"{mark * 1000:.0f} ms"
            width = painter.fontMetrics().horizontalAdvance(label) + 4
            left = min(x - width / 2, self.width() - width)
            painter.drawText(QRectF(left, plot.bottom() + 2, width, line), Qt.AlignmentFlag.AlignCenter, label)
            mark = round(mark + step, 9)
        frame = plot.bottom() - self._height(plot, FRAME_S, steps)
        painter.setPen(QPen(text, 1, Qt.PenStyle.DashLine))
        painter.drawLine(QPointF(plot.left(), frame), QPointF(plot.right(), frame))

    def _paint_beats(self, painter: QPainter, plot: QRectF, beats: list[Beat], begin: float, end: float, steps: int) -> None:
        dark = self.palette().color(QPalette.ColorRole.Base).lightness() < 128
        colours = [QColor(name) for name in _COLOURS["dark" if dark else "light"]]
        scale = plot.width() / (end - begin)
        for due, late in beats:
            left = plot.left() + max(0.0, due - begin) * scale
            right = min(plot.right(), plot.left() + (due + late - begin) * scale)
            height = max(1.5, self._height(plot, late, steps))
            colour = colours[0] if late <= FRAME_S else colours[1] if late <= NOTICED_S else colours[2]
            painter.fillRect(QRectF(left, plot.bottom() - height, max(1.5, right - left), height), colour)


def _nice_step(least: float) -> float:
    """The next of 1, 2, 5 times a power of ten."""
    size = 1e-3
    while True:
        for factor in (1, 2, 5):
            if factor * size >= least:
                return factor * size
        size *= 10
