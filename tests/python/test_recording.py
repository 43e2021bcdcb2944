# SPDX-License-Identifier: BSD-3-Clause
"""Events are recorded where the system allows it; elsewhere everything works by sampling, and `%xcores status` says why."""

import ast
import errno
import hashlib
import json
import os
import platform
import re
import subprocess
import sys
import textwrap
import threading
import time

import pytest

import xcores
from xcores import _engine, last_report, recording_access

PROGRAM = """
{before}
import json, xcores
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
shell.extension_manager.load_extension("xcores")
for kind in ("threads", "subinterp", "procs"):
    shell.run_cell(f"%%{{kind}} 2 --quiet --run r\\nsum(range(3_000_000))")
    print(kind, "recorded" in shell.user_ns["r"].report["sampling"], [w["outcome"] for w in shell.user_ns["r"].workers])
with xcores.record() as recording:
    sum(range(3_000_000))
print("cores", "recorded" in json.loads(recording.report.to_json())["sampling"])
shell.run_line_magic("xcores", "status")
"""

# A filter of seccomp(2) that answers perf_event_open with an error, as containers do.
FORBID = """
import ctypes, struct
load, jump_if_equal, answer, allow, error = 0x20, 0x15, 0x06, 0x7FFF0000, 0x00050000 | {error}
rules = [(load, 0, 0, 0), (jump_if_equal, 0, 1, {call}), (answer, 0, 0, error), (answer, 0, 0, allow)]
code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *rule) for rule in rules))
libc = ctypes.CDLL(None, use_errno=True)
program = struct.pack("HxxxxxxQ", len(rules), ctypes.addressof(code))
assert libc.prctl(38, 1, 0, 0, 0) == 0  # PR_SET_NO_NEW_PRIVS
assert libc.prctl(22, 2, ctypes.c_char_p(program), 0, 0) == 0, ctypes.get_errno()  # PR_SET_SECCOMP, a filter
"""
NUMBER = {"x86_64": 298, "aarch64": 241}.get(platform.machine())


def run(before: str, **environment: str) -> str:
    done = subprocess.run([sys.executable, "-c", PROGRAM.format(before=before)], capture_output=True, text=True,
                          env={**os.environ, **environment}, timeout=200)
    assert done.returncode == 0, done.stderr
    return done.stdout


def check_sampled(output: str) -> None:
    for kind in ("threads", "subinterp", "procs"):
        assert f"{kind} False ['returned', 'returned']" in output
    assert "cores False" in output


def test_all_kinds_are_recorded_where_the_system_allows_it() -> None:
    output = run("")
    if "because" in output:
        pytest.skip(output.splitlines()[-1])
    for kind in ("threads", "subinterp", "procs"):
        assert f"{kind} True ['returned', 'returned']" in output
    assert "cores True" in output
    assert "where there are not too many" in output


@pytest.mark.skipif(NUMBER is None, reason="the number of the call is not known here")
@pytest.mark.parametrize("error", [errno.EPERM, errno.EACCES, errno.ENOSYS, errno.EMFILE])
def test_where_it_is_forbidden_everything_is_sampled(error) -> None:
    output = run(FORBID.format(call=NUMBER, error=error))
    check_sampled(output)
    assert re.search(r"Pictures are made from samples, because \w", output)
    if error in (errno.EPERM, errno.ENOSYS):
        assert "docker run --cap-add PERFMON" in output or "sysctl kernel.perf_event_paranoid=2" in output


def test_where_it_is_switched_off_everything_is_sampled() -> None:
    output = run("", XCORES_EXACT="0")
    check_sampled(output)
    assert "because XCORES_EXACT is 0" in output


@pytest.mark.parametrize(("refusal", "paranoid", "words"), [
    (0, "2", "where there are not too many"),
    (errno.EACCES, "3", "kernel.perf_event_paranoid is 3. To record events instead: sudo sysctl kernel.perf_event_paranoid=2"),
    (errno.EPERM, "4", "kernel.perf_event_paranoid is 4."),
    (errno.EPERM, "2", "ulimit -l unlimited"),
    (errno.ENOENT, "2", "this Python is linked"),
    (errno.EMFILE, "2", "the system refuses to record events: EMFILE."),
])
def test_the_sentence_names_the_cause_and_the_command(monkeypatch, tmp_path, refusal, paranoid, words) -> None:
    (tmp_path / "paranoid").write_text(paranoid + "\n")
    (tmp_path / "status").write_text("Name:\tpython3\nSeccomp:\t0\n")
    monkeypatch.setattr(recording_access, "_PARANOID", tmp_path / "paranoid")
    monkeypatch.setattr(recording_access, "_STATUS", tmp_path / "status")
    monkeypatch.setattr(_engine, "recording_refusal", lambda: refusal)
    assert words in recording_access.sentence()


