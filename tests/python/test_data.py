# SPDX-License-Identifier: BSD-3-Clause
"""Large data on its way in and out: what is shared, what is copied, and that nobody can tell by the values."""

import array
import ctypes
import gc
import hashlib
import json
import os
import pickle
import re
import zlib

import pytest

from xcores import _engine, _transfer, last_report

LARGE = 2_000_000


def traffic(way: str) -> list[dict[str, int] | None]:
    return [worker[f"bytes_{way}"] for worker in json.loads(last_report().to_json())["workers"]]


@pytest.mark.parametrize(
    "setup",
    [
        "data = bytes(2_000_000)",
        "data = bytearray(2_000_000)",
        "data = memoryview(bytes(2_000_000))",
        "import array\ndata = array.array('d', bytes(2_000_000))",
        "data = {'nested': [(1, bytes(2_000_000))]}",
        "class Box: pass\ndata = Box()\ndata.content = bytearray(2_000_000)",
        "data = 'x' * 2_000_000",
    ],
)
def test_large_data_is_shared_wherever_it_sits(sending_kind, cell, results, setup) -> None:
    cell(setup)
    results(sending_kind, "data is None")
    for one in traffic("in"):
        assert one["shared"] >= LARGE and one["copied"] < 100_000


def test_small_data_is_copied(sending_kind, cell, results) -> None:
    cell("data = bytes(1000)")
    results(sending_kind, "len(data)")
    for one in traffic("in"):
        assert one["shared"] == 0 and one["copied"] >= 1000


def test_large_results_are_shared(sending_kind, results) -> None:
    results(sending_kind, "[bytes(2_000_000)]")
    for one in traffic("out"):
        assert one["shared"] == LARGE and one["copied"] < 10_000


def test_threads_move_nothing(results, cell) -> None:
    cell("data = bytes(2_000_000)")
    assert results("threads", "data")[0] is results("threads", "data")[1]
    assert traffic("in") == [None, None]


def test_the_table_says_how_much_was_shared(sending_kind, cell, results) -> None:
    cell("data = bytes(2_000_000)")
    results(sending_kind, "len(data)")
    assert re.search(r"^data: .* copied and 4[.0]* MB shared in, .* copied out$", last_report().text(), re.MULTILINE)


def test_a_large_view_cannot_be_written_to_in_an_interpreter(cell, results) -> None:
    cell("import array\ndata = memoryview(array.array('i', range(500_000)))")
    body = "try:\n    data[0] = 7\nexcept TypeError:\n    answer = data.readonly, data.format, data[499_999]\nanswer"
    assert results("subinterp", body) == [(True, "i", 499_999)] * 2


def test_what_is_changed_in_a_worker_stays_there(sending_kind, cell, results, shell) -> None:
    cell("import array\na = array.array('i', [1]) * 500_000\nb = bytearray(2_000_000)")
    assert results(sending_kind, "a[0] = 5\na.append(6)\nb += b'x'\nb[0] = 7\na[0], a[-1], len(b), b[0]") == [
        (5, 6, 2_000_001, 7)] * 2
    assert shell.user_ns["a"][0] == 1 and len(shell.user_ns["b"]) == 2_000_000


def test_a_bytearray_can_grow_again_after_the_run(sending_kind, cell, results, shell) -> None:
    cell("data = bytearray(2_000_000)")
    results(sending_kind, "len(data)")
    assert cell("data.append(1)\nlen(data)").value == 2_000_001


SAME = {
    "length": len,
    "item": lambda data: data[5],
    "last item": lambda data: data[-1],
    "small slice": lambda data: data[10:20],
    "large slice": lambda data: data[:1_500_000],
    "slice with a step": lambda data: data[::-7],
    "iteration": lambda data: sum(data),
    "membership": lambda data: (b"\x05\x06" in data, 300 in list(data[:9])),
    "equality": lambda data: (data == bytes(data), bytes(data) == data, data != b"", data == 5),
    "order": lambda data: (data < b"\xff", data >= b"\xff"),
    "concatenation": lambda data: (data + b"end", b"start" + data),
    "repetition": lambda data: (data[:3] * 2, 2 * data[:3]),
    "decoding": lambda data: data.decode("latin-1")[:20],
    "search": lambda data: (data.find(b"\x09"), data.count(b"\x00"), data.startswith(b"\x00\x01")),
    "split": lambda data: len(data.split(b"\xff")),
    "regular expressions": lambda data: re.search(rb"\x07\x08", data).span(),
    "hashlib": lambda data: hashlib.sha256(data).hexdigest(),
    "zlib": lambda data: zlib.crc32(data),
    "join": lambda data: b"".join([data, data]),
    "isinstance": lambda data: isinstance(data, (bytes, bytearray)),
    "pattern": lambda data: [kind for kind in (bytes, bytearray) if isinstance(data, kind)],
    "truth": bool,
    "pickle": lambda data: pickle.loads(pickle.dumps(data, 5)) == data,
    "repr": lambda data: repr(data)[:40],
    "hex": lambda data: data.hex()[:10],
    "memoryview": lambda data: memoryview(data).nbytes,
}


