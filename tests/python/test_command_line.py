# SPDX-License-Identifier: BSD-3-Clause
"""`python3 -m xcores record`: the program runs as without it, and its report is made."""

import json
import os
import pty
import signal
import subprocess
import sys
import textwrap
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from xcores.run_object import Run

_RECORD = ("-m", "xcores", "record")
_TIMEOUT = 120

_NAMESPACE = """
import sys
print({name: value if isinstance(value, str | None) else type(value).__name__ for name, value in sorted(globals().items())})
print(sys.argv, sys.path[0], sys.modules["__main__"].__dict__ is globals())
"""
_SPIN = """
import time
def spin(seconds=0.2):
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        sum(range(1000))
"""


def python(*arguments: Any, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, timeout=_TIMEOUT, **options)


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")

    def write(text: str) -> Path:
        file = tmp_path / "program.py"
        file.write_text(textwrap.dedent(text))
        return file

    return write


@pytest.fixture
def recorded(program: Callable[[str], Path]) -> Callable[..., tuple[Any, list[dict[str, Any]]]]:
    """Records a program: how it ended, and the lanes of its report."""

    def run(text: str, **options: Any) -> tuple[Any, list[dict[str, Any]]]:
        ran = python(*_RECORD, "-o", "run.json", program(text), **options)
        return ran, lanes()

    return run


def lanes() -> list[dict[str, Any]]:
    return json.loads(Path("run.json").read_text())["workers"]


def names(found: list[dict[str, Any]]) -> list[str]:
    return [lane["name"] for lane in found]


def test_the_report_is_printed_to_stderr_and_written_to_each_file(program) -> None:
    plain = python(program("print('said')"))
    ran = python(*_RECORD, "-o", "run.html", "--out=run.json", "-o", "run.svg", program("print('said')"))
    assert (ran.returncode, ran.stdout) == (plain.returncode, "said\n")
    assert "MainThread" in ran.stderr and "core 0" in ran.stderr and "wall time" in ran.stderr
    assert names(lanes()) == ["MainThread"]
    assert "<title>program.py: " in Path("run.html").read_text() and "<svg" in Path("run.svg").read_text()


def test_quiet_prints_nothing(program) -> None:
    ran = python(*_RECORD, "-q", "-o", "run.json", program("1"))
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "") and names(lanes()) == ["MainThread"]


@pytest.mark.parametrize("flags", [(), ("-P",)], ids=["", "-P"])
@pytest.mark.parametrize("kind", ["script", "link", "folder", "zip", "pyc", "module", "package"])
def test_names_arguments_and_path_are_those_that_python_gives(program, kind, flags) -> None:
    script = program(_NAMESPACE)
    folder = Path("folder")
    folder.mkdir()
    (folder / "__main__.py").write_text(_NAMESPACE)
    (folder / "link.py").symlink_to(script)
    with zipfile.ZipFile("archive.zip", "w") as archive:
        archive.write(script, "__main__.py")
    python("-c", "import py_compile; py_compile.compile('program.py', 'compiled.pyc')", check=True)
    run = {"script": ["program.py"], "link": ["folder/link.py"], "folder": ["folder"], "zip": ["archive.zip"],
           "pyc": ["compiled.pyc"], "module": ["-m", "program"], "package": ["-m", "folder"]}[kind]
    places = {**os.environ, "PYTHONPATH": os.pathsep.join([os.environ.get("PYTHONPATH", ""), os.getcwd()])}
    arguments = ["-o", "x", "--", "-h", "", "-m"]
    plain = python(*flags, *run, *arguments, env=places)
    ran = python(*flags, *_RECORD, "-q", *run, *arguments, env=places)
    assert plain.returncode == 0 and "'__main__'" in plain.stdout
    assert (ran.returncode, ran.stdout, ran.stderr) == (plain.returncode, plain.stdout, plain.stderr)


def test_options_end_at_two_dashes(program) -> None:
    program("import sys; print(sys.argv)")
    assert python(*_RECORD, "-q", "--", "program.py", "--", "-q").stdout == "['program.py', '--', '-q']\n"


@pytest.mark.parametrize("text", [
    "def inner():\n    raise KeyError('mine')\ninner()",
    "def (",
    "import sys\nsys.excepthook = lambda *error: print('hook', error[0], error[2].tb_frame.f_code.co_filename)\n1 / 0",
    "try:\n    1 / 0\nexcept ZeroDivisionError:\n    raise ValueError('two')",
    "raise ExceptionGroup('some', [KeyError(1)])",
    "import atexit, sys\natexit.register(lambda: print(sys.last_exc.__traceback__.tb_lineno))\n1 / 0",
    "import sys; sys.exit(7)",
    "import sys; sys.exit('words')",
    "raise SystemExit",
    "import os; os._exit(9)",
    "import threading\nthread = threading.Thread(target=lambda: 1 / 0, name='a')\nthread.start()\nthread.join()",
    "raise KeyboardInterrupt",
    "import os, signal\nos.kill(os.getpid(), signal.SIGINT)\nsignal.pause()",
], ids=["error", "syntax", "hook", "context", "group", "last error", "exit", "exit words", "exit nothing", "_exit", "thread",
        "interrupt", "SIGINT"])
