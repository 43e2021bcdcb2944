# SPDX-License-Identifier: BSD-3-Clause
"""The magics in the kernel, over the protocol: stopping, failing, flooding, lasting."""

import os
import random
import re

import pytest

MAGICS = ["threads", "subinterp", "procs"]


def table(cell):
    """The text of the last table that the cell shows, live or final. A live view that makes room for it is empty."""
    shown = [message["content"]["data"] for message in cell.messages if message["msg_type"] in ("display_data", "update_display_data")]
    return "".join([data["text/plain"] for data in shown if data.get("text/html")][-1:])


def check_usable(notebook, magic):
    cell = notebook.run(f"%%{magic} 2 --quiet -o after\nworker * 10")
    assert cell.status == "ok"
    assert notebook.run("after").result == "[0, 10]"


@pytest.mark.parametrize("magic", MAGICS)
def test_a_cell_shows_a_table_and_a_picture_that_stand_alone(notebook, magic):
    cell = notebook.run(f"%%{magic} 2\nworker + 40")
    assert cell.status == "ok"
    assert "40" in table(cell) and "41" in table(cell)
    pictures = [content["data"] for content in cell.contents("display_data") if "image/png" in content["data"]]
    assert len(pictures) == 1 and pictures[0]["text/plain"]


@pytest.mark.parametrize("magic", MAGICS)
def test_an_interrupt_request_ends_a_cell_on_all_workers(notebook, magic):
    cell = notebook.start(f"%%{magic} 2\nimport sys\nprint('in'); sys.stdout.flush()\nwhile True: pass")
    cell.wait_for(lambda: cell.stdout.count("in\n") == 2)
    notebook.interrupt()
    cell.wait()
    assert cell.error == "KeyboardInterrupt"
    assert table(cell).count("interrupted") >= 2
    check_usable(notebook, magic)


@pytest.mark.parametrize("magic", ["threads", "subinterp"])
def test_a_worker_that_sleeps_is_left_behind_and_replaced_and_the_output_says_so(notebook, magic):
    cell = notebook.start(f"%%{magic} 2\nimport time\nprint('in')\ntime.sleep(3600)")
    cell.wait_for(lambda: cell.stdout.count("in\n") == 2)
    notebook.interrupt()
    cell.wait()
    assert cell.error == "KeyboardInterrupt"
    assert "left behind" in table(cell) + cell.traceback
    assert "new worker" in cell.traceback
    check_usable(notebook, magic)


def test_a_process_that_sleeps_is_interrupted(notebook):
    cell = notebook.start("%%procs 2\nimport time\nprint('in')\ntime.sleep(3600)")
    cell.wait_for(lambda: cell.stdout.count("in\n") == 2)
    notebook.interrupt()
    assert cell.wait().error == "KeyboardInterrupt"
    check_usable(notebook, "procs")


@pytest.mark.parametrize("magic", MAGICS)
def test_twenty_thousand_prints_of_two_workers_arrive_in_order(notebook, magic):
    cell = notebook.run(f"%%{magic} 2 --quiet\nfor line in range(20_000): print(line)")
    for worker in range(2):
        lines = [int(number) for number in re.findall(rf"^\[{worker}\] (\d+)$", cell.stdout, re.MULTILINE)]
        assert lines == list(range(20_000))


ENDINGS = {
    "10 / (worker - 1)": "ZeroDivisionError",
    "if worker == 1: raise SystemExit": "SystemExit|exit",
    "import os\nif worker == 1: os._exit(3)": "exit code 3",
    "import ctypes\nif worker == 1: ctypes.string_at(0)": "SIGSEGV",
}


@pytest.mark.parametrize("code", ENDINGS)
def test_one_process_of_two_that_fails_costs_nothing_but_its_own_result(notebook, code):
    cell = notebook.run(f"%%procs 2 -o kept\n{code}\nworker")
    assert cell.status == "error"
    assert re.search(ENDINGS[code], cell.traceback)
    assert "worker 1" in cell.traceback
    if "10 /" not in code:
        assert notebook.run("kept[0]").result == "0"
    check_usable(notebook, "procs")


def test_a_crash_says_where(notebook):
    cell = notebook.run("%%procs 2\nimport ctypes\ndef broken():\n    ctypes.string_at(0)\nif worker == 1: broken()")
    assert "broken" in cell.stderr and "C stack" not in cell.stderr