@pytest.mark.parametrize("use", SAME)
@pytest.mark.parametrize("kind", [bytes, bytearray])
def test_shared_bytes_behave_as_their_own_type(kind, use) -> None:
    data = kind(bytes(range(256)) * 8000)
    shared = {bytes: _transfer.make_bytes, bytearray: _transfer.make_bytearray}[kind](memoryview(data).toreadonly())
    assert type(shared) is not kind
    expected = SAME[use](data)
    assert SAME[use](shared) == expected


def test_shared_bytes_are_keys_like_bytes_and_equal_each_other() -> None:
    data = bytes(range(256)) * 8000
    first, second = (_transfer.make_bytes(memoryview(data)) for _ in range(2))
    assert {data: 1}[first] == 1 and first == second and hash(first) == hash(data)
    assert {first: 2}[data] == 2


def test_a_shared_array_behaves_as_an_array() -> None:
    data = array.array("d", range(300_000))
    shared = _transfer.make_array("d", memoryview(data).toreadonly())
    assert isinstance(shared, array.array) and shared.typecode == "d" and shared.itemsize == 8
    assert shared == data and data == shared[:] and shared[2:5] == data[2:5] and sum(shared) == sum(data)
    assert shared.tobytes() == data.tobytes() and shared.index(7.0) == 7 and not isinstance(shared, bytes)
    shared[0] = 9
    assert (shared[0], data[0]) == (9, 0)


def test_a_numpy_array_is_a_view_with_shape_and_format_in_an_interpreter(cell, results) -> None:
    numpy = pytest.importorskip("numpy")
    cell("import numpy\nnumbers = numpy.arange(600_000.0).reshape(3, 200_000)")
    body = "type(numbers).__name__, numbers.shape, numbers.format, numbers.readonly, numbers[2, 1]"
    assert results("subinterp", body) == [("memoryview", (3, 200_000), "d", True, 400_001.0)] * 2
    back = [numpy.asarray(one) for one in results("subinterp", "numbers")]
    assert back[1].shape == (3, 200_000) and back[1][2, 1] == 400_001.0


@pytest.mark.parametrize("expression", ["numpy.arange(10)", "numpy.eye(3)[:, 1]", "numpy.zeros((0, 3))", "numpy.ones(5, bool)"])
def test_small_and_odd_numpy_arrays_arrive_in_interpreters(cell, results, expression) -> None:
    numpy = pytest.importorskip("numpy")
    cell(f"import numpy\nnumbers = {expression}")
    arrived = results("subinterp", "bytes(numbers)")
    assert arrived == [eval(expression, {"numpy": numpy}).tobytes()] * 2


def test_a_numpy_array_is_an_array_in_a_process(cell, results) -> None:
    pytest.importorskip("numpy")
    cell("import numpy\nnumbers = numpy.arange(600_000.0).reshape(3, 200_000)")
    body = "numbers[0, 0] += 1\ntype(numbers).__name__, numbers.shape, numbers.flags.owndata, numbers[0, 0]"
    assert results("procs", body) == [("ndarray", (3, 200_000), False, 1.0)] * 2


@pytest.mark.parametrize("size", [1_500_000, 300_000])
def test_results_outlive_the_workers_that_made_them(sending_kind, results, size) -> None:
    answers = results(sending_kind, f"bytes([worker + 1]) * {size}")
    assert _engine.shutdown()
    assert [set(one) for one in answers] == [{1}, {2}]
    assert [set(one) for one in results(sending_kind, f"bytes([worker + 3]) * {size}")] == [{3}, {4}]


def test_the_same_input_is_not_seen_changing_while_a_worker_keeps_it(cell, results, shell) -> None:
    """The memory of one run's input serves the next, but only when no worker looks at it any more."""
    cell("data = bytes([1]) * 2_000_000")
    results("procs", "import sys\nsys.kept = data")
    cell("data = bytes([2]) * 2_000_000")
    assert results("procs", "import sys\nset(sys.kept), set(data)") == [({1}, {2})] * 2
    results("procs", "import sys\ndel sys.kept")