def test_output_traceback_and_status_are_python_s(recorded, program, text) -> None:
    plain = python(program(text))
    ran, found = recorded(text)
    assert (ran.returncode, ran.stdout) == (plain.returncode, plain.stdout)
    assert ran.stderr.startswith(plain.stderr) and "MainThread" in ran.stderr[len(plain.stderr):]
    assert "MainThread" in names(found)


def test_ctrl_c_in_a_terminal_ends_the_program_as_ever_and_the_report_is_made(program) -> None:
    program("import signal\nprint('waiting', flush=True)\nsignal.pause()")
    child, terminal = pty.fork()
    if child == 0:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.execv(sys.executable, [sys.executable, *_RECORD, "-o", "run.json", "program.py"])
    output = b""
    while b"waiting" not in output:
        output += os.read(terminal, 1000)
    os.write(terminal, b"\x03")
    while True:
        try:
            output += os.read(terminal, 1000)
        except OSError:  # the other end is closed
            break
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGINT
    os.close(terminal)
    assert output.index(b"KeyboardInterrupt") < output.index(b"MainThread") and names(lanes()) == ["MainThread"]


def test_input_reaches_the_program(program) -> None:
    assert python(*_RECORD, "-q", program("print(input()[::-1])"), input="abc\n").stdout == "cba\n"


def test_threads_are_recorded_to_their_end_and_daemons_are_not_waited_for(recorded) -> None:
    ran, found = recorded(_SPIN + """
import threading
if __name__ == "__main__":
    threading.Thread(target=spin, name="goes on").start()
    threading.Thread(target=threading.Event().wait, name="a daemon", daemon=True).start()
    spin()
    print("main code is over")
""")
    assert (ran.returncode, ran.stdout) == (0, "main code is over\n")
    assert set(names(found)) >= {"MainThread", "goes on"}
    ran_for = {lane["name"]: lane["run_ns"][1] - lane["run_ns"][0] for lane in found}
    assert ran_for["goes on"] >= 200_000_000


def test_exit_functions_are_part_of_the_recording(recorded) -> None:
    ran, found = recorded(_SPIN + """
import atexit, threading
def at_exit():
    spin()
    print("exit function")
atexit.register(at_exit)
""")
    assert ran.stdout == "exit function\n"
    assert found[0]["name"] == "MainThread" and found[0]["cpu_ns"] >= 200_000_000


def test_a_pool_of_interpreters_runs_functions_of_the_program(recorded) -> None:
    ran, found = recorded(_SPIN + """
from concurrent.futures import InterpreterPoolExecutor
def job(number):
    spin()
    return number + 1
if __name__ == "__main__":
    with InterpreterPoolExecutor(2) as pool:
        print(list(pool.map(job, range(2))))
""")
    assert (ran.returncode, ran.stdout) == (0, "[1, 2]\n"), ran.stderr
    assert sum(name.startswith("InterpreterPoolExecutor-0_") for name in names(found)) == 2
    assert "interpreter" in ran.stderr


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_processes_of_multiprocessing_run_functions_of_the_program(recorded, method) -> None:
    ran, found = recorded(_SPIN + f"""
import multiprocessing, os
class Pair(list): pass
def job(number):
    spin()
    return Pair([number, os.getpid()])
if __name__ == "__main__":
    with multiprocessing.get_context({method!r}).Pool(2) as pool:
        (first, one), (second, other) = pool.map(job, range(2), chunksize=1)
    print(first, second)
""")
    assert (ran.returncode, ran.stdout) == (0, "0 1\n"), ran.stderr
    assert "MainThread" in names(found) and sum(lane["lane"] == "process" for lane in found) >= 2
    assert ran.stderr.count("wall time") == 1


def test_a_process_that_nobody_joins_is_waited_for_as_in_python(recorded) -> None:
    ran, found = recorded(_SPIN + """
import multiprocessing
def job():
    spin()
    print("child", flush=True)
if __name__ == "__main__":
    multiprocessing.get_context("spawn").Process(target=job).start()
""")
    assert (ran.returncode, ran.stdout) == (0, "child\n") and "process" in [lane["lane"] for lane in found]


@pytest.mark.parametrize("end", ["sys.exit(5)", "os._exit(5)", "1 / 0"])
def test_only_the_parent_reports_when_a_program_forks(recorded, end) -> None:
    ran, found = recorded(f"""
import os, sys, threading
child = os.fork()
if child == 0:
    threading.Thread(target=print, args=("child",)).start()
    sys.stdout.flush()
    {end}
print("parent", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
""")
    assert ran.returncode == 0 and f"parent {1 if end == '1 / 0' else 5}\n" in ran.stdout
    assert ran.stderr.count("wall time") == 1 and names(found)[0] == "MainThread"


