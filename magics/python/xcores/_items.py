# SPDX-License-Identifier: BSD-3-Clause
"""Runs a mapped cell: once for each item that the worker is given.

Part of the worker: see `_worker`, in front of which its source is executed.
"""

if __name__ == "xcores._items":
    from xcores._transfer import RESULT


def run_items(job, run, answer):
    """`run` the cell for item after item until there are no more; tell of each how it ended, as `answer` says.

    What the cell assigns for one item is there for the next one of the same worker; `item`, `index` and the result are
    not. An interrupt ends it and is raised, after what was finished has been told.
    """
    take, done = job.feed
    finished = None
    try:
        while (chunk := take()) is not None:
            first, items = chunk
            for index, (data, buffers) in enumerate(items, first):
                error = _run_item(job, index, data, buffers, run)
                finished = index, error
                goes_on = done(index, answer(job, error))
                job.namespace.pop(RESULT, None)  # before the next one could be taken to have made it
                finished = None
                if isinstance(error, KeyboardInterrupt) and not goes_on:  # otherwise the cell itself has raised it
                    raise error
    except KeyboardInterrupt:
        if finished is not None:
            done(finished[0], answer(job, finished[1]))
        raise


def _run_item(job, index, data, buffers, run):
    """The exception that the item ended in, if any."""
    job.item = index, None
    try:
        value = job.load(index, data, buffers)
        job.item = index, value
        job.scope.set("index", index)
        job.scope.set(job.plan["item"], value)
        run(job)
    except BaseException as error:
        return error
    return None
