# SPDX-License-Identifier: BSD-3-Clause
"""Runs as values: figures, files, two of them beside each other."""

import json
import os
import pathlib
import resource

import jsonschema
import pytest

import xcores
from xcores.run_object import Comparison, Run, RunPair

SCHEMAS = pathlib.Path(__file__).parents[2] / "share/xcores"
JSON = "application/vnd.xcores.run+json"


@pytest.fixture
def run(kind, cell, shell) -> Run:
    ran = cell(f"%%{kind} 2 --run r\nsum(range(100_000)) + worker")
    assert ran.error is None
    return shell.user_ns["r"]


@pytest.fixture
def schema() -> dict:
    return json.loads((SCHEMAS / "run-1.schema.json").read_text())


def test_a_run_has_plain_figures(run, kind) -> None:
    assert run.kind == kind and run.wall_s > 0 and run.caption
    assert [worker["result"] for worker in run.workers] == ["4999950000", "4999950001"]
    assert all(worker["run_s"] > 0 and worker["outcome"] == "returned" for worker in run.workers)
    assert run.report["schema"] == "xcores.run/1"


def test_a_failed_run_is_kept_as_well(kind, cell, shell) -> None:
    cell(f"%%{kind} 2 --run r\n1 / worker")
    assert shell.user_ns["r"].workers[0]["error"] == "ZeroDivisionError: division by zero"


def test_the_last_run_needs_no_name(run, kind) -> None:
    last = xcores.last_run()
    assert last.report == run.report and last.name == f"%%{kind} 2"


def test_a_report_fits_the_published_schema(run, schema) -> None:
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(run.report, schema)


def test_the_reports_of_the_golden_tests_fit_the_published_schema(schema) -> None:
    folder = pathlib.Path(__file__).parents[1] / "golden/reports"
    reports = [json.loads(path.read_text()) for path in folder.glob("*.json")]
    kinds = {"xcores.run/1": schema, "xcores.comparison/1": json.loads((SCHEMAS / "comparison-1.schema.json").read_text())}
    assert {report["schema"] for report in reports} == kinds.keys()
    for report in reports:
        jsonschema.validate(report, kinds[report["schema"]])


@pytest.mark.parametrize("spoil", [
    lambda report: report.pop("wall_ns"),
    lambda report: report.update(kind="fibers"),
    lambda report: report["workers"][0].update(run_ns=[1]),
    lambda report: report["workers"][0]["outcome"].update(kind="vanished"),
])  # fmt: skip
def test_the_schema_refuses_what_is_no_report(run, schema, spoil) -> None:
    report = run.report
    spoil(report)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(report, schema)


def test_the_figures_travel_beside_the_picture(kind, cell, schema) -> None:
    picture = cell(f"%%{kind} 2\nworker").displays[-1]["data"]
    jsonschema.validate(picture[JSON], schema)
    assert picture["image/png"]


def test_a_run_saved_as_json_comes_back_the_same(run, tmp_path) -> None:
    run.save(tmp_path / "run.json")
    again = xcores.load(tmp_path / "run.json")
    assert again.report == run.report and again.caption == run.caption


def test_every_ending_makes_a_file_that_stands_alone(run, tmp_path) -> None:
    for ending, start in ((".html", b"<!DOCTYPE html>"), (".svg", b"<svg "), (".png", b"\x89PNG"), (".JSON", b"{")):
        path = tmp_path / f"run{ending}"
        run.save(str(path))
        assert path.read_bytes().startswith(start)
    page = (tmp_path / "run.html").read_text()
    assert "<table>" in page and "<svg " in page and "<script" not in page and "src=" not in page