def test_nothing_is_left_of_large_data(sending_kind, cell, results) -> None:
    def open_files() -> int:
        gc.collect()
        return len(os.listdir("/proc/self/fd"))

    cell("data = bytes(2_000_000)")
    results(sending_kind, "data")
    before = open_files()
    for _ in range(20):
        results(sending_kind, "data")
    assert not [name for name in os.listdir("/dev/shm") if "xcores" in name]  # other programs come and go there
    assert open_files() <= before + 2


def test_the_process_that_workers_are_forked_from_lets_go_of_earlier_inputs(cell, results) -> None:
    cell("class Ring: pass\ndata = Ring()\ndata.itself = data\ndata.content = bytes(2_000_000)")
    for _ in range(4):  # each needs a new worker, which is born with the input
        cell("%%procs 1 --quiet\nimport os\ndata.content\nos._exit(1)")
    [parent] = results("procs", "import os\nos.getppid()", workers=1)
    with open(f"/proc/{parent}/maps") as maps:
        assert sum("memfd:xcores data" in line for line in maps) <= 1


def test_the_result_of_an_item_stays_as_it_was(sending_kind, cell, shell) -> None:
    """What a worker keeps from item to item, it may change; the results of the earlier ones are the notebook's."""
    body = "if 'kept' not in globals():\n    kept = bytearray(2_000_000)\nkept[0] = item\nkept"
    assert cell(f"%%{sending_kind} 1 --map range(4) --quiet -o answers\n{body}").error is None
    assert [one[0] for one in shell.user_ns["answers"]] == [0, 1, 2, 3]


def test_the_result_of_a_worker_that_keeps_its_names_stays_as_it_was(sending_kind, cell, shell) -> None:
    for body in ("kept = bytearray(2_000_000)\nkept", "kept[0] = 1\nkept", "kept.append(2)\nkept"):
        assert cell(f"%%{sending_kind} 1 --keep --quiet -o answers\n{body}").error is None
        shell.user_ns.setdefault("all", []).append(shell.user_ns["answers"][0])
    assert [(one[0], len(one)) for one in shell.user_ns["all"]] == [(0, 2_000_000), (1, 2_000_000), (1, 2_000_001)]


KEEPERS = {
    "the value itself": "array.array('d', [1.0] * 300_000); sys.kept = value",
    "a bytearray": "bytearray([1]) * 2_000_000; sys.kept = value",
    "a part of it": "array.array('d', [1.0] * 300_000); sys.kept = memoryview(value)",
    "what it is a view of": "memoryview(array.array('d', [1.0] * 300_000)); sys.kept = value.obj",
    "a view of the same": "memoryview(array.array('d', [1.0] * 300_000)); sys.kept = value[:]",
    "what it is a read-only view of": "memoryview(array.array('d', [1.0] * 300_000)).toreadonly(); sys.kept = value.obj",
    "what it shares": "memoryview((ctypes.c_double * 300_000)(1.0)); sys.kept = (ctypes.c_double * 300_000).from_buffer(value)",
}


@pytest.mark.parametrize("body", KEEPERS.values(), ids=KEEPERS.keys())
def test_the_result_of_a_cell_stays_as_it_was_though_a_module_keeps_it(sending_kind, cell, results, shell, body) -> None:
    first = results(sending_kind, f"import array, ctypes, sys\nvalue = {body}\nvalue", workers=1)[0]
    before = bytes(first)
    assert results(sending_kind, "import sys\nsys.kept[0] = 7\nsys.kept[0]", workers=1) == [7]
    assert bytes(first) == before
    results(sending_kind, "import sys\ndel sys.kept", workers=1)


OWNED = {
    "array": ("array.array('d', [1.0] * 300_000)", "value.buffer_info()[0]"),
    "bytearray": ("bytearray(2_000_000)", "address_of(value)"),
    "view": ("memoryview(array.array('d', [1.0] * 300_000))", "value.obj.buffer_info()[0]"),
}


@pytest.mark.parametrize("make, address", OWNED.values(), ids=OWNED.keys())
def test_what_only_the_result_refers_to_is_not_copied(results, make, address) -> None:
    body = ("import array, ctypes\ndef address_of(value): return ctypes.addressof(ctypes.c_char.from_buffer(value))\n"
            f"def both():\n    value = {make}\n    return {address}, value\nboth()")
    [(there, value)] = results("subinterp", body, workers=1)
    here = memoryview(ctypes.string_at(there, len(memoryview(value).cast("B"))))
    assert here == memoryview(value).cast("B")
    ctypes.memset(there, 9, 1)  # nobody else would see that
    assert memoryview(value).cast("B")[0] == 9
