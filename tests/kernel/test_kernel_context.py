# SPDX-License-Identifier: BSD-3-Clause
"""Context variables: all cells of a notebook share one context, as the statements of a script do."""

import pytest

SET = "import contextvars\nuser = contextvars.ContextVar('user', default='nobody')"


@pytest.fixture(autouse=True)
def variable(notebook):
    notebook.run(SET)


def user(notebook):
    return notebook.run("print(user.get())").stdout.strip()


@pytest.mark.parametrize("code", [
    "user.set('ada')",
    "import asyncio\nawait asyncio.sleep(0)\nuser.set('ada')",
    "user.set('ada')\n1 / 0",
    "user.set('ada')\nraise KeyboardInterrupt",
    "%time user.set('ada')",
    "%%time\nuser.set('ada')",
    "%%cores\nuser.set('ada')",
    "exec(\"user.set('ada')\")",
    "get_ipython().run_cell(\"user.set('ada')\")",
])
def test_what_a_cell_sets_is_there_in_the_next_one(notebook, code):
    notebook.run(code)
    assert user(notebook) == "ada"


def test_what_a_silent_cell_and_an_expression_set_is_there_in_the_next_cell(notebook):
    notebook.run("user.set('ada')", silent=True)
    assert user(notebook) == "ada"
    notebook.run("1", user_expressions={"told": "user.set('bob')"})
    assert user(notebook) == "bob"


def test_an_expression_sees_what_a_cell_has_set(notebook):
    cell = notebook.run("user.set('ada')", user_expressions={"told": "user.get()"})
    assert cell.reply["content"]["user_expressions"]["told"]["data"]["text/plain"] == "'ada'"


@pytest.mark.parametrize("setting, shown", [
    ("import decimal; decimal.getcontext().prec = 50", "decimal.getcontext().prec"),
    ("decimal.setcontext(decimal.Context(prec=50))", "decimal.getcontext().prec"),
])
def test_decimals_context_stays_as_a_cell_has_left_it(notebook, setting, shown):
    notebook.run("import decimal")
    notebook.run(setting)
    assert notebook.run(f"print({shown})").stdout == "50\n"
    notebook.run("decimal.getcontext().prec = 28")


def test_numpys_error_state_and_print_options_stay_as_a_cell_has_left_them(notebook):
    if notebook.run("import numpy as np").reply["content"]["status"] == "error":
        pytest.skip("NumPy is not installed")
    notebook.run("np.set_printoptions(precision=2)\nold = np.seterr(divide='raise')")
    assert notebook.run("print(np.array([1.23456789]), np.geterr()['divide'])").stdout == "[1.23] raise\n"
    notebook.run("np.set_printoptions(precision=8)\nnp.seterr(**old)")


def test_a_task_keeps_the_context_of_the_cell_that_made_it(notebook):
    notebook.run("import asyncio\nuser.set('ada')\nasync def tell():\n    await asyncio.sleep(0)\n    return user.get()\n"
                 "task = asyncio.create_task(tell())")
    notebook.run("user.set('bob')")
    assert notebook.run("print(await task, user.get())").stdout == "ada bob\n"


def test_output_of_a_task_appears_under_the_cell_that_made_it(notebook):
    first = notebook.run("import asyncio\nasync def later():\n    await go.wait()\n    print('from the first')\n"
                         "go = asyncio.Event()\ntask = asyncio.create_task(later())")
    second = notebook.run("go.set()\nawait task\nprint('from the second')")
    assert (first.stdout, second.stdout) == ("from the first\n", "from the second\n")


def test_completion_and_inspection_see_the_context_but_leave_it_alone(notebook):
    notebook.run("class Probe:\n    def __dir__(self):\n        user.set('completer')\n        return [user.get() + '_seen', before]\n"
                 "    @property\n    def __doc__(self):\n        user.set('inspector')\n        return 'text'\n"
                 "before = 'x'\nprobe = Probe()\nuser.set('ada')")
    notebook.ask("complete_request", {"code": "probe.", "cursor_pos": 6}).wait()
    notebook.ask("inspect_request", {"code": "probe", "cursor_pos": 5, "detail_level": 0}).wait()
    assert user(notebook) == "ada"


def test_a_comms_callback_runs_in_the_notebooks_context(notebook):
    notebook.run("from comm import get_comm_manager\n"
                 "def opened(comm, message):\n    comm.on_msg(lambda _: user.set('widget after ' + user.get()))\n"
                 "get_comm_manager().register_target('probe', opened)\nuser.set('ada')")
    notebook.ask("comm_open", {"comm_id": "1", "target_name": "probe", "data": {}})
    notebook.ask("comm_msg", {"comm_id": "1", "data": {}})
    assert user(notebook) == "widget after ada"
    notebook.ask("comm_close", {"comm_id": "1", "data": {}})


@pytest.mark.parametrize("mode", ["off", "asyncio"])
def test_the_context_lives_on_when_autoawait_changes(notebook, mode):
    notebook.run("%autoawait off\n")
    notebook.run("user.set('ada')")
    notebook.run(f"%autoawait {mode}")
    assert user(notebook) == "ada"
    notebook.run("user.set('bob')")
    notebook.run("%autoawait asyncio")
    assert user(notebook) == "bob"


def test_comparing_sees_the_context_and_leaves_it_alone(notebook):
    notebook.run("import decimal\ndecimal.getcontext().prec = 50\nuser.set('ada')")
    notebook.run("%%compare threads -n 1 --repeat 1 --no-plot\nuser.set('compared')\ndecimal.getcontext().prec = 5")
    assert notebook.run("print(user.get(), decimal.getcontext().prec)").stdout == "ada 50\n"
    notebook.run("decimal.getcontext().prec = 28")
