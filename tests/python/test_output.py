# SPDX-License-Identifier: BSD-3-Clause
"""What workers print."""

import sys

import pytest

from xcores.output import Labeller, Router, install


def test_each_line_carries_the_number_of_its_worker(kind, cell) -> None:
    ran = cell(f"%%{kind} 2 --quiet\nprint('first')\nprint('second', 'third', sep='\\n')")
    lines = ran.stdout.splitlines()
    for worker in (0, 1):
        assert [line for line in lines if line.startswith(f"[{worker}] ")] == [
            f"[{worker}] first", f"[{worker}] second", f"[{worker}] third"]
    assert len(lines) == 6 and ran.stderr == ""


def test_stderr_stays_stderr(kind, cell) -> None:
    ran = cell(f"%%{kind} 1 --quiet\nimport sys\nprint('out')\nprint('err', file=sys.stderr)")
    assert (ran.stdout, ran.stderr) == ("[0] out\n", "[0] err\n")


def test_a_line_without_an_end_is_shown_when_the_worker_ends(kind, cell) -> None:
    assert cell(f"%%{kind} 1 --quiet\nprint('a', end='')\nprint('b', end='')").stdout == "[0] ab\n"


def test_twenty_thousand_lines_from_two_workers_all_arrive_in_order(kind, cell) -> None:
    lines = cell(f"%%{kind} 2 --quiet\nfor number in range(20_000): print(number)").stdout.splitlines()
    for worker in (0, 1):
        assert [line for line in lines if line.startswith(f"[{worker}]")] == [f"[{worker}] {n}" for n in range(20_000)]
    assert len(lines) == 40_000


@pytest.mark.parametrize("text", ["käse ☃ 𝄞", "\\ud800 alone", "", "tab\\tand 'quotes'"])
def test_any_text_can_be_printed(kind, cell, text) -> None:
    expected = text.replace("\\t", "\t")
    assert cell(f"%%{kind} 1 --quiet\nprint(\"{text}\")").stdout == f"[0] {expected}\n"


def test_bytes_may_be_written_to_the_buffer_of_a_stream(sending_kind, cell) -> None:
    body = "import sys\nsys.stdout.buffer.write('ünicode\\n'.encode())\nsys.stdout.flush()"
    assert cell(f"%%{sending_kind} 1 --quiet\n{body}").stdout == "[0] ünicode\n"


def test_what_a_library_logs_appears_under_the_cell(kind, cell) -> None:
    body = "import logging, sys\nhandler = logging.StreamHandler(sys.stderr)\nlog = logging.Logger('x')\n" \
        "log.addHandler(handler)\nlog.error('trouble')"
    assert cell(f"%%{kind} 1 --quiet\n{body}").stderr == "[0] trouble\n"


def test_output_appears_while_the_cell_runs(kind, cell, monkeypatch, tmp_path) -> None:
    import os

    gate = tmp_path / "gate"
    os.mkfifo(gate)
    feed = Labeller.feed

    def feed_then_open_the_gate(self, chunks) -> None:
        chunks = list(chunks)
        feed(self, chunks)
        if any("before" in text for _, _, text in chunks):
            gate.open("w").close()

    monkeypatch.setattr(Labeller, "feed", feed_then_open_the_gate)
    ran = cell(f"%%{kind} 1 --quiet\nprint('before the gate')\nopen({str(gate)!r}).read()\nprint('after')")
    assert ran.error is None and ran.stdout == "[0] before the gate\n[0] after\n"


def test_the_notebooks_own_output_goes_on_as_ever(cell) -> None:
    ran = cell("import sys\nprint('plain')\nsys.stderr.write('err\\n')")
    assert ran.stdout.startswith("plain\n") and ran.stderr == "err\n"


def test_chunks_become_labelled_lines_in_few_writes(capsys) -> None:
    labeller = Labeller()
    labeller.feed([(0, 1, "one\ntw"), (1, 1, "other\n"), (0, 2, "error\n"), (0, 1, "o\n")])
    assert capsys.readouterr() == ("[0] one\n[1] other\n[0] two\n", "[0] error\n")
    labeller.feed([(1, 1, "rest")])
    assert labeller.has_rest() and capsys.readouterr().out == ""
    labeller.finish([0])
    assert labeller.has_rest()
    labeller.finish([1])
    assert not labeller.has_rest() and capsys.readouterr().out == "[1] rest\n"


def test_a_line_overwritten_in_place_shows_its_last_state(capsys) -> None:
    Labeller().feed([(0, 1, "10 %\r50 %\r100 %\n")])
    assert capsys.readouterr().out == "[0] 100 %\n"


def test_the_routed_streams_behave_like_the_real_ones(shell) -> None:
    install()
    assert isinstance(sys.stdout, Router)
    assert sys.stdout.encoding == sys.stdout._real.encoding and sys.stdout.isatty() == sys.stdout._real.isatty()
    with pytest.raises(TypeError):
        sys.stdout.write(b"bytes")
