# SPDX-License-Identifier: BSD-3-Clause
"""`%xcores`, and the options that say which workers a cell gets and what they have."""

import time

import pytest

from xcores import _engine


def row(text: str, kind: str) -> list[str]:
    return next(line.split() for line in text.splitlines() if line.startswith(kind))


def test_status_counts_the_workers_of_each_kind_and_reset_ends_the_idle(kind, cell, results) -> None:
    cell("%xcores reset")
    results(kind, "1", workers=3)
    assert row(cell("%xcores status").stdout, kind)[1:4] == ["3", "0", "0"]
    assert "3 idle workers ended" in cell("%xcores reset").stdout
    assert row(cell("%xcores status").stdout, kind)[1:4] == ["0", "0", "0"]
    assert results(kind, "worker") == [0, 1]


def test_status_tells_of_workers_that_were_left_behind(cell) -> None:
    import os

    read_end, write_end = os.pipe()
    cell(f"import os\nblocking = {read_end}")
    cell("%%threads 1 --quiet --timeout 0.1\nos.read(blocking, 1)")
    text = cell("%xcores status").stdout
    os.write(write_end, b"x")
    assert row(text, "threads")[3] == "1" and "Left behind" in text


def test_defaults_hold_for_cells_that_say_nothing_else(kind, cell, shell) -> None:
    cell("%xcores config workers=3 quiet=yes")
    assert cell(f"%%{kind} -o answers\nworkers").displays == []
    assert shell.user_ns["answers"] == [3, 3, 3]
    cell(f"%%{kind} 1 -o answers\nworkers")
    assert shell.user_ns["answers"] == [1]
    assert "image/png" in cell(f"%%{kind} 1 --plot\n1").displays[-1]["data"]
    assert "workers=default" in cell("%xcores config workers=default quiet=default").stdout
    assert cell(f"%%{kind} 1\n1").displays != []


def test_a_default_time_limit_and_what_to_do_on_errors(kind, cell, shell) -> None:
    cell("%xcores config timeout=0.2 on_error=continue")
    assert "--timeout" in cell(f"%%{kind} 2 --quiet\nwhile True: pass").text
    cell(f"%%{kind} 2 --quiet -o answers --map range(10)\n1 / item")
    assert shell.user_ns["answers"][1:] == [1 / n for n in range(1, 10)]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("", "a command is missing; there are status, reset, jobs, stop, config"),
        ("frob", "there is no command 'frob'"),
        ("status now", "nothing is expected after it, but there is 'now'"),
        ("stop", "which job, or all?"),
        ("stop 987654", "there is no job '987654'"),
        ("stop it", "there is no job 'it'"),
        ("config colour=red", "there is no 'colour'; there are workers, timeout"),
        ("config workers", "workers needs a value"),
        ("config workers=none", "'none' is not a whole number"),
        ("config timeout=-1", "more than 0 seconds"),
        ("config plot=maybe", "'maybe' is neither yes nor no"),
        ("config on_error=wait", "'wait' is neither stop nor continue"),
    ],
)
def test_a_wrong_command_is_one_line_that_says_what_is_wrong(cell, line, words) -> None:
    ran = cell(f"%xcores {line}")
    assert ran.text.startswith("UsageError: %xcores") and words in ran.text and ran.text.count("\n") == 1


def test_the_help_shows_every_command(shell) -> None:
    text = shell.find_line_magic("xcores").__doc__
    assert all(f"%xcores {command}" in text for command in ("status", "reset", "jobs", "stop", "config"))


IDENTITY = "import os, threading\nos.getpid(), threading.get_native_id()"


def test_fresh_workers_are_new_ones(kind, cell, shell, results) -> None:
    before = results(kind, IDENTITY)
    assert sorted(results(kind, IDENTITY)) == sorted(before)
    cell(f"%%{kind} 2 --quiet --fresh -o answers\n{IDENTITY}")
    assert not set(shell.user_ns["answers"]) & set(before)


