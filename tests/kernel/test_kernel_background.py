# SPDX-License-Identifier: BSD-3-Clause
"""Cells in the background, over the protocol: what they show belongs to the cell that started them."""

import re

import pytest

MAGICS = ["threads", "subinterp", "procs"]


@pytest.mark.parametrize("magic", MAGICS)
def test_output_and_table_of_a_job_appear_under_its_own_cell(notebook, gate, magic):
    body = f"print('begun', flush=True)\nif worker == 0:\n    {gate.wait_code}\nprint('ended')\nworker + 70"
    job = notebook.run(f"%%{magic} 2 --background -o job\n{body}")
    assert job.status == "ok"
    job.wait_for_text("[0] begun")
    other = notebook.run("print('another cell')")
    gate.open()
    last = notebook.run("print(job.result(30))")
    job.wait_for(lambda: any("image/png" in content["data"] for content in job.contents("display_data")))
    assert sorted(job.stdout.splitlines()) == ["[0] begun", "[0] ended", "[1] begun", "[1] ended"]
    assert other.stdout == "another cell\n" and last.stdout == "[70, 71]\n"
    assert not other.contents("display_data") and not last.contents("display_data")


@pytest.mark.parametrize("magic", MAGICS)
def test_the_live_view_of_a_job_goes_on_while_other_cells_run(notebook, gate, magic):
    job = notebook.run(f"%%{magic} 1 --background -o job\n{gate.wait_code}")
    job.wait_for(lambda: job.contents("update_display_data"))
    shown = len(job.contents("update_display_data"))
    assert notebook.run("1 + 1").result == "2"
    job.wait_for(lambda: len(job.contents("update_display_data")) > shown + 1)
    identities = {content["transient"]["display_id"] for content in job.contents("update_display_data")}
    assert len(identities) == 1
    gate.open()
    assert notebook.run("job.result(30)").status == "ok"


@pytest.mark.parametrize("magic", MAGICS)
def test_a_failure_of_a_job_is_told_under_its_cell_and_stops_no_other(notebook, magic):
    job = notebook.run(f"%%{magic} 2 --quiet --background -o job\n1 / 0")
    job.wait_for_text("ZeroDivisionError")
    assert "WorkersFailed: 2 of 2 workers failed" in job.stderr
    assert notebook.run("job.exception(30) is not None").result == "True"


@pytest.mark.parametrize("magic", MAGICS)
def test_an_interrupt_of_a_cell_leaves_the_job_alone_and_stop_ends_it(notebook, magic):
    job = notebook.run(f"%%{magic} 2 --quiet --background -o job\nprint('in', flush=True)\nwhile True: pass")
    job.wait_for(lambda: job.stdout.count("in\n") == 2)
    cell = notebook.start("print('waits', flush=True)\nwhile True: pass")
    cell.wait_for_text("waits")
    notebook.interrupt()
    assert cell.wait().error == "KeyboardInterrupt"
    assert notebook.run("job.done()").result == "False"
    number = notebook.run("job.number").result
    assert "is being stopped" in notebook.run(f"%xcores stop {number}").stdout
    assert notebook.run("try:\n    job.result(30)\nexcept BaseException as error:\n    print(type(error).__name__)").stdout == "CancelledError\n"


@pytest.mark.parametrize("magic", MAGICS)
def test_a_kernel_with_a_busy_job_ends_when_asked(new_notebook, magic):
    from notebook import wait_for_end_of

    notebook = new_notebook()
    job = notebook.run(f"%%{magic} 2 --quiet --background -o job\nimport os\nprint(os.getpid(), flush=True)\nwhile True: pass")
    job.wait_for(lambda: job.stdout.count("\n") == 2)
    pids = {int(pid) for pid in re.findall(r"\] (\d+)", job.stdout)}
    notebook.control("shutdown_request", {"restart": False})
    assert notebook.exit_code() == 0
    for pid in pids:
        wait_for_end_of(pid)
