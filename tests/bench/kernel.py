# SPDX-License-Identifier: BSD-3-Clause
"""The kernel over the Jupyter protocol, beside the other kernels for Python that are installed."""

import contextlib
import statistics
import time
from collections.abc import Iterator

from jupyter_client.blocking import BlockingKernelClient
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import KernelManager
from rows import Row

CANDIDATES = {"xcores": "xcores", "ipykernel": "python3", "xeus-python": "xpython"}
WAIT_SECONDS = 60


def execute(client: BlockingKernelClient, code: str) -> float:
    """Seconds from the request to the idle state that ends its output."""
    start = time.perf_counter()
    reply = client.execute_interactive(code, timeout=WAIT_SECONDS, output_hook=lambda message: None)
    if reply["content"]["status"] != "ok":
        raise RuntimeError(f"{code}: {reply['content']}")
    return time.perf_counter() - start


def evaluate(client: BlockingKernelClient, code: str, expression: str) -> float:
    """Runs `code`, and gives the number that `expression` has then."""
    reply = client.execute_interactive(code, timeout=WAIT_SECONDS, output_hook=lambda message: None, user_expressions={"it": expression})
    found = reply["content"].get("user_expressions", {}).get("it", {})
    if found.get("status") != "ok":
        raise RuntimeError(f"{code}: {reply['content']}")
    return float(found["data"]["text/plain"])


@contextlib.contextmanager
def opened(kernel: str) -> Iterator[BlockingKernelClient]:
    """A kernel that is ready."""
    manager = KernelManager(kernel_name=kernel)
    manager.start_kernel()
    client = manager.client()
    try:
        client.start_channels()
        client.wait_for_ready(timeout=WAIT_SECONDS)
        yield client
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def measure(kernel: str) -> dict[str, float]:
    start = time.perf_counter()
    with opened(kernel) as client:
        figures = {"start": time.perf_counter() - start}
        for name, code, rounds in (
            ("pass", "pass", 200),
            ("display", "from IPython.display import HTML, display\ndisplay(HTML('<b>x</b>'))", 100),
        ):
            execute(client, code)
            figures[name] = statistics.median(execute(client, code) for _ in range(rounds))
        return figures


def round_trips() -> list[Row]:
    installed = KernelSpecManager().find_kernel_specs()
    figures = {label: measure(name) for label, name in CANDIDATES.items() if name in installed}
    rows = {"start": ("kernel: from start to ready", "s", 1.0), "pass": ("kernel: round trip of `pass`", "ms", 1e3), "display": ("kernel: round trip of a rich display", "ms", 1e3)}
    return [
        Row(name, unit, "lower", {label: values[key] * scale for label, values in figures.items()})
        for key, (name, unit, scale) in rows.items()
    ]
