# SPDX-License-Identifier: BSD-3-Clause
"""Requests other than execution, and comms."""

import sys

import pytest
from notebook import plain


def reply(notebook, message_type, **content):
    return notebook.ask(message_type, content).wait().reply["content"]


def test_kernel_info_describes_the_language(notebook):
    info = reply(notebook, "kernel_info_request")
    language = info["language_info"]
    assert (info["status"], info["implementation"], language["name"]) == ("ok", "xcores", "python")
    assert info["protocol_version"].startswith("5.")
    assert language["version"] == ".".join(map(str, sys.version_info[:3]))
    assert (language["pygments_lexer"], language["file_extension"]) == ("ipython3", ".py")
    assert language["codemirror_mode"] == {"name": "ipython", "version": 3}
    assert info["banner"] and all(link["text"] and link["url"] for link in info["help_links"])


def test_completion_finds_names_and_attributes(notebook):
    notebook.run("class Thing: colour = 1; count = 2")
    done = reply(notebook, "complete_request", code="x = 1\nThing.co", cursor_pos=14)
    assert {"colour", "count"} <= {match.removeprefix("Thing.").removeprefix(".") for match in done["matches"]}
    assert done["cursor_end"] == 14 and done["cursor_start"] <= 12
    assert reply(notebook, "complete_request", code="impor", cursor_pos=5)["matches"] == ["import"]
    assert reply(notebook, "complete_request", code="no_such_name_at_all.", cursor_pos=20)["status"] == "ok"
    assert "%timeit" in reply(notebook, "complete_request", code="%time", cursor_pos=5)["matches"]


def test_inspection_shows_signature_and_documentation(notebook):
    notebook.run("def documented(a, b=2):\n    'what it is for'")
    found = reply(notebook, "inspect_request", code="documented(", cursor_pos=11, detail_level=0)
    assert found["found"] and "what it is for" in found["data"]["text/plain"]
    source = reply(notebook, "inspect_request", code="documented", cursor_pos=10, detail_level=1)
    assert "def documented(a, b=2)" in plain(source["data"]["text/plain"])
    missing = reply(notebook, "inspect_request", code="no_such_name", cursor_pos=5)
    assert missing["status"] == "ok" and not missing["found"]


@pytest.mark.parametrize(
    "code, status", [("x = 1", "complete"), ("for i in range(3):", "incomplete"), ("import = 7", "invalid"), ("", "complete")]
)
def test_completeness_is_judged(notebook, code, status):
    answer = reply(notebook, "is_complete_request", code=code)
    assert answer["status"] == status
    assert (answer.get("indent") == "    ") == (status == "incomplete")


def test_history_is_searched_listed_and_ranged(notebook):
    for code in ("first_of_history = 1", "first_of_history", "print('last of history')"):
        notebook.run(code)
    tail = reply(notebook, "history_request", hist_access_type="tail", n=2, raw=True, output=False)["history"]
    assert [row[2] for row in tail] == ["first_of_history", "print('last of history')"]
    session, line = tail[0][:2]
    window = {"hist_access_type": "range", "raw": True, "output": False, "session": 0, "start": line}
    assert [row[1] for row in reply(notebook, "history_request", stop=line + 1, **window)["history"]] == [line]
    assert len(reply(notebook, "history_request", stop=None, **window)["history"]) == 2
    found = {"hist_access_type": "search", "pattern": "first_of_hist*", "raw": True, "output": False}
    assert len(reply(notebook, "history_request", n=None, **found)["history"]) >= 2
    assert len(reply(notebook, "history_request", n=1, **found)["history"]) == 1
    with_output = reply(notebook, "history_request", hist_access_type="tail", n=2, raw=True, output=True)["history"]
    assert len(with_output[0][2]) == 2


COMM = "from comm import get_comm_manager\nreceived = []\n"
ECHO = (
    COMM + "def opened(comm, message):\n"
    "    comm.on_msg(lambda m: (received.append(m), print('got', m['content']['data']), comm.send({'echo': m['content']['data']}, buffers=m['buffers'])))\n"
    "    comm.on_close(lambda m: print('closed'))\n"
    "get_comm_manager().register_target('echo', opened)"
)


def test_a_comm_talks_both_ways(notebook):
    assert notebook.run(ECHO).status == "ok"
    notebook.ask("comm_open", {"comm_id": "c1", "target_name": "echo", "data": {}}).wait_for(lambda: True)
    comms = reply(notebook, "comm_info_request", target_name="echo")["comms"]
    assert comms == {"c1": {"target_name": "echo"}}
    message = notebook.ask("comm_msg", {"comm_id": "c1", "data": {"x": 1}}, buffers=[b"\x00\xff"])
    message.wait_for(lambda: message.types[-1:] == ["status"] and len(message.types) > 2)
    assert message.types == ["status", "stream", "comm_msg", "status"]
    (echo,) = [m for m in message.messages if m["msg_type"] == "comm_msg"]
    assert echo["content"]["data"] == {"echo": {"x": 1}} and [bytes(b) for b in echo["buffers"]] == [b"\x00\xff"]
    assert message.stdout == "got {'x': 1}\n"
    notebook.ask("comm_close", {"comm_id": "c1", "data": {}}).wait_for_text("closed")
    assert reply(notebook, "comm_info_request")["comms"] == {}


def test_a_comm_of_an_unknown_target_is_closed(notebook):
    opened = notebook.ask("comm_open", {"comm_id": "c2", "target_name": "nobody", "data": {}})
    opened.wait_for(lambda: "comm_close" in opened.types)
    assert opened.contents("comm_close")[0]["comm_id"] == "c2"


def test_a_message_to_an_unknown_comm_changes_nothing(notebook):
    message = notebook.ask("comm_msg", {"comm_id": "none", "data": {}})
    message.wait_for(lambda: message.types.count("status") == 2)
    assert notebook.run("'alive'").result == "'alive'"


def test_widgets_work(notebook):
    pytest.importorskip("ipywidgets")
    cell = notebook.run("import ipywidgets\nslider = ipywidgets.IntSlider(3)\nslider.observe(lambda c: print('now', c.new), 'value')\nslider")
    models = {content["comm_id"]: content["data"]["state"]["_model_name"] for content in cell.contents("comm_open")}
    (view,) = cell.contents("execute_result")
    model = view["data"]["application/vnd.jupyter.widget-view+json"]["model_id"]
    assert models[model] == "IntSliderModel"
    update = {"method": "update", "state": {"value": 7}, "buffer_paths": []}
    notebook.ask("comm_msg", {"comm_id": model, "data": update}).wait_for_text("now 7")
    assert notebook.run("slider.value").result == "7"
    changed = notebook.run("slider.value = 9")
    assert changed.contents("comm_msg")[0]["data"]["state"] == {"value": 9}


def test_an_output_widget_knows_the_message_it_captures(notebook):
    pytest.importorskip("ipywidgets")
    cell = notebook.run("import ipywidgets\nout = ipywidgets.Output()\nwith out:\n    print('captured')")
    captured = [content["data"]["state"].get("msg_id") for content in cell.contents("comm_msg")]
    assert captured == [cell.id, ""]
