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


@pytest.mark.parametrize("write", ["sys.stdout.buffer.write(piece)", "wrapped.write(piece)"])
def test_a_character_in_pieces_arrives_whole(kind, cell, write) -> None:
    if kind == "threads":
        pytest.skip("io.StringIO, which stands for the front end here, has no bytes")
    body = ("import io, sys\nwrapped = io.BufferedWriter(sys.stdout.buffer, 1)\nfor piece in (b'\\xc3', b'\\xa4', b'\\xe2\\x82', b'\\xac'):"
            f" {write}; wrapped.flush()\nprint()\nassert sys.stdout.buffer.writable() and not sys.stdout.buffer.closed\n"
            "text = io.TextIOWrapper(sys.stdout.buffer, 'utf-8', write_through=True)\ntext.write('ö\\n'); text.detach();")
    ran = cell(f"%%{kind} 1 --quiet\n{body}")
    assert ran.error is None and ran.stdout == "[0] ä€\n[0] ö\n"


def test_the_streams_of_workers_have_the_descriptors_of_their_process(kind, results) -> None:
    if kind == "threads":
        pytest.skip("the notebook's own stream")
    assert results(kind, "import sys\n(sys.stdout.fileno(), sys.stderr.fileno())", 1) == [(1, 2)]


def test_programs_that_process_workers_start_print_as_the_worker(cell) -> None:
    ran = cell("%%procs 1 --quiet\nimport subprocess, sys\nprint('a')\nsubprocess.run(['echo', 'b'], stdout=sys.stdout)\nprint('c')")
    assert ran.stdout == "[0] a\n[0] b\n[0] c\n"


INNER = {
    "Thread": "t = threading.Thread(target=print, args=('x',)); t.start(); t.join()",
    "pool": "with futures.ThreadPoolExecutor(1) as pool: pool.submit(print, 'x').result()",
    "thread of a thread": "def start():\n    t = threading.Thread(target=print, args=('x',)); t.start(); t.join()\n"
                          "t = threading.Thread(target=start); t.start(); t.join()",
    "to_thread": "await asyncio.to_thread(print, 'x')",
    "executor of a loop": "await asyncio.get_running_loop().run_in_executor(None, print, 'x')",
    "task": "async def say(): print('x')\nawait asyncio.create_task(say())",
}


@pytest.mark.parametrize("way", INNER)
def test_threads_of_a_worker_print_with_its_label(kind, cell, way) -> None:
    ran = cell(f"%%{kind} 2 --quiet\nimport asyncio, threading\nfrom concurrent import futures\n{INNER[way]}")
    assert ran.error is None and sorted(ran.stdout.splitlines()) == ["[0] x", "[1] x"]


def test_a_pool_of_the_notebook_prints_with_the_label_of_whoever_submits(cell) -> None:
    cell("from concurrent.futures import ThreadPoolExecutor\npool = ThreadPoolExecutor(1)\npool.submit(print, 'warm').result()")
    assert sorted(cell("%%threads 2 --quiet\npool.submit(print, worker).result()").stdout.splitlines()) == ["[0] 0", "[1] 1"]
    assert cell("pool.submit(print, 'plain').result(); pool.shutdown()").stdout == "plain\n"


def test_progress_bars_one_below_the_other_leave_one_line_each(capsys) -> None:
    labeller = Labeller()
    for percent in (10, 50):
        labeller.feed([(0, 2, f"\r{percent} %"), (1, 2, "\n"), (1, 2, f"\r{percent} %"), (1, 2, "\x1b[A")])
    labeller.feed([(0, 2, "\r100 %"), (0, 2, "\n"), (1, 2, "\r100 %\n")])
    assert capsys.readouterr().err == "[0] 100 %\n[1] 100 %\n"


def test_a_progress_bar_takes_no_memory(capsys) -> None:
    labeller = Labeller()
    for number in range(10_000):
        labeller.feed([(0, 1, f"\r{number} "), (0, 1, "of many")])
    assert sum(map(len, labeller._partial[0, 1])) < 10_000
    labeller.finish([0])
    assert capsys.readouterr().out == "[0] 9999 of many\n"


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


def test_writing_nothing_shows_nothing(kind: str, cell) -> None:
    ran = cell(f"%%{kind} 2 --quiet\nimport sys\nprint(end='')\nsys.stdout.write('')\nsys.stderr.write('')\nNone")
    assert (ran.stdout, ran.stderr) == ("", "")
