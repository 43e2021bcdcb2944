# SPDX-License-Identifier: BSD-3-Clause
"""The ways to hand work to workers: the executors and the magics of xcores, and their peers.

All do the same work (`jobs.py`): `first` makes workers and waits for one result of each, the other actions need them.
"""

import functools
import logging
import multiprocessing
import os
import tempfile
import warnings
from collections.abc import Callable
from concurrent import futures
from typing import Any

import cell
import jobs


class Pool:
    """An executor, or `multiprocessing.Pool`."""

    repeats = 50
    """How often an empty job is fanned out at a time; the median counts."""

    def __init__(self, make: Callable[[int], Any]) -> None:
        self.make = make
        self.pool: Any = None

    def first(self, workers: int) -> None:
        self.pool = self.make(workers)
        self.all(workers, jobs.nothing)

    def all(self, workers: int, job: Callable[..., object], *arguments: object) -> None:
        if isinstance(self.pool, futures.Executor):
            for one in [self.pool.submit(job, *arguments) for _ in range(workers)]:
                one.result()
        else:
            for one in [self.pool.apply_async(job, arguments) for _ in range(workers)]:
                one.get()

    def warm(self, workers: int) -> None:
        self.all(workers, jobs.pause)

    def nothing(self, workers: int) -> None:
        self.all(workers, jobs.nothing)

    def argument(self, workers: int, data: object) -> None:
        self.all(workers, jobs.length, data)

    def result(self, _workers: int) -> None:
        self.all(1, jobs.large)

    def map(self, _workers: int, job: str, items: int) -> None:
        for _ in self.pool.map(getattr(jobs, job), range(items)):
            pass

    def close(self) -> None:
        if isinstance(self.pool, futures.Executor):
            self.pool.shutdown()
        else:
            self.pool.terminate()


class Cells:
    """The magics, in a notebook whose session is warm."""

    repeats = 5

    def __init__(self, magic: str, options: str = "") -> None:
        self.magic, self.options = magic, options
        cell.shell().user_ns["jobs"] = jobs
        import cloudpickle  # noqa: F401, PLC0415

        cell.run("threads", "1 --quiet", "0")

    def run(self, workers: int, body: str, options: str = "") -> None:
        cell.run(self.magic, f"{workers} --quiet -o out {self.options} {options}", body)

    def first(self, workers: int) -> None:
        self.run(workers, "None")

    warm = nothing = first

    def argument(self, workers: int, data: object) -> None:
        cell.shell().user_ns["data"] = data
        self.run(workers, "len(data)")

    def result(self, _workers: int) -> None:
        self.run(1, f"bytes({jobs.LARGE})")

    def map(self, workers: int, job: str, items: int) -> None:
        self.run(workers, f"jobs.{job}(item)", f"--map range({items})")

    def close(self) -> None:
        from xcores import _engine

        _engine.shutdown(10)


class Cluster:
    """`%%px` of ipyparallel, on engines of this machine. What a cell needs, a notebook pushes first."""

    repeats = 5

    def __init__(self) -> None:
        os.environ["TQDM_DISABLE"] = "1"  # no bar while engines start
        import ipyparallel  # noqa: PLC0415
        from IPython.core.interactiveshell import InteractiveShell  # noqa: PLC0415

        warnings.simplefilter("ignore")  # a machine need not know its own name
        self.profile = tempfile.TemporaryDirectory()
        self.make = functools.partial(ipyparallel.Cluster, profile_dir=self.profile.name, log_level=logging.ERROR,
                                      engine_timeout=300)
        self.shell = InteractiveShell.instance()

    def first(self, workers: int) -> None:
        self.cluster = self.make(n=workers)
        self.client = self.cluster.start_and_connect_sync(activate=True)
        self.nothing(workers)

    def warm(self, workers: int) -> None:
        pass

    def nothing(self, workers: int, body: str = "None") -> None:
        self.shell.run_cell_magic("px", f"--block --targets :{workers}", body)

    def argument(self, workers: int, data: object) -> None:
        self.client[:workers].push({"data": data}, block=True)
        self.nothing(workers, "size = len(data)")

    def result(self, _workers: int) -> None:
        self.nothing(1, f"large = bytes({jobs.LARGE})")
        self.client[0].pull("large", block=True)

    def close(self) -> None:
        self.client.close()
        self.cluster.stop_cluster_sync()
        self.profile.cleanup()


def executor(name: str, **how: Any) -> Pool:
    import xcores  # noqa: PLC0415

    return Pool(functools.partial(getattr(xcores, name), **how))


def standard(name: str) -> Pool:
    return Pool(getattr(futures, name))


def processes(method: str) -> Pool:
    return Pool(functools.partial(futures.ProcessPoolExecutor, mp_context=multiprocessing.get_context(method)))


def pool(method: str) -> Pool:
    return Pool(multiprocessing.get_context(method).Pool)


CANDIDATES: dict[str, Callable[[], Any]] = {
    "ThreadExecutor": functools.partial(executor, "ThreadExecutor"),
    "SubinterpExecutor": functools.partial(executor, "SubinterpExecutor"),
    "ProcessExecutor forkserver": functools.partial(executor, "ProcessExecutor", start_method="forkserver"),
    "ProcessExecutor spawn": functools.partial(executor, "ProcessExecutor", start_method="spawn"),
    "%%threads": functools.partial(Cells, "threads"),
    "%%subinterp": functools.partial(Cells, "subinterp"),
    "%%procs forkserver": functools.partial(Cells, "procs", "--start forkserver"),
    "%%procs spawn": functools.partial(Cells, "procs", "--start spawn"),
    "ThreadPoolExecutor": functools.partial(standard, "ThreadPoolExecutor"),
    "InterpreterPoolExecutor": functools.partial(standard, "InterpreterPoolExecutor"),
    "ProcessPoolExecutor fork": functools.partial(processes, "fork"),
    "ProcessPoolExecutor spawn": functools.partial(processes, "spawn"),
    "ProcessPoolExecutor forkserver": functools.partial(processes, "forkserver"),
    "multiprocessing.Pool fork": functools.partial(pool, "fork"),
    "multiprocessing.Pool spawn": functools.partial(pool, "spawn"),
    "multiprocessing.Pool forkserver": functools.partial(pool, "forkserver"),
    "ipyparallel %%px": Cluster,
}
