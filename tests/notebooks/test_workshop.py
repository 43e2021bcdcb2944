# SPDX-License-Identifier: BSD-3-Clause
"""The workshop: every part runs and has its rhythm, every exercise a check that helps and a solution that passes."""

import json
import pathlib
import re

import pytest
from conftest import PROJECT, WORKSHOP, code_cells

from xcores import workshop

pytestmark = pytest.mark.timeout(3000)  # the first test waits for all notebooks

NOTEBOOKS = sorted(path.name for path in WORKSHOP.glob("*.ipynb"))
SOLUTIONS = sorted(f"solutions/{path.name}" for path in WORKSHOP.glob("solutions/*.ipynb"))
PARTS = [name for name in NOTEBOOKS if re.match(r"\d\d-", name) and name != "00-index.ipynb"]
EXERCISES = workshop.exercise_names() if NOTEBOOKS else []

RHYTHM = ("Predict", "Run", "Look", "Explain", "Exercise", "What it means for your code", "Sources")
GENERIC = ("Not answered yet. Replace the", "Your answer could not be used")
WRONG = (None, -1, "?", [], {}, lambda *arguments, **named: None)
"""What checks must refuse: results of unfinished code, and functions without a body."""


def text(value: str | list[str]) -> str:
    return "".join(value)


