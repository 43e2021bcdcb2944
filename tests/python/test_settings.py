# SPDX-License-Identifier: BSD-3-Clause
"""Settings of the notebook that are no names: they hold in its workers as well."""

import decimal
import locale
import logging
import multiprocessing
import os
import sys
import time
import warnings

import pytest
from xcores import ProcessExecutor, SubinterpExecutor

EXECUTORS = {"subinterp": SubinterpExecutor, "procs": ProcessExecutor}


@pytest.fixture
def executor(sending_kind):
    with EXECUTORS[sending_kind](1) as made:
        yield made


@pytest.fixture(params=["fresh", "warm"])
def age(request, sending_kind, cell):
    cell(f"%%{sending_kind} 1 --quiet --fresh\nimport logging, decimal, warnings, time, os")
    if request.param == "fresh":
        cell("%xcores reset")
    return request.param


# Folder


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_a_worker_whose_folder_is_gone_goes_on_in_the_notebooks(cell, shell, tmp_path, monkeypatch, method) -> None:
    home = os.getcwd()
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.chdir(scratch)
    assert cell(f"%%procs 1 --quiet --start {method}\n1").error is None
    monkeypatch.chdir(home)
    scratch.rmdir()
    assert cell(f"%%procs 1 --quiet --start {method} -o where\nimport os\nos.getcwd()").error is None
    assert shell.user_ns["where"] == [home]


@pytest.fixture
def no_folder(tmp_path, monkeypatch):
    scratch = tmp_path / "gone"
    scratch.mkdir()
    monkeypatch.chdir(scratch)
    scratch.rmdir()


@pytest.mark.parametrize("options", ["", "--fresh", "--map range(2)"])
def test_cells_run_where_the_notebooks_folder_is_gone(kind, cell, no_folder, options) -> None:
    ran = cell(f"%%{kind} 1 --quiet {options}\n1")
    assert ran.error is None, ran.text


def test_executors_run_where_the_folder_is_gone(executor, no_folder) -> None:
    assert executor.submit(abs, -1).result() == 1


def test_processes_are_compared_where_the_folder_is_gone(cell, no_folder) -> None:
    ran = cell("%%compare -n 1 --repeat 1 --no-plot\n1")
    assert ran.error is None and "✗" not in str(ran.displays)


def test_each_cell_begins_in_the_notebooks_folder(results, tmp_path) -> None:
    results("procs", f"import os\nos.chdir({str(tmp_path)!r})")
    assert results("procs", "import os\nos.getcwd()") == [os.getcwd()] * 2


def test_jobs_stay_where_the_initializer_has_gone(tmp_path) -> None:
    with ProcessExecutor(1, initializer=os.chdir, initargs=(str(tmp_path),)) as pool:
        assert pool.submit(os.getcwd).result() == str(tmp_path)


# Environment


def test_the_environment_follows(sending_kind, age, results, monkeypatch) -> None:
    monkeypatch.setenv("XCORES_TEST", "1")
    monkeypatch.setenv("XCORES_TEST_GONE", "1")
    results(sending_kind, "0", 1)
    monkeypatch.setenv("XCORES_TEST", "ä\udcff")
    monkeypatch.delenv("XCORES_TEST_GONE")
    body = ("import os, subprocess\nthere = subprocess.run(['printenv', 'XCORES_TEST'], capture_output=True).stdout\n"
            "os.environ['XCORES_TEST'], 'XCORES_TEST_GONE' in os.environ, there, os.environ.copy()")
    ((value, gone, there, everything),) = results(sending_kind, body, 1)
    assert (value, gone, there) == ("ä\udcff", False, "ä".encode() + b"\xff\n")
    assert everything == os.environ.copy()


def test_a_new_executor_has_the_environment_of_now(sending_kind, results, monkeypatch) -> None:
    results(sending_kind, "0", 1)
    monkeypatch.setenv("XCORES_TEST", "set later")
    with EXECUTORS[sending_kind](1) as pool:
        assert pool.submit(os.getenv, "XCORES_TEST").result() == "set later"


