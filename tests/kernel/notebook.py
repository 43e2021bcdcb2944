# SPDX-License-Identifier: BSD-3-Clause
"""A notebook as the kernel sees it: sends requests over the real protocol, and gathers what belongs to each."""

import os
import re
import select
import time

from jupyter_client.manager import KernelManager

TIMEOUT = 120  # seconds until a wait is given up; a busy virtual machine may stand still for half a minute


class Cell:
    """One request and all that came back for it, in order."""

    def __init__(self, notebook, request_id):
        self.notebook, self.id = notebook, request_id
        self.reply, self.messages = None, []

    def wait(self):
        """Until the kernel is idle again, and the reply has come."""
        self.wait_for(lambda: self.types[-1:] == ["status"] and self.messages[-1]["content"]["execution_state"] == "idle")
        self.reply = self.notebook.reply_to(self.id)
        return self

    def wait_for_text(self, text):
        self.wait_for(lambda: text in self.text("stdout") + self.text("stderr"))
        return self

    def wait_for(self, condition):
        while not condition():
            self.notebook.read_iopub()

    @property
    def types(self):
        return [message["msg_type"] for message in self.messages]

    @property
    def status(self):
        return self.reply["content"]["status"]

    def contents(self, message_type):
        return [message["content"] for message in self.messages if message["msg_type"] == message_type]

    def text(self, name):
        return "".join(content["text"] for content in self.contents("stream") if content["name"] == name)

    @property
    def traceback(self):
        """All that the cell shows of errors, without colours."""
        return plain("\n".join(line for content in self.contents("error") for line in content["traceback"]))

    @property
    def stdout(self):
        return self.text("stdout")

    @property
    def stderr(self):
        return self.text("stderr")

    @property
    def result(self):
        """The text of the cell's result."""
        (content,) = self.contents("execute_result")
        return content["data"]["text/plain"]

    @property
    def error(self):
        """The name of the error that the cell shows."""
        (content,) = self.contents("error")
        return content["ename"]


def plain(text):
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


class Notebook:
    def __init__(self, kernel_name="xcores", **start):
        self.manager = KernelManager(kernel_name=kernel_name)
        self.manager.start_kernel(**start)
        self.process = self.manager.provisioner.process
        self.client = self.manager.client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=TIMEOUT)
        self.cells, self.replies, self.unclaimed = {}, {}, []

    def close(self):
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)

    # Requests

    def start(self, code, **options):
        return self.expect(self.client.execute(code, **options))

    def run(self, code, **options):
        return self.start(code, **options).wait()

    def ask(self, message_type, content, buffers=None):
        """Any request on the shell channel."""
        message = self.client.session.msg(message_type, content)
        self.client.session.send(self.client.shell_channel.socket, message, buffers=buffers)
        return self.expect(message["header"]["msg_id"])

    def control(self, message_type, content=None):
        """A request on the control channel; the content of the reply."""
        message = self.client.session.msg(message_type, content or {})
        self.client.control_channel.send(message)
        while True:
            reply = self.client.get_control_msg(timeout=TIMEOUT)
            if reply["parent_header"].get("msg_id") == message["header"]["msg_id"]:
                return reply["content"]

    def interrupt(self):
        assert self.control("interrupt_request")["status"] == "ok"

    # Answers

    def expect(self, request_id):
        cell = self.cells[request_id] = Cell(self, request_id)
        return cell

    def read_iopub(self, timeout=TIMEOUT):
        message = self.client.get_iopub_msg(timeout=timeout)
        cell = self.cells.get(message["parent_header"].get("msg_id"))
        (cell.messages if cell else self.unclaimed).append(message)
        return message

    def reply_to(self, request_id):
        while request_id not in self.replies:
            reply = self.client.get_shell_msg(timeout=TIMEOUT)
            self.replies.setdefault(reply["parent_header"].get("msg_id"), []).append(reply)
        (reply,) = self.replies[request_id]  # exactly one
        return reply

    def question(self):
        return self.client.get_stdin_msg(timeout=TIMEOUT)["content"]

    def answer(self, text):
        self.client.input(text)

    def exit_code(self):
        return self.process.wait(timeout=TIMEOUT)

    def memory(self):
        """Resident memory of the kernel in MB."""
        with open(f"/proc/{self.process.pid}/status") as file:
            return next(int(line.split()[1]) for line in file if line.startswith("VmRSS")) / 1024


class Gate:
    """Holds a cell until the test opens it; the cell's code waits with `gate.wait_code`."""

    def __init__(self, folder):
        self.path = str(folder / "gate")
        os.mkfifo(self.path)
        self.wait_code = f"open({self.path!r}).read()"

    def open(self):
        with open(self.path, "w"):
            pass


def wait_for_end_of(pid):
    """Until the process, which need not be our child, is gone."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    deadline = time.monotonic() + TIMEOUT
    while not select.select([descriptor], [], [], max(0, deadline - time.monotonic()))[0]:
        assert time.monotonic() < deadline, "the process did not end"
    os.close(descriptor)
