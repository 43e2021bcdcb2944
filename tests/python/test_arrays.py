# SPDX-License-Identifier: BSD-3-Clause
"""Values that are no plain buffer: whatever pickles arrives, of any size, both ways, and can be changed there."""

import ctypes
import io
import pickle

import pytest

from xcores import ProcessExecutor, _transfer

numpy = pytest.importorskip("numpy")

ARRAYS = {
    "contiguous": "np.arange({n}.0)",
    "a slice with a step": "np.arange({n} * 2.0)[::2]",
    "reversed": "np.arange({n}.0)[::-1]",
    "Fortran order": "np.asfortranarray(np.arange({n}.0).reshape(2, -1))",
    "columns of an image": "np.arange({n} * 3).reshape(-1, 1, 3).astype('u8')[:, :, ::-1]",
    "transposed in part": "np.arange({n}.0).reshape(2, 2, -1).transpose(1, 0, 2)",
    "broadcast": "np.broadcast_to(np.arange({n} / 2), (2, {n} // 2))",
    "dates": "np.arange({n}).astype('datetime64[s]')",
    "every second date": "np.arange({n} * 2).astype('datetime64[s]')[::2]",
    "differences of dates": "np.arange({n}).astype('timedelta64[ms]')",
    "dates in Fortran order": "np.asfortranarray(np.arange({n}).astype('datetime64[D]').reshape(2, -1))",
    "records": "np.zeros({n}, [('a', 'i4'), ('b', 'f8')])",
    "records with dates": "np.zeros({n}, [('a', 'i4'), ('b', 'M8[s]')])",
    "one field of records": "np.zeros({n}, [('a', 'i8'), ('b', 'f8')])['a']",
    "masked": "np.ma.masked_array(np.arange({n}.0), np.arange({n}) % 2 == 0)",
    "a matrix": "np.matrix(np.arange({n}.0).reshape(2, -1))",
    "a record array": "np.rec.fromarrays([np.arange({n}), np.arange({n}.0)], names='a,b')",
    "big-endian": "np.arange({n}).astype('>i8')",
    "complex": "np.arange({n}).astype(complex)",
    "text": "np.arange({n}).astype('U8')",
    "objects": "np.array([1, 'a', None] * ({n} // 3), dtype=object)",
}
SMALL, BIG = 12, 300_000


def _same(first, second) -> bool:
    if not isinstance(first, numpy.ndarray):
        return type(first) is type(second) and first == second
    return (type(first) is type(second) and first.dtype == second.dtype and first.shape == second.shape
            and bool(numpy.all(numpy.ma.getdata(first) == numpy.ma.getdata(second)))
            and bool(numpy.all(numpy.ma.getmaskarray(first) == numpy.ma.getmaskarray(second))))


def _made(recipe: str, size: int):
    return eval(recipe.replace("{n}", str(size)), {"np": numpy})


@pytest.fixture(scope="module")
def pool():
    with ProcessExecutor(1) as one:
        yield one


@pytest.mark.parametrize("size", [SMALL, BIG], ids=["small", "large"])
@pytest.mark.parametrize("recipe", ARRAYS.values(), ids=ARRAYS.keys())
def test_any_array_arrives_in_a_process_and_comes_back(pool, recipe, size) -> None:
    values = _made(recipe, size)
    back = pool.submit(lambda one: (one.copy(), one), values).result()
    for one in back:
        assert _same(one, values)
        assert one.flags.writeable
        one[0] = one[1]


@pytest.mark.parametrize("recipe", ARRAYS.values(), ids=ARRAYS.keys())
def test_any_large_array_of_the_notebook_arrives_in_a_cell_and_as_an_item(recipe, cell, shell) -> None:
    assert cell(f"import numpy as np\nvalues = {recipe.replace('{n}', str(BIG))}").error is None
    assert cell("%%procs 1 --quiet -o answers\nnested = {'a': [values]}\nnested").error is None
    assert _same(shell.user_ns["answers"][0]["a"][0], shell.user_ns["values"])
    assert cell("%%procs 1 --map [values] --quiet -o answers\nitem[0] = item[1]\nitem").error is None
    expected = shell.user_ns["values"].copy()
    expected[0] = expected[1]
    assert _same(shell.user_ns["answers"][0], expected)


FRAMES = {
    "dates": "pd.DataFrame({'t': pd.date_range('2020', periods=200_000, freq='h'), 'x': 1.5})",
    "time zones": "pd.Series(pd.date_range('2020', periods=200_000, freq='h', tz='Europe/Berlin'))",
    "periods": "pd.Series(pd.period_range('2020', periods=200_000, freq='h'))",
    "every second row": "pd.DataFrame({'a': np.arange(400_000), 'b': np.arange(400_000)})[::2]",
    "an index of dates": "pd.Series(np.arange(200_000.0), index=pd.date_range('2020', periods=200_000, freq='h'))",
    "differences": "pd.Series(pd.date_range('2020', periods=200_000, freq='h')).diff()",
    "categories": "pd.Series(['a', 'b'] * 600_000, dtype='category')",
    "text": "pd.Series(['a', 'b'] * 100_000)",
    "missing integers": "pd.Series([1, None] * 100_000, dtype='Int64')",
}


