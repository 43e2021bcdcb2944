# SPDX-License-Identifier: BSD-3-Clause
"""The colours of the demonstration's window, light and dark, and the widgets that need painting of their own."""

from PyQt6.QtCore import QRect, QSize, Qt
from PyQt6.QtGui import QColor, QPainter, QPaintEvent, QPalette, QPixmap
from PyQt6.QtWidgets import QApplication, QFrame, QGridLayout, QLabel, QProgressBar, QScrollArea, QSizePolicy, QVBoxLayout, QWidget

_ROLES = {
    "Window": ("#f4f5f7", "#1f2126"),
    "WindowText": ("#1d2129", "#e6e8ec"),
    "Base": ("#ffffff", "#17181c"),
    "AlternateBase": ("#eceef1", "#26282e"),
    "Text": ("#1d2129", "#e6e8ec"),
    "PlaceholderText": ("#5d6673", "#9aa3b0"),
    "Button": ("#e8eaee", "#33363d"),
    "ButtonText": ("#1d2129", "#e6e8ec"),
    "BrightText": ("#b3261e", "#ff8a7a"),
    "ToolTipBase": ("#1d2129", "#e6e8ec"),
    "ToolTipText": ("#ffffff", "#1d2129"),
    "Highlight": ("#0067a3", "#2f7fb5"),
    "HighlightedText": ("#ffffff", "#ffffff"),
    "Accent": ("#0067a3", "#4aa8e0"),
    "Link": ("#0067a3", "#6fbdf0"),
    "Mid": ("#b6bcc6", "#454a54"),
    "Light": ("#ffffff", "#3c4048"),
    "Dark": ("#a3aab5", "#0f1013"),
    "Shadow": ("#6b7280", "#000000"),
}
_DISABLED = ("#9aa1ac", "#6a717c")
FAILED = {"light": ("#fdecea", "#8c1d18"), "dark": ("#43201d", "#ffb4a9")}
"""Behind and in front of what is said of failures."""


def palette(theme: str) -> QPalette:
    """The colours of the theme `light` or `dark`."""
    index = ("light", "dark").index(theme)
    colours = QPalette()
    for role, pair in _ROLES.items():
        colours.setColor(QPalette.ColorRole[role], QColor(pair[index]))
    for role in ("WindowText", "Text", "ButtonText"):
        colours.setColor(QPalette.ColorGroup.Disabled, QPalette.ColorRole[role], QColor(_DISABLED[index]))
    return colours


def system_theme(application: QApplication) -> str:
    """What the desktop prefers."""
    hints = application.styleHints()
    return "dark" if hints is not None and hints.colorScheme() == Qt.ColorScheme.Dark else "light"


def muted(label: QLabel) -> QLabel:
    """The label in the colour of what is less important."""
    label.setForegroundRole(QPalette.ColorRole.PlaceholderText)
    return label


def scaled(label: QLabel, factor: float, *, bold: bool = False) -> QLabel:
    """The label in letters of another size."""
    font = label.font()
    font.setPointSizeF(font.pointSizeF() * factor)
    font.setBold(bold)
    label.setFont(font)
    return label


class Tile(QFrame):
    """A figure with what it means."""

    def __init__(self, title: str) -> None:
        super().__init__()
        self.setFrameShape(QFrame.Shape.StyledPanel)
        self.setBackgroundRole(QPalette.ColorRole.Base)
        self.setAutoFillBackground(True)
        self._figure = scaled(QLabel("–"), 1.5, bold=True)
        self._note = scaled(muted(QLabel(" ")), 0.85)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(10, 6, 10, 6)
        layout.setSpacing(0)
        layout.addWidget(scaled(muted(QLabel(title)), 0.9))
        layout.addWidget(self._figure)
        layout.addWidget(self._note)

    def say(self, figure: str, note: str = " ") -> None:
        self._figure.setText(figure)
        self._note.setText(note)

    @property
    def figure(self) -> str:
        return self._figure.text()


class Workers(QScrollArea):
    """A bar for each worker: so many jobs it has done."""

    def __init__(self) -> None:
        super().__init__()
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.bars: list[QProgressBar] = []
        self.renew("worker", 0, 1)

    def renew(self, name: str, count: int, share: int) -> None:
        """Empty bars for `count` workers that are to do about `share` jobs each."""
        inner = QWidget()
        self._grid = QGridLayout(inner)
        self._grid.setContentsMargins(0, 0, 6, 0)
        self._grid.setVerticalSpacing(5)
        self._grid.setColumnStretch(1, 1)
        self._name, self._share = name, share
        self.bars = []
        for _ in range(count):
            self._add()
        self.setWidget(inner)

    def _add(self) -> None:
        row = len(self.bars)
        label = QLabel(f"{self._name} {row}" if self._name else "window")
        bar = QProgressBar()
        bar.setRange(0, self._share)
        bar.setValue(0)
        bar.setFormat("no job yet")
        self._grid.addWidget(label, row, 0)
        self._grid.addWidget(bar, row, 1)
        self._grid.setRowStretch(row, 0)
        self._grid.setRowStretch(row + 1, 1)
        self.bars.append(bar)

    def count(self, worker: int) -> None:
        """This worker has done one more job. All bars have the scale of the one that has done most."""
        while worker >= len(self.bars):
            self._add()
        bar = self.bars[worker]
        done = bar.value() + 1
        if done > self._share:
            self._share = done
            for other in self.bars:
                other.setMaximum(done)
        bar.setValue(done)
        bar.setFormat(f"{done} job" if done == 1 else f"{done} jobs")


class Picture(QWidget):
    """A picture as wide as there is room, or a sentence where there is none yet."""

    def __init__(self, placeholder: str) -> None:
        super().__init__()
        self._pixmap = QPixmap()
        self._placeholder = placeholder
        policy = QSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)

    def show_png(self, data: bytes, says: str) -> None:
        self._pixmap = QPixmap()
        self._pixmap.loadFromData(data, "PNG")
        self.setAccessibleName(says)
        self.updateGeometry()
        self.update()

    def clear(self, placeholder: str) -> None:
        self._pixmap = QPixmap()
        self._placeholder = placeholder
        self.updateGeometry()
        self.update()

    @property
    def is_shown(self) -> bool:
        return not self._pixmap.isNull()

    def hasHeightForWidth(self) -> bool:
        return True

    def heightForWidth(self, width: int) -> int:
        if self._pixmap.isNull():
            return 100
        return -(-min(width, self._pixmap.width()) * self._pixmap.height() // self._pixmap.width())

    def sizeHint(self) -> QSize:
        return QSize(640, self.heightForWidth(640))

    def paintEvent(self, event: QPaintEvent | None) -> None:
        with QPainter(self) as painter:
            if self._pixmap.isNull():
                painter.setPen(self.palette().color(QPalette.ColorRole.PlaceholderText))
                wrapped = Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap
                painter.drawText(self.rect().adjusted(20, 20, -20, -20), wrapped, self._placeholder)
                return
            width = min(self.width(), self._pixmap.width())
            target = QRect((self.width() - width) // 2, 0, width, self.heightForWidth(width))
            dots = self.devicePixelRatioF()
            fitted = self._pixmap.scaled(target.size() * dots, Qt.AspectRatioMode.IgnoreAspectRatio,
                                         Qt.TransformationMode.SmoothTransformation)
            fitted.setDevicePixelRatio(dots)
            painter.drawPixmap(target.topLeft(), fitted)
