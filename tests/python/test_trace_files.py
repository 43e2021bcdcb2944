# SPDX-License-Identifier: BSD-3-Clause
"""Runs in the formats of other viewers: Trace Event (Perfetto, chrome://tracing) and the Firefox Profiler's."""

import collections
import gzip
import json
import shutil
import subprocess

import pytest

import xcores
from xcores.run_object import Run

ENDINGS = ".html, .svg, .png, .json, .trace.json.gz, .trace.json, .profile.json.gz, .profile.json"
STATES = {"?": "unknown", "r": "running", "g": "waiting_gil", "c": "waiting_core", "b": "blocked"}
MARKERS = {"Has GIL", "No GIL", "Waiting for GIL", "On CPU", "Off CPU"}
KINDS = {"threads": "thread", "subinterp": "interpreter", "procs": "process"}


@pytest.fixture
def run(kind, cell, shell) -> Run:
    ran = cell(f"%%{kind} 2 --run r\nimport time\nfor _ in range(3):\n    sum(range(2_000_000))\n    time.sleep(0.01)")
    assert ran.error is None
    return shell.user_ns["r"]


@pytest.fixture
def trace(run, tmp_path) -> dict:
    run.save(tmp_path / "run.trace.json")
    return json.loads((tmp_path / "run.trace.json").read_text())


@pytest.fixture
def profile(run, tmp_path) -> dict:
    run.save(tmp_path / "run.profile.json")
    return json.loads((tmp_path / "run.profile.json").read_text())


def spans_of(worker: dict):
    """State, GIL and core with the time in nanoseconds, within the worker's run."""
    spans, run_start, run_end, at = worker["spans"], *worker["run_ns"], 0
    for gap, length, state, gil, core in zip(*(spans[key] for key in ("gap_ns", "length_ns", "state", "gil", "core")), strict=True):
        start, at = at + gap, at + gap + length
        if (time := min(at, run_end) - max(start, run_start)) > 0:
            yield STATES[state], {"h": "held", "n": "not_held", "?": "unknown"}[gil], core, time


def slices_of(trace: dict) -> dict[str, list[tuple[dict, int]]]:
    """For each track by name: the events that begin a slice, and its time in nanoseconds."""
    names = {event["tid"]: event["args"]["name"] for event in trace["traceEvents"] if event["name"] == "thread_name"}
    slices, begun = collections.defaultdict(list), collections.defaultdict(list)
    for event in trace["traceEvents"]:
        if event["ph"] == "B":
            begun[event["tid"]].append(event)
        elif event["ph"] == "E":
            begin = begun[event["tid"]].pop()
            slices[names[event["tid"]]].append((begin, round(event["ts"] * 1000) - round(begin["ts"] * 1000)))
    assert not any(begun.values())
    return slices


def thread_of(profile: dict, name: str) -> dict:
    return next(thread for thread in profile["threads"] if thread["name"] == name)


def markers_of(profile: dict, thread: dict) -> dict[str, list[tuple[dict, float, float | None]]]:
    markers, found = thread["markers"], collections.defaultdict(list)
    for i in range(markers["length"]):
        name = profile["shared"]["stringArray"][markers["name"][i]]
        found[name].append((markers["data"][i], markers["startTime"][i], markers["endTime"][i]))
    return found


def test_a_trace_adds_up_to_the_report(run, kind, trace) -> None:
    slices = slices_of(trace)
    for worker in run.report["workers"]:
        shown, expected = collections.Counter(), collections.Counter()
        for begin, time in slices[f"worker {worker['index']} ({KINDS[kind]})"]:
            if begin["cat"] == "state":
                args = begin["args"]
                shown[args["state"], args["gil"], args.get("core")] += time
            elif begin["name"] == "run":
                assert time == worker["run_ns"][1] - worker["run_ns"][0]
                assert begin["args"]["kind"] == KINDS[kind] and begin["args"]["cpu_ns"] == worker["cpu_ns"]
        for *key, time in spans_of(worker):
            expected[tuple(key)] += time
        assert shown == expected and expected.total() > 0


