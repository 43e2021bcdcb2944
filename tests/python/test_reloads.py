# SPDX-License-Identifier: BSD-3-Clause
"""Workers run the code of modules that the notebook has, also after it has loaded them anew."""

import sys

import pytest

import xcores


@pytest.fixture
def module(tmp_path, monkeypatch):
    """Writes a module into a folder where notebook and workers find it."""
    monkeypatch.syspath_prepend(tmp_path)

    def write(name: str, text: str) -> None:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)

    yield write
    for path in tmp_path.rglob("*.py"):
        name = ".".join(path.relative_to(tmp_path).with_suffix("").parts).removesuffix(".__init__")
        sys.modules.pop(name, None)


RATE = "def rate(): return {!r}\n"


@pytest.mark.parametrize("start", ["import helper_a", "from helper_a import rate\nimport helper_a"])
def test_a_reloaded_module_reaches_warm_workers(sending_kind, cell, results, module, start) -> None:
    module("helper_a.py", RATE.format("old"))
    cell(f"{start}\nimport importlib")
    assert results(sending_kind, "helper_a.rate()", 2) == ["old"] * 2
    module("helper_a.py", RATE.format("new"))
    cell(f"importlib.reload(helper_a)\n{start}")
    assert results(sending_kind, "helper_a.rate()", 3) == ["new"] * 3
    if "from" in start:
        assert results(sending_kind, "rate()", 2) == ["new"] * 2
    module("helper_a.py", RATE.format("newest"))
    cell(f"importlib.reload(helper_a)\n{start}")
    assert results(sending_kind, "import helper_a as again\nagain.rate(), helper_a.rate()", 2) == [("newest", "newest")] * 2


def test_a_module_that_was_taken_out_and_imported_again_reaches_warm_workers(sending_kind, cell, results, module) -> None:
    module("helper_b.py", RATE.format("old"))
    cell("import helper_b, sys")
    assert results(sending_kind, "helper_b.rate()") == ["old"] * 2
    module("helper_b.py", RATE.format("new"))
    cell("del sys.modules['helper_b']\nimport helper_b")
    assert results(sending_kind, "helper_b.rate()") == ["new"] * 2


@pytest.mark.parametrize("mode", ["2", "2 --full", "complete"])
def test_what_autoreload_changes_reaches_warm_workers(sending_kind, cell, results, module, tmp_path, mode) -> None:
    module("helper_c.py", RATE.format("old"))
    cell(f"%load_ext autoreload\n%autoreload {mode}")
    try:
        cell("import helper_c\nfrom helper_c import rate")
        assert results(sending_kind, "helper_c.rate(), rate()") == [("old", "old")] * 2
        module("helper_c.py", RATE.format("new"))
        assert results(sending_kind, "helper_c.rate(), rate()") == [("new", "new")] * 2
        assert cell("helper_c.rate()").value == "new"
    finally:
        cell("%autoreload 0")


def test_what_a_changed_module_consists_of_and_who_uses_it_are_loaded_anew(sending_kind, cell, results, module) -> None:
    module("package_d/__init__.py", "from package_d.part import rate\n")
    module("package_d/part.py", RATE.format("old"))
    module("package_d/other.py", "unchanged = True\n")
    module("user_d.py", "from package_d import rate\nimport package_d.other\ndef used(): return rate()\n")
    cell("import importlib, package_d.part, package_d.other, user_d")
    body = "user_d.used(), package_d.rate(), package_d.part.rate(), package_d.other.unchanged"
    assert results(sending_kind, body) == [("old", "old", "old", True)] * 2
    module("package_d/part.py", RATE.format("new"))
    cell("importlib.reload(package_d.part); importlib.reload(package_d); importlib.reload(user_d)")
    assert results(sending_kind, body) == [("new", "new", "new", True)] * 2


def test_a_module_that_a_worker_imported_before_it_was_edited_follows_the_notebooks(
    sending_kind, cell, results, module
) -> None:
    module("helper_g.py", RATE.format("old"))
    assert results(sending_kind, "import helper_g\nhelper_g.rate()") == ["old"] * 2
    module("helper_g.py", RATE.format("newer"))
    cell("import helper_g")
    assert results(sending_kind, "helper_g.rate()") == ["newer"] * 2


def test_modules_of_the_standard_library_are_left_alone(sending_kind, cell, results) -> None:
    cell("import importlib, json, logging")
    results(sending_kind, "json.mark = worker")
    cell("importlib.reload(json)")
    assert results(sending_kind, "json.mark") == [0, 1]


def test_only_a_reload_makes_a_worker_forget_a_module(sending_kind, cell, results, module) -> None:
    module("helper_e.py", "seen = []\n")
    cell("import helper_e")
    assert results(sending_kind, "helper_e.seen.append(1)\nlen(helper_e.seen)") == [1, 1]
    cell("import helper_e\ntry:\n    import no_such_module\nexcept ImportError:\n    pass\n" * 2)
    assert results(sending_kind, "helper_e.seen.append(1)\nlen(helper_e.seen)") == [2, 2]


@pytest.mark.parametrize("executor", [xcores.SubinterpExecutor, xcores.ProcessExecutor])
def test_a_reloaded_module_reaches_running_and_new_executors(executor, cell, shell, module) -> None:
    module("helper_f.py", RATE.format("old"))
    cell("import importlib, helper_f\ndef work(): return helper_f.rate()")
    work = shell.user_ns["work"]
    with executor(1) as pool:
        assert [pool.submit(work).result(), pool.submit(sys.modules["helper_f"].rate).result()] == ["old"] * 2
        module("helper_f.py", RATE.format("new"))
        cell("importlib.reload(helper_f)")
        assert [pool.submit(work).result(), pool.submit(sys.modules["helper_f"].rate).result()] == ["new"] * 2
        assert list(pool.map(lambda _: sys.modules["helper_f"].rate(), [0])) == ["new"]
    with executor(1) as pool:
        assert pool.submit(work).result() == "new"


@pytest.mark.parametrize("executor", [xcores.SubinterpExecutor, xcores.ProcessExecutor])
def test_what_autoreload_changes_reaches_running_executors(executor, cell, shell, module) -> None:
    module("helper_h.py", RATE.format("old"))
    cell("%load_ext autoreload\n%autoreload 2")
    try:
        cell("import helper_h\nfrom helper_h import rate\ndef work(): return helper_h.rate()")
        with executor(1) as pool:
            shell.user_ns["pool"] = pool
            ask = "[pool.submit(one).result() for one in (work, rate, helper_h.rate)]"
            assert cell(ask).value == ["old"] * 3
            module("helper_h.py", RATE.format("new"))
            assert cell(ask).value == ["new"] * 3
    finally:
        cell("%autoreload 0")
