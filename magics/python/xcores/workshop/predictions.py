# SPDX-License-Identifier: BSD-3-Clause
"""Questions that a reader answers before running a cell. What was predicted stands in the cell, so it is saved with the
notebook; this module keeps it for `outcome`, as long as the kernel runs."""

import html
from collections.abc import Sequence
from dataclasses import dataclass

_kept: dict[str, "Prediction"] = {}


@dataclass(frozen=True)
class Prediction:
    """A question with its choices and what the reader has chosen, or None."""

    name: str
    question: str
    choices: tuple[str, ...]
    answer: str | None

    def _state(self) -> str:
        if self.answer is None:
            return f'Add answer="{self.choices[0]}" (or another choice) to the call, and run the cell again.'
        return f"Your prediction: {self.answer}."

    def __repr__(self) -> str:
        return "\n".join([self.question, *(f"  - {choice}" for choice in self.choices), self._state()])

    def _repr_html_(self) -> str:
        choices = "".join(
            f"<li>{'<b>' if choice == self.answer else ''}{html.escape(choice)}{'</b>' if choice == self.answer else ''}</li>"
            for choice in self.choices
        )
        return (f'<div style="border-left: 4px solid #5c6bc0; padding: 4px 12px; margin: 4px 0">'
                f"<b>Predict:</b> {html.escape(self.question)}<ul style=\"margin: 4px 0\">{choices}</ul>"
                f"<i>{html.escape(self._state())}</i></div>")


@dataclass(frozen=True)
class Outcome:
    """What was measured beside what was predicted."""

    prediction: Prediction | None
    measured: str

    def __repr__(self) -> str:
        if self.prediction is None or self.prediction.answer is None:
            return f"Measured: {self.measured}. You made no prediction."
        verdict = "Right." if self.prediction.answer == self.measured else "Read on to see why."
        return f"Measured: {self.measured}. You predicted: {self.prediction.answer}. {verdict}"

    def _repr_html_(self) -> str:
        return f'<div style="border-left: 4px solid #5c6bc0; padding: 4px 12px; margin: 4px 0">{html.escape(repr(self))}</div>'


def predict(name: str, question: str, choices: Sequence[str], answer: str | None = None) -> Prediction:
    """Show a question; with `answer`, keep the reader's prediction for `outcome`.

    Raises ValueError if there are no choices, or `answer` is none of them.
    """
    if not choices:
        raise ValueError(f"the prediction {name!r} needs choices")
    if answer is not None and answer not in choices:
        raise ValueError(f"{answer!r} is none of the choices: {', '.join(choices)}")
    _kept[name] = Prediction(name, question, tuple(choices), answer)
    return _kept[name]


def outcome(name: str, measured: str) -> Outcome:
    """Show what was measured, as one of the choices of `predict(name, …)`, beside the prediction.

    Raises ValueError if `measured` is none of the choices, where the question has been asked.
    """
    prediction = _kept.get(name)
    if prediction is not None and measured not in prediction.choices:
        raise ValueError(f"{measured!r} is none of the choices: {', '.join(prediction.choices)}")
    return Outcome(prediction, measured)