def test_the_executors_of_xcores_run_functions_of_the_program(recorded) -> None:
    ran, found = recorded(_SPIN + """
import xcores
def job(number):
    spin()
    return number + 1
for kind in (xcores.ThreadExecutor, xcores.SubinterpExecutor, xcores.ProcessExecutor):
    with kind(2) as executor:
        print(list(executor.map(job, range(2))))
""")
    assert (ran.returncode, ran.stdout) == (0, "[1, 2]\n" * 3), ran.stderr
    assert {lane["lane"] for lane in found} >= {"python_thread", "process"}


@pytest.mark.parametrize("end", ["sys.stderr.close()", "sys.stderr = None", "sys.stderr = io.StringIO()"])
def test_a_program_that_gives_up_its_stderr_is_reported_all_the_same(recorded, end) -> None:
    ran, found = recorded(f"import io, sys\n{end}")
    assert ran.returncode == 0 and "MainThread" in ran.stderr and names(found) == ["MainThread"]


def test_without_stderr_the_files_are_written(program) -> None:
    program("1")
    python("-c", "import os, sys; os.close(2); os.execv(sys.executable, [sys.executable, *sys.argv[1:]])",
           *_RECORD, "-o", "run.json", "program.py", check=True)
    assert names(lanes()) == ["MainThread"]


def test_a_number_that_the_program_uses_anew_is_not_written_to(program) -> None:
    program("import os\nos.closerange(3, 4096)\nfor _ in range(200): os.dup(os.open('mine', os.O_RDWR | os.O_CREAT))")
    python(*_RECORD, "program.py")
    assert Path("mine").read_text() == ""


def test_files_are_written_where_the_program_began(recorded) -> None:
    ran, found = recorded("import os\nos.mkdir('other')\nos.chdir('other')")
    assert ran.returncode == 0 and names(found) == ["MainThread"]


def test_ipython_is_not_imported(recorded) -> None:
    ran, _ = recorded("import sys\nprint('IPython' in sys.modules)")
    assert ran.stdout == "False\n"


@pytest.mark.parametrize(("arguments", "message"), [
    ((), "there is no program to run"),
    (("-o", "run.html"), "there is no program to run"),
    (("-m",), "-m option requires 1 argument"),
    (("-o",), "-o option requires 1 argument"),
    (("--nonsense", "program.py"), "no such option: --nonsense"),
    (("--sample", "0", "program.py"), "--sample: sample_hz must be from 1 to 10000"),
    (("--sample", "often", "program.py"), "invalid floating-point value"),
    (("-o", "run.txt", "program.py"), "-o run.txt: a Run is saved as one of .html"),
    (("-o", "missing/run.html", "program.py"), "make it first"),
    (("-o", "folder.html", "program.py"), "name a file in it"),
    (("-o", "/proc/run.html", "program.py"), "choose another folder"),
])
def test_what_cannot_be_done_is_said_before_the_program_runs(program, arguments, message) -> None:
    program("open('ran', 'w').close()")
    Path("folder.html").mkdir()
    ran = python(*_RECORD, *arguments)
    assert ran.returncode == 2 and ran.stdout == "" and not Path("ran").exists()
    assert ran.stderr.startswith("usage: ") and message in ran.stderr.splitlines()[-1]


def test_endings_are_those_that_save_knows(program) -> None:
    program("1")
    Run.check_target("run.PNG")
    with pytest.raises(ValueError, match="saved as one of"):
        Run.check_target("run")


@pytest.mark.parametrize(("arguments", "message", "status"), [
    (("missing.py",), "can't open file 'missing.py': No such file or directory", 2),
    (("-m", "missing"), "No module named missing", 1),
    (("-m", "missing.part"), "No module named 'missing'", 1),
    (("empty",), "can't find '__main__' module in", 1),
])
def test_a_program_that_is_not_there_is_one_line_and_no_report(program, arguments, message, status) -> None:
    program("1")
    Path("empty").mkdir()
    ran = python(*_RECORD, "-o", "run.html", *arguments)
    assert ran.returncode == status and message in ran.stderr and len(ran.stderr.splitlines()) == 1
    assert not Path("run.html").exists()


def test_a_file_that_can_no_longer_be_written_costs_no_other(program) -> None:
    program("import os\nos.rmdir('gone')\nprint('done')")
    Path("gone").mkdir()
    ran = python(*_RECORD, "-o", "gone/run.html", "-o", "run.json", "program.py")
    assert (ran.returncode, ran.stdout) == (0, "done\n") and names(lanes()) == ["MainThread"]
    assert "xcores record: cannot write " in ran.stderr and "gone/run.html: there is no folder" in ran.stderr


def test_usage() -> None:
    none = python("-m", "xcores")
    assert none.returncode == 2 and none.stderr.startswith("usage: python3 -m xcores record ") and none.stdout == ""
    short = python("-m", "xcores", "-h")
    assert short.returncode == 0 and short.stdout.startswith("usage: ")
    unknown = python("-m", "xcores", "rekord")
    assert unknown.returncode == 2 and "no command 'rekord'" in unknown.stderr
    full = python(*_RECORD, "-h")
    assert full.returncode == 0 and full.stderr == ""
    assert all(f"  {option}" in full.stdout for option in ("-o FILE", "-m MODULE", "--sample=HZ", "-q, --quiet"))
