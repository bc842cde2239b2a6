"""What a process and all below it have used so far, by the kernel's own account."""

import os
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

TICK = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")
QUIET = 0.1  # seconds in which hardly any CPU is used: the work is over
QUIET_WITHIN = 10.0
REST = 1.0  # seconds to see what is used at rest


class Usage(NamedTuple):
    """CPU seconds, user and system, children that ended included; resident bytes."""

    cpu: float
    resident: int


def usage(root: int) -> Usage:
    """Of the process and every process below it."""
    own: dict[int, Usage] = {}
    below: defaultdict[int, list[int]] = defaultdict(list)
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it ended meanwhile
        own[int(folder.name)] = Usage(sum(map(int, fields[11:15])) / TICK, int(fields[21]) * PAGE)
        below[int(fields[1])].append(int(folder.name))
    found, waiting = [own[root]], [*below[root]]
    while waiting:
        process = waiting.pop()
        found.append(own[process])
        waiting += below[process]
    return Usage(sum(u.cpu for u in found), sum(u.resident for u in found))


def settled(root: int) -> Usage:
    """What was used once the process rests again: what it does after a client has gone is part of the work."""
    until, now = time.monotonic() + QUIET_WITHIN, usage(root)
    while time.monotonic() < until:
        time.sleep(QUIET)
        before, now = now, usage(root)
        if now.cpu - before.cpu <= 2 / TICK:
            break
    return now


def at_rest(root: int) -> float:
    """CPU seconds used in each second in which there is nothing to do."""
    began, before = time.monotonic(), usage(root)
    time.sleep(REST)
    return (usage(root).cpu - before.cpu) / (time.monotonic() - began)


def of_work(root: int, work: Callable[[], None], resting: float) -> float:
    """CPU seconds that some work took, beyond what the process would have used at rest meanwhile."""
    began, before = time.monotonic(), settled(root)
    work()
    after = settled(root)
    return after.cpu - before.cpu - resting * (time.monotonic() - began)
