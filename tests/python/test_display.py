# SPDX-License-Identifier: BSD-3-Clause
"""What stands under the cell."""

import base64
import os

import pytest
from IPython.core.displaypub import DisplayPublisher

JSON = "application/vnd.xcores.run+json"


def test_at_the_end_there_are_a_table_and_a_picture(kind, cell) -> None:
    table, picture = cell(f"%%{kind} 2\nworker").displays[-2:]
    assert table["data"].keys() == {"text/html", "text/plain"} and table["id"]
    assert picture["data"].keys() == {"image/png", "text/plain", JSON} and not picture["update"]
    assert base64.b64decode(picture["data"]["image/png"]).startswith(b"\x89PNG")


def test_the_picture_is_shown_at_half_its_size_in_dots(kind, cell) -> None:
    picture = cell(f"%%{kind} 2\nworker").displays[-1]
    width = int.from_bytes(base64.b64decode(picture["data"]["image/png"])[16:20])
    assert picture["metadata"]["image/png"]["width"] == width // 2 > 0


def test_the_picture_says_in_words_what_it_shows(kind, cell) -> None:
    table, picture = cell(f"%%{kind} 2\nworker").displays[-2:]
    assert picture["metadata"]["image/png"]["alt"] == table["data"]["text/plain"].partition("\n")[0] != ""


def test_the_chart_of_a_comparison_and_a_pair_of_runs_say_in_words_what_they_show(cell) -> None:
    chart = cell("%%compare -n 2 --repeat 1 -o comparison\nworkers").displays[-1]
    assert chart["metadata"]["image/png"]["alt"] == chart["data"]["text/plain"].strip()
    cell("%%threads 2 --run first --quiet\nworker")
    pair = cell("import xcores\nxcores.compare(first, first)").displays[-1]
    assert "first" in pair["metadata"]["image/png"]["alt"]


def test_no_plot_leaves_the_picture_out(kind, cell) -> None:
    displays = cell(f"%%{kind} 2 --no-plot\nworker").displays
    assert displays and not any("image/png" in one["data"] for one in displays)


def test_quiet_shows_only_what_the_workers_print(kind, cell) -> None:
    ran = cell(f"%%{kind} 2 --quiet\nprint('hello')\n5")
    assert ran.displays == [] and sorted(ran.stdout.splitlines()) == ["[0] hello", "[1] hello"]


def test_the_table_has_the_results(kind, cell) -> None:
    assert "result-of-1" in cell(f"%%{kind} 2\n'result-of-%d' % worker").displays[-2]["data"]["text/html"]


def test_a_long_run_has_a_live_view_which_becomes_the_table(kind, cell, shell, tmp_path) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    publisher = shell.display_pub

    def after_two_live_views() -> None:
        if len(publisher.messages) == 2:
            gate.open("w").close()

    publisher.on_message = after_two_live_views
    ran = cell(f"%%{kind} 1\nopen({str(gate)!r}).read()")
    first, second, *_, table, picture = ran.displays
    assert not first["update"] and second["update"] and table["update"] and not picture["update"]
    assert first["id"] == second["id"] == table["id"] != picture["id"]
    assert first["data"].keys() == {"text/html", "text/plain"}


def test_a_failure_comes_after_table_and_picture(kind, cell) -> None:
    ran = cell(f"%%{kind} 2\n1 / 0")
    assert len(ran.displays) >= 2 and "image/png" in ran.displays[-1]["data"] and ran.error is not None


@pytest.fixture
def terminal(shell, monkeypatch):
    monkeypatch.setattr(shell, "display_pub", DisplayPublisher(shell=shell, parent=shell))


def test_a_plain_terminal_gets_text_once_at_the_end(terminal, kind, cell) -> None:
    text = cell(f"%%{kind} 2\nprint('hello')\n'result-%d' % worker").stdout
    assert text.count("result-0") == text.count("result-1") == 1 and "<table" not in text
    assert text.index("hello") < text.index("result-0")


def test_capture_takes_the_displays(kind, cell, shell) -> None:
    cell(f"%%capture captured\n%%{kind} 2\nworker")
    assert [sorted(one.data) for one in shell.user_ns["captured"].outputs] == [
        ["text/html", "text/plain"], [JSON, "image/png", "text/plain"]]
