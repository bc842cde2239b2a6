"""Which terminal session a command is typed in, as Linux tells it in ``/proc``: what a kept session is bound to.

A terminal session is its leader, usually a shell: its process number, and when it began, which together never come
again. ``sudo``, ``su`` and their kin run a command in a session of its own, or with a terminal of its own; what counts
is the terminal that they were typed in. A command that leads its terminal session itself ends it when it ends
(``ssh -t``, ``docker exec -t``): that is no terminal to keep anything for, and nor is none at all.
"""

import os
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
OTHER_IDENTITY = frozenset({"sudo", "su", "runuser", "doas"})
NO_LOGIN = str(2**32 - 1)  # what the kernel calls the login of a process that nobody logged in for


@dataclass(frozen=True, slots=True)
class Process:
    """A line of ``/proc/PID/stat``, as far as it matters here."""

    pid: int
    name: str
    parent: int
    session: int
    terminal: int  # 0: none
    began: int  # in the clock ticks of this boot


@dataclass(frozen=True, slots=True)
class Terminal:
    """A terminal session: who logged in to it, if the kernel knows, its leader, and when that began."""

    login: str
    leader: int
    began: int

    @property
    def key(self) -> str:
        """As it is written in the name of a file."""
        return f"{self.login}-{self.leader}-{self.began}"

    @classmethod
    def parse(cls, key: str) -> "Terminal | None":
        login, _, numbers = key.partition("-")
        leader, _, began = numbers.partition("-")
        return cls(login, int(leader), int(began)) if leader.isdecimal() and began.isdecimal() else None

    def is_gone(self, proc: Path = PROC) -> bool:
        """Whether its leader has ended. Where the system shows only one's own processes, nobody can tell."""
        leader = process(self.leader, proc)
        if leader is not None:
            return leader.began != self.began
        return process(1, proc) is not None


def current(pid: int | None = None, proc: Path = PROC) -> Terminal | None:
    """The terminal session that this process, or another, was typed in; None where there is none that lasts."""
    own = process(os.getpid() if pid is None else pid, proc)
    if own is None:
        return None
    leader = process(own.session, proc)
    if leader is None:  # only one's own processes are shown: its number alone then has to do
        return Terminal(_login(own.pid, proc), own.session, 0) if own.terminal else None
    while outer := _outer(leader, proc):
        leader = outer
    if not leader.terminal or _ends_with(own, leader, proc):
        return None
    return Terminal(_login(own.pid, proc), leader.pid, leader.began)


def process(pid: int, proc: Path = PROC) -> Process | None:
    """None where there is no such process, or it is not shown."""
    try:
        text = (proc / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    name, _, rest = text.partition("(")[2].rpartition(")")  # a name may hold blanks and parentheses
    fields = rest.split()
    return Process(pid, name, int(fields[1]), int(fields[3]), int(fields[4]), int(fields[19]))


def _outer(leader: Process, proc: Path) -> Process | None:
    """The leader of the terminal session in which ``sudo`` or its like was typed that made this one."""
    parent = process(leader.parent, proc)
    if parent is None or not OTHER_IDENTITY & {leader.name, parent.name} or parent.session == leader.session:
        return None
    outer = process(parent.session, proc)
    return outer if outer and outer.terminal else None


def _ends_with(own: Process, leader: Process, proc: Path) -> bool:
    """Whether the terminal session is there for this command alone, be it as somebody else: no shell is between."""
    between: Process | None = own
    while between is not None and between.pid != leader.pid:
        between = process(between.parent, proc)
        if between is not None and between.name not in OTHER_IDENTITY:
            return False
    return True


def _login(pid: int, proc: Path) -> str:
    try:
        uid = (proc / str(pid) / "loginuid").read_text(encoding="ascii").strip()
    except OSError:
        return "none"
    return uid if uid.isdecimal() and uid != NO_LOGIN else "none"