def test_a_worker_changes_no_environment_but_its_own(results, monkeypatch) -> None:
    monkeypatch.setenv("XCORES_TEST", "notebook")
    results("procs", "import os\nos.environ['XCORES_TEST'] = 'worker'")
    assert os.environ["XCORES_TEST"] == "notebook"
    assert results("procs", "import os\nos.environ['XCORES_TEST']") == ["notebook"] * 2


@pytest.fixture
def time_zone(monkeypatch):
    def change(name: str) -> None:
        monkeypatch.setenv("TZ", name)
        time.tzset()

    yield change
    monkeypatch.undo()
    time.tzset()


def test_the_time_zone_follows(sending_kind, age, results, time_zone) -> None:
    for zone, offset, name in (("TST-9", "+0900", "TST"), ("XYZ+3", "-0300", "XYZ")):
        time_zone(zone)
        assert results(sending_kind, "import time\ntime.strftime('%z'), time.tzname[0]", 1) == [(offset, name)]


# Settings of the interpreter


@pytest.mark.parametrize(("change", "back", "body"), [
    (lambda: sys.setrecursionlimit(4000), lambda: sys.setrecursionlimit(1000),
     "import sys\ndef depth(n): return n and depth(n - 1)\nsys.getrecursionlimit(), depth(3000)"),
    (lambda: sys.set_int_max_str_digits(10_000), lambda: sys.set_int_max_str_digits(4300), "len(str(10 ** 9000))"),
    (lambda: sys.setswitchinterval(0.001), lambda: sys.setswitchinterval(0.005), "import sys\nsys.getswitchinterval()"),
    (lambda: decimal.setcontext(decimal.Context(prec=50, rounding=decimal.ROUND_DOWN)),
     lambda: decimal.setcontext(decimal.Context()), "import decimal\nstr(decimal.Decimal(2) / 3), decimal.getcontext().rounding"),
])
def test_a_setting_of_the_interpreter_follows(kind, cell, results, change, back, body) -> None:
    results(kind, body.replace("depth(3000)", "0").replace("9000", "9"), 1)
    change()
    try:
        expected = cell(body).value
        assert results(kind, body, 1) == [expected]
        assert results(kind, body, 1) == [expected]
        cell("%xcores reset")
        assert results(kind, body, 1) == [expected]
    finally:
        back()


def test_a_decimal_context_that_a_cell_sets_ends_with_it(kind, results) -> None:
    results(kind, "import decimal\ndecimal.getcontext().prec = 5", 1)
    assert results(kind, "import decimal\ndecimal.getcontext().prec", 1) == [28]


def test_comparing_finds_the_same_under_a_decimal_context(cell) -> None:
    cell("import decimal\ndecimal.getcontext().prec = 50")
    ran = cell("%%compare -n 1 --repeat 1 --no-plot\nassert len(str(decimal.Decimal(1) / 3)) == 52\ndecimal.Decimal(1) / 3")
    cell("decimal.setcontext(decimal.Context())")
    assert ran.error is None and "all the same" in str(ran.displays), ran.displays


def precision() -> int:
    return decimal.getcontext().prec


def set_precision(precision: int) -> None:
    decimal.getcontext().prec = precision


def test_jobs_have_the_decimal_context_of_the_caller(sending_kind) -> None:
    with decimal.localcontext(decimal.Context(prec=40)), EXECUTORS[sending_kind](1) as pool:
        assert pool.submit(precision).result() == 40


def test_what_an_initializer_has_set_holds_for_the_jobs(sending_kind) -> None:
    with EXECUTORS[sending_kind](1, initializer=set_precision, initargs=(7,)) as pool:
        assert pool.submit(precision).result() == 7