BAD_CELLS = ["-n 0", "-n 100000", "--no-such-option", "--timeout -1"]


@pytest.mark.parametrize("magic", MAGICS)
@pytest.mark.parametrize("options", BAD_CELLS)
def test_bad_options_are_told_and_the_next_cell_works(notebook, magic, options):
    cell = notebook.run(f"%%{magic} {options}\n1")
    assert cell.status == "error"
    assert len(cell.traceback.splitlines()) <= 6
    check_usable(notebook, magic)


def test_an_extension_that_refuses_subinterpreters_is_explained(notebook):
    cell = notebook.run("%%subinterp 2\nimport numpy")
    assert "numpy" in cell.traceback and "%%threads" in cell.traceback and "%%procs" in cell.traceback
    check_usable(notebook, "subinterp")


def test_workers_end_with_the_kernel(new_notebook):
    notebook = new_notebook()
    notebook.run("%%procs 2 --quiet -o pids\nimport os\nos.getpid()")
    pids = [int(pid) for pid in re.findall(r"\d+", notebook.run("pids").result)]
    assert len(pids) == 2
    notebook.process.kill()
    notebook.process.wait()
    from notebook import wait_for_end_of

    for pid in pids:
        wait_for_end_of(pid)


CELLS = {
    "plain": "sum(range(1000))",
    "output": "print('x' * 1000)",
    "error": "1/0",
    "threads": "%%threads 2\nsum(range(10_000))",
    "subinterp": "%%subinterp 2\nsum(range(10_000))",
    "procs": "%%procs 2\nsum(range(10_000))",
    "print": "%%subinterp 2\nfor i in range(200): print(i)",
    "failing": "%%subinterp 2\n1 / worker",
    "failing process": "%%procs 2\n1 / worker",
    "limit": "%%threads 2 --timeout 0.05\nwhile True: pass",
    "limit of interpreters": "%%subinterp 2 --timeout 0.05\nwhile True: pass",
    "usage": "%%threads -n 0\n1",
    "crash": "%%procs 2\nimport os\nif worker: os._exit(1)",
}


def test_three_hundred_mixed_cells_leave_the_kernel_as_it_was(new_notebook):
    notebook = new_notebook()
    order = random.Random(7)
    memory = {}
    for number in range(300):
        kind = order.choice(list(CELLS))
        cell = notebook.run(CELLS[kind], store_history=False)
        expected = "error" if kind in ("error", "failing", "failing process", "limit", "limit of interpreters", "usage", "crash") else "ok"
        assert cell.status == expected, (number, kind, cell.traceback)
        if number in (99, 299):
            memory[number] = notebook.memory()
    # Flat, but for what the allocator keeps of the largest moment: a tenth of a megabyte a cell would be 20.
    assert memory[299] - memory[99] < 10, memory


def lanes_of(notebook):
    return notebook.run("import json, xcores\n[lane['name'] for lane in json.loads(xcores.last_report().to_json())['workers']]").result


def test_any_cell_shows_its_threads_and_none_of_the_kernel(notebook):
    notebook.run("import threading, time\ndef spin(end):\n    while time.thread_time() < end: sum(range(1000))")
    cell = notebook.run(
        "%%cores\nprint('x' * 100_000)\none = threading.Thread(target=spin, args=(0.1,), name='mine')\none.start(); one.join(); 42"
    )
    assert cell.status == "ok" and cell.result == "42"
    assert "mine" in table(cell) and [content for content in cell.contents("display_data") if "image/png" in content["data"]]
    assert lanes_of(notebook) == "['MainThread', 'mine']"


def test_threads_of_the_kernel_are_known_by_their_names(new_notebook):
    names = new_notebook().run(
        "import os, threading\n"
        "native = {int(id) for id in os.listdir('/proc/self/task')} - {thread.native_id for thread in threading.enumerate()}\n"
        "names = [open(f'/proc/self/task/{id}/comm').read().strip() for id in native]\n"
        "len(names) > 3, [name for name in names if not name.startswith(('xcores ', 'ZMQbg/'))]"
    )
    assert names.result == "(True, [])"