@pytest.mark.parametrize("name", ["run", "run.pdf", "run.json.bak"])
def test_another_ending_is_refused_with_those_that_are_known(run, tmp_path, name: str) -> None:
    with pytest.raises(ValueError, match=".html, .svg, .png, .json"):
        run.save(tmp_path / name)
    assert not (tmp_path / name).exists()


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"schema": 5}', '{"schema": "xcores.run/9"}', "{", '{"schema": "xcores.comparison/1"}', "\0"])
def test_a_file_that_is_no_run_is_refused_by_name(tmp_path, text: str) -> None:
    (tmp_path / "odd.json").write_text(text)
    with pytest.raises(ValueError, match="odd.json is no saved run"):
        xcores.load(tmp_path / "odd.json")


@pytest.mark.parametrize("content", [b"\xff\xfe", b"[" * 100_000])
def test_a_file_that_cannot_be_read_as_json_is_refused_by_name(tmp_path, content: bytes) -> None:
    (tmp_path / "odd.json").write_bytes(content)
    with pytest.raises(ValueError, match="odd.json is no saved run"):
        xcores.load(tmp_path / "odd.json")


def test_a_folder_that_is_missing_is_named_as_it_was_given(run, tmp_path) -> None:
    target = tmp_path / "missing" / "run.json"
    with pytest.raises(FileNotFoundError) as refused:
        run.save(target)
    assert os.fspath(refused.value.filename) == str(target) and "make it first" in str(refused.value)


def test_a_run_shows_what_stood_under_its_cell(run, kind, cell) -> None:
    under_the_cell = cell(f"%%{kind} 2 --run again\nworker").displays[-2:]
    shown = cell("again").displays
    assert [one["data"] for one in shown] == [one["data"] for one in under_the_cell]


def test_a_run_becomes_a_data_frame(run) -> None:
    pytest.importorskip("pandas")
    frame = run.to_pandas()
    assert list(frame.index) == [0, 1] and frame["run_s"].sum() > 0


def test_two_runs_are_shown_beside_each_other(run, cell, shell, tmp_path) -> None:
    cell("%%threads 2 --run other\n1")
    ran = cell("import xcores\npair = xcores.compare(r, other)\npair")
    table, picture = ran.displays
    assert "wall time" in table["data"]["text/plain"] and "other" in table["data"]["text/html"]
    assert picture["data"]["image/png"]
    pair = shell.user_ns["pair"]
    assert "other took" in pair.caption
    pair.save(tmp_path / "pair.html")
    with pytest.raises(ValueError, match=".html, .svg, .png, not"):
        pair.save(tmp_path / "pair.json")


def test_runs_of_the_same_name_are_told_apart(run) -> None:
    assert "(first)" in RunPair(run, run).caption and "(second)" in RunPair(run, run).caption


def test_only_runs_can_be_compared(run) -> None:
    with pytest.raises(TypeError, match="takes two runs"):
        xcores.compare(run, 5)


def test_a_comparison_saved_as_json_comes_back_the_same(cell, shell, tmp_path) -> None:
    cell("%%compare threads -n 2 --repeat 1 -o c\n1")
    comparison = shell.user_ns["c"]
    comparison.save(tmp_path / "c.json")
    again = xcores.load(tmp_path / "c.json")
    assert isinstance(again, Comparison) and again.rows == comparison.rows
    assert "<Comparison: " in repr(again) and again.sentence == comparison.sentence


def test_a_file_that_cannot_be_written_whole_is_not_there_and_spoils_no_other(run, tmp_path) -> None:
    run.save(tmp_path / "there.svg")
    before = (tmp_path / "there.svg").read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))  # as a full disk
    try:
        for name in ("there.svg", "new.svg", "new.html"):
            with pytest.raises(OSError):
                run.save(tmp_path / name)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("there.svg", before)]


def test_a_file_is_saved_through_a_link_and_keeps_its_mode(run, tmp_path) -> None:
    (tmp_path / "real.svg").write_text("before")
    (tmp_path / "real.svg").chmod(0o640)
    (tmp_path / "link.svg").symlink_to("real.svg")
    run.save(tmp_path / "link.svg")
    assert (tmp_path / "link.svg").is_symlink() and (tmp_path / "real.svg").read_text().startswith("<svg")
    assert (tmp_path / "real.svg").stat().st_mode & 0o777 == 0o640
