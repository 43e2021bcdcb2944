# SPDX-License-Identifier: BSD-3-Clause
"""What a kernel takes of the machine, with all that descends from it."""

import os
from dataclasses import asdict, dataclass
from pathlib import Path


def lines_of(path):
    """Of a process that may be gone."""
    try:
        return Path(path).read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return []


def entries_of(path):
    try:
        return os.listdir(path)
    except (FileNotFoundError, ProcessLookupError):
        return []


def descendants_of(pid):
    """Zombies too: the kernel has them in its list until it asks for their end."""
    found = []
    for task in entries_of(f"/proc/{pid}/task"):
        for child in " ".join(lines_of(f"/proc/{pid}/task/{task}/children")).split():
            found += [int(child), *descendants_of(child)]
    return found


def memory_of(pids):
    """In MB: what programs have written; pages that several of them share are counted once. Files that are mapped, as
    libraries are, belong to all who map them: their shares change when other programs begin and end."""
    shares = [int(line.split()[1]) for pid in pids for line in lines_of(f"/proc/{pid}/smaps_rollup")
              if line.startswith(("Pss_Anon:", "Pss_Shmem:"))]
    return sum(shares) / 1024


def names_in_shared_memory():
    return sorted(name for name in entries_of("/dev/shm") if "xcores" in name)


def blocks_of(pids):
    """How often a block of shared memory is mapped."""
    return sum("memfd:xcores" in line for pid in pids for line in lines_of(f"/proc/{pid}/maps"))


@dataclass
class Footprint:
    memory: float
    threads: int
    descriptors: int
    descendants: int
    blocks: int
    names: list[str]

    @classmethod
    def of(cls, kernel):
        descendants = descendants_of(kernel)
        all_of_it = [kernel, *descendants]
        return cls(memory=memory_of(all_of_it), threads=len(entries_of(f"/proc/{kernel}/task")),
                   descriptors=len(entries_of(f"/proc/{kernel}/fd")), descendants=len(descendants),
                   blocks=blocks_of(all_of_it), names=names_in_shared_memory())

    def exceeds(self, before):
        """What there is more of than before, but for memory, which no two runs of a program have the same."""
        return {name: (getattr(before, name), now) for name, now in asdict(self).items()
                if name != "memory" and now > getattr(before, name)}