def test_the_locale_follows_into_processes(results) -> None:
    before = locale.setlocale(locale.LC_ALL)
    try:
        locale.setlocale(locale.LC_ALL, "C")
        assert results("procs", "import locale\nlocale.setlocale(locale.LC_ALL)", 1) == ["C"]
    finally:
        locale.setlocale(locale.LC_ALL, before)
    assert results("procs", "import locale\nlocale.setlocale(locale.LC_ALL)", 1) == [before]


# Warnings


WARN = "import warnings\nwarnings.warn('{}', {})"


def warned(cell, kind, text="noisy", category="UserWarning"):
    ran = cell(f"%%{kind} 1 --quiet\n{WARN.format(text, category)}")
    return text in ran.text, ran.error is not None


@pytest.fixture
def filters():
    with warnings.catch_warnings():
        yield


@pytest.mark.parametrize(("change", "category", "expected"), [
    ("simplefilter('ignore')", "UserWarning", (False, False)),
    ("filterwarnings('ignore', message='noi')", "UserWarning", (False, False)),
    ("filterwarnings('ignore', message='other')", "UserWarning", (True, False)),
    ("filterwarnings('ignore', category=RuntimeWarning)", "RuntimeWarning", (False, False)),
    ("filterwarnings('ignore', category=RuntimeWarning)", "UserWarning", (True, False)),
    ("simplefilter('error')", "UserWarning", (True, True)),
    ("simplefilter('always', category=ImportWarning)", "ImportWarning", (True, False)),
    ("filterwarnings('ignore', category=Own)", "Own", (False, False)),
    ("filterwarnings('error', category=Own)", "Own", (True, True)),
])
def test_warning_filters_follow(sending_kind, age, cell, filters, change, category, expected) -> None:
    cell("import warnings\nclass Own(UserWarning): pass")
    assert cell(f"warnings.{change}").error is None
    assert warned(cell, sending_kind, category=category) == expected


def test_a_filter_for_a_category_of_a_module_that_is_not_loaded_holds_once_it_is(sending_kind, cell, filters, tmp_path,
                                                                               monkeypatch) -> None:
    (tmp_path / "warning_module.py").write_text("class Alarm(Warning): pass\n")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    cell("import warnings, warning_module\nwarnings.simplefilter('ignore', warning_module.Alarm)")
    cell("del warning_module")
    ran = cell(f"%%{sending_kind} 1 --quiet\nimport warnings, warning_module\nwarnings.warn('noisy', warning_module.Alarm)")
    assert ran.error is None and "noisy" not in ran.text
    sys.modules.pop("warning_module")


def test_filters_that_a_worker_has_itself_stay_until_the_notebook_says_otherwise(sending_kind, cell, filters) -> None:
    cell(f"%%{sending_kind} 1 --quiet --fresh\nimport warnings\nwarnings.simplefilter('ignore')")
    assert warned(cell, sending_kind) == (False, False)
    warnings.simplefilter("always")
    assert warned(cell, sending_kind) == (True, False)


def warn() -> None:
    warnings.warn("noisy", UserWarning, stacklevel=1)


def test_jobs_have_the_warning_filters(executor, filters) -> None:
    warnings.simplefilter("error")
    with pytest.raises(UserWarning):
        executor.submit(warn).result()


# Logging


@pytest.fixture
def clean_logging():
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    root.handlers.clear()
    yield root
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.disable(logging.NOTSET)
    logging.getLogger("xcores.test").setLevel(logging.NOTSET)


def logged(cell, kind, call="info('careful')"):
    return cell(f"%%{kind} 1 --quiet\nimport logging\nlogging.{call}").text


def test_logging_follows_with_its_level_and_format(sending_kind, age, cell, clean_logging) -> None:
    logging.basicConfig(level="INFO", format="<%(levelname)s> %(message)s", stream=sys.__stderr__, force=True)
    assert logged(cell, sending_kind) == "[0] <INFO> careful\n"
    assert logged(cell, sending_kind) == "[0] <INFO> careful\n"
    clean_logging.handlers[0].setFormatter(logging.Formatter("{message}!", style="{"))
    assert logged(cell, sending_kind) == "[0] careful!\n"
    clean_logging.setLevel("ERROR")
    assert logged(cell, sending_kind) == ""


