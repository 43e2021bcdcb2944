# SPDX-License-Identifier: BSD-3-Clause
"""What is wrong before anything runs is said shortly, and nothing is started."""

import pytest


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("--frobnicate", "unrecognized arguments: --frobnicate"),
        ("2 3", "unrecognized arguments: 3"),
        ("0", "at least 1 worker"),
        ("-n 0", "at least 1 worker"),
        ("-n -3", "at least 1 worker"),
        ("-n two", "'two' is not a whole number"),
        ("-n 2.5", "'2.5' is not a whole number"),
        ("-n 100000", "at most 256 workers, not 100000"),
        ("2 -n 3", "given twice"),
        ("--timeout -1", "more than 0 seconds"),
        ("--timeout 0", "more than 0 seconds"),
        ("--timeout nan", "more than 0 seconds"),
        ("--timeout soon", "'soon' is not a number"),
        ("-o 1x", "'1x' is not a name"),
        ("-o class", "'class' is not a name"),
        ("-o", "expected one argument"),
        ("'", "No closing quotation"),
    ],
)
def test_a_wrong_option_is_one_line_that_says_what_is_wrong(kind, cell, options, words) -> None:
    ran = cell(f"%%{kind} {options}\nprint('started')")
    assert ran.text.startswith(f"UsageError: %%{kind}") and words in ran.text and ran.text.count("\n") == 1
    assert "started" not in ran.text and ran.displays == []


def test_the_limit_of_workers_comes_with_its_reason(kind, cell) -> None:
    assert "memory" in cell(f"%%{kind} -n 100000\n1").text


@pytest.mark.parametrize("body", ["", "\n\n", "# only a comment", "   \n# and blanks"])
def test_an_empty_cell_is_one_friendly_line(kind, cell, body) -> None:
    ran = cell(f"%%{kind} 2\n{body}")
    assert ran.text.startswith("UsageError") and "empty" in ran.text and ran.text.count("\n") == 1


@pytest.mark.parametrize(
    ("body", "line", "source"),
    [
        ("x = (", 2, "x = ("),
        ("a = 1\nb = 2 +\nc", 3, "b = 2 +"),
        ("\n\nreturn 5", 4, "return 5"),
        ("x = 1\n!echo fine\ny = = 2", 4, "y = = 2"),
        ("x = 1\n  y = 2", 3, "y = 2"),
    ],
)
def test_a_syntax_error_is_shown_with_the_line_of_the_cell(kind, cell, shell, body, line, source) -> None:
    number = shell.execution_count
    ran = cell(f"%%{kind} 2\n{body}")
    assert isinstance(ran.error, SyntaxError)
    assert f"Cell In[{number}]:{line}" in ran.text and source in ran.text and "Error: " in ran.text
    assert "run_cell_magic" not in ran.text and ".py" not in ran.text and ran.displays == []


def test_a_syntax_error_counts_lines_from_the_top_of_the_cell(kind, cell, shell) -> None:
    number = shell.execution_count
    assert f"Cell In[{number}]:3" in cell(f"%%time\n%%{kind} 2\nx = (").text


def test_a_refusal_of_the_engine_is_short(kind, cell, monkeypatch) -> None:
    from xcores import _engine

    why = "Resource temporarily unavailable"

    def refuse(*_, **__):
        raise RuntimeError(f"no more threads: {why}")

    monkeypatch.setattr(_engine.Run, "start", refuse)
    text = cell(f"%%{kind} 2\n1").text
    assert text == f"UsageError: %%{kind} could not start 2 workers: no more threads: {why}\n"


def test_after_bad_input_the_next_cell_works(kind, cell, results) -> None:
    cell(f"%%{kind} --frobnicate\n1")
    cell(f"%%{kind} 2\nx = (")
    assert results(kind, "worker") == [0, 1]