def test_a_trace_has_the_systems_ids_and_a_track_for_each_gil_and_core(run, trace) -> None:
    tracks = {(event["pid"], event["tid"]): event["args"]["name"] for event in trace["traceEvents"] if event["name"] == "thread_name"}
    for worker in run.report["workers"]:
        assert f"worker {worker['index']} (" in tracks[worker["process_id"], worker["native_thread_id"]]
    slices = slices_of(trace)
    for gil in run.report["gils"]:
        (track,) = {name for name in tracks.values() if name.startswith("GIL of ") and name.endswith(gil["name"])}
        held = collections.Counter()
        for begin, time in slices[track]:
            held[begin["name"]] += time
        for number in gil["workers"]:
            spans = run.report["workers"][number]["spans"]
            seen = sum(time for time, state in zip(spans["length_ns"], spans["gil"], strict=True) if state == "h")
            assert held.pop(f"worker {number}", 0) == seen
        assert held.keys() <= {"unknown"}
    cores = {f"core {core}" for worker in run.report["workers"] for state, _, core, _ in spans_of(worker) if state == "running" and core is not None}
    assert cores and cores <= slices.keys()


def test_a_profile_adds_up_to_the_report(run, kind, profile) -> None:
    shared = profile["shared"]
    for worker in run.report["workers"]:
        thread = thread_of(profile, f"worker {worker['index']} ({KINDS[kind]})")
        assert thread["pid"] == str(worker["process_id"]) and thread["tid"] == worker["native_thread_id"]
        samples, shown = thread["samples"], collections.Counter()
        for stack, weight in zip(samples["stack"], samples["weight"], strict=True):
            if stack is not None:
                function = shared["frameTable"]["func"][shared["stackTable"]["frame"][stack]]
                shown[shared["stringArray"][shared["funcTable"]["name"][function]]] += round(weight * 1e6)
        expected = collections.Counter()
        for state, gil, _, time in spans_of(worker):
            running = {"held": "running with the GIL", "not_held": "running without the GIL", "unknown": "running, GIL unknown"}
            words = {"running": running[gil], "waiting_gil": "waiting for the GIL", "waiting_core": "waiting for a core",
                     "blocked": "blocked: sleep, I/O, lock", "unknown": "unknown"}  # fmt: skip
            expected[words[state]] += time
        assert shown == expected and samples["weightType"] == "tracing-ms"


def test_a_profile_names_what_happens_to_the_gil_as_python_does(run, kind, profile) -> None:
    types = {schema["name"] for schema in profile["meta"]["markerSchema"]}
    for worker in run.report["workers"]:
        markers = markers_of(profile, thread_of(profile, f"worker {worker['index']} ({KINDS[kind]})"))
        assert {name for name, entries in markers.items() if entries[0][0]["type"] not in ("Phase", "Outcome")} <= MARKERS
        for name in MARKERS:
            assert all(data["type"] == name.replace(" ", "") for data, *_ in markers[name])
        assert {data["type"] for entries in markers.values() for data, *_ in entries} <= types
        held = sum(round(end * 1e6) - round(start * 1e6) for _, start, end in markers["Has GIL"])
        assert held == sum(time for _, gil, _, time in spans_of(worker) if gil == "held")


def test_markers_are_named_as_the_standard_library_names_them() -> None:
    newest = shutil.which("python3.15")
    if newest is None:
        pytest.skip("there is no Python 3.15, which brings profiling.sampling")
    code = """
from profiling.sampling.gecko_collector import GeckoCollector
recorded = GeckoCollector(1000)
recorded._add_marker = lambda tid, name, *rest: print(name)
for state in ("has_gil_start", "no_gil_start", "gil_wait_start", "on_cpu_start", "off_cpu_start"):
    getattr(recorded, state)[1] = 0
recorded._finalize_markers()
"""
    assert set(subprocess.check_output([newest, "-I", "-c", code], text=True).splitlines()) == MARKERS


