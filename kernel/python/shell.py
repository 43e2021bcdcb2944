# SPDX-License-Identifier: BSD-3-Clause
"""xeus-python's IPython shell, completed to what notebooks know from ipykernel."""

import asyncio
import contextlib
import functools
import os
import signal
import sqlite3
import traceback
import types
from pathlib import Path

from IPython.core.autocall import ZMQExitAutocall
from IPython.core.compilerop import CachingCompiler
from IPython.core.history import HistorySavingThread
from traitlets import default
from traitlets.config import Config
from xeus_python_shell.display import XDisplayHook, XDisplayPublisher
from xeus_python_shell.shell import XPythonShell, XPythonShellApp

import _xcores_kernel as bridge
from xcores_kernel import commands, parsed_sources
from xcores_kernel.streams import current_request

DATABASE_PATIENCE = 0.5  # seconds that a cell may have to wait for a locked history


def is_exception_group(error):
    while error is not None:
        if isinstance(error, BaseExceptionGroup):
            return True
        error = error.__context__
    return False


@types.coroutine
def interruptible(coroutine, cancel):
    """Runs the coroutine with interrupts raised in its own steps, and not in the event loop between them: while it
    awaits something, an interrupt calls `cancel`."""
    step, value = coroutine.send, None
    while True:
        try:
            awaited = bridge.run_step(coroutine.throw, step, value)
        except StopIteration as end:
            return end.value
        try:
            bridge.set_cancel(cancel)
            step, value = coroutine.send, (yield awaited)
        except BaseException as error:
            step, value = coroutine.throw, error
        finally:
            bridge.set_cancel(None)


class Shell(XPythonShell):
    """One IPython session. The kernel's own half, `kernel`, is known to ipywidgets and others as get_ipython().kernel."""

    autoindent = False
    keepkernel_on_exit = None
    interrupted = False  # an interrupt is being turned into the cancellation of the cell's task...
    cancel_cell = None  # ... by this function

    @default("exiter")
    def _exiter_default(self):
        return ZMQExitAutocall(self)

    async def run_code(self, code_obj, result=None, **options):
        # Here alone, not in all that IPython does for a cell: its own locks would not survive a KeyboardInterrupt.
        return await interruptible(super().run_code(code_obj, result, **options), self.interrupt)

    def interrupt(self):
        """Ends what the cell awaits."""
        self.interrupted = True
        self.cancel_cell()

    def init_virtualenv(self):
        """Not needed: the kernel starts Python as its environment's python3 does."""

    def init_environment(self):
        # As in ipykernel: colours in the output of `!ls`, and no program that waits for keys.
        os.environ.update(TERM="xterm-color", CLICOLOR="1", FORCE_COLOR="1", CLICOLOR_FORCE="1", PAGER="cat", GIT_PAGER="cat")

    @contextlib.contextmanager
    def _tee(self, channel):
        """IPython would keep all that is printed in memory, for %notebook; the front end keeps it already."""
        yield

    def forget_what_was_shown(self):
        """The same for results and errors, when the cell is over."""
        self.history_manager.outputs.clear()
        self.history_manager.exceptions.clear()

    def _format_exception_for_storage(self, exception, *args, **kwargs):
        """IPython would lay out the traceback once more, and keep it."""
        return self.last_error or {}

    def system(self, cmd):
        if cmd.rstrip().endswith("&"):
            raise OSError("Background processes not supported.")  # as IPython says
        self.user_ns["_exit_code"] = commands.run(self.var_expand(cmd, depth=1))

    system_piped = system

    def set_next_input(self, text, replace=False):
        self.payload_manager.write_payload({"source": "set_next_input", "text": text, "replace": replace})

    def ask_exit(self):
        keep = bool(self.keepkernel_on_exit)
        self.payload_manager.write_payload({"source": "ask_exit", "keepkernel": keep})
        if not keep:
            bridge.stop()

    def showtraceback(self, exc_tuple=None, *args, **kwargs):
        kind, error, trace = self._get_exc_info(exc_tuple) if exc_tuple or self._has_error() else (None, None, None)
        if self.interrupted and kind is asyncio.CancelledError:
            kind, error = KeyboardInterrupt, KeyboardInterrupt().with_traceback(trace)
            exc_tuple = kind, error, trace
        if kind is KeyboardInterrupt:
            return self._show_interrupt(error, exc_tuple, *args, **kwargs)
        if is_exception_group(error) and not isinstance(error, SyntaxError) and not hasattr(error, "_render_traceback_"):
            # IPython prints these to stderr, and publishes no error at all.
            while trace is not None and "IPython/core/" in trace.tb_frame.f_code.co_filename:
                trace = trace.tb_next
            return self._showtraceback(kind, error, "".join(traceback.format_exception(kind, error, trace)).splitlines())
        return super().showtraceback(exc_tuple, *args, **kwargs)

    def _show_interrupt(self, error, *args, **kwargs):
        """A further interrupt may come when this takes long. IPython then prints one line, and publishes no error."""
        bridge.ended_by_interrupt()
        before = self.last_error
        with contextlib.suppress(KeyboardInterrupt):
            super().showtraceback(*args, **kwargs)
        while self.last_error is before:
            with contextlib.suppress(KeyboardInterrupt):
                self._showtraceback(KeyboardInterrupt, error, [f"KeyboardInterrupt: {error}".rstrip(": ")])

    def _has_error(self):
        try:
            return self._get_exc_info() is not None
        except ValueError:
            return False

    def _showtraceback(self, etype, evalue, stb):
        try:
            text = str(evalue)
        except Exception:
            text = f"<{etype.__name__} whose text cannot be made>"
        content = {"ename": etype.__name__, "evalue": text, "traceback": list(stb)}
        bridge.run_atomically(self._publish_error, content)
        parsed_sources.keep_only_those_of(evalue)

    def _publish_error(self, content):
        bridge.publish("error", content, request=current_request())
        self.last_error = content