def headings(name: str) -> list[str]:
    cells = json.loads((WORKSHOP / name).read_text())["cells"]
    written = "\n".join(text(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
    return re.findall(r"^#+ +(.+?)\s*$", re.sub(r"(?ms)^```.*?^```", "", written), flags=re.M)


def sources(name: str) -> str:
    return "\n".join(text(cell["source"]) for cell in code_cells(WORKSHOP / name))


def shown(path: pathlib.Path) -> str:
    """What the cells printed and returned, as text."""
    assert path.is_file(), f"{path.name} is missing"
    outputs = [output for cell in code_cells(path) for output in cell["outputs"]]
    return "\n".join(text(output.get("text") or output.get("data", {}).get("text/plain", "")) for output in outputs)


def below(path: pathlib.Path, heading: str) -> str:
    """All that stands and is shown below the last heading of this name."""
    cells = json.loads(path.read_text())["cells"]
    written = "\n\n".join(text(cell["source"]) + json.dumps(cell.get("outputs", [])) for cell in cells)
    return re.split(rf"(?m)^#+ +{heading}.*$", written)[-1]


def failures(path: pathlib.Path) -> list[str]:
    """The cells that failed without being meant to, and those that were not reached."""
    found = []
    for cell in code_cells(path):
        errors = [output for output in cell["outputs"] if output["output_type"] == "error"]
        if "raises-exception" not in cell["metadata"].get("tags", []):
            found += [f"cell {cell['id']}: {error['ename']}: {error['evalue']}" for error in errors]
        if cell["execution_count"] is None and text(cell["source"]).strip():
            found.append(f"cell {cell['id']} was not executed")
    return found


def part_of(exercise: str) -> str:
    """The notebook in which an exercise stands: that of the same number, or the quiz."""
    part = exercise.partition("-")[0]
    found = [name for name in NOTEBOOKS if name == f"{part}.ipynb" or name.startswith(f"{part}-")]
    assert len(found) == 1, f"the exercise {exercise} belongs to one notebook {part}-….ipynb; there are {found or 'none'}"
    return found[0]


def verdicts(path: pathlib.Path, exercise: str) -> list[tuple[str, str]]:
    """What the checks of this exercise said: passed or not yet, and the message."""
    return re.findall(rf"^{re.escape(exercise)}: (passed|not yet)\. (.+)$", shown(path), flags=re.M)


# ---- every notebook ----------------------------------------------------------------------------------------------------


def test_all_parts_are_there() -> None:
    if not WORKSHOP.exists():
        pytest.skip("there is no notebooks/workshop here")
    numbers = [name.partition("-")[0] for name in NOTEBOOKS if name[0].isdigit()]
    assert numbers == [f"{number:02}" for number in range(13)]
    assert {"quiz.ipynb", "how-to-read-the-picture.ipynb"} <= set(NOTEBOOKS)
    assert all((WORKSHOP / name).is_file() for name in ("glossary.md", "TEACHING.md"))


@pytest.mark.parametrize("name", NOTEBOOKS + SOLUTIONS)
def test_every_cell_runs_unattended(executed_workshop: pathlib.Path, name: str) -> None:
    found = failures(executed_workshop / name)
    assert not found, "\n".join(found)


@pytest.mark.parametrize("name", NOTEBOOKS + SOLUTIONS)
def test_a_notebook_file_is_small(executed_workshop: pathlib.Path, name: str) -> None:
    assert (WORKSHOP / name).stat().st_size < 1_500_000
    assert (executed_workshop / name).stat().st_size < 1_500_000


@pytest.mark.parametrize("name", NOTEBOOKS + SOLUTIONS)
def test_a_notebook_opens_with_this_kernel_and_its_cells_have_names(name: str) -> None:
    notebook = json.loads((WORKSHOP / name).read_text())
    assert notebook["metadata"]["kernelspec"]["name"] == "xcores"
    names = [cell["id"] for cell in notebook["cells"]]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("name", PARTS)
def test_a_part_has_the_sections_of_the_rhythm(name: str) -> None:
    found = headings(name)
    missing = [word for word in RHYTHM if not any(re.search(rf"\b{word}", heading, flags=re.I) for heading in found)]
    assert missing == [], found


@pytest.mark.parametrize("name", PARTS)
def test_a_part_ends_with_its_sources(executed_workshop: pathlib.Path, name: str) -> None:
    assert headings(name)[-1].startswith("Sources")
    assert len(set(re.findall(r"https?://[^\s\"'<>)]+", below(executed_workshop / name, "Sources")))) >= 2


@pytest.mark.parametrize("name", PARTS)
def test_what_is_predicted_is_measured(executed_workshop: pathlib.Path, name: str) -> None:
    predicted = re.findall(r"\bpredict\(\s*[\"']([^\"']+)", sources(name))
    measured = re.findall(r"\boutcome\(\s*[\"']([^\"']+)", sources(name))
    assert predicted and sorted(predicted) == sorted(measured)
    assert shown(executed_workshop / name).count("You made no prediction.") == len(predicted), "a prediction is the reader's"


# ---- every exercise ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*PARTS, "quiz.ipynb"] if NOTEBOOKS else [])
def test_every_part_has_exercises_and_their_solutions(name: str) -> None:
    part = name.removesuffix(".ipynb").partition("-")[0]
    assert [exercise for exercise in EXERCISES if exercise.partition("-")[0] == part], f"no check is registered for {name}"
    assert f"solutions/{name}" in SOLUTIONS


@pytest.mark.parametrize("exercise", EXERCISES)
def test_an_unsolved_exercise_fails(executed_workshop: pathlib.Path, exercise: str) -> None:
    found = verdicts(executed_workshop / part_of(exercise), exercise)
    assert found, f"{part_of(exercise)} does not show workshop.check({exercise!r}, …)"
    assert {verdict for verdict, _ in found} == {"not yet"}


@pytest.mark.parametrize("exercise", EXERCISES)
def test_a_wrong_answer_fails_with_a_message_of_its_own(executed_workshop: pathlib.Path, exercise: str) -> None:
    wrong = [workshop.check(exercise, answer) for answer in WRONG]
    assert not any(wrong), [verdict for verdict in wrong if verdict]
    said = [message for _, message in verdicts(executed_workshop / part_of(exercise), exercise)]
    said += [verdict.message for verdict in wrong]
    assert [message for message in said if not message.startswith(GENERIC) and len(message) > 20], said


@pytest.mark.parametrize("exercise", EXERCISES)
def test_its_solution_passes(executed_workshop: pathlib.Path, exercise: str) -> None:
    found = verdicts(executed_workshop / "solutions" / part_of(exercise), exercise)
    assert found, f"solutions/{part_of(exercise)} does not show the verdict of {exercise!r}"
    assert {verdict for verdict, _ in found} == {"passed"}


@pytest.mark.parametrize("name", NOTEBOOKS + SOLUTIONS)
def test_only_exercises_with_a_check_are_checked(name: str) -> None:
    named = re.findall(r"\bcheck\(\s*[\"']([^\"']+)", sources(name))
    assert set(named) <= set(EXERCISES)


# ---- copies for readers ------------------------------------------------------------------------------------------------


def test_readers_get_copies_that_stay_theirs(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(PROJECT / "notebooks/site")
    from for_readers import give

    project, copies = tmp_path / "project", tmp_path / "copies"
    (project / "data").mkdir(parents=True)
    for name in ("edited", "untouched", "removed", "data/file"):
        (project / name).write_text("first")
    assert give(project, copies) == []
    (copies / "edited").write_text("the reader's")
    (copies / "removed").unlink()
    assert give(project, copies) == []  # there is nothing new to be missed
    for name in ("edited", "untouched", "removed", "new"):
        (project / name).write_text("second")
    assert give(project, copies) == [pathlib.Path("edited")]
    found = {name: (copies / name).read_text() for name in ("edited", "untouched", "removed", "new", "data/file")}
    assert found == {"edited": "the reader's", "untouched": "second", "removed": "second", "new": "second", "data/file": "first"}
    assert give(project, copies) == [pathlib.Path("edited")]
