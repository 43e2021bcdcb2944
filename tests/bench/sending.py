# SPDX-License-Identifier: BSD-3-Clause
"""How fast functions run where they were sent: against the same functions in the cell, and against the standard executors."""

import ast
import functools
import pathlib
import subprocess
import sys
import tempfile
from collections.abc import Callable

import kernel
from rows import Row, Target, interleaved, medians

COPYING = ("subinterp", "procs")
PEERS = {"SubinterpExecutor": "InterpreterPoolExecutor", "ProcessExecutor": "ProcessPoolExecutor"}
SCRIPT = """
import concurrent.futures, sys, time
import xcores

{definitions}

if __name__ == "__main__":
    answers = sys.stdout
    sys.stdout = sys.stderr
    pools = {{name: getattr(xcores, name, None) or getattr(concurrent.futures, name) for name in {names!r}}}
    pools = {{name: make(2) for name, make in pools.items()}}
    for line in sys.stdin:
        name, work = line.split()
        start = time.perf_counter()
        list(pools[name].map(globals()[work], range(2)))
        print(time.perf_counter() - start, file=answers, flush=True)
    for pool in pools.values():
        pool.shutdown()
"""


def sent_against_local(cell: Callable[[str], float], body: str) -> list[Row]:
    """`body`: definitions, and a last line that uses them."""
    *definitions, call = body.strip().splitlines()
    cell("\n".join(definitions))
    texts = {"sent": call, "local": "\n".join([*definitions, call])}
    actions = {f"{magic} {how}": functools.partial(cell, f"%%{magic} 1 --quiet\n{text}") for magic in COPYING for how, text in texts.items()}
    times = interleaved(actions, rounds=9)
    ratios = {magic: times[f"{magic} sent"] / times[f"{magic} local"] for magic in COPYING}
    return [Row(f"{call} in a worker: a function of the notebook against one of the cell", "ratio", "lower", ratios,
                dict.fromkeys(COPYING, Target(bound=1.03)))]


def as_function(name: str, body: str) -> str:
    """The definitions of `body`, and the rest of it as the body of a function."""
    definitions, rest = [], []
    for node in ast.parse(body).body:
        (definitions if isinstance(node, (ast.FunctionDef, ast.Import)) else rest).append(ast.unparse(node))
    lines = [line for text in rest for line in text.splitlines()]
    return "\n".join([*definitions, f"def {name}(_):", *(f"    {line}" for line in lines)])


class Script:
    """A program that has its jobs' functions in its `__main__`."""

    def __init__(self, definitions: str) -> None:
        self._folder = tempfile.TemporaryDirectory()
        path = pathlib.Path(self._folder.name) / "jobs_of_main.py"
        path.write_text(SCRIPT.format(definitions=definitions, names=[*PEERS, *PEERS.values()]))
        self._process = subprocess.Popen([sys.executable, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def seconds(self, executor: str, work: str) -> float:
        assert self._process.stdin and self._process.stdout
        print(executor, work, file=self._process.stdin, flush=True)
        return float(self._process.stdout.readline())

    def close(self) -> None:
        self._process.communicate()
        self._folder.cleanup()


def jobs(works: dict[str, str]) -> list[Row]:
    """Two jobs of each work on two workers: functions of a script's `__main__`, of a notebook, and the standard executors."""
    functions = {name: f"work_{number}" for number, name in enumerate(works)}
    definitions = "\n".join(as_function(functions[name], body) for name, body in works.items())
    script = Script(definitions)
    rows = []
    with kernel.opened("xcores") as client:
        cell = functools.partial(kernel.execute, client)
        cell(f"import time, xcores\n{definitions}\n" + "\n".join(f"{name} = xcores.{name}(2)" for name in PEERS))
        for name, work in functions.items():
            actions: dict[str, Callable[[], float]] = {}
            for ours, peer in PEERS.items():
                actions[peer] = functools.partial(script.seconds, peer, work)
                actions[f"{ours}, script"] = functools.partial(script.seconds, ours, work)
                timed = f"start = time.perf_counter()\n_ = list({ours}.map({work}, range(2)))\nseconds = time.perf_counter() - start"
                actions[f"{ours}, notebook"] = functools.partial(kernel.evaluate, client, timed, "seconds")
            targets = {f"{ours}, {where}": Target((peer,), 1.02) for ours, peer in PEERS.items() for where in ("script", "notebook")}
            rows.append(Row(f"{name} in each of 2 jobs", "s", "lower", medians(actions, rounds=15), targets))
    script.close()
    return rows
