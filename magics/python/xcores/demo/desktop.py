# SPDX-License-Identifier: BSD-3-Clause
"""`python3 -m xcores.demo.desktop`: an application that computes, with a window that shows whether it answers.

The work runs on threads, interpreters or processes, or in the window's own thread. A program drives it with --run, on a screen or
with QT_QPA_PLATFORM=offscreen, and gets a screenshot and all figures.
"""

import argparse
import json
import os
import signal
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from xcores.demo.window import Window

_WITH_RUN = ("screenshot", "halfway", "json", "report", "stop_after")
_INTERRUPTED = 130
"""The exit status of a program that SIGINT has ended."""
_NO_QT = "xcores.demo.desktop needs PyQt6: install python3-pyqt6 (Debian, Ubuntu), pyqt (conda) or PyQt6 (pip)."
_NO_DISPLAY = ("xcores.demo.desktop: there is no display here. Without one: QT_QPA_PLATFORM=offscreen python3 -m "
               "xcores.demo.desktop --run threads --screenshot window.png")


def main(arguments: list[str] | None = None) -> int:
    """Runs the application; its exit status."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.run is None and (needing := [name for name in _WITH_RUN if getattr(options, name) is not None]):
        parser.error(f"--{needing[0].replace('_', '-')} needs --run, which begins at once; --kind waits for the Start button")
    try:
        import PyQt6.QtWidgets  # noqa: F401
    except ImportError:
        print(_NO_QT, file=sys.stderr)
        return 1
    if sys.platform == "linux" and not any(map(os.environ.get, ("QT_QPA_PLATFORM", "DISPLAY", "WAYLAND_DISPLAY"))):
        print(_NO_DISPLAY, file=sys.stderr)
        return 1
    return _run(options)


def _parser() -> argparse.ArgumentParser:
    from xcores.demo.presets import PRESETS

    parser = argparse.ArgumentParser(prog="python3 -m xcores.demo.desktop", description=(__doc__ or "").partition("\n")[0])
    where = parser.add_mutually_exclusive_group()
    kinds = ("threads", "interpreters", "processes", "window")
    where.add_argument("--kind", choices=kinds, help="where the jobs run (window: in the window's own thread)")
    where.add_argument("--run", choices=kinds, help="the same, and begin at once")
    parser.add_argument("--workers", type=int, metavar="N", help="how many workers; as many as cores if not given")
    parser.add_argument("--function", choices=PRESETS, default="fib", help="what each job computes (fib)")
    parser.add_argument("--argument", type=int, metavar="N", help="its argument")
    parser.add_argument("--jobs", type=int, default=40, metavar="N", help="how many jobs there are (40)")
    parser.add_argument("--stop-after", type=int, metavar="N", help="with --run: press Stop when so many jobs have ended")
    parser.add_argument("--screenshot", type=Path, metavar="FILE", help="with --run: a picture of the window at the end; then leave")
    parser.add_argument("--halfway", type=Path, metavar="FILE", help="with --run: a picture of the window when half of the jobs are done")
    parser.add_argument("--json", type=Path, metavar="FILE", help="with --run: the figures, and every beat; then leave")
    parser.add_argument("--report", type=Path, metavar="FILE",
                        help="with --run: what was recorded of the window and its workers (.json, .html, .svg, .png); then leave")
    parser.add_argument("--theme", choices=("light", "dark"), help="the colours; those of the desktop if not given")
    parser.add_argument("--size", type=_size, metavar="WIDTHxHEIGHT", help="of the window")
    return parser


def _size(text: str) -> tuple[int, int]:
    width, _, height = text.partition("x")
    if not (width.isdecimal() and height.isdecimal()):
        raise argparse.ArgumentTypeError(f"{text!r} is no size; write 1240x820")
    return int(width), int(height)


def _run(options: argparse.Namespace) -> int:
    from PyQt6.QtCore import QTimer, qInstallMessageHandler
    from PyQt6.QtWidgets import QApplication

    from xcores.demo import jobs
    from xcores.demo.look import palette, system_theme
    from xcores.demo.presets import PRESETS
    from xcores.demo.window import Window

    workers = jobs.usual_workers() if options.workers is None else options.workers
    argument = PRESETS[options.function].argument if options.argument is None else options.argument
    order = jobs.Order(options.run or options.kind or "threads", workers, options.function, argument, options.jobs)
    if why := jobs.check(order) or _refused_file(options):
        print(f"xcores.demo.desktop: {why}", file=sys.stderr)
        return 2
    qInstallMessageHandler(_say)
    application = QApplication(sys.argv[:1])
    application.setStyle("Fusion")
    application.setApplicationName("xcores desktop demonstration")
    theme = options.theme or system_theme(application)
    application.setPalette(palette(theme))
    sys.excepthook = _fail
    # The heartbeat runs Python code often enough for the handler to be called.
    signal.signal(signal.SIGINT, lambda number, frame: application.exit(_INTERRUPTED))
    window = Window(theme)
    window.choose(order)
    if options.size is not None:
        window.resize(*options.size)
    window.show()
    if options.run is not None:
        application.processEvents()  # all fonts, widgets and their memory are there before the first beat counts
        window.grab()
        driver = _Driver(window, options)
        QTimer.singleShot(0, driver.start)
    status = application.exec()
    if window.is_running:
        # Python would wait for the threads and interpreters at its end, and cannot stop them from outside.
        sys.stdout.flush()
        os._exit(status)
    return status


def _refused_file(options: argparse.Namespace) -> str:
    """Why a file that is asked for cannot be written, as far as that can be told before the run; empty: it can."""
    from PyQt6.QtGui import QImageWriter

    from xcores.run_object import Run, _check_writable

    endings = sorted(f".{bytes(each.data()).decode()}" for each in QImageWriter.supportedImageFormats())
    for file in (options.screenshot, options.halfway):
        if file is not None and file.suffix.lower() not in endings:
            return f"{file}: a picture of the window is saved as one of {', '.join(endings)}, not {file.suffix or 'that'}"
    try:
        if options.report is not None:
            Run.check_target(options.report)
        for file in (options.screenshot, options.halfway, options.json):
            if file is not None:
                _check_writable(file)
    except ValueError as error:
        return f"{options.report}: {error}"
    except OSError as error:
        return f"{error.filename}: {error.strerror}"
    return ""


def _say(kind: Any, context: Any, message: str | None) -> None:
    """What Qt has to say, except what it says of itself on no screen, again and again."""
    if message and "propagateSizeHints" not in message:
        print(message, file=sys.stderr)


def _fail(kind: type[BaseException], error: BaseException, trace: Any) -> None:
    """An exception in a slot ends the application, as it would end any other program."""
    from PyQt6.QtWidgets import QApplication

    traceback.print_exception(kind, error, trace)
    QApplication.exit(1)


class _Driver:
    """Presses the window's buttons for the command line, and saves what it was asked for."""

    def __init__(self, window: "Window", options: argparse.Namespace) -> None:
        self._window = window
        self._options = options
        window.progressed.connect(self._on_progress)
        window.finished.connect(self._on_finished)

    def start(self) -> None:
        self._window.start_button.click()

    def _on_progress(self, ended: int) -> None:
        options = self._options
        if options.halfway is not None and ended == -(-options.jobs // 2):
            self._save_window(options.halfway)
        if ended == options.stop_after:
            self._window.stop_button.click()

    def _on_finished(self) -> None:
        from PyQt6.QtWidgets import QApplication

        window, options = self._window, self._options
        print(window.sentence.text())
        if options.screenshot is not None:
            self._save_window(options.screenshot)
        if options.json is not None:
            options.json.write_text(json.dumps(window.result, indent=1), encoding="utf-8")
        if options.report is not None and window.run is not None:
            window.run.save(options.report)
        if any(file is not None for file in (options.screenshot, options.json, options.report)):
            QApplication.exit(0)

    def _save_window(self, file: Path) -> None:
        if not self._window.grab().save(str(file)):
            raise OSError(f"cannot write {file}")
        self._window.heartbeat.skip()


if __name__ == "__main__":
    sys.exit(main())
