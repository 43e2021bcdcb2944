# SPDX-License-Identifier: BSD-3-Clause
"""Data that was sent can be changed where it arrives, and nobody else notices."""

import gc
import json

import pytest

from xcores import ProcessExecutor, SubinterpExecutor, last_report

SIZES = pytest.mark.parametrize("size", [1000, 100_000, 2_000_000])
VIEWS = {
    "a view of a bytearray": "memoryview(bytearray({n}))",
    "a view with a format": "memoryview(array.array('i', [0]) * ({n} // 4))",
    "a bytearray": "bytearray({n})",
    "an array": "array.array('i', [0]) * ({n} // 4)",
    "a view of a mapping": "memoryview(mmap.mmap(-1, {n}))",
}


@SIZES
@pytest.mark.parametrize("recipe", VIEWS.values(), ids=VIEWS.keys())
def test_results_can_be_changed(sending_kind, results, recipe, size) -> None:
    for one in results(sending_kind, f"import array, mmap\n{recipe.replace('{n}', str(size))}"):
        one[1] = 7
        assert (one[0], one[1]) == (0, 7) and not memoryview(one).readonly


@SIZES
@pytest.mark.parametrize("executor", [ProcessExecutor, SubinterpExecutor])
def test_results_of_executors_can_be_changed(executor, size) -> None:
    with executor(1) as pool:
        results = [pool.submit(_zeros, size).result(), *pool.map(_zeros, [size] * 3)]
    for one in results:
        one[1] = 7
        assert (one[0], one[1]) == (0, 7)


def _zeros(size):
    return memoryview(bytearray(size))


@pytest.mark.parametrize("size", [100, 300_000])
def test_arrays_of_numpy_are_writable_in_a_process_and_afterwards(cell, shell, size) -> None:
    pytest.importorskip("numpy")
    cell(f"import numpy\nvalues = numpy.zeros({size})")
    assert cell("%%procs 2 --quiet -o answers\nvalues[0] += worker + 1\nvalues.sort()\nvalues").error is None
    first, second = shell.user_ns["answers"]
    first[0] = 5
    assert (first[-1], second[-1], second[0], shell.user_ns["values"].any()) == (1, 2, 0, False)


def test_frames_are_writable_in_a_process_and_afterwards(cell, shell) -> None:
    pytest.importorskip("pandas")
    cell("import pandas\nframe = pandas.DataFrame({'a': range(300_000), 'b': 1.5})")
    assert cell("%%procs 1 --quiet -o answers\nframe['a'] += 1\nframe.loc[0, 'b'] = 2\nframe").error is None
    back, frame = shell.user_ns["answers"][0], shell.user_ns["frame"]
    back["a"] += 1
    assert (back["a"][0], back["b"][0], frame["a"][0], frame["b"][0]) == (2, 2, 0, 1.5)


@pytest.mark.parametrize("size", [1000, 100_000])
def test_what_is_small_can_be_changed_in_a_worker(sending_kind, cell, results, shell, size) -> None:
    cell(f"import array\nview = memoryview(bytearray({size}))\nnumbers = memoryview(array.array('d', [0.0]) * ({size} // 8))")
    assert results(sending_kind, "view[0] = worker + 1\nnumbers[1] = 2.5\nview[0], numbers[1]") == [(1, 2.5), (2, 2.5)]
    assert shell.user_ns["view"][0] == 0


def test_each_process_changes_its_own_pages_and_the_next_run_sees_none_of_it(cell, results, shell) -> None:
    cell("view = memoryview(bytearray(2_000_000))")
    body = "import time\nview[worker] = worker + 1\nview[1_000_000] += 1\nsum(view[:4]), view[1_000_000]"
    for _ in range(3):
        assert results("procs", body) == [(1, 1), (2, 1)]
    assert not any(shell.user_ns["view"][:4])


def test_what_a_process_keeps_stays_as_it_has_changed_it(cell, results) -> None:
    cell("view = memoryview(bytearray(2_000_000))")
    results("procs", "import sys\nview[0] = worker + 1\nsys.kept = view")
    cell("view = memoryview(bytearray(b'x') * 2_000_000)")
    assert results("procs", "import sys\nsys.kept[0], sys.kept[1_999_999], view[0]") == [(1, 0, 120), (2, 0, 120)]
    results("procs", "import sys\ndel sys.kept")