def test_keep_keeps_the_names_of_each_worker(kind, cell, shell, results) -> None:
    cell(f"%%{kind} 3 --quiet --keep\nimport json\nmine = [worker]\ndef get():\n    return json.dumps(mine)")
    assert results(kind, "'mine' in globals()", workers=3) == [False] * 3
    for _ in range(2):
        cell(f"%%{kind} 3 --quiet --keep -o answers\nmine.append(worker)\nget()")
    assert shell.user_ns["answers"] == [f"[{n}, {n}, {n}]" for n in range(3)]


def test_what_a_cell_made_itself_is_kept_and_what_was_sent_follows_the_notebook(kind, cell, shell) -> None:
    cell("sent, made = 1, 'of the notebook'")
    cell(f"%%{kind} 1 --quiet --keep\nmade = 'of the worker'\nsent")
    cell("sent = 2")
    cell(f"%%{kind} 1 --quiet --keep -o answers\nsent, made")
    assert shell.user_ns["answers"] == [(2, "of the worker")]


def test_kept_workers_stay_in_their_places_when_others_run_in_between(kind, cell, shell, results) -> None:
    cell(f"%%{kind} 3 --quiet --keep -o answers\nmine = worker\nmine")
    results(kind, "worker", workers=2)
    cell(f"%%{kind} 3 --quiet --keep -o answers\nmine")
    assert shell.user_ns["answers"] == [0, 1, 2]


def test_in_sends_names_that_the_cell_does_not_show(kind, cell, shell) -> None:
    cell("a, b = 1, 2")
    cell(f"%%{kind} 1 --quiet -o answers --in a,b\neval('a + b')")
    assert shell.user_ns["answers"] == [3]
    assert "there is no variable `c`" in cell(f"%%{kind} 1 --in a,c\n1").text


def test_without_capture_only_the_given_names_are_sent(kind, cell, shell) -> None:
    cell("a, b = 1, 2")
    cell(f"%%{kind} 1 --quiet -o answers --no-capture --in a\na, 'b' in globals()")
    assert shell.user_ns["answers"] == [(1, False)]
    assert isinstance(cell(f"%%{kind} 1 --quiet --no-capture\na").error.exceptions[0], NameError)


def test_repeated_cells_run_on_the_same_workers_and_the_table_has_the_spread(kind, cell, shell) -> None:
    import json

    import xcores

    cell("ran = []")
    shown = cell(f"%%{kind} 2 --no-plot --repeat 4 -o answers\nprint('once')\n{IDENTITY}")
    assert shown.stdout.count("once") == 8
    assert len(set(shell.user_ns["answers"])) == 2
    text = shown.displays[-1]["data"]["text/plain"]
    assert "ran 4 times: wall time" in text and "the median of 4 runs" in text and " to " in text
    repeats = json.loads(xcores.last_report().to_json())["repeats"]
    assert repeats["runs"] == 4 and len(repeats["run_ns"]) == 2
    least, median, most = repeats["wall_ns"]
    assert least <= median <= most


def test_a_repeated_cell_ends_with_its_first_failure(sending_kind, cell) -> None:
    ran = cell(f"%%{sending_kind} 1 --no-plot --repeat 5\nprint('once')\n1 / 0")
    assert ran.stdout.count("once") == 1 and isinstance(ran.error.exceptions[0], ZeroDivisionError)


def test_a_repeated_cell_can_be_mapped(kind, cell, shell) -> None:
    cell(f"%%{kind} 2 --quiet --repeat 3 --map range(20) -o answers\nitem")
    assert shell.user_ns["answers"] == list(range(20))


@pytest.mark.parametrize("text", ["0", "-1", "two", "1.5", "5000"])
def test_a_cell_is_repeated_a_sensible_number_of_times(kind, cell, text) -> None:
    assert f"1 to 1000 times, not '{text}'" in cell(f"%%{kind} 1 --repeat={text}\n1").text


# --shared


