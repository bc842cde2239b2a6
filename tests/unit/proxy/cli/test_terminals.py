"""Which terminal session a command belongs to, told from a ``/proc`` of the test's own, and from the real one."""

import os
import subprocess
import sys

import pytest

from proxy.cli import terminals
from proxy.cli.terminals import Terminal

TTY = 34816


@pytest.fixture
def proc(tmp_path):
    """Processes, each as (number, name, parent, session, terminal, began)."""

    def make(*processes, login="1000"):
        for pid, name, parent, session, terminal, began in ((1, "systemd", 0, 1, 0, 1), *processes):
            folder = tmp_path / str(pid)
            folder.mkdir()
            between = " ".join("0" * 14)
            stat = f"{pid} ({name}) S {parent} {pid} {session} {terminal} {between} {began} 0 0"
            (folder / "stat").write_text(stat)
            (folder / "loginuid").write_text(login)
        return tmp_path

    return make


SSHD = (10, "sshd", 1, 10, 0, 100)
SHELL = (20, "bash", 10, 20, TTY, 200)
SUDO = (30, "sudo", 20, 20, TTY, 300)


@pytest.mark.parametrize(
    "between",
    [
        [(99, "schoolgate", 20, 20, TTY, 400)],
        [(30, "make (x) y", 20, 20, TTY, 300), (99, "schoolgate", 30, 20, TTY, 400)],
        [SUDO, (99, "schoolgate", 30, 20, TTY, 400)],
        [SUDO, (31, "sudo", 30, 31, TTY + 1, 301), (99, "schoolgate", 31, 31, TTY + 1, 400)],
        [(30, "su", 20, 20, TTY, 300), (99, "schoolgate", 30, 99, 0, 400)],
        [(30, "su", 20, 20, TTY, 300), (31, "sh", 30, 31, 0, 301), (99, "schoolgate", 31, 31, 0, 400)],
        [
            SUDO,
            (31, "sudo", 30, 31, TTY + 1, 301),
            (32, "bash", 31, 31, TTY + 1, 302),
            (33, "runuser", 32, 31, TTY + 1, 303),
            (99, "schoolgate", 33, 99, 0, 400),
        ],
    ],
    ids=["typed", "through a program", "sudo", "sudo with use_pty", "su -c", "su -c sh", "sudo -i, then runuser"],
)
def test_typed_in_a_shell(proc, between):
    """However many programs, and other identities, are between: it is that shell's session."""
    assert terminals.current(99, proc(SSHD, SHELL, *between)) == Terminal("1000", 20, 200)


def test_a_shell_of_somebody_else(proc):
    """``ssh -t host sudo -i`` is a terminal that lasts, though ``sudo`` leads it."""
    shell = [(20, "sudo", 10, 20, TTY, 200), (31, "sudo", 20, 31, TTY + 1, 301), (32, "bash", 31, 31, TTY + 1, 302)]
    there = proc(SSHD, *shell, (99, "schoolgate", 32, 31, TTY + 1, 400))
    assert terminals.current(99, there) == Terminal("1000", 20, 200)


@pytest.mark.parametrize(
    "processes",
    [
        [(20, "cron", 1, 20, 0, 200), (99, "schoolgate", 20, 20, 0, 400)],
        [(20, "cron", 1, 20, 0, 200), (30, "sudo", 20, 20, 0, 300), (99, "schoolgate", 30, 20, 0, 400)],
        [SSHD, (99, "schoolgate", 10, 99, TTY, 400)],
        [SSHD, (20, "sudo", 10, 20, TTY, 200), (99, "schoolgate", 20, 20, TTY, 400)],
        [SSHD, (20, "sudo", 10, 20, TTY, 200), (30, "sudo", 20, 30, TTY + 1, 300), (99, "x", 30, 30, TTY + 1, 400)],
        [],
    ],
    ids=["cron", "cron with sudo", "ssh -t", "ssh -t sudo", "ssh -t sudo with use_pty", "not shown"],
)
def test_no_terminal_that_lasts(proc, processes):
    """None at all, or one that is there for this command alone."""
    assert terminals.current(99, proc(*processes)) is None


def test_two_shells_are_two(proc):
    """As the same user, too; and so is a later shell that got the number of an earlier one."""
    other = (21, "bash", 10, 21, TTY + 2, 210)
    there = proc(SSHD, SHELL, other, (98, "x", 20, 20, TTY, 400), (99, "x", 21, 21, TTY + 2, 400), login="4294967295")
    first, second = terminals.current(98, there), terminals.current(99, there)
    assert (first, second) == (Terminal("none", 20, 200), Terminal("none", 21, 210))
    assert Terminal("none", 20, 199).is_gone(there)
    assert not Terminal("none", 20, 200).is_gone(there)
    assert Terminal("none", 22, 200).is_gone(there)


def test_processes_that_are_not_shown(tmp_path, proc):
    """With ``hidepid`` a leader cannot be looked at: its number has to do, and nobody says that it is gone."""
    there = proc((99, "schoolgate", 20, 20, TTY, 400))
    (there / "1/stat").unlink()
    found = terminals.current(99, there)
    assert found == Terminal("1000", 20, 0)
    assert not found.is_gone(there)


@pytest.mark.parametrize("key", ["1000-20-200", "none-1-0"])
def test_in_the_name_of_a_file(key):
    """There and back."""
    terminal = Terminal.parse(key)
    assert terminal is not None
    assert terminal.key == key


@pytest.mark.parametrize("key", ["", "session", ".1000-20-200.x7", "1000-20", "1000-x-200", "1000-20-\u00b2"])
def test_no_such_name(key):
    """Any other file is left alone."""
    assert Terminal.parse(key) is None


def test_the_real_thing():
    """This process is shown as it is; one that has ended is not."""
    own = terminals.process(os.getpid())
    assert own is not None
    assert (own.parent, own.session) == (os.getppid(), os.getsid(0))
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        shown = terminals.process(child.pid)
        assert shown is not None
        terminal = Terminal("none", child.pid, shown.began)
        assert not terminal.is_gone()
    assert terminal.is_gone()
