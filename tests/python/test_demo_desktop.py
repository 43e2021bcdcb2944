# SPDX-License-Identifier: BSD-3-Clause
"""The desktop application: real Qt, on no screen. Driven by its buttons here, and from the command line."""

import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from xcores.run_object import load

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
QtWidgets = pytest.importorskip("PyQt6.QtWidgets", reason="the desktop demonstration needs PyQt6, which this Python does not have")

from PyQt6.QtCore import QEventLoop, QTimer  # noqa: E402
from PyQt6.QtGui import QImage  # noqa: E402

from xcores.demo import jobs, memory  # noqa: E402
from xcores.demo.jobs import Order  # noqa: E402
from xcores.demo.presets import PRESETS  # noqa: E402
from xcores.demo.window import Window  # noqa: E402

_TIMEOUT_S = 120
_KINDS = ("threads", "interpreters", "processes", "window")


@pytest.fixture(scope="module")
def application() -> Any:
    application = QtWidgets.QApplication.instance() or QtWidgets.QApplication(["test"])
    application.setStyle("Fusion")
    return application


@pytest.fixture(autouse=True)
def _no_slot_raises(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What a slot raises goes to the hook; with Python's own one, PyQt ends the process."""
    raised: list[Any] = []
    monkeypatch.setattr(sys, "excepthook", lambda *error: raised.append(error))
    yield
    assert not raised


@pytest.fixture
def window(application: Any) -> Iterator[Window]:
    made = Window("light")
    made.show()
    yield made
    if made.is_running:
        until(made.finished, made.stop)
    made.close()
    made.deleteLater()
    application.processEvents()


def until(signal: Any, begin: Callable[[], object]) -> None:
    """Run the event loop from `begin` until the signal comes."""
    loop = QEventLoop()
    over_time = QTimer()
    over_time.setSingleShot(True)
    over_time.timeout.connect(lambda: loop.exit(1))
    over_time.start(_TIMEOUT_S * 1000)
    signal.connect(loop.quit)
    QTimer.singleShot(0, begin)
    try:
        assert loop.exec() == 0, "the window did not come to it in time"
    finally:
        signal.disconnect(loop.quit)


def run(window: Window, order: Order) -> dict[str, Any]:
    window.choose(order)
    until(window.finished, window.start_button.click)
    assert window.result is not None
    return window.result


def exit_at_third(_: int, job: int) -> int:
    """The process of one job ends before the job does."""
    if job == 2:
        os._exit(1)
    return job


def colours_of(image: QImage) -> set[int]:
    return {image.pixel(x, y) for x in range(0, image.width(), 7) for y in range(0, image.height(), 7)}


@pytest.mark.parametrize("kind", _KINDS)
def test_a_run_does_all_jobs_and_shows_its_figures_and_picture(window: Window, kind: str) -> None:
    before = memory.of_application()  # other tests may have left warm processes
    assert before is not None
    result = run(window, Order(kind, 2, "fib", 15, 12))
    assert (result["done"], result["failed"], result["cancelled"], result["results"]) == (12, 0, 0, ["610"])
    assert window.overall.value() == 12 and window.overall.text() == "12 of 12 jobs"
    assert sum(bar.value() for bar in window.worker_bars.bars) == 12 == sum(result["jobs_of_workers"])
    assert all(tile.figure != "–" for tile in window.tiles.values())
    assert 0 <= result["startup_s"] <= result["total_s"]
    assert result["memory_bytes"] > 0
    assert result["processes"] >= 3 if kind == "processes" else result["processes"] <= before.processes
    assert window.whole_picture.is_shown
    assert window.workers_picture.is_shown == (kind != "window")
    assert window.run is not None
    assert "MainThread" in [worker.get("name") for worker in window.run.report["workers"]]
    spent = result["window"]
    assert spent["cpu_s"] > 0 and min(spent.values()) >= 0
    assert spent["gil_wait_s"] + spent["core_wait_s"] + spent["blocked_s"] <= window.run.wall_s
    assert not window.is_running and window.start_button.isEnabled() and not window.stop_button.isEnabled()


def test_the_heart_beats_while_workers_work(window: Window) -> None:
    heart = run(window, Order("processes", 1, "wait", 100, 3))["heartbeat"]
    assert heart["beats"] == len(heart["due_ms"]) == len(heart["late_ms"]) > 0
    assert all(late >= 0 for late in heart["late_ms"])
    assert heart["due_ms"] == sorted(heart["due_ms"])
    # A beat is due 10 ms after the one before came: that is how their times are made.
    came = [due + late for due, late in zip(heart["due_ms"], heart["late_ms"], strict=True)]
    assert all(due >= before + heart["interval_ms"] - 0.01 for due, before in zip(heart["due_ms"][1:], came, strict=False))
    assert heart["longest_ms"] >= heart["median_ms"]


def test_a_window_that_computes_itself_is_late_by_what_its_jobs_take(window: Window) -> None:
    result = run(window, Order("window", 1, "wait", 60, 2))
    assert result["heartbeat"]["longest_ms"] >= 60 - result["heartbeat"]["interval_ms"]


def test_threads_keep_the_window_waiting_for_the_gil_and_interpreters_do_not(window: Window) -> None:
    waited = {kind: run(window, Order(kind, 2, "fib", 25, 40))["window"]["gil_wait_s"] for kind in ("threads", "interpreters")}
    assert waited["threads"] > 5 * waited["interpreters"]


@pytest.mark.parametrize("kind", _KINDS)
def test_errors_of_the_function_are_shown_and_the_other_jobs_go_on(window: Window, kind: str) -> None:
    result = run(window, Order(kind, 2, "fail", 4, 10))
    assert (result["done"], result["failed"]) == (8, 2)
    assert sorted(result["errors"]) == [f"ValueError: job {job} fails: {job + 1} is a multiple of 4" for job in (3, 7)]
    assert window.error_banner.isVisible() and "2 jobs failed. First: ValueError: job" in window.error_banner.text()
    assert window.tabs.isTabVisible(2) and window.tabs.tabText(2) == "Errors (2)"
    shown = window.errors.toPlainText()
    assert "fail_each" in shown and "run_job" not in shown
    assert [shown.count(f"job {job}:") for job in (3, 7)] == [1, 1]
    assert sum(bar.value() for bar in window.worker_bars.bars) == 10
    run(window, Order(kind, 2, "fail", 4, 3))
    assert not window.error_banner.isVisible() and not window.tabs.isTabVisible(2)


@pytest.mark.parametrize("kind", _KINDS)
def test_stop_cancels_what_has_not_begun(window: Window, kind: str) -> None:
    window.choose(Order(kind, 2, "wait", 5, jobs.MOST_JOBS))
    pressing = window.progressed.connect(lambda ended: window.stop_button.click() if ended == 1 else None)
    until(window.finished, window.start_button.click)
    window.progressed.disconnect(pressing)
    result = window.result
    assert result is not None and result["failed"] == 0
    assert result["cancelled"] > 0 and result["done"] + result["cancelled"] == jobs.MOST_JOBS
    assert window.sentence.text().startswith("Stopped: ")
    assert run(window, Order(kind, 2, "fib", 5, 4))["done"] == 4  # and the next run is like any other


def test_many_errors_are_counted_and_the_first_are_shown(window: Window) -> None:
    result = run(window, Order("threads", 2, "fail", 1, 50))
    assert (result["done"], result["failed"], len(result["errors"])) == (0, 50, 20)
    assert window.tabs.tabText(2) == "Errors (50)"
    assert window.errors.toPlainText().count("Traceback") == 20


def test_a_process_that_dies_is_an_error_and_the_others_go_on(window: Window, monkeypatch: pytest.MonkeyPatch) -> None:
    dying = dataclasses.replace(PRESETS["fail"], function=exit_at_third)
    monkeypatch.setitem(PRESETS, "fail", dying)
    result = run(window, Order("processes", 2, "fail", 3, 6))
    assert (result["done"], result["failed"]) == (5, 1)
    assert "BrokenProcessPool" in window.error_banner.text() and window.overall.text() == "6 of 6 jobs"


def test_start_does_nothing_while_a_run_goes_on(window: Window) -> None:
    window.choose(Order("threads", 1, "wait", 1, 5))

    def twice() -> None:
        window.start()
        assert not window.start_button.isEnabled() and window.stop_button.isEnabled() and not window.kind.isEnabled()
        window.start()

    until(window.finished, twice)
    assert window.result is not None and window.result["done"] == 5


def test_more_workers_than_jobs_and_the_bars_of_all(window: Window) -> None:
    result = run(window, Order("threads", 8, "fib", 5, 3))
    assert result["done"] == 3 and len(window.worker_bars.bars) == 8
    assert {bar.text() for bar in window.worker_bars.bars if not bar.value()} <= {"no job yet"}


@pytest.mark.parametrize("order", [
    Order("fibres", 1, "fib", 1, 1), Order("threads", 0, "fib", 1, 1), Order("threads", 1, "fob", 1, 1),
    Order("threads", 1, "fib", 0, 1), Order("threads", 1, "fib", 10**6, 1), Order("threads", 1, "fib", 1, 0),
    Order("threads", 10**6, "fib", 1, 1),
])  # fmt: skip
def test_what_cannot_be_run_is_refused(window: Window, order: Order) -> None:
    with pytest.raises(ValueError, match="there (is|are)|the argument of"):
        window.choose(order)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_window_has_the_colours_of_its_theme(application: Any, theme: str) -> None:
    window = Window(theme)
    window.show()
    image = window.grab().toImage()
    window.close()
    corner = image.pixelColor(3, image.height() - 3)
    assert (corner.lightness() > 128) == (theme == "light")
    assert len(colours_of(image)) > 10


# ---- from the command line ---------------------------------------------------------------------------------------------


def demo(*arguments: Any, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "xcores.demo.desktop", *map(str, arguments)]
    return subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, timeout=_TIMEOUT_S)


