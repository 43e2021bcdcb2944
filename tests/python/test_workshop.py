# SPDX-License-Identifier: BSD-3-Clause
"""Predictions and checks, which the workshop's notebooks use. The exercises themselves: tests/notebooks."""

import asyncio
import itertools
import os
import signal
import sys
import threading
import time

import pytest

from xcores import workshop
from xcores.workshop import exercises


@pytest.fixture
def exercise(monkeypatch: pytest.MonkeyPatch):
    exercises.exercise_names()  # a module that is imported during a test would leave its exercises in the copy
    monkeypatch.setattr(exercises, "_registered", dict(exercises._registered))
    return exercises.exercise


def test_a_right_answer_passes_with_what_to_take_away(exercise) -> None:
    @exercise("99-sum")
    def check_sum(answer):
        if answer != 3:
            raise exercises.NotYet(f"{answer} is not 1 + 2.")
        return "Addition it is."

    passed, failed = workshop.check("99-sum", 3), workshop.check("99-sum", 4)
    assert passed and passed.message == "Addition it is."
    assert not failed and failed.message == "4 is not 1 + 2."


def test_an_unsolved_exercise_fails_and_says_what_to_do(exercise) -> None:
    exercise("99-any")(lambda answer: None)
    verdict = workshop.check("99-any", ...)
    assert not verdict and "Replace the ..." in verdict.message
    assert workshop.check("99-any", None).message == "That is right."


def test_an_answer_that_raises_fails_with_its_error(exercise) -> None:
    exercise("99-call")(lambda answer: answer())
    verdict = workshop.check("99-call", lambda: 1 / 0)
    assert not verdict and "ZeroDivisionError" in verdict.message


def _with_a_note() -> None:
    error = ValueError("what is wrong")
    error.add_note("what is not")
    raise error


def _cancelled() -> None:
    raise asyncio.CancelledError("left")


@pytest.mark.parametrize("answer, shown", [
    (_with_a_note, "ValueError: what is wrong"), (lambda: sys.exit(3), "SystemExit: 3"), (_cancelled, "CancelledError: left"),
    (lambda: compile("a b", "cell", "exec"), "SyntaxError: invalid syntax")])
def test_what_an_answer_raises_is_shown_by_type_and_text(exercise, answer, shown: str) -> None:
    exercise("99-call")(lambda answer: answer())
    verdict = workshop.check("99-call", answer)
    assert not verdict and verdict.message.endswith(shown)


def test_an_interrupt_passes_through(exercise) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    exercise("99-call")(lambda answer: answer())
    with pytest.raises(KeyboardInterrupt):
        workshop.check("99-call", interrupted)


def _endless() -> None:
    while True:
        pass


def _waiting_forever() -> None:
    while True:
        threading.Event().wait(0.05)


def _threads_of_exercises() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == "exercise"]


def _none_is_left() -> bool:
    deadline = time.monotonic() + 30
    while _threads_of_exercises() and time.monotonic() < deadline:
        time.sleep(0.01)
    return not _threads_of_exercises()


@pytest.mark.parametrize("answer", [_endless, _waiting_forever])
def test_an_answer_that_does_not_end_is_left_and_its_thread_ends(exercise, monkeypatch: pytest.MonkeyPatch, answer) -> None:
    monkeypatch.setattr(exercises, "_LIMIT", 0.3)
    exercise("99-call")(lambda answer: exercises.limited(answer, "inner", 600))
    verdict = workshop.check("99-call", answer)
    assert not verdict and "does not end" in verdict.message
    assert _none_is_left()


def test_an_interrupt_ends_a_check_that_waits(exercise) -> None:
    begun = threading.Event()

    def endless() -> None:
        begun.set()
        _endless()

    def interrupt() -> None:
        begun.wait()
        os.kill(os.getpid(), signal.SIGINT)

    exercise("99-call")(lambda answer: answer())
    threading.Thread(target=interrupt).start()
    with pytest.raises(KeyboardInterrupt):
        workshop.check("99-call", endless)
    assert _none_is_left()


def test_calls_run_at_the_same_time_and_the_first_error_is_raised() -> None:
    barrier = threading.Barrier(2)
    assert sorted(exercises.limited_together([barrier.wait] * 2, "late")) == [0, 1]
    with pytest.raises(ZeroDivisionError):
        exercises.limited_together([lambda: 1 / 0, _endless], "late", 0.3)
    with pytest.raises(exercises.NotYet, match="late"):
        exercises.limited(_endless, "late", 0.2)
    assert _none_is_left()


def test_an_answer_without_end_is_not_read_to_its_end() -> None:
    assert exercises.listed(range(3), 3) == [0, 1, 2]
    with pytest.raises(exercises.NotYet, match="more than 3 items"):
        exercises.listed(itertools.count(), 3)


def test_code_that_catches_each_exception_is_stopped(exercise) -> None:
    @exercise("99-stop")
    def check_stop(answer):
        try:
            raise exercises.Stop("leave it")
        except Exception:
            return "caught"

    assert workshop.check("99-stop", 1).message == "leave it"


def test_an_unknown_exercise_is_refused_with_those_of_its_part(exercise) -> None:
    exercise("99-first")(lambda answer: None)
    with pytest.raises(ValueError, match="99-first"):
        workshop.check("99-second", 1)


def test_a_name_is_given_once(exercise) -> None:
    exercise("99-twice")(lambda answer: None)
    with pytest.raises(ValueError, match="99-twice"):
        exercise("99-twice")(lambda answer: None)


def test_a_verdict_shows_what_users_wrote_escaped(exercise) -> None:
    @exercise("99-html")
    def check_html(answer):
        raise exercises.NotYet(answer)

    assert "&lt;b&gt;" in workshop.check("99-html", "<b>")._repr_html_()


def test_a_prediction_is_kept_and_shown_beside_the_outcome() -> None:
    choices = ["half as long", "as long"]
    open_question = workshop.predict("99-time", "How long?", choices)
    assert 'answer="half as long"' in repr(open_question)
    assert "no prediction" in repr(workshop.outcome("99-time", "as long"))
    workshop.predict("99-time", "How long?", choices, answer="half as long")
    assert repr(workshop.outcome("99-time", "as long")) == "Measured: as long. You predicted: half as long. Read on to see why."
    assert "Right." in repr(workshop.outcome("99-time", "half as long"))


def test_a_prediction_needs_choices() -> None:
    with pytest.raises(ValueError, match="the prediction '99-none' needs choices"):
        workshop.predict("99-none", "Which?", [])


def test_a_prediction_is_one_of_the_choices() -> None:
    with pytest.raises(ValueError, match="none of the choices: a, b"):
        workshop.predict("99-letter", "Which?", ["a", "b"], answer="c")
    workshop.predict("99-letter", "Which?", ["a", "b"])
    with pytest.raises(ValueError, match="none of the choices: a, b"):
        workshop.outcome("99-letter", "c")
