# SPDX-License-Identifier: BSD-3-Clause
"""Cells: results, displays, errors, numbers, the queue."""

import sys

import pytest


def test_a_cell_answers_in_the_order_of_the_protocol(notebook):
    cell = notebook.run("print('text')\n6 * 7")
    assert cell.types == ["status", "execute_input", "stream", "execute_result", "status"]
    assert cell.contents("status")[0]["execution_state"] == "busy"
    assert cell.contents("execute_input")[0]["code"] == "print('text')\n6 * 7"
    assert (cell.stdout, cell.result) == ("text\n", "42")
    assert cell.reply["content"]["user_expressions"] == {} and cell.reply["content"]["payload"] == []


def test_each_output_is_a_child_of_its_own_cell(notebook):
    cells = [notebook.start(f"print({i}); {i}") for i in range(20)]
    for i, cell in enumerate(cells):
        cell.wait()
        assert (cell.stdout, cell.result) == (f"{i}\n", str(i))
        assert cell.reply["parent_header"]["msg_id"] == cell.id
    assert not [message for message in notebook.unclaimed if message["msg_type"] == "stream"]


def test_cells_are_numbered_one_by_one(notebook):
    first, second = notebook.run("1"), notebook.run("2")
    count = first.reply["content"]["execution_count"]
    assert second.reply["content"]["execution_count"] == count + 1
    for cell, expected in ((first, count), (second, count + 1)):
        assert cell.contents("execute_input")[0]["execution_count"] == expected
        assert cell.contents("execute_result")[0]["execution_count"] == expected


def test_a_cell_that_is_not_stored_takes_no_number(notebook):
    count = notebook.run("1").reply["content"]["execution_count"]
    unstored = notebook.run("'unstored'", store_history=False)
    assert unstored.result == "'unstored'"
    assert notebook.run("2").reply["content"]["execution_count"] == count + 1
    assert "unstored" not in notebook.run("In[-2:]").result


def test_a_silent_cell_shows_no_input_and_no_result(notebook):
    count = notebook.run("1").reply["content"]["execution_count"]
    silent = notebook.run("quiet = 5; quiet", silent=True)
    assert silent.types == ["status", "status"]
    after = notebook.run("quiet")
    assert after.result == "5" and after.reply["content"]["execution_count"] == count + 1


def test_results_are_kept_in_underscore_and_out(notebook):
    count = notebook.run("'kept'").reply["content"]["execution_count"]
    assert notebook.run("_").result == "'kept'"
    assert notebook.run(f"Out[{count}], _{count}").result == "('kept', 'kept')"


def test_a_semicolon_hides_the_result(notebook):
    assert notebook.run("5;").types == ["status", "execute_input", "status"]


def test_rich_objects_show_all_their_forms(notebook):
    cell = notebook.run("from IPython.display import HTML, display; display(HTML('<b>x</b>')); HTML('<i>y</i>')")
    (shown,) = cell.contents("display_data")
    assert shown["data"]["text/html"] == "<b>x</b>" and shown["metadata"] == {} and shown["transient"] == {}
    assert cell.contents("execute_result")[0]["data"]["text/html"] == "<i>y</i>"


def test_bytes_of_an_image_are_sent_as_base64(notebook):
    cell = notebook.run("display({'image/png': b'\\x89PNG\\r\\n'}, raw=True)")
    assert cell.contents("display_data")[0]["data"]["image/png"] == "iVBORw0K"


def test_a_display_is_updated_under_its_id(notebook):
    cell = notebook.run("handle = display('first', display_id='d'); handle.update('second')")
    (shown,), (updated,) = cell.contents("display_data"), cell.contents("update_display_data")
    assert shown["transient"] == updated["transient"] == {"display_id": "d"}
    assert updated["data"]["text/plain"] == "'second'"


@pytest.mark.parametrize("wait", [True, False])
def test_output_is_cleared(notebook, wait):
    cell = notebook.run(f"from IPython.display import clear_output; print('a'); clear_output(wait={wait}); print('b')")
    assert cell.types[2:5] == ["stream", "clear_output", "stream"]
    assert cell.contents("clear_output") == [{"wait": wait}]


def test_thousands_of_displays_arrive_although_the_client_reads_late(notebook):
    number = 20_000  # more than the buffers of libzmq and of the sockets hold
    cell = notebook.start(f"for i in range({number}): display(i)")
    notebook.reply_to(cell.id)
    cell.wait()
    assert [int(content["data"]["text/plain"]) for content in cell.contents("display_data")] == list(range(number))


def test_an_error_is_shown_and_replied(notebook):
    cell = notebook.run("def inner():\n    return 1 / 0\ninner()")
    (shown,) = cell.contents("error")
    content = cell.reply["content"]
    assert content["status"] == "error" and content["ename"] == shown["ename"] == "ZeroDivisionError"
    assert content["evalue"] == "division by zero" and content["traceback"] == shown["traceback"]
    assert "inner()" in cell.traceback and "xcores_kernel" not in cell.traceback


def test_a_traceback_shows_the_lines_of_the_cell_that_defined_the_function(notebook):
    notebook.run("def earlier():\n    raise ValueError('from the earlier cell')")
    notebook.run("unrelated = 1\nunrelated = 2")
    assert "raise ValueError('from the earlier cell')" in notebook.run("earlier()").traceback


