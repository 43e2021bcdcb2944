# SPDX-License-Identifier: BSD-3-Clause
"""Whatever a client sends, with the key or without it: the kernel answers the next request."""

import json
import time

import pytest
import zmq
from jupyter_client.session import Session
from notebook import TIMEOUT

DELIMITER = b"<IDS|MSG>"
EMPTY = [b"{}"] * 3
NESTED = b"[" * 100_000 + b"]" * 100_000
NESTED_OBJECTS = b'{"a":' * 100_000 + b"1" + b"}" * 100_000
REQUESTS = ["execute", "complete", "inspect", "is_complete", "kernel_info", "history", "comm_info"]


@pytest.fixture
def line(notebook):
    """Opens a socket of any type to a channel of the kernel."""
    context, opened = zmq.Context(), []

    def connect(channel, kind=zmq.DEALER, name=None):
        socket = context.socket(kind)
        socket.linger = 1000
        if name:
            socket.identity = name
        socket.connect(f"tcp://127.0.0.1:{notebook.manager.get_connection_info()[channel + '_port']}")
        opened.append(socket)
        return socket

    yield connect
    for socket in opened:
        socket.close()
    context.term()


def check_that_it_answers(notebook):
    cell = notebook.run("6 * 7")
    assert cell.result == "42"
    assert notebook.control("kernel_info_request")["status"] == "ok"
    assert notebook.process.poll() is None


def header_of(kind="kernel_info_request", **fields):
    return json.dumps({"msg_id": "m", "msg_type": kind, "session": "s", "username": "u", "version": "5.3"} | fields).encode()


def signed(notebook, header=None, parent=b"{}", metadata=b"{}", content=b"{}"):
    parts = [header_of() if header is None else header, parent, metadata, content]
    return [DELIMITER, notebook.client.session.sign(parts), *parts]


FEW_FRAMES = {
    "nothing": [b""],
    "two empty ones": [b"", b""],
    "no delimiter": [b"a", b"b", b"c", b"d", b"e", b"f", b"g"],
    "only the delimiter": [DELIMITER],
    "no signature": [DELIMITER, b""],
    "a signature": [DELIMITER, b"0" * 64],
    "a header": [DELIMITER, b"", header_of()],
    "up to the metadata": [DELIMITER, b"", header_of(), b"{}", b"{}"],
    "a short signature": [DELIMITER, b"0", header_of(), *EMPTY],
    "a long signature": [DELIMITER, b"0" * 10_000, header_of(), *EMPTY],
    "a delimiter behind": [b"x"] * 100 + [DELIMITER],
    "unsigned and nested": [DELIMITER, b"", header_of(), NESTED, b"{}", NESTED_OBJECTS],
    "unsigned and no JSON": [DELIMITER, b"0" * 64, b"{", b"\xff", b"", b"nul"],
}


@pytest.mark.parametrize("frames", FEW_FRAMES.values(), ids=FEW_FRAMES.keys())
@pytest.mark.parametrize("channel", ["shell", "control", "stdin", "hb"])
def test_frames_that_are_no_signed_message_are_ignored(notebook, line, channel, frames):
    line(channel).send_multipart(frames)
    check_that_it_answers(notebook)


@pytest.mark.parametrize("frames", [[b""], [b"\1"], [b"\1\xff", b"x"], [b"a", b"b", b"c"], [b"\0never"]])
def test_what_is_no_subscription_is_ignored(notebook, line, frames):
    socket = line("iopub", zmq.XSUB)
    socket.send_multipart(frames)
    socket.send(b"\1")  # a good one
    assert socket.poll(TIMEOUT * 1000)
    check_that_it_answers(notebook)


def test_code_without_a_right_signature_never_runs(notebook, line):
    code = json.dumps({"code": "broken_in = True", "silent": False}).encode()
    for signature in [b"", b"0" * 64, b"0" * 63]:
        line("shell").send_multipart([DELIMITER, signature, header_of("execute_request"), b"{}", b"{}", code])
    assert notebook.run("'broken_in' in globals()").result == "False"


HEADERS = [b"[]", b"null", b'"text"', b"5", b"{}", b"{", NESTED, NESTED_OBJECTS, header_of(5), header_of([]), header_of(None),
           header_of(msg_id=5), header_of(msg_id={}), header_of("no_such_request"), header_of(""), header_of("request"),
           header_of(session=[], username={}, version=5, date=[])]


@pytest.mark.parametrize("header", HEADERS, ids=lambda header: header[:40].decode())
@pytest.mark.parametrize("channel", ["shell", "control", "stdin"])
def test_signed_messages_with_a_bad_header_are_ignored(notebook, line, channel, header):
    line(channel).send_multipart(signed(notebook, header))
    check_that_it_answers(notebook)


@pytest.mark.parametrize("part", ["parent", "metadata", "content"])
@pytest.mark.parametrize("value", [NESTED, NESTED_OBJECTS, b"[]", b"null", b"5", b'"text"', b"{"],
                         ids=lambda value: value[:10].decode())
@pytest.mark.parametrize("channel", ["shell", "control"])
def test_signed_requests_with_bad_parts_are_survived(notebook, line, channel, value, part):
    socket = line(channel)
    for request in REQUESTS:
        socket.send_multipart(signed(notebook, header_of(request + "_request"), **{part: value}))
    check_that_it_answers(notebook)


def test_a_request_with_content_that_cannot_be_read_gets_a_reply(notebook, line):
    socket = line("shell")
    socket.send_multipart(signed(notebook, header_of("execute_request"), content=NESTED))
    assert socket.poll(TIMEOUT * 1000)
    frames = socket.recv_multipart()
    assert json.loads(frames[frames.index(DELIMITER) + 5])["status"] == "error"
    check_that_it_answers(notebook)


def test_an_answer_that_is_none_does_not_end_a_question(notebook, line):
    cell = notebook.start("input('name? ')", allow_stdin=True)
    notebook.question()
    stranger = line("stdin")
    for content in [b"[]", b"null", b"{}", b'{"value": 5}', NESTED]:
        stranger.send_multipart(signed(notebook, header_of("input_reply"), content=content))
    stranger.send_multipart([DELIMITER, b""])
    notebook.answer("Ada")
    assert cell.wait().result == "'Ada'"


@pytest.mark.parametrize("channel", ["shell", "control"])
def test_a_client_that_comes_back_under_its_name_is_heard(notebook, line, gate, channel):
    session = Session(key=notebook.client.session.key)
    cell = notebook.start(f"print('in', flush=True)\n{gate.wait_code}").wait_for_text("in")
    connections = [line(channel, name=b"the same client") for _ in range(3)]  # the kernel cannot know that some are lost
    for connection in connections:
        session.send(connection, "kernel_info_request", {})
        time.sleep(0.1)  # one after the other
    gate.open()
    cell.wait()
    assert connections[-1].poll(TIMEOUT * 1000)
