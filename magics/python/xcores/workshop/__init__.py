# SPDX-License-Identifier: BSD-3-Clause
"""What the notebooks of the workshop use: questions, predictions and checks of exercises.

    from xcores import workshop

    workshop.predict("01-two-threads", "Two threads compute. How long does it take, compared with one thread?",
                     ["half as long", "as long", "twice as long"])   # answer="…" keeps your prediction
    workshop.outcome("01-two-threads", "as long")
    workshop.check("01-exercise", my_answer)

Nothing here measures anything: that is what the cells do.
"""

from xcores.workshop.exercises import Verdict, check, exercise_names
from xcores.workshop.predictions import Outcome, Prediction, outcome, predict

__all__ = ["Outcome", "Prediction", "Verdict", "check", "exercise_names", "outcome", "predict"]