def test_an_exception_group_is_an_error_like_any_other(notebook):
    cell = notebook.run("raise ExceptionGroup('several', [ValueError('one'), KeyError('two')])")
    assert cell.error == "ExceptionGroup" and cell.status == "error"
    assert "ValueError: one" in cell.traceback and "KeyError: 'two'" in cell.traceback
    assert "IPython/core" not in cell.traceback


@pytest.mark.parametrize("code, name", [("def (", "SyntaxError"), ("  x = 1\n y = 2", "IndentationError")])
def test_code_that_is_no_python_is_an_error(notebook, code, name):
    assert notebook.run(code).error == name


def test_an_exception_that_cannot_be_printed_is_still_replied_to(notebook):
    cell = notebook.run("class Odd(Exception):\n    def __str__(self): raise TypeError\nraise Odd")
    assert cell.status == "error" and "error" in cell.types
    assert notebook.run("'alive'").result == "'alive'"


@pytest.mark.parametrize("code", ["raise SystemExit(3)", "import sys; sys.exit()", "raise KeyboardInterrupt"])
def test_leaving_a_cell_leaves_the_kernel_running(notebook, code):
    assert notebook.run(code).status == "error"
    assert notebook.run("'alive'").result == "'alive'"


def test_an_empty_cell_is_replied_to(notebook):
    assert notebook.run("").status == "ok"
    assert notebook.run("  \n").status == "ok"


def test_user_expressions_are_evaluated_after_the_cell(notebook):
    cell = notebook.run("value = 20", user_expressions={"twice": "value * 2", "wrong": "nothing"})
    expressions = cell.reply["content"]["user_expressions"]
    assert expressions["twice"]["data"]["text/plain"] == "40"
    assert expressions["wrong"]["status"] == "error" and expressions["wrong"]["ename"] == "NameError"


def test_the_next_input_and_the_pager_come_as_payload(notebook):
    (payload,) = notebook.run("get_ipython().set_next_input('x = 1')").reply["content"]["payload"]
    assert (payload["source"], payload["text"], payload["replace"]) == ("set_next_input", "x = 1", False)
    (payload,) = notebook.run("len?").reply["content"]["payload"]
    assert payload["source"] == "page" and "Return the number of items" in payload["data"]["text/plain"]
    assert notebook.run("1").reply["content"]["payload"] == []


def test_an_error_aborts_the_cells_queued_behind_it_and_no_others(notebook, gate):
    failing = notebook.start(f"{gate.wait_code}\n1 / 0")
    queued = [notebook.start("'never'"), notebook.start("'never'")]
    other = notebook.ask("kernel_info_request", {})
    notebook.control("kernel_info_request")  # by now the requests have arrived
    gate.open()
    assert failing.wait().status == "error"
    for cell in queued:
        cell.wait()
        assert cell.status == "aborted" and cell.types == ["status", "status"]
    assert other.wait().status == "ok"
    assert notebook.run("'next'").result == "'next'"


def test_cells_queued_behind_an_error_run_if_the_client_wants_it(notebook, gate):
    failing = notebook.start(f"{gate.wait_code}\n1 / 0", stop_on_error=False)
    queued = notebook.start("'runs'")
    gate.open()
    assert failing.wait().status == "error"
    assert queued.wait().result == "'runs'"


def test_magics_work(notebook):
    assert "per loop" in notebook.run("%timeit -n 1 -r 1 pass").stdout
    assert notebook.run("%%capture kept\nprint('inside')").stdout == ""
    assert notebook.run("kept.stdout").result == "'inside\\n'"
    assert notebook.run("!echo from the shell").stdout.split() == ["from", "the", "shell"]
    unknown = notebook.run("%nothing")
    assert unknown.status == "error" and "`%nothing` not found" in unknown.stderr


def test_await_works_at_the_top_level(notebook):
    assert notebook.run("import asyncio\nawait asyncio.sleep(0, 'awaited')").result == "'awaited'"


def test_one_event_loop_lives_between_cells(notebook):
    notebook.run("import asyncio\nloop = asyncio.get_running_loop()\ntask = asyncio.create_task(asyncio.sleep(0, 'done'))")
    assert notebook.run("asyncio.get_running_loop() is loop, await task").result == "(True, 'done')"


def test_python_is_the_one_of_the_environment(notebook):
    cell = notebook.run("import os, sys\nos.path.samefile('/proc/self/exe', sys.executable), sys.version")
    assert cell.result == repr((True, sys.version))


def test_functions_of_cells_can_be_pickled(notebook):
    notebook.run("import pickle, sys\ndef of_a_cell(): return 5")
    assert notebook.run("pickle.loads(pickle.dumps(of_a_cell))(), __name__").result == "(5, '__main__')"


@pytest.mark.parametrize("content", [{"code": 5}, {"code": "1", "silent": "yes"}, {}, {"code": None}])
def test_a_malformed_request_still_gets_one_reply(notebook, content):
    cell = notebook.ask("execute_request", content).wait()
    assert cell.status in ("ok", "error")
    assert notebook.run("'alive'").result == "'alive'"


def test_a_message_of_unknown_type_changes_nothing(notebook):
    notebook.ask("nonsense_request", {})
    assert notebook.run("'alive'").result == "'alive'"