def test_levels_of_other_loggers_and_what_is_disabled_follow(sending_kind, age, cell, clean_logging) -> None:
    logging.basicConfig(format="%(message)s", stream=sys.__stderr__, force=True)
    logging.getLogger("xcores.test").setLevel("DEBUG")
    assert logged(cell, sending_kind, "getLogger('xcores.test').debug('fine')") == "[0] fine\n"
    logging.getLogger("xcores.test").setLevel("NOTSET")
    assert logged(cell, sending_kind, "getLogger('xcores.test').debug('fine')") == ""
    logging.disable("CRITICAL")
    assert logged(cell, sending_kind, "critical('lost')") == ""


def test_a_log_file_of_the_notebook_is_not_written_to_by_workers(sending_kind, cell, clean_logging, tmp_path) -> None:
    logging.basicConfig(level="INFO", filename=str(tmp_path / "log"), force=True)
    assert logged(cell, sending_kind, "getLogger().info('careful')") == ""
    assert (tmp_path / "log").read_text() == ""
    clean_logging.handlers[0].close()


def test_what_a_worker_has_set_up_for_its_logs_stays(sending_kind, cell, clean_logging) -> None:
    cell(f"%%{sending_kind} 1 --fresh --quiet\n1")
    call = "basicConfig(level='INFO', format='%(message)s')\nlogging.info('told')"
    assert [logged(cell, sending_kind, call) for _ in range(2)] == ["[0] told\n"] * 2


# multiprocessing


def first_byte(name: str) -> int:
    from multiprocessing import shared_memory

    block = shared_memory.SharedMemory(name)
    try:
        return block.buf[0]
    finally:
        block.close()


SHARED = "from multiprocessing import shared_memory\nblock = shared_memory.SharedMemory({!r})\nblock.buf[0]"


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
@pytest.mark.parametrize("way", ["name", "object", "map", "executor", "warm"])
def test_shared_memory_outlives_the_workers_that_have_opened_it(cell, shell, capfd, method, way) -> None:
    from multiprocessing import resource_tracker, shared_memory

    if way == "warm":  # with a tracker of its own, because the notebook has none yet
        cell("%xcores reset")
        cell(f"%%procs 1 --start {method}\nfrom multiprocessing import resource_tracker\nresource_tracker.ensure_running()")
    block = shared_memory.SharedMemory(create=True, size=16)
    block.buf[0] = 9
    options = f"--quiet -o seen --start {method}"
    if way == "executor":
        with ProcessExecutor(1, start_method=method) as pool:
            shell.user_ns["seen"] = [pool.submit(first_byte, block.name).result()]
    elif way == "object":
        shell.user_ns["block"] = block
        cell(f"%%procs 1 {options}\nblock.buf[0]")
    else:
        ran = cell(f"%%procs 1 {options} {'--map range(1)' if way == 'map' else ''}\n{SHARED.format(block.name)}")
        assert ran.error is None, ran.text
    assert shell.user_ns["seen"] == [9]
    cell("%xcores reset")
    resource_tracker._resource_tracker._check_alive()
    again = shared_memory.SharedMemory(block.name)
    assert again.buf[0] == 9
    again.close()
    shell.user_ns.pop("block", None)
    block.close()
    block.unlink()


def test_the_start_method_of_multiprocessing_follows(results) -> None:
    method = multiprocessing.get_start_method(allow_none=True)
    try:
        multiprocessing.set_start_method("spawn", force=True)
        assert results("procs", "import multiprocessing\nmultiprocessing.get_start_method()", 1) == ["spawn"]
    finally:
        multiprocessing.set_start_method(method, force=True)