READ_ONLY = {
    "a name": ("values", "values[0] = 1", "`values` is shared with the notebook: change a copy (`values = bytearray(values)`)"),
    "in a function": ("values", "def change(part): part[0] = 1\nchange(values)", "`part` is shared with the notebook: change a copy"),
    "a format": ("numbers", "numbers[0] = 1",
                 "change a copy (`numbers = memoryview(bytearray(numbers)).cast(numbers.format, numbers.shape)`)"),
    "in a list": ("several", "several[0][0] = 1", "`several` is shared with the notebook: change a copy"),
    "through a library": ("values", "import struct\nstruct.pack_into('i', values, 0, 1)", "`values` is shared with the notebook"),
}


@pytest.mark.parametrize("name, body, note", READ_ONLY.values(), ids=READ_ONLY.keys())
def test_an_error_says_that_data_is_shared_with_the_notebook(cell, name, body, note) -> None:
    cell("import array\nvalues = memoryview(bytearray(2_000_000))\n"
         "numbers = memoryview(array.array('d', [0.0]) * 300_000)\nseveral = [values]")
    ran = cell(f"%%subinterp 1 --no-plot\n{body}")
    assert ran.text.count(note) == 1, ran.text


def test_an_error_of_other_read_only_data_has_no_hint(cell) -> None:
    cell("values = memoryview(bytearray(2_000_000))")
    ran = cell("%%subinterp 1 --no-plot\nlen(values)\nown = memoryview(b'abc')\nown[0] = 1")
    assert "read-only" in ran.text and "shared with the notebook" not in ran.text


def test_the_error_of_a_job_says_that_data_is_shared() -> None:
    with SubinterpExecutor(1) as pool, pytest.raises(TypeError) as caught:
        pool.submit(_change, memoryview(bytearray(2_000_000))).result()
    assert caught.value.__notes__ == ["`part` is shared with the notebook: change a copy (`part = bytearray(part)`)"]


def _change(part):
    part[0] = 1


@pytest.mark.parametrize("recipe", VIEWS.values(), ids=VIEWS.keys())
def test_a_result_that_is_the_input_does_not_follow_the_notebook(sending_kind, cell, results, shell, recipe) -> None:
    cell(f"import array, mmap\nvalues = {recipe.replace('{n}', '2_000_000')}")
    back = results(sending_kind, "values", workers=1)[0]
    back[0] = 5
    shell.user_ns["values"][1] = 6
    assert (shell.user_ns["values"][0], back[1]) == (0, 0)


def test_a_result_that_is_an_input_of_bytes_is_not_copied(cell, results, shell) -> None:
    cell("values = bytes(2_000_000)")
    results("subinterp", "values")
    workers = json.loads(last_report().to_json())["workers"]
    assert [one["bytes_out"]["shared"] for one in workers] == [2_000_000] * 2


def test_the_memory_of_changed_results_goes_with_them(results) -> None:
    def mapped() -> int:
        gc.collect()
        with open("/proc/self/maps") as maps:
            return sum("memfd:xcores data" in line for line in maps)

    results("procs", "1")
    before = mapped()
    kept = results("procs", "memoryview(bytearray(2_000_000))")
    for one in kept:
        one[:1_000_000] = b"x" * 1_000_000
    assert mapped() > before
    del kept, one
    results("procs", "1")  # in the place where the others were put
    assert mapped() <= before


@pytest.mark.parametrize("large", [False, True])
def test_what_goes_to_and_comes_back_from_items_is_counted(sending_kind, cell, large) -> None:
    size = 2_000_000 if large else 10_000
    assert cell(f"%%{sending_kind} 2 --map '[bytes({size})] * 4' --no-plot -o answers\nitem[:-1] + b'x'").error is None
    workers = json.loads(last_report().to_json())["workers"]
    way = "shared" if large else "copied"
    for direction in ("bytes_in", "bytes_out"):
        total = sum(one[direction][way] for one in workers)
        assert 4 * size <= total < 4 * size + 100_000