@pytest.mark.parametrize("recipe", FRAMES.values(), ids=FRAMES.keys())
def test_any_frame_arrives_and_comes_back_and_can_be_changed(pool, recipe) -> None:
    pandas = pytest.importorskip("pandas")
    frame = eval(recipe, {"pd": pandas, "np": numpy})
    back = pool.submit(lambda one: one, frame).result()
    assert back.equals(frame) and type(back) is type(frame)
    back.iloc[0] = back.iloc[1]
    assert not back.equals(frame)


STRICT = """
class Strict:
    '''Stands for a type whose C code insists on bytes objects.'''

    def __init__(self, content):
        self.content = content

    def __reduce__(self):
        return Strict, (self.content,), {"again": self.content, "nested": [(self.content,)]}

    def __setstate__(self, state):
        for content in (self.content, state["again"], state["nested"][0][0]):
            if type(content) not in (bytes, bytearray):
                raise TypeError(f"bytes expected, not {type(content).__name__}")
"""


@pytest.mark.parametrize("made", ["bytes", "bytearray"])
def test_code_that_insists_on_bytes_gets_bytes(sending_kind, made, cell, shell) -> None:
    assert cell(f"{STRICT}\nvalue = Strict({made}(2_000_000))").error is None
    ran = cell(f"%%{sending_kind} 1 --quiet -o answers\n[value, value]")
    assert ran.error is None, ran.text
    back = shell.user_ns["answers"][0]
    assert back[0] is back[1] and type(back[0].content).__name__ == made and len(back[0].content) == 2_000_000


@pytest.mark.parametrize("size", [1000, 2_000_000])
@pytest.mark.parametrize("expression", [
    "type('A', (array.array,), {})('d', bytes({n}))", "collections.deque([bytes({n}), bytearray({n})])",
    "fractions.Fraction(10 ** 1000, 7)", "decimal.Decimal('1.5')", "uuid.UUID(int=5)", "datetime.datetime(2020, 1, 1)",
    "ValueError(bytes({n}))", "collections.OrderedDict(a=bytes({n}))", "functools.partial(max, bytes({n}))",
    "pickle.PickleBuffer(bytes({n}))", "pathlib.PurePosixPath('a')", "types.SimpleNamespace(a=bytes({n}))",
    "collections.defaultdict(list, a=[bytes({n})])",
])
def test_values_of_the_library_with_bytes_in_them_arrive(sending_kind, cell, shell, expression, size) -> None:
    names = "import array, collections, datetime, decimal, fractions, functools, pathlib, pickle, types, uuid"
    assert cell(f"{names}\nvalue = {expression.replace('{n}', str(size))}").error is None
    assert cell(f"%%{sending_kind} 1 --quiet -o answers\nvalue").error is None
    given, back = shell.user_ns["value"], shell.user_ns["answers"][0]
    if isinstance(given, pickle.PickleBuffer):
        assert bytes(back) == bytes(given)
    elif isinstance(given, Exception):
        assert back.args == given.args
    elif hasattr(given, "func"):
        assert (back.func, back.args) == (given.func, given.args)
    else:
        assert back == given


@pytest.mark.parametrize("size", [3, 300_000])
def test_arrays_and_structures_of_ctypes_arrive_and_come_back(sending_kind, cell, shell, size) -> None:
    cell(f"import ctypes\nvalues = (ctypes.c_double * {size})(1.5, 2.5)\n"
         "class Point(ctypes.Structure):\n"
         "    _fields_ = [('x', ctypes.c_int), ('row', ctypes.c_short * 2)]\n"
         "    def total(self): return self.x + sum(self.row)\n"
         "point = Point(4, (ctypes.c_short * 2)(1, 2))\n")
    ran = cell(f"%%{sending_kind} 1 --quiet -o answers\nvalues[1] += 1\npoint.x += 1\n(point.total(), values, point, [Point(1)])")
    assert ran.error is None, ran.text
    total, values, point, more = shell.user_ns["answers"][0]
    assert total == 8 and list(values[:2]) == [1.5, 3.5] and len(values) == size
    assert type(values) is ctypes.c_double * size
    assert type(point) is type(more[0]) is shell.user_ns["Point"] and point.total() == 8


@pytest.mark.parametrize("size", [10, 300_000])
def test_an_array_that_cannot_be_changed_stays_so(pool, size) -> None:
    values = numpy.arange(size)
    values.flags.writeable = False
    assert not pool.submit(lambda one: one, values).result().flags.writeable