PROCESS_STATE = """
import os
def mappings(pid):
    with open(f"/proc/{pid}/maps") as lines:
        return sum(1 for _ in lines)
def state(pid):
    held = []
    for number in os.listdir(f"/proc/{pid}/fd"):
        try:
            held.append(os.readlink(f"/proc/{pid}/fd/{number}"))
        except OSError:
            pass  # the one that lists them
    return {"descriptors": len(held), "perf events": sum("perf_event" in each for each in held), "mappings": mappings(pid)}
"""


@pytest.mark.parametrize("kind", ["threads", "subinterp", "procs"])
def test_hundreds_of_recorded_runs_leave_nothing_open(kind) -> None:
    code = PROCESS_STATE + textwrap.dedent(f"""
        from IPython.core.interactiveshell import InteractiveShell
        shell = InteractiveShell.instance()
        shell.extension_manager.load_extension("xcores")
        def runs(number):
            for _ in range(number):
                shell.run_cell("%%{kind} 2 --quiet --run r -o pids\\nimport os\\nos.getpid()")
            return {{pid: state(pid) for pid in {{os.getpid(), *shell.user_ns["pids"]}}}}
        before = runs(30)
        after = runs(330)
        print("recorded" in shell.user_ns["r"].report["sampling"])
        print(before, after, sep="\\n")
    """)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    recorded, before, after = done.stdout.splitlines()
    assert recorded == str(_engine.recording_refusal() == 0)
    before, after = ast.literal_eval(before), ast.literal_eval(after)
    assert before.keys() == after.keys()
    for pid, state in after.items():
        assert state["descriptors"] <= before[pid]["descriptors"] + 2  # files of /proc may be open at that moment
        assert state["perf events"] == before[pid]["perf events"] <= 1
        assert state["mappings"] <= before[pid]["mappings"] + 10  # of the allocator


ENDINGS = {
    "fork": "import os\npid = os.fork()\nif pid == 0: os._exit(0)\nos.waitpid(pid, 0)[1]",
    "fork that goes on": "import os\npid = os.fork()\nif pid == 0:\n    sum(range(100_000))\n    os._exit(0)\nos.waitpid(pid, 0)[1]",
    "exec in a child": "import subprocess\nsubprocess.run(['true']).returncode",
    "shell": "import os\nos.system('true')",
}


@pytest.mark.parametrize("kind", ["threads", "procs"])
@pytest.mark.parametrize("ending", ENDINGS)
def test_what_a_recorded_worker_forks_ends_as_it_should(cell, shell, kind, ending) -> None:
    if _engine.recording_refusal():
        pytest.skip(recording_access.sentence())
    ran = cell(f"%%{kind} 2 --quiet --run r -o ended\n{ENDINGS[ending]}")
    assert ran.error is None, ran.text
    assert shell.user_ns["ended"] == [0, 0]
    report = shell.user_ns["r"].report
    assert report["sampling"]["recorded"]["acquisitions"] > 0
    assert all(worker["outcome"]["kind"] == "returned" for worker in report["workers"])


@pytest.mark.parametrize("death", ["os._exit(3)", "os.kill(os.getpid(), 9)", "os.execv('/bin/true', ['true'])"])
def test_a_recorded_process_that_dies_takes_nothing_with_it(cell, shell, death) -> None:
    if _engine.recording_refusal():
        pytest.skip(recording_access.sentence())
    cell(f"%%procs 2 --quiet --run r\nimport os\nsum(range(1_000_000))\nif worker: {death}\nworker")
    first, second = shell.user_ns["r"].report["workers"]
    assert first["outcome"]["kind"] == "returned"
    assert second["outcome"]["kind"] != "returned"
    assert first["spans"]["state"].count("r") > 0
    assert cell("%%procs 2 --quiet -o back\nworker").error is None
    assert shell.user_ns["back"] == [0, 1]


def test_the_picture_of_two_threads_says_what_was_recorded_and_leaves_nothing_unknown(cell, shell) -> None:
    if _engine.recording_refusal():
        pytest.skip(recording_access.sentence())
    cell("%%threads 2 --quiet --run r\nsum(range(3_000_000))")
    report = shell.user_ns["r"].report
    recorded = report["sampling"]["recorded"]
    assert f"Recorded: {recorded['switches']} context switch" in last_report().svg()
    assert f"{recorded['acquisitions']} GIL acquisition" in last_report().svg()
    for worker in report["workers"]:
        assert "?" not in worker["spans"]["state"] + worker["spans"]["gil"]