def test_a_program_drives_it_and_gets_screenshots_figures_and_the_run(tmp_path: Path) -> None:
    done = demo("--run", "processes", "--workers", 2, "--argument", 12, "--jobs", 10, "--size", "1100x800", "--theme", "dark",
                "--screenshot", tmp_path / "end.png", "--halfway", tmp_path / "half.png", "--json", tmp_path / "run.json",
                "--report", tmp_path / "report.json")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("10 jobs of fib(12) on 2 processes: ")
    for name in ("end.png", "half.png"):
        image = QImage(str(tmp_path / name))
        assert (image.width(), image.height()) == (1100, 800)
        assert len(colours_of(image)) > 10
    result = json.loads((tmp_path / "run.json").read_text())
    assert (result["kind"], result["done"]) == ("processes", 10)
    assert result["heartbeat"]["beats"] == len(result["heartbeat"]["late_ms"])
    assert load(tmp_path / "report.json").workers


def test_a_program_can_press_stop(tmp_path: Path) -> None:
    done = demo("--run", "interpreters", "--workers", 1, "--function", "wait", "--argument", 5, "--jobs", 1000,
                "--stop-after", 2, "--json", tmp_path / "run.json")
    assert done.returncode == 0, done.stderr
    result = json.loads((tmp_path / "run.json").read_text())
    assert result["cancelled"] > 0 and result["done"] + result["cancelled"] == 1000