@pytest.mark.parametrize("size", [10, 300_000])
def test_a_result_that_holds_an_array_twice_holds_one(pool, size) -> None:
    first, second = pool.submit(lambda one: [one, one], numpy.arange(size)).result()
    assert first is second


@pytest.mark.parametrize("expression", ["numpy.zeros((0, 3))", "numpy.array(2.5)", "numpy.zeros(0, 'M8[s]')",
                                        "numpy.array('2020-01-01', 'M8[D]')", "numpy.float32(2.5)"])
def test_arrays_without_elements_or_dimensions_arrive(pool, expression) -> None:
    values = eval(expression, {"numpy": numpy})
    back = pool.submit(lambda one: one, values).result()
    assert _same(back, values)


@pytest.mark.parametrize("size", [6, 600_000])
@pytest.mark.parametrize("form", ["b", "i", "d"])
def test_a_view_that_is_no_plain_buffer_keeps_its_shape_and_format(size, form) -> None:
    view = memoryview(bytearray(memoryview(b"").cast(form).itemsize * size)).cast(form)
    for one in (view[::2], view.cast("B").cast(form, (2, size // 2)), view[:0]):
        data, buffers = _transfer.dumped(one)
        back = _transfer.Reader(io.BytesIO(data), buffers).load()
        assert (back.format, back.shape) == (one.format, one.shape) and back.tolist() == one.tolist()


@pytest.mark.parametrize("size", [1000, 2_000_000])
def test_objects_that_hand_their_buffers_over_arrive(sending_kind, cell, shell, size) -> None:
    assert cell(f"""
import pickle
class Image:
    def __init__(self, pixels):
        self.pixels = pixels
    def __reduce_ex__(self, protocol):
        return Image, (pickle.PickleBuffer(self.pixels),)
value = Image(bytearray({size}))
""").error is None
    ran = cell(f"%%{sending_kind} 1 --quiet -o answers\nImage(bytearray(value.pixels) + b'end')")
    assert ran.error is None, ran.text
    pixels = shell.user_ns["answers"][0].pixels
    pixels[0] = 1
    assert bytes(pixels) == b"\1" + bytes(size - 1) + b"end"


FORMATS = """
import ctypes, numpy as np
views = [memoryview(one) for one in (
    np.arange(3, dtype='>i4'), np.arange(4).reshape(2, 2) * (1 + 2j), np.array([(1, 2.5)], 'i4,f8'), np.array(['ab', 'c']),
    np.array([b'ab', b'c']), np.zeros(2, 'g'), np.array([[1], [2]], object), np.zeros(2, 'V4'), np.zeros((0, 3)), np.array(7),
    np.arange(1 << 18, dtype='>i8'), np.arange(8, dtype='>i4')[::-2], np.zeros((1 << 10, 1 << 8), complex)[1:])]
def told(view):
    return view.format, view.shape, view.readonly, np.asarray(view).tolist()
"""


def test_a_view_of_any_format_arrives_in_a_process_and_comes_back(cell, shell, pool) -> None:
    cell(FORMATS)
    told, views = shell.user_ns["told"], shell.user_ns["views"]
    expected = [told(view) for view in views]
    ran = cell("%%procs 1 --quiet -o answers\n[told(view) for view in views], views")
    assert ran.error is None, ran.text
    (there, back), = shell.user_ns["answers"]
    assert there == expected and [told(view) for view in back] == expected
    for view, known in zip(views, expected, strict=True):
        assert told(pool.submit(lambda one: one, view).result()) == known
    ran = cell('%%procs 2 --quiet -o answers --map "views"\ntold(item)')
    assert ran.error is None and shell.user_ns["answers"] == expected, ran.text


def test_a_view_of_an_array_that_interpreters_have_too_arrives_there(cell, results) -> None:
    cell("import array, ctypes\nclass Pair(ctypes.Structure): _fields_ = [('a', ctypes.c_int), ('b', ctypes.c_double)]")
    cell("v = memoryview(array.array('w', 'abc'))\nw = memoryview((Pair * 2)(Pair(1, 2.5)))")
    ((form, there, shape, back),) = results("subinterp", "v.format, v.obj.tounicode(), (w.format, w.shape), w", 1)
    assert (form, there, shape) == ("w", "abc", ("T{<i:a:4x<d:b:}", (2,))) and (back.obj[0].a, back.obj[0].b) == (1, 2.5)


def test_a_view_that_cannot_be_made_in_an_interpreter_is_refused(cell) -> None:
    cell(FORMATS + "v = views[0]")
    ran = cell("%%subinterp 1\nv")
    assert "no view of format '>i' can be made there; send what it is a view of, or its tobytes()" in ran.text
    assert "it is a memoryview, and cannot be pickled" in ran.text