def lengths(worker) -> dict[str, int]:
    """Nanoseconds in each state, a letter of the report."""
    sums: dict[str, int] = {}
    spans = worker["spans"]
    for length, state in zip(spans["length_ns"], spans["state"], strict=True):
        sums[state] = sums.get(state, 0) + length
    return sums


def recorded_report(recording) -> dict:
    report = json.loads(recording.report.to_json())
    if "recorded" not in report["sampling"]:
        pytest.skip(recording_access.sentence())
    return report


def test_a_thread_that_is_asked_for_the_gil_before_it_blocks_is_blocked(cell, shell) -> None:
    if _engine.recording_refusal():
        pytest.skip(recording_access.sentence())
    # In C from the computing to the sleep: so the other's request is still there when the GIL is given for that.
    cell("%%threads 2 --quiet --run r\n"
         "import operator, time\n"
         "if worker == 0:\n"
         "    list(map(time.sleep, map(operator.truediv, map(sum, [range(2 * 10**6)]), [10**13])))\n"
         "else:\n"
         "    end = time.thread_time() + 0.1\n"
         "    while time.thread_time() < end: pass")
    first = shell.user_ns["r"].report["workers"][0]
    assert lengths(first)["b"] > 150_000_000  # of 200 ms


def test_a_thread_that_has_ended_is_not_drawn_on() -> None:
    cpu_times = []
    recording_began = threading.Event()

    def compute() -> None:
        recording_began.wait()
        cpu_times.append(sum(range(3_000_000)) and time.thread_time_ns())

    # It is there when the recording begins: so it is recorded however late the sampler gets a core.
    thread = threading.Thread(target=compute, name="ended early")
    thread.start()
    with xcores.record() as recording:
        recording_began.set()
        thread.join()
        time.sleep(0.1)
    report = recorded_report(recording)
    (lane,) = [worker for worker in report["workers"] if "ended early" in worker["name"]]
    assert lengths(lane)["r"] < cpu_times[0] + 5_000_000


def test_nothing_is_recorded_after_the_end() -> None:
    done = threading.Event()
    threads = [threading.Thread(target=lambda: [sum(range(20_000)) for _ in iter(done.is_set, True)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(10):
            with xcores.record() as recording:
                time.sleep(0.02)
            report = json.loads(recording.report.to_json())
            for worker in report["workers"]:
                spans = worker["spans"]
                assert sum(spans["gap_ns"]) + sum(spans["length_ns"]) <= report["wall_ns"]
    finally:
        done.set()
        for thread in threads:
            thread.join()


def test_threads_that_wait_for_a_core_when_they_are_found_are_not_said_to_run() -> None:
    data, done = bytes(50_000_000), threading.Event()
    threads = [threading.Thread(target=lambda: [hashlib.sha256(data) for _ in iter(done.is_set, True)]) for _ in range(6)]
    for thread in threads:
        thread.start()
    try:
        with xcores.record() as recording:
            time.sleep(0.1)
    finally:
        done.set()
        for thread in threads:
            thread.join()
    report = recorded_report(recording)
    running = sum(lengths(worker).get("r", 0) for worker in report["workers"])
    assert running < 1.1 * len(report["environment"]["cores"]) * report["wall_ns"]


def test_forked_children_keep_nothing_of_a_recording_and_record_anew() -> None:
    code = PROCESS_STATE + textwrap.dedent("""
        import json, threading, time, warnings
        import xcores
        warnings.simplefilter("ignore")
        with xcores.record(): pass  # what is imported for that: Python's own locks of imports do not survive a fork
        done = threading.Event()
        threads = [threading.Thread(target=done.wait) for _ in range(20)]
        def record_often():
            while not done.is_set():
                with xcores.record(): pass
        threads.append(threading.Thread(target=record_often))
        for thread in threads: thread.start()
        exit_codes = set()
        for _ in range(30):
            pid = os.fork()
            if pid == 0:
                kept = state(os.getpid())["perf events"]
                with xcores.record() as recording: pass
                recorded = "recorded" in json.loads(recording.report.to_json())["sampling"]
                os._exit(10 + kept if kept else int(recorded))
            exit_codes.add(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
        done.set()
        for thread in threads: thread.join()
        print(exit_codes)
    """)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() == f"{{{int(_engine.recording_refusal() == 0)}}}", done.stderr
