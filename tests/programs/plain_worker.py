# SPDX-License-Identifier: BSD-3-Clause
"""The Python half of a worker for the engine's own tests: runs the program whose name it is sent, and nothing else."""
import sys


def setup(kind):
    import _xcores

    class Stream:
        def __init__(self, number):
            self.number = number

        def write(self, text):
            _xcores.write(self.number, text)

        def flush(self):
            pass

    sys.stdout, sys.stderr = Stream(1), Stream(2)


class Job:
    import_ns = 0
    result = None
    payload = b""
    sent = ()
    ending = ("returned", "", "", "", None)


def prepare(data, buffers, index, workers, feed=None):
    job = Job()
    job.name, job.index, job.workers, job.buffers, job.feed = data.decode(), index, workers, buffers, feed
    if job.name == "refuse":
        raise LookupError("no such data")
    if job.name in imports:
        import time

        job.import_ns = imports[job.name]
        until = time.monotonic_ns() + job.import_ns
        while time.monotonic_ns() < until:
            pass
    if job.name == "boast":
        job.import_ns = 3_600_000_000_000
    if job.name == "exit while preparing":
        import os

        os._exit(9)
    if job.name == "start a thread while preparing":
        import threading

        threading.Thread(target=threading.Event().wait, daemon=True).start()
    return job


def adopt(job, index, workers, feed):
    job.index, job.workers, job.feed = index, workers, feed


def forget(job):
    pass


def may_be_copied():
    return True


def reseed_after_fork():
    pass


def let_go_of_filters():
    pass


def answer(job):
    job.payload = f"worker {job.index} of {job.workers}".encode()
    return 42


def fail(job):
    raise ValueError("bad")


def spin(job):
    while True:
        pass


def stubborn(job):
    import time

    while True:
        try:
            print("here to stay")
            time.sleep(3600)
        except KeyboardInterrupt:
            pass


def chatter(job):
    for line in range(20000):
        print(f"line {line}")
    print("done", file=sys.stderr)


def work(job, seconds=0.05):
    import time

    until = time.thread_time() + seconds
    while time.thread_time() < until:
        pass


def long_work(job):
    work(job, 0.5)


def second_of_work(job):
    work(job, 1)


def sleep_and_note(job):
    import time

    noted = []
    for _ in range(100):
        before = time.monotonic_ns()
        time.sleep(0.002)
        noted.append((before, time.monotonic_ns()))
    job.payload = " ".join(f"{before} {after}" for before, after in noted).encode()


def release_often(job):
    import os
    import time

    until = time.thread_time() + 0.5
    with open(os.devnull, "rb", buffering=0) as file:
        while time.thread_time() < until:
            for _ in range(1000):
                file.read(1)


def switch_often(job):
    import time

    until = time.thread_time() + 0.5
    while time.thread_time() < until:
        time.sleep(0)


def hash_much(job):
    import hashlib
    import time

    data = bytes(10_000_000)
    until = time.thread_time() + 0.5
    while time.thread_time() < until:
        hashlib.sha256(data)


def compress(job):
    import time
    import zlib

    data = bytes(range(256)) * 40_000
    until = time.thread_time() + 0.5
    while time.thread_time() < until:
        zlib.compress(data, 6)


def touch(job):
    import mmap

    with mmap.mmap(-1, 16 << 20) as memory:
        if hasattr(mmap, "MADV_NOHUGEPAGE"):
            memory.madvise(mmap.MADV_NOHUGEPAGE)
        for at in range(0, len(memory), mmap.PAGESIZE):
            memory[at] = 1


def sleep(job):
    import time

    time.sleep(0.3)


def buffers(job):
    job.payload = b"".join(bytes(one[:4]) for one in job.buffers)
    return [len(one) for one in job.buffers]


def large_result(job):
    job.sent = [bytes([job.index + 1]) * (1 << 20), b"small"]


def keep(job):
    sys.kept = job.buffers


def kept(job):
    return [bytes(one[:4]) for one in sys.kept]


def cores(job):
    import os

    return len(os.sched_getaffinity(0))


def parent(job):
    import os

    return os.getppid()


def hard_exit(job):
    import os

    os._exit(3)


def segfault(job):
    import ctypes

    ctypes.string_at(0)


def soft_exit(job):
    raise SystemExit(5)


programs = {"answer": answer, "raise": fail, "spin": spin, "stubborn": stubborn, "chatter": chatter, "work": work,
            "long work": long_work, "second of work": second_of_work, "sleep and note": sleep_and_note, "release often": release_often, "switch often": switch_often, "hash": hash_much, "compress": compress, "touch": touch, "sleep": sleep, "buffers": buffers, "hard exit": hard_exit, "segfault": segfault,
            "soft exit": soft_exit, "large result": large_result, "keep": keep, "kept": kept, "cores": cores,
            "parent": parent, "start a thread while preparing": parent, "import": answer, "import a little": answer,
            "boast": answer}  # fmt: skip
imports = {"import": 5_000_000, "import a little": 500_000}


def each(job):
    take, done = job.feed
    while (chunk := take()) is not None:
        first, items = chunk
        for number, (data, buffers) in enumerate(items, first):
            item = prepare(data, buffers, job.index, job.workers)
            execute(item)
            payload = [b"".join(bytes(one) for one in buffers)] if buffers else []
            done(number, (*item.ending, repr(item.result), b"item %d" % number, payload))
            if item.ending[0] == "interrupted":
                raise KeyboardInterrupt


programs["each"] = each


def execute(job):
    try:
        job.result = programs[job.name](job)
    except KeyboardInterrupt:
        job.ending = ("interrupted", "", "KeyboardInterrupt", "", None)
    except SystemExit as end:
        job.ending = ("exited", "", f"exit code {end.code}", "", end.code)
    except Exception as error:
        job.ending = ("raised", type(error).__name__, str(error), "", None)


def collect(job):
    return (*job.ending, "" if job.result is None else repr(job.result), job.payload, job.sent)


# Jobs


def begin_jobs():
    pass


def fail_if_bad(text):
    if text == "bad":
        raise ValueError(text)
    return text


def read(path):
    with open(path) as pipe:
        return pipe.read()


def die(text):
    hard_exit(None)


functions = {b"echo": str, b"raise": fail_if_bad, b"read": read, b"die": die}


def function(data, buffers):
    return functions[bytes(data)]


def loaded(data, buffers):
    return ((bytes(data).decode(),),)


def dumped_result(value):
    raise TypeError(f"not a text: {value}")


dumped_last = dumped_result


def failure(error):
    return type(error).__name__, str(error), "", None