def test_shared_threads_assign_in_the_notebook(cell, shell) -> None:
    cell("counter, seen = 0, set()")
    ran = cell("%%threads 4 --quiet --shared -o answers\ncounter += 1\nseen.add(worker)\nlast: int = worker\nworker, workers")
    assert ran.error is None, ran.text
    assert shell.user_ns["seen"] == {0, 1, 2, 3} and shell.user_ns["last"] in range(4)
    assert shell.user_ns["answers"] == [(n, 4) for n in range(4)]
    assert "worker" not in shell.user_ns


def test_shared_threads_lose_updates_between_reading_and_writing(cell, shell) -> None:
    # Both have read before either writes: the race itself, made certain.
    cell("import threading\nboth_have_read = threading.Barrier(2)\nbalance = 100")
    cell("%%threads 2 --quiet --shared\nread = [balance]\nboth_have_read.wait()\nbalance = read[0] - 30")
    assert shell.user_ns["balance"] == 70


def test_the_race_of_the_guide_loses_updates(cell, shell) -> None:
    cell("counter = 0")
    ran = cell("%%threads 2 --quiet --shared\nimport time\ndef add():\n    global counter\n    before = counter\n"
               "    time.sleep(0)\n    counter = before + 1\nfor _ in range(100_000):\n    add()")
    assert ran.error is None, ran.text
    assert 0 < shell.user_ns["counter"] < 200_000


def test_functions_and_comprehensions_of_a_shared_cell_see_the_worker(cell, shell) -> None:
    body = "def f(): return worker\n[f(), *(worker for _ in 'a'), *[worker for _ in 'a']]"
    cell(f"%%threads 2 --quiet --shared -o answers\n{body}")
    assert shell.user_ns["answers"] == [[0, 0, 0], [1, 1, 1]]


def test_a_shared_cell_may_await_and_be_mapped(cell, shell) -> None:
    cell("total = []")
    body = "import asyncio\nawait asyncio.sleep(0)\ntotal.append(item)\nindex"
    ran = cell(f"%%threads 2 --quiet --shared --map range(10) -o answers\n{body}")
    assert ran.error is None, ran.text
    assert sorted(shell.user_ns["total"]) == list(range(10)) and shell.user_ns["answers"] == list(range(10))


def test_a_failure_in_a_shared_cell_is_shown_with_its_line(cell, shell) -> None:
    number = shell.execution_count
    text = cell("%%threads 1 --quiet --shared\nx = 1\nx / 0").text
    assert f'File "Cell In[{number}]", line 3, in <module>\n    x / 0\n' in text and "ZeroDivisionError" in text


def test_shared_is_for_threads_and_takes_all_names_as_they_are(cell) -> None:
    assert "--shared is only for %%threads" in cell("%%procs 2 --shared\n1").text
    assert "have no meaning there" in cell("%%threads 2 --shared --keep\n1").text


@pytest.mark.parametrize("body", ["return 5", "from math import *", "x = ("])
def test_a_syntax_error_in_a_shared_cell_is_one(cell, body) -> None:
    assert isinstance(cell(f"%%threads 2 --shared\n{body}").error, SyntaxError)


def wait_until_nobody_is_busy(patience: float = 60) -> None:
    """Executors that earlier tests have dropped give their workers back when they can."""
    until = time.monotonic() + patience
    while any(state[1] for state in _engine.status().values()):
        assert time.monotonic() < until, _engine.status()
        time.sleep(0.01)


def test_workers_of_an_executor_are_not_called_busy(cell) -> None:
    wait_until_nobody_is_busy()
    cell("import xcores\nexecutor = xcores.ProcessExecutor(2)\nlist(executor.map(abs, [-1, -2], chunksize=1))")
    for command in ("reset", "status"):
        text = cell(f"%xcores {command}").text
        assert "in the background" not in text and "executors: shutdown()" in text
    cell("executor.shutdown()")
    assert "executors" not in cell("%xcores reset").text


def test_status_says_what_pictures_are_made_from(cell) -> None:
    refusal = _engine.recording_refusal()
    text = cell("%xcores status").stdout
    assert ("where there are not too many" if refusal == 0 else "Pictures are made from samples") in text
