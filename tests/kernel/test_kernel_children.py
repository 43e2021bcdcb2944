# SPDX-License-Identifier: BSD-3-Clause
"""What a cell starts besides its own code: interrupts reach it, and the end of the kernel ends it."""

import os
import signal
import time

import pytest
from notebook import wait_for_end_of

STARTED = {
    "os.system": "import os\nos.waitstatus_to_exitcode(os.system('echo $$ > {file}; exec sleep 1000'))",
    "a standard pool": ("import concurrent.futures, multiprocessing, os, time\ndef wait(file):\n"
                        "    open(file, 'w').write(str(os.getpid()))\n    time.sleep(1000)\n"
                        "with concurrent.futures.ProcessPoolExecutor(1, multiprocessing.get_context('fork')) as pool:\n"
                        "    list(pool.map(wait, ['{file}']))"),
    "multiprocessing": ("import multiprocessing, os, time\ndef wait(file):\n    open(file, 'w').write(str(os.getpid()))\n"
                        "    time.sleep(1000)\nprocess = multiprocessing.get_context('fork').Process(target=wait, args=('{file}',))\n"
                        "process.start()\nprocess.join()"),
    "a shell command": "!echo $$ > {file}; exec sleep 1000",
    "a job of an executor": ("import os, time, xcores\ndef wait(file):\n    open(file, 'w').write(str(os.getpid()))\n"
                             "    time.sleep(1000)\nwith xcores.ProcessExecutor(1) as pool:\n    list(pool.map(wait, ['{file}']))"),
}


def process_in(file):
    while not (file.exists() and file.read_text().strip()):
        time.sleep(0.01)
    return int(file.read_text())


@pytest.mark.parametrize("code", STARTED.values(), ids=STARTED.keys())
def test_an_interrupt_reaches_what_the_cell_has_started(notebook, tmp_path, code):
    file = tmp_path / "process"
    cell = notebook.start(code.replace("{file}", str(file)))
    process_in(file)
    start = time.monotonic()
    notebook.interrupt()
    cell.wait()
    assert time.monotonic() - start < 60
    assert notebook.run("6 * 7").result == "42"


@pytest.mark.parametrize("kind", ["threads", "subinterp", "procs"])
def test_an_interrupt_ends_a_command_that_a_worker_has_started(notebook, tmp_path, kind):
    file = tmp_path / "process"
    cell = notebook.start(f"%%{kind} 1 --quiet\nimport subprocess\n"
                          f"subprocess.run(['sh', '-c', 'echo $$ > {file}; exec sleep 1000'])")
    command = process_in(file)
    notebook.interrupt()
    cell.wait()
    wait_for_end_of(command)
    assert notebook.run("6 * 7").result == "42"


def test_an_interrupt_reaches_children_of_a_kernel_that_leads_no_group(new_notebook, tmp_path):
    notebook = new_notebook(start_new_session=False)
    file = tmp_path / "process"
    cell = notebook.start(STARTED["os.system"].replace("{file}", str(file)))
    process_in(file)
    notebook.interrupt()  # were it sent to the whole group, this test would end
    assert cell.wait().result == str(-signal.SIGINT)


def test_an_interrupt_between_cells_reaches_no_child(notebook):
    started = notebook.run("import subprocess\nchild = subprocess.Popen(['sleep', '1000'])\nchild.pid")
    notebook.interrupt()
    assert notebook.run("child.poll() is None").result == "True"
    notebook.run("child.kill()\nchild.wait()")
    assert started.status == "ok"


def test_interrupts_in_bursts_leave_the_kernel_right(notebook):
    for _ in range(5):
        cell = notebook.start("import subprocess\nprint('running', flush=True)\nwhile True: subprocess.run(['sleep', '0.05'])")
        cell.wait_for_text("running")
        for _ in range(8):
            notebook.interrupt()
        assert cell.wait().error == "KeyboardInterrupt"
        assert cell.stdout == "running\n"  # no callback of IPython was hit
        assert notebook.run("6 * 7").result == "42"


END = ("import os, subprocess\nopen({file!r}, 'w').write(str(subprocess.Popen(['sleep', '1000']{options}).pid))")


@pytest.mark.parametrize("magic", ["", "%%procs 1\n"])
def test_the_end_of_the_kernel_ends_what_cells_have_started(new_notebook, tmp_path, magic):
    notebook, file = new_notebook(), tmp_path / "process"
    notebook.run(magic + END.format(file=str(file), options=""))
    notebook.client.shutdown()
    assert notebook.exit_code() == 0
    wait_for_end_of(process_in(file))


def test_the_end_of_the_kernel_ends_what_ignores_being_asked(new_notebook, tmp_path):
    notebook, file = new_notebook(), tmp_path / "process"
    notebook.run(f"import os\nos.system(\"trap '' TERM; (while :; do sleep 0.1; done) & echo $! > {file}\")")
    process = process_in(file)
    notebook.client.shutdown()
    notebook.exit_code()
    wait_for_end_of(process)


@pytest.mark.parametrize("options", [", start_new_session=True", ", process_group=0"])
def test_the_end_of_the_kernel_spares_what_has_left_its_group(new_notebook, tmp_path, options):
    notebook, file = new_notebook(), tmp_path / "process"
    notebook.run(END.format(file=str(file), options=options))
    process = process_in(file)
    notebook.client.shutdown()
    assert notebook.exit_code() == 0
    os.kill(process, 0)
    os.kill(process, signal.SIGKILL)


def test_a_cell_that_forks_goes_on_in_one_kernel(notebook):
    cell = notebook.run("import os\nchild = os.fork()\nif child: os.waitpid(child, 0)\n'parent' if child else None")
    assert cell.result == "'parent'"
    assert notebook.run("6 * 7").result == "42"


def test_shell_commands_show_their_output_as_it_comes_and_their_exit_code(notebook, gate):
    cell = notebook.start(f"!echo first; cat {gate.path}; echo second >&2; exit 3").wait_for_text("first")
    gate.open()
    assert cell.wait().stdout == "first\nsecond\n"
    assert notebook.run("_exit_code").result == "3"


@pytest.mark.parametrize("command, code", [("cat", "0"), ("kill -9 $$", "-9"), ("sh -c 'kill -9 $$'; exit 137", "-9"),
                                           ("sleep 30 & exit 0", "0"), ("test -t 1", "0")])
def test_shell_commands_end_as_in_ipython(notebook, command, code):
    notebook.run(f"!{command}")
    assert notebook.run("_exit_code").result == code