def test_what_cannot_be_run_is_one_line_from_the_command_line() -> None:
    done = demo("--run", "threads", "--argument", 1000)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "xcores.demo.desktop: the argument of fib is 1 to 40, not 1000\n"


@pytest.mark.parametrize("option", ["--screenshot", "--halfway", "--json", "--report", "--stop-after"])
def test_what_needs_a_run_is_refused_without_one(option: str) -> None:
    done = demo("--kind", "threads", option, "1")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines()[-1].endswith(f"{option} needs --run, which begins at once; --kind waits for the Start button")


@pytest.mark.parametrize("options", [("--run", "threads", "--kind", "processes"), ("--kind", "processes", "--run", "threads")])
def test_kind_and_run_are_refused_together(options: tuple[str, ...], tmp_path: Path) -> None:
    done = demo(*options, "--json", tmp_path / "run.json")
    assert done.returncode == 2 and "not allowed with argument" in done.stderr.splitlines()[-1]


@pytest.mark.parametrize("option, name, says", [
    ("--screenshot", "end.xyz", "is saved as one of"), ("--halfway", "half", "is saved as one of"), ("--report", "run.txt", "is saved as one of"),
    ("--screenshot", "no/end.png", "there is no folder"), ("--halfway", "no/half.png", "there is no folder"),
    ("--json", "no/run.json", "there is no folder"), ("--report", "no/run.json", "there is no folder"), ("--json", "", "this is a folder"),
])
def test_a_file_that_cannot_be_written_is_refused_before_the_run(tmp_path: Path, option: str, name: str, says: str) -> None:
    done = demo("--run", "threads", "--jobs", 1, option, tmp_path / name)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"xcores.demo.desktop: {tmp_path / name}: ") and says in done.stderr
    assert done.stderr.count("\n") == 1 and not list(tmp_path.iterdir())


def test_an_interrupt_during_a_run_is_told_by_the_exit_status(tmp_path: Path) -> None:
    options = ["--run", "threads", "--workers", "1", "--function", "wait", "--argument", "100", "--jobs", "1000",
               "--json", str(tmp_path / "run.json")]
    program = tmp_path / "interrupted.py"
    program.write_text("""
import os, signal, sys
from xcores.demo import desktop, window
start = window.Window.start
def start_and_interrupt(self):
    start(self)
    os.kill(os.getpid(), signal.SIGINT)
window.Window.start = start_and_interrupt
sys.exit(desktop.main(sys.argv[1:]))
""")
    done = subprocess.run([sys.executable, program, *options], capture_output=True, text=True, timeout=_TIMEOUT_S)
    assert (done.returncode, done.stderr) == (130, "")
    assert not (tmp_path / "run.json").exists()


def test_without_a_display_it_says_how_to_go_on() -> None:
    done = demo(QT_QPA_PLATFORM="", DISPLAY="", WAYLAND_DISPLAY="")
    assert done.returncode == 1 and "QT_QPA_PLATFORM=offscreen" in done.stderr and done.stderr.count("\n") == 1


def test_a_window_that_is_closed_while_threads_compute_ends_the_program(tmp_path: Path) -> None:
    program = tmp_path / "close.py"
    program.write_text("""
import sys
from PyQt6.QtCore import QTimer
from xcores.demo import desktop, window
start = window.Window.start
def start_and_close(self):
    start(self)
    QTimer.singleShot(0, self.close)
window.Window.start = start_and_close
sys.exit(desktop.main(["--run", "threads", "--workers", "2", "--function", "wait", "--argument", "600000", "--jobs", "3"]))
""")
    done = subprocess.run([sys.executable, program], capture_output=True, text=True, timeout=_TIMEOUT_S)
    assert (done.returncode, done.stderr) == (0, "")
