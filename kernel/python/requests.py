# SPDX-License-Identifier: BSD-3-Clause
"""Answers each request of the Jupyter protocol with the content of its reply."""

import asyncio
import builtins
import contextlib
import contextvars
import faulthandler
import getpass
import inspect
import signal
import sys
import threading

from IPython import __version__ as ipython_version
from IPython.core.async_helpers import _asyncio_runner, get_asyncio_loop
from IPython.core.completer import provisionalcompleter, rectify_completions
from IPython.core.error import StdinNotImplementedError
from IPython.utils.tokenutil import token_at_cursor

import _xcores_kernel as bridge
from xcores_kernel import comms, streams
from xcores_kernel.shell import ShellApp

EXTENSION = "xcores"  # the magics


def take_over_interrupts():
    """Python's own handler would raise KeyboardInterrupt anywhere. A handler of the user's own stays."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, bridge.on_signal)
        bridge.handler_installed()


class Kernel:
    def __init__(self):
        self.comm_manager = comms.install()
        self._parent_header = {}
        self._input_allowed = False
        app = ShellApp()
        app.initialize(argv=[])
        self.shell = app.shell
        self.shell.kernel = self
        streams.install()  # before the magics put labels on what goes there
        self._missing = self._load_magics()
        self._take_over_input()
        # All cells of a notebook run in one context, as the statements of a script do: decimal's precision, NumPy's error
        # state and every other context variable stay as a cell has left them. A task for each cell would copy it.
        self._context = contextvars.copy_context()

    # What others ask of get_ipython().kernel

    def get_parent(self, channel=None):
        request = streams.current_request()
        return {"header": request.header, "metadata": request.metadata} if request else self._parent_header

    # What the C++ half calls

    @property
    def execution_count(self):
        return self.shell.execution_count

    def begin(self, request):
        streams.current.set(request)
        self._context.run(streams.current.set, request)
        self._parent_header = {"header": request.header, "metadata": request.metadata}

    def close(self):
        streams.uninstall()

    def execute(self, code, silent, store_history, user_expressions, allow_stdin):
        shell = self.shell
        shell.last_error, shell.interrupted = None, False
        self._input_allowed = allow_stdin
        if not silent:
            self._say_what_is_missing()
        try:
            result = self._run(code, silent, store_history)
            error = result.error_before_exec or result.error_in_exec
            if error is None:
                values = self._in_context(shell.user_expressions, user_expressions)
        except BaseException as unexpected:  # an interrupt within IPython's own code, mostly
            shown = shell.last_error or {}
            if not (isinstance(unexpected, KeyboardInterrupt) and shown.get("ename") == "KeyboardInterrupt"):
                shell.showtraceback()
            error = unexpected
        finally:
            self._input_allowed = False
            streams.finish()
            shell.forget_what_was_shown()
        if error is None:
            reply = {"status": "ok", "user_expressions": values}
        else:
            name = "KeyboardInterrupt" if shell.interrupted else type(error).__name__
            shown = shell.last_error or {"ename": name, "evalue": str(error), "traceback": []}
            reply = {"status": "error", "user_expressions": {}, **shown}
        reply["payload"] = shell.payload_manager.read_payload()
        shell.payload_manager.clear_payload()
        return reply

    def complete(self, code, cursor):
        if cursor < 0:
            cursor = len(code)
        found = self._in_copied_context(self._completions, code, cursor)
        types = [{"start": c.start, "end": c.end, "text": c.text, "type": c.type, "signature": c.signature} for c in found]
        return {
            "status": "ok",
            "matches": [each.text for each in found],
            "cursor_start": found[0].start if found else cursor,
            "cursor_end": found[0].end if found else cursor,
            "metadata": {"_jupyter_types_experimental": types},
        }

    def _completions(self, code, cursor):
        with provisionalcompleter():
            return list(rectify_completions(code, self.shell.Completer.completions(code, cursor)))

    def inspect(self, code, cursor, detail_level):
        name = token_at_cursor(code, len(code) if cursor < 0 else cursor)
        try:
            data = self._in_copied_context(self.shell.object_inspect_mime, name, detail_level)
        except KeyError:
            return {"status": "ok", "found": False, "data": {}, "metadata": {}}
        if not self.shell.enable_html_pager:
            data.pop("text/html", None)
        return {"status": "ok", "found": True, "data": data, "metadata": {}}

    def is_complete(self, code):
        status, indent = self.shell.input_transformer_manager.check_complete(code)
        return {"status": status, "indent": " " * (indent or 0)} if status == "incomplete" else {"status": status}

    def history(self, content):
        manager = self.shell.history_manager
        if manager.enabled:
            manager.db.execute("SELECT 1 FROM sessions LIMIT 1")  # raises if locked, before IPython moves the file away
        shape = {"raw": content.get("raw", True), "output": content.get("output", False)}
        kind = content.get("hist_access_type", "tail")
        if kind == "tail":
            rows = manager.get_tail(content.get("n", 10), include_latest=True, **shape)
        elif kind == "range":
            session = content.get("session", 0)
            rows = manager.get_range(session, content.get("start", 0), content.get("stop"), **shape)
            rows = [(row[0] or max(session, 0), *row[1:]) for row in rows]  # IPython calls its own session 0
        else:
            unique = content.get("unique", False)
            rows = manager.search(content.get("pattern", "*"), n=content.get("n"), unique=unique, **shape)
        return {"status": "ok", "history": list(rows)}

    def comm_info(self, content):
        return {"status": "ok", "comms": comms.info(self.comm_manager, content.get("target_name"))}

    def comm(self, kind, message):
        message.update(msg_type=kind, msg_id=message["header"].get("msg_id"))
        self._context.run(getattr(self.comm_manager, kind), None, None, message)

    def kernel_info(self):
        version = sys.version_info
        return {
            "status": "ok",
            "implementation": "xcores",
            "implementation_version": bridge.version,
            "banner": f"xcores {bridge.version}: Python {sys.version}\nIPython {ipython_version}",
            "debugger": False,
            "supported_features": [],
            "language_info": {
                "name": "python",
                "version": ".".join(str(part) for part in version[:3]),
                "mimetype": "text/x-python",
                "file_extension": ".py",
                "pygments_lexer": "ipython3",
                "codemirror_mode": {"name": "ipython", "version": 3},
                "nbconvert_exporter": "python",
            },
            "help_links": [
                {"text": "Python Reference", "url": f"https://docs.python.org/{version[0]}.{version[1]}"},
                {"text": "IPython Reference", "url": "https://ipython.org/documentation.html"},
                {"text": "Jupyter Documentation", "url": "https://docs.jupyter.org"},
            ],
        }

    # Running a cell

    def _run(self, code, silent, store_history):
        shell = self.shell
        if shell.trio_runner or shell.loop_runner is not _asyncio_runner:  # %autoawait with another loop
            return self._context.run(shell.run_cell, code, store_history=store_history, silent=silent)
        loop = get_asyncio_loop()
        asyncio.set_event_loop(loop)
        # As in ipykernel, each cell runs within the one loop, so that it can make tasks. They go on while a later cell
        # runs; between cells they rest, because nothing runs the loop then.
        task = loop.create_task(self._run_in_loop(code, silent, store_history), context=self._context)

        shell.cancel_cell = lambda: loop.call_soon_threadsafe(task.cancel)
        try:
            while True:
                try:
                    return loop.run_until_complete(task)
                except KeyboardInterrupt:
                    if task.done():
                        raise
                    shell.interrupt()  # the second interrupt ended another task: now this one can be cancelled
        finally:
            bridge.set_cancel(None)

    async def _run_in_loop(self, code, silent, store_history):
        shell = self.shell
        result, problem = None, None
        try:
            transformed = shell.transform_cell(code)
        except Exception:
            transformed, problem = code, sys.exc_info()
        try:
            options = {"store_history": store_history, "silent": silent, "cell_id": self._cell_id()}
            options.update(transformed_cell=transformed, preprocessing_exc_tuple=problem)
            result = await shell.run_cell_async(code, **options)
            return result
        finally:
            bridge.run_user_code(shell.events.trigger, "post_execute")
            if not silent:
                bridge.run_user_code(shell.events.trigger, "post_run_cell", result)

    def _in_context(self, function, *arguments):
        """A call of user code beside the cells, which can be interrupted."""
        return self._context.run(bridge.run_user_code, function, *arguments)

    def _in_copied_context(self, function, *arguments):
        """The same for a question: the notebook's context is seen, and stays as it is."""
        return self._context.copy().run(function, *arguments)

    def _cell_id(self):
        return self._parent_header.get("metadata", {}).get("cellId")

    # Beginnings

    def _load_magics(self):
        try:
            self.shell.extension_manager.load_extension(EXTENSION)
        except Exception as error:
            return f"{type(error).__name__}: {error}"
        return None

    def _say_what_is_missing(self):
        if self._missing:
            print(f"The magics %%threads, %%subinterp and %%procs are missing: {self._missing}", file=sys.stderr)
            self._missing = None

    def _take_over_input(self):
        def read_line(prompt="", /):
            """The line that the user types into a field under the cell."""
            return self._ask(str(prompt), False)

        def read_password(prompt="Password: ", stream=None, *, echo_char=None):
            """The text that the user types, hidden, into a field under the cell."""
            return self._ask(str(prompt), True)

        builtins.input, getpass.getpass = read_line, read_password

    def _ask(self, prompt, password):
        if threading.current_thread() is not threading.main_thread():
            raise StdinNotImplementedError("input can be asked for in the cell's own thread only")
        if not self._input_allowed:
            raise StdinNotImplementedError("input was asked for, but this front end does not support it")
        return bridge.ask(prompt, password)


def make_kernel():
    with contextlib.suppress(Exception):
        faulthandler.enable(sys.__stderr__)  # what crashes the kernel is to be read in Jupyter's log
    kernel = Kernel()
    # The first traceback asks for the module of a frame, which looks at the file of every module: thousands of calls that
    # give the GIL away. Now they take milliseconds; beside threads that keep the GIL busy they would take half a minute.
    inspect.getmodule(sys._getframe())
    return kernel