def test_both_say_how_each_worker_ended(kind, cell, shell, tmp_path) -> None:
    cell(f"%%{kind} 2 --run r\n1 / worker")
    run = shell.user_ns["r"]
    run.save(tmp_path / "r.trace.json")
    run.save(tmp_path / "r.profile.json")
    message = "ZeroDivisionError: division by zero"
    events = json.loads((tmp_path / "r.trace.json").read_text())["traceEvents"]
    ends = {event["name"]: event for event in events if event["ph"] == "i"}
    assert ends.keys() == {message, "returned"}
    assert ends[message]["args"]["outcome"] == "raised" and "1 / worker" in ends[message]["args"]["traceback"]
    assert round(ends[message]["ts"] * 1000) == run.report["workers"][0]["run_ns"][1]
    profile = json.loads((tmp_path / "r.profile.json").read_text())
    ((data, start, end),) = markers_of(profile, thread_of(profile, f"worker 0 ({KINDS[kind]})"))[message]
    assert data["type"] == "Outcome" and data["exception"] == "ZeroDivisionError" and "1 / worker" in data["traceback"]
    assert round(start * 1e6) == run.report["workers"][0]["run_ns"][1] and end is None


def test_both_say_where_and_how_the_run_was_recorded(run, trace, profile) -> None:
    facts = {entry["label"]: entry["value"] for entry in profile["meta"]["extra"][0]["entries"]}
    assert facts == trace["otherData"]
    assert facts["xcores"] == run.report["environment"]["xcores"] and facts["Python"] == run.report["environment"]["python"]
    assert facts["what happened"] == run.caption and facts["recording"].startswith(("Sampled ", "Recorded: "))
    assert facts["processor"] == run.report["environment"]["cpu"]


def test_a_profile_has_columns_of_the_length_that_it_says(profile) -> None:
    tables = [table for key, table in profile["shared"].items() if key != "stringArray"]
    for table in tables + [thread[key] for thread in profile["threads"] for key in ("samples", "markers")]:
        assert {len(column) for column in table.values() if isinstance(column, list)} <= {table["length"]}
    categories = profile["meta"]["categories"]
    assert categories[0]["color"] == "grey"  # the default
    used = profile["shared"]["frameTable"]["category"] + [number for thread in profile["threads"] for number in thread["markers"]["category"]]
    assert max(used) < len(categories)


@pytest.mark.parametrize("ending", [".trace.json", ".profile.json"])
def test_a_compressed_file_has_the_same_content(run, tmp_path, ending: str) -> None:
    run.save(tmp_path / f"run{ending}")
    run.save(str(tmp_path / f"RUN{ending.upper()}.GZ"))
    assert gzip.decompress((tmp_path / f"RUN{ending.upper()}.GZ").read_bytes()) == (tmp_path / f"run{ending}").read_bytes()


@pytest.mark.parametrize("name", ["run.json.gz", "run.trace", "run.trace.gz", "run.trace.json.xz", "run.profile"])
def test_another_ending_is_refused_in_a_line_with_those_that_are_known(run, tmp_path, name: str) -> None:
    with pytest.raises(ValueError) as error:
        run.save(tmp_path / name)
    assert str(error.value) == f"a Run is saved as one of {ENDINGS}, not {name[name.rindex('.') :]}"
    assert not list(tmp_path.iterdir())


def test_only_a_run_has_these_formats(run, cell, shell, tmp_path) -> None:
    cell("%%compare threads -n 2 --repeat 1 -o c\n1")
    for value, known in ((xcores.compare(run, run), ".html, .svg, .png"), (shell.user_ns["c"], ".html, .svg, .png, .json")):
        for ending in (".trace.json", ".profile.json.gz"):
            with pytest.raises(ValueError, match=f"saved as one of {known}, not {ending}$"):
                value.save(tmp_path / f"x{ending}")
    assert not list(tmp_path.iterdir())


def test_a_trace_is_no_report_to_be_loaded(run, tmp_path) -> None:
    run.save(tmp_path / "run.trace.json")
    with pytest.raises(ValueError, match="run.trace.json is no saved run"):
        xcores.load(tmp_path / "run.trace.json")