class ShellApp(XPythonShellApp):
    """Reads the user's IPython profile and makes the shell from it."""

    def init_shell(self, use_jedi=False):
        keep_signals_from_history()
        self.update_config(history_options(self.config, self.profile_dir.location))
        self.shell = Shell.instance(
            use_jedi,
            parent=self,
            profile_dir=self.profile_dir,
            display_pub_class=XDisplayPublisher,
            displayhook_class=XDisplayHook,
            compiler_class=CachingCompiler,  # names cells, so that each traceback shows its own cell's lines
        )
        connect_displays(self.shell)


def connect_displays(shell):
    def publish(data, metadata, transient, update):
        content = {"data": data, "metadata": metadata or {}, "transient": transient or {}}
        bridge.publish("update_display_data" if update else "display_data", content, request=current_request())

    def clear_output(wait=False):
        bridge.publish("clear_output", {"wait": bool(wait)}, request=current_request())

    def publish_result(count, data, metadata):
        if data:
            content = {"execution_count": count, "data": data, "metadata": metadata or {}}
            bridge.publish("execute_result", content, request=current_request())
        shell.displayhook._is_active = False

    shell.display_pub.publish_display_data = publish
    shell.display_pub.clear_output = clear_output
    shell.display_pub.make_channel = lambda: bridge.display_channel(current_request())
    shell.display_pub.count_outputs = lambda: bridge.outputs(current_request())
    shell.displayhook.publish_execution_result = publish_result


def keep_signals_from_history():
    """They are for the main thread: another one may be stopped with a signal in hand until it is too late for it."""
    run = HistorySavingThread.run

    @functools.wraps(run)
    def run_without_signals(self):
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        run(self)

    HistorySavingThread.run = run_without_signals


def history_options(config, profile):
    """IPython's history file, unless another program has it locked: IPython would wait for it for long, and then move
    it away as if it were damaged."""
    options = {"connection_options": {"check_same_thread": False, "timeout": DATABASE_PATIENCE}}
    if "hist_file" not in config.HistoryManager and is_locked(Path(profile) / "history.sqlite"):
        options["hist_file"] = ":memory:"
    return Config({"HistoryManager": options})


def is_locked(file):
    try:
        with contextlib.closing(sqlite3.connect(file, timeout=DATABASE_PATIENCE)) as database:
            database.execute("BEGIN IMMEDIATE")
            database.rollback()
        return False
    except sqlite3.Error as error:
        return "locked" in str(error)
