# SPDX-License-Identifier: BSD-3-Clause
"""Predictions and checks, which the workshop's notebooks use. The exercises themselves: tests/notebooks."""

import pytest

from xcores import workshop
from xcores.workshop import exercises


@pytest.fixture
def exercise(monkeypatch: pytest.MonkeyPatch):
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


def test_a_prediction_is_one_of_the_choices() -> None:
    with pytest.raises(ValueError, match="none of the choices: a, b"):
        workshop.predict("99-letter", "Which?", ["a", "b"], answer="c")
    workshop.predict("99-letter", "Which?", ["a", "b"])
    with pytest.raises(ValueError, match="none of the choices: a, b"):
        workshop.outcome("99-letter", "c")
