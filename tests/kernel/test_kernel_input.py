# SPDX-License-Identifier: BSD-3-Clause
"""input() and getpass()."""

import os
import signal


def test_input_asks_the_front_end(notebook):
    cell = notebook.start("print('first'); name = input('your name? '); name", allow_stdin=True)
    assert notebook.question() == {"prompt": "your name? ", "password": False}
    assert cell.wait_for_text("first")
    notebook.answer("Ada")
    assert cell.wait().result == "'Ada'"


def test_a_password_is_asked_for_hidden(notebook):
    cell = notebook.start("import getpass; getpass.getpass()", allow_stdin=True)
    assert notebook.question() == {"prompt": "Password: ", "password": True}
    notebook.answer("secret")
    assert cell.wait().result == "'secret'"


def test_several_questions_are_answered_in_order(notebook):
    cell = notebook.start("[input(str(i)) for i in range(5)]", allow_stdin=True)
    for i in range(5):
        assert notebook.question()["prompt"] == str(i)
        notebook.answer(f"answer {i}")
    assert cell.wait().result == str([f"answer {i}" for i in range(5)])


def test_without_a_front_end_that_asks_input_is_an_error(notebook):
    assert notebook.run("input()", allow_stdin=False).error == "StdinNotImplementedError"
    assert notebook.run("import getpass; getpass.getpass()", allow_stdin=False).error == "StdinNotImplementedError"


def test_input_in_a_thread_is_an_error(notebook):
    cell = notebook.run("import threading\nt = threading.Thread(target=input); t.start(); t.join()", allow_stdin=True)
    assert "StdinNotImplementedError" in cell.stderr


def test_an_interrupt_ends_the_wait_and_a_late_answer_goes_nowhere(notebook):
    for interrupt in (notebook.interrupt, lambda: os.kill(notebook.process.pid, signal.SIGINT)):
        cell = notebook.start("input('first? ')", allow_stdin=True)
        notebook.question()
        interrupt()
        assert cell.wait().error == "KeyboardInterrupt"
        notebook.answer("too late")
        cell = notebook.start("input('second? ')", allow_stdin=True)
        assert notebook.question()["prompt"] == "second? "
        notebook.answer("in time")
        assert cell.wait().result == "'in time'"


def test_background_threads_print_while_input_waits(notebook, gate):
    cell = notebook.start(
        f"import threading\nthreading.Thread(target=lambda: ({gate.wait_code}, print('meanwhile'))).start()\ninput()",
        allow_stdin=True,
    )
    notebook.question()
    gate.open()
    cell.wait_for_text("meanwhile")
    notebook.answer("x")
    assert cell.wait().result == "'x'"


def test_the_debugger_can_be_used(notebook):
    notebook.run("value = 41\n1 / 0")
    cell = notebook.start("%debug", allow_stdin=True)
    assert "ipdb" in notebook.question()["prompt"]
    notebook.answer("p value + 1")
    notebook.question()
    notebook.answer("q")
    assert "42" in cell.wait().stdout
