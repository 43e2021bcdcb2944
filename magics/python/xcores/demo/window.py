# SPDX-License-Identifier: BSD-3-Clause
"""The window of the demonstration: choose workers and work, and see whether the window answers meanwhile.

All methods run in the window's thread. What other threads have to say, they say through signals, which Qt delivers there.
"""

import os
import time
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from typing import Any

import xcores
from PyQt6.QtCore import Qt, QTimer, pyqtSignal
from PyQt6.QtGui import QCloseEvent, QFontDatabase, QPalette
from PyQt6.QtWidgets import (
    QComboBox,
    QFormLayout,
    QFrame,
    QHBoxLayout,
    QLabel,
    QPlainTextEdit,
    QProgressBar,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QSpinBox,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from xcores.demo import jobs
from xcores.demo.heartbeat import FRAME_S, INTERVAL_S, Heartbeat, Trace, figures, in_words
from xcores.demo.jobs import WINDOW, Jobs, Order, Outcome
from xcores.demo.look import FAILED, Picture, Tile, Workers, muted, palette, scaled
from xcores.demo.presets import PRESETS
from xcores.engine import native
from xcores.run_object import Run

_KINDS = {
    "threads": ("Threads", "Threads of this process share one GIL with the window."),
    "interpreters": ("Interpreters", "Interpreters of this process have a GIL each; the window keeps its own."),
    "processes": ("Processes", "Processes have a Python and a GIL each."),
    WINDOW: ("The window's own thread", "The window computes, and answers between two jobs."),
}
_ERRORS_SHOWN = 20
_LETTERS_SHOWN = 300
_NONE_YET = "The picture of the run appears here when it has ended."
_IS_DRAWN = "The picture is being drawn."


class Window(QWidget):
    """The window. `start` and `stop` are its buttons; `progressed` and `finished` tell a program that drives it."""

    progressed = pyqtSignal(int)
    """So many jobs have ended."""
    finished = pyqtSignal()
    """The run has ended and its pictures are shown; `result` has its figures."""

    _job_ended = pyqtSignal(object, int, object)
    _drawn = pyqtSignal(object)

    def __init__(self, theme: str = "light") -> None:
        super().__init__()
        jobs.prepare()
        native.warm_fonts()
        self.result: dict[str, Any] | None = None
        self.run: Run | None = None
        """The latest run, with the window's own thread."""
        self._jobs: Jobs | None = None
        self._is_closed = False
        self._drawing = ThreadPoolExecutor(1, "drawing")
        self._theme = theme
        self.heartbeat = Heartbeat(self)
        self.setWindowTitle("xcores: does the window answer?")
        self._make_widgets()
        self._lay_out()
        self._connect()
        self.set_theme(theme)
        self._describe()

    # ---- what it consists of ---------------------------------------------------------------------------------------

    def _make_widgets(self) -> None:
        self.kind = QComboBox()
        for kind, (title, _) in _KINDS.items():
            self.kind.addItem(title, kind)
        self.function = QComboBox()
        for name, preset in PRESETS.items():
            self.function.addItem(preset.title, name)
        for box in (self.kind, self.function):
            box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
            box.setMinimumContentsLength(18)
        self.workers = _number(jobs.MOST_WORKERS, jobs.usual_workers())
        self.argument = _number(1_000_000_000, 1)
        self.argument.setGroupSeparatorShown(True)
        self.jobs = _number(jobs.MOST_JOBS, 40)
        self.hint = muted(QLabel())
        self.hint.setWordWrap(True)
        self.start_button = QPushButton("&Start")
        self.start_button.setDefault(True)
        self.stop_button = QPushButton("S&top")
        self.stop_button.setEnabled(False)
        self.overall = QProgressBar()
        self.overall.setFormat("no run yet")
        self.overall.setRange(0, 1)
        self.overall.setValue(0)
        self.worker_bars = Workers()
        self.trace = Trace(self.heartbeat)
        self.tiles = {name: Tile(name) for name in ("Start-up", "Total time", "Memory", "Window late", "Longest delay")}
        self.sentence = QLabel("Choose, then press Start.")
        self.error_banner = QLabel()
        self.error_banner.setWordWrap(True)
        self.error_banner.setTextFormat(Qt.TextFormat.PlainText)
        self.error_banner.setContentsMargins(10, 6, 10, 6)
        self.error_banner.setAutoFillBackground(True)
        self.error_banner.hide()
        self.whole_picture = Picture(_NONE_YET)
        self.workers_picture = Picture(_NONE_YET)
        self.errors = QPlainTextEdit()
        self.errors.setReadOnly(True)
        self.errors.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
        self.tabs = QTabWidget()
        self.tabs.setDocumentMode(True)
        self.tabs.addTab(_scrolled(self.whole_picture), "The window and its workers")
        self.tabs.addTab(_scrolled(self.workers_picture), "The workers alone")
        self.tabs.addTab(self.errors, "Errors")
        self.tabs.setTabVisible(2, False)

    def _lay_out(self) -> None:
        form = QFormLayout()
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        for title, field in (("&Run on", self.kind), ("&Workers", self.workers), ("&Function", self.function),
                             ("&Argument n", self.argument), ("&Jobs", self.jobs)):
            form.addRow(title, field)
        buttons = QHBoxLayout()
        buttons.addWidget(self.start_button)
        buttons.addWidget(self.stop_button)
        left = QVBoxLayout()
        left.addWidget(_heading("What to run"))
        left.addLayout(form)
        left.addWidget(self.hint)
        left.addLayout(buttons)
        left.addSpacing(10)
        left.addWidget(_heading("Progress"))
        left.addWidget(self.overall)
        left.addWidget(self.worker_bars, 1)
        side = QWidget()
        side.setLayout(left)
        side.setFixedWidth(max(320, 40 * self.fontMetrics().averageCharWidth() + 70))
        left.setContentsMargins(0, 0, 0, 0)

        tiles = QHBoxLayout()
        tiles.setSpacing(8)
        for tile in self.tiles.values():
            tiles.addWidget(tile, 1)
        right = QVBoxLayout()
        right.addWidget(_heading("Does the window answer?"))
        legend = muted(QLabel(f"Each bar: how late the window came to a timer that is due every {INTERVAL_S * 1000:.0f} ms. "
                              f"Dashed: {FRAME_S * 1000:.0f} ms, one frame of a screen."))
        for label in (legend, self.sentence):
            label.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        right.addWidget(legend)
        right.addWidget(self.trace)
        right.addLayout(tiles)
        right.addWidget(self.error_banner)
        right.addWidget(self.sentence)
        right.addWidget(self.tabs, 1)
        both = QHBoxLayout(self)
        both.setContentsMargins(16, 14, 16, 14)
        both.setSpacing(18)
        both.addWidget(side)
        both.addLayout(right, 1)
        for label in (self.hint, self.error_banner):
            policy = QSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Maximum)
            policy.setHeightForWidth(True)  # which a label that wraps its words has, and the line above forgets
            label.setSizePolicy(policy)
        self.resize(1240, 900)

    def _connect(self) -> None:
        self.kind.currentIndexChanged.connect(self._describe)
        self.function.currentIndexChanged.connect(self._take_default)
        self.start_button.clicked.connect(self.start)
        self.stop_button.clicked.connect(self.stop)
        self._job_ended.connect(self._on_job_ended)
        self._drawn.connect(self._on_drawn)
        self.heartbeat.repaint.connect(self._count_time)
        self._take_default()

    def set_theme(self, theme: str) -> None:
        """Light or dark colours."""
        self._theme = theme
        self.setPalette(palette(theme))
        self.setAutoFillBackground(True)
        for child in self.findChildren(QWidget):
            child.update()
        accent = palette(theme)
        accent.setColor(QPalette.ColorRole.Button, accent.color(QPalette.ColorRole.Highlight))
        accent.setColor(QPalette.ColorGroup.Active, QPalette.ColorRole.ButtonText, accent.color(QPalette.ColorRole.HighlightedText))
        self.start_button.setPalette(accent)
        behind, front = FAILED[theme]
        self.error_banner.setStyleSheet(f"QLabel {{ background: {behind}; color: {front}; border-radius: 4px }}")

    # ---- what is chosen --------------------------------------------------------------------------------------------

    def choose(self, order: Order) -> None:
        """Fill in the form. *Failure*: ValueError, with one line, for what cannot be run."""
        if why := jobs.check(order):
            raise ValueError(why)
        self.kind.setCurrentIndex(self.kind.findData(order.kind))
        self.function.setCurrentIndex(self.function.findData(order.function))
        self.workers.setValue(order.workers)
        self.argument.setValue(order.argument)
        self.jobs.setValue(order.jobs)

    @property
    def order(self) -> Order:
        return Order(self.kind.currentData(), self.workers.value(), self.function.currentData(), self.argument.value(),
                     self.jobs.value())

    def _take_default(self) -> None:
        preset = PRESETS[self.function.currentData()]
        self.argument.setMaximum(preset.most)
        self.argument.setSuffix(preset.unit)
        self.argument.setValue(preset.argument)
        self._describe()

    def _describe(self) -> None:
        kind = self.kind.currentData()
        self.hint.setText(f"{PRESETS[self.function.currentData()].says} {_KINDS[kind][1]}")
        self.workers.setEnabled(kind != WINDOW and self._jobs is None)

    # ---- a run -----------------------------------------------------------------------------------------------------

    @property
    def is_running(self) -> bool:
        return self._jobs is not None

    def start(self) -> None:
        """Begin the run that is chosen, if none is going on."""
        if self._jobs is not None:
            return
        order = self.order
        self._show_beginning(order)
        self._recording = xcores.record()
        run = self._jobs = Jobs(order, lambda job, future: self._job_ended.emit(run, job, future))
        self._outcomes: list[Outcome] = []
        self._failures: list[tuple[int, str, str]] = []
        self._cancelled = 0
        self._lost = 0  # whose worker ended before they did
        self._first_began: float | None = None
        self._is_stopping = False
        self._recording.__enter__()
        self._begin = self.heartbeat.begin()
        run.start()
        if order.kind == WINDOW:
            QTimer.singleShot(0, self._run_next)

    def stop(self) -> None:
        """Cancel what has not begun; what has begun runs to its end, except in processes."""
        if self._jobs is None or self._is_stopping:
            return
        self._is_stopping = True
        self.stop_button.setEnabled(False)
        kills = self._jobs.order.kind == "processes"
        self.sentence.setText("Stopping the processes." if kills else "Stopping: the jobs that have begun run to their end.")
        self._jobs.stop()

    def _show_beginning(self, order: Order) -> None:
        self.result = self.run = None
        for field in (self.kind, self.workers, self.function, self.argument, self.jobs, self.start_button):
            field.setEnabled(False)
        self.stop_button.setEnabled(True)
        self.overall.setRange(0, order.jobs)
        self.overall.setValue(0)
        self.overall.setFormat(f"0 of {order.jobs} jobs")
        count = 1 if order.kind == WINDOW else order.workers
        self.worker_bars.renew("" if order.kind == WINDOW else "worker", count, -(-order.jobs // count))
        for tile in self.tiles.values():
            tile.say("–")
        self.trace.follow()
        self.error_banner.hide()
        self.tabs.setTabVisible(2, False)
        self.errors.clear()
        self.whole_picture.clear(_NONE_YET)
        alone = "There are no workers: the window computes." if order.kind == WINDOW else _NONE_YET
        self.workers_picture.clear(alone)
        self.sentence.setText(f"{order.jobs} jobs of {order.call} on {order.on}.")

    def _run_next(self) -> None:
        """A job in the window's own thread; the window answers before the next one."""
        if self._jobs is not None and self._jobs.run_next():
            QTimer.singleShot(0, self._run_next)

    def _on_job_ended(self, run: Jobs, job: int, future: "Future[Any]") -> None:
        if run is not self._jobs:
            return
        try:
            outcome = Outcome._make(future.result(timeout=0))
        except CancelledError:
            self._cancelled += 1
        except Exception as error:
            if self._is_stopping:  # its process was ended
                self._cancelled += 1
            else:
                self._lost += 1
                line = f"{type(error).__name__}: {error}"
                self._add_failure(job, line, line)
        else:
            self._outcomes.append(outcome)
            self._first_began = min(outcome.began, self._first_began or outcome.began)
            self.worker_bars.count(run.number_of(outcome.thread))
            if outcome.error:
                self._add_failure(job, outcome.error, outcome.trace)
        run_to_end = len(self._outcomes) + self._lost
        self.overall.setValue(run_to_end)
        self.overall.setFormat(f"{run_to_end} of {run.order.jobs} jobs")
        ended = run_to_end + self._cancelled
        self.progressed.emit(ended)
        if ended == run.order.jobs:
            self._end(run)

    def _add_failure(self, job: int, line: str, trace: str) -> None:
        self._failures.append((job, line, trace))
        failed = len(self._failures)
        first = self._failures[0][1]
        if len(first) > _LETTERS_SHOWN:
            first = f"{first[:_LETTERS_SHOWN]} …"
        self.error_banner.setText(f"{failed} {'job' if failed == 1 else 'jobs'} failed. First: {first}")
        self.error_banner.show()
        self.tabs.setTabVisible(2, True)
        self.tabs.setTabText(2, f"Errors ({failed})")
        if failed <= _ERRORS_SHOWN:
            self.errors.appendPlainText(f"job {job}:\n{trace.rstrip()}\n")
        elif failed == _ERRORS_SHOWN + 1:
            self.errors.appendPlainText("Those that follow are counted, not shown.")

    def _end(self, run: Jobs) -> None:
        begin, seconds = self._begin, time.monotonic() - self._begin
        beats = self.heartbeat.end()
        memory = run.memory()
        self._recording.__exit__(None, None, None)
        report = run.report()
        run.end()
        self._jobs = None
        if self._is_closed:
            return
        self.trace.keep(beats, begin, seconds)
        heart = figures(beats, begin, seconds)
        startup = None if self._first_began is None else max(0.0, self._first_began - begin)
        self.result = self._figures(run.order, seconds, startup, memory, heart)
        self._show_figures(run.order, seconds, startup, memory, heart)
        for picture in (self.whole_picture, self.workers_picture):
            if picture is self.whole_picture or report is not None:
                picture.clear(_IS_DRAWN)
        recorded = Run(self._recording.report, f"{run.order.on}: {run.order.call}")
        drawing = self._drawing.submit(_draw, recorded, report)
        drawing.add_done_callback(self._drawn.emit)

    def _figures(self, order: Order, seconds: float, startup: float | None, memory: tuple[int, int, int] | None,
                 heart: dict[str, Any]) -> dict[str, Any]:
        workers: dict[int, list[Outcome]] = {}
        for outcome in self._outcomes:
            workers.setdefault(outcome.thread, []).append(outcome)
        return {
            "kind": order.kind,
            "workers": order.workers,
            "function": order.function,
            "argument": order.argument,
            "jobs": order.jobs,
            "done": sum(not outcome.error for outcome in self._outcomes),
            "failed": len(self._failures),
            "cancelled": self._cancelled,
            "errors": [line for _, line, _ in self._failures[:_ERRORS_SHOWN]],
            "results": sorted({outcome.result for outcome in self._outcomes if not outcome.error}),
            "startup_s": startup,
            "total_s": seconds,
            "memory_bytes": memory and memory[0],
            "memory_growth_bytes": memory and memory[1],
            "processes": memory and memory[2],
            "cpu_s": [outcome.cpu_s for outcome in self._outcomes],
            "jobs_of_workers": sorted((len(done) for done in workers.values()), reverse=True),
            "heartbeat": heart,
            "window": None,
        }

    def _show_figures(self, order: Order, seconds: float, startup: float | None, memory: tuple[int, int, int] | None,
                      heart: dict[str, Any]) -> None:
        if startup is not None:
            self.tiles["Start-up"].say(in_words(startup), "to the first job")
        done = len(self._outcomes)
        self.tiles["Total time"].say(in_words(seconds), f"{done / seconds:.0f} jobs a second")
        if memory is not None:
            size, growth, processes = memory
            where = f"{processes} processes" if processes > 1 else "1 process"
            self.tiles["Memory"].say(f"{growth / 1e6:+.1f} MB".replace("-", "−"), f"of {size / 1e6:.0f} MB, {where}")
        if heart["beats"]:
            median = in_words(heart["median_ms"] / 1000)
            self.tiles["Window late"].say(f"{heart['late_share']:.0%}".replace("%", " %"), "of the time")
            self.tiles["Longest delay"].say(in_words(heart["longest_ms"] / 1000), f"median {median}")
        what = f"{order.jobs} jobs of {order.call} on {order.on}"
        if self._is_stopping:
            self.sentence.setText(f"Stopped: {done} of {what}, {in_words(seconds)}.")
        else:
            self.sentence.setText(f"{what}: {in_words(seconds)}.")

    def _on_drawn(self, drawing: "Future[tuple[Run, bytes, bytes | None]]") -> None:
        self.run, whole, alone = drawing.result()
        self.whole_picture.show_png(whole, self.run.caption)
        if alone is not None:
            self.workers_picture.show_png(alone, "The workers alone")
        assert self.result is not None
        self.result["window"] = _own_thread(self.run)
        for field in (self.kind, self.function, self.argument, self.jobs, self.start_button):
            field.setEnabled(True)
        self.stop_button.setEnabled(False)
        self._describe()
        self.finished.emit()

    def _count_time(self) -> None:
        if self._jobs is not None:
            self.tiles["Total time"].say(in_words(time.monotonic() - self._begin), "so far")

    def closeEvent(self, event: QCloseEvent | None) -> None:
        self.stop()
        self._is_closed = True
        self._drawing.shutdown(wait=False)
        super().closeEvent(event)


def _draw(recorded: Run, report: Any) -> tuple[Run, bytes, bytes | None]:
    """The two pictures, in a thread of its own: drawing takes longer than a frame."""
    return recorded, recorded._view.png(), None if report is None else report.png()


def _own_thread(run: Run) -> dict[str, float] | None:
    """What the thread of the window did during the run, in seconds."""
    for lane in run.report["workers"]:
        if lane["native_thread_id"] == os.getpid():
            spans = lane["spans"]
            spent = dict.fromkeys("rgcb", 0)
            for state, length in zip(spans["state"], spans["length_ns"], strict=True):
                spent[state] = spent.get(state, 0) + length
            return {"cpu_s": lane["cpu_ns"] / 1e9, "gil_wait_s": spent["g"] / 1e9, "core_wait_s": spent["c"] / 1e9,
                    "blocked_s": spent["b"] / 1e9}
    return None


def _number(most: int, value: int) -> QSpinBox:
    box = QSpinBox()
    box.setRange(1, most)
    box.setValue(value)
    box.setAccelerated(True)
    return box


def _heading(text: str) -> QLabel:
    heading = scaled(QLabel(text), 1.15, bold=True)
    heading.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
    return heading


def _scrolled(inner: QWidget) -> QScrollArea:
    area = QScrollArea()
    area.setWidget(inner)
    area.setWidgetResizable(True)
    area.setFrameShape(QFrame.Shape.NoFrame)
    area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    return area