def test_any_cell_may_await(notebook):
    cell = notebook.run("%%cores --no-plot\nimport asyncio\nawait asyncio.to_thread(spin, 0.05)\nawait asyncio.sleep(0, 'slept')")
    assert cell.result == "'slept'" and "asyncio_0" in table(cell)


def test_any_cell_may_use_a_multiprocessing_pool(notebook):
    cell = notebook.run(
        "%%cores --no-plot\nimport math, multiprocessing\nwith multiprocessing.Pool(2) as pool:\n    sizes = pool.map(math.factorial, [20_000] * 20)"
    )
    assert cell.status == "ok", cell.traceback
    assert table(cell).count("process ") >= 2


def test_an_interrupt_ends_any_cell_and_what_was_seen_is_shown(notebook):
    cell = notebook.start("%%cores\nprint('in', flush=True)\nwhile True: pass")
    cell.wait_for(lambda: "in" in cell.stdout)
    notebook.interrupt()
    cell.wait()
    assert cell.error == "KeyboardInterrupt" and "MainThread" in table(cell)
    assert notebook.run("1 + 1").result == "2"


def test_an_error_in_any_cell_is_an_error_of_the_cell(notebook):
    cell = notebook.run("%%cores\n\n1 / 0")
    assert cell.status == "error" and cell.error == "ZeroDivisionError" and "line 3" in cell.traceback.replace(", in", "")
    assert len(cell.contents("error")) == 1 and "MainThread" in table(cell)
    assert notebook.run("%%cores --what\nnever = 1").status == "error"
    assert notebook.run("'never' in globals()").result == "False"


@pytest.mark.parametrize("magic", MAGICS)
def test_an_interrupt_while_new_workers_start_ends_the_cell(notebook, magic):
    for _ in range(5):
        cell = notebook.start(f"%%{magic} 6 --fresh --quiet\nwhile True: pass")
        cell.wait_for(lambda: "execute_input" in cell.types)
        notebook.interrupt()
        cell.wait()
        assert cell.error == "KeyboardInterrupt"
    assert notebook.run(f"%%{magic} 2 --quiet -o out\nworker").status == "ok"


def test_what_any_cell_shows_stands_above_its_table_and_picture(notebook, gate):
    late = "print('late')\nfrom IPython.display import display\ndisplay('shown')\n'result'"
    cell = notebook.start(f"%%cores\nprint('early', flush=True)\n{gate.wait_code}\n{late}")
    cell.wait_for(lambda: cell.contents("display_data"))  # the live view
    gate.open()
    cell.wait()
    seen = [content for content in map(appearance, cell.messages) if content]
    assert seen == ["early", "live view", "late", "'shown'", "'result'", "table", "picture"]
    (emptied,) = cell.contents("update_display_data")[-1:]
    assert emptied["data"] == {"text/html": "", "text/plain": ""}


def appearance(message):
    """What a message adds to what stands under the cell."""
    content = message["content"]
    if message["msg_type"] == "stream":
        return content["text"].strip()
    if message["msg_type"] == "execute_result":
        return content["data"]["text/plain"]
    if message["msg_type"] != "display_data":
        return None
    data = content["data"]
    if "image/png" in data:
        return "picture"
    if "text/html" not in data:
        return data["text/plain"]
    return "table" if "<table" in data["text/html"] else "live view"


@pytest.mark.parametrize("magic", ["%%threads 1", "%%subinterp 1", "%%cores"])
def test_the_live_view_goes_on_while_code_in_c_keeps_the_gil(notebook, tmp_path, magic):
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    read_with_the_gil = f"import ctypes, os\nlibc = ctypes.PyDLL(None)\nlibc.read(libc.open({bytes(gate)!r}, os.O_RDONLY), ctypes.create_string_buffer(1), 1);"
    with open(gate, "r+b", buffering=0) as gate_end:  # so that neither end waits for the other
        cell = notebook.start(f"{magic}\n{read_with_the_gil}")
        try:
            cell.wait_for(lambda: len(cell.contents("update_display_data")) >= 3)
        finally:
            gate_end.write(b"x")
        cell.wait()
    views = cell.contents("display_data")[:1] + cell.contents("update_display_data")
    assert len({content["transient"]["display_id"] for content in views}) == 1
    assert "running" in views[2]["data"]["text/plain"] and "<table" in views[-1]["data"]["text/html"]
