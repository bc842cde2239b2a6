"""One child of the supervisor: started again when it dies, given up when it never worked, gone with its parent."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from proxy import supervisor
from proxy.supervisor import BACK_OFF_LAST, STEADY, Child, command
from tests.integration.gateway.clients import eventually

SLEEP = (sys.executable, "-c", "import signal; signal.pause()")
IGNORE_SIGTERM = """\
import pathlib, signal, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
pathlib.Path(sys.argv[1]).touch()
while True:
    signal.pause()
"""
START_A_CHILD = """\
import pathlib, signal, sys
from proxy.supervisor import Child
child = Child("test", sys.argv[2:])
child.start(0.0)
pathlib.Path(sys.argv[1]).write_text(str(child.process_id))
signal.pause()
"""


@pytest.fixture
def child() -> Iterator[Callable[..., Child]]:
    made: list[Child] = []

    def make(*arguments: str) -> Child:
        made.append(Child("test", arguments))
        made[-1].start(0.0)
        return made[-1]

    yield make
    for each in made:
        each.end()


def kill(child: Child) -> None:
    """kill -9, and wait until it is known."""
    assert child.process_id is not None
    os.kill(child.process_id, signal.SIGKILL)
    os.waitid(os.P_PID, child.process_id, os.WEXITED | os.WNOWAIT)


def gone(process_id: int) -> bool:
    """Whether a process is dead: no more, or a zombie that nobody asked about yet."""
    try:
        return Path(f"/proc/{process_id}/stat").read_text().rpartition(") ")[2].startswith("Z")
    except FileNotFoundError:
        return True


def test_a_dead_child_is_started_again_after_a_pause(child: Callable[..., Child]) -> None:
    """The pause doubles with each early death up to a limit, and begins anew after a steady life."""
    process = child(*SLEEP)
    now = 0.0
    for pause in (0.1, 0.2, 0.4, 0.8, 1.6, 3.2, BACK_OFF_LAST, BACK_OFF_LAST):
        kill(process)
        assert process.watch(now) is None
        process.watch(now + pause - 0.01)
        assert process.process_id is None
        now += pause
        process.watch(now)
        assert process.process_id is not None
    kill(process)
    now += STEADY
    process.watch(now)
    process.watch(now + 0.1)
    assert process.process_id is not None


def test_a_child_that_never_worked_is_given_up(child: Callable[..., Child]) -> None:
    """It has said what is wrong; its exit code becomes that of the whole."""
    process = child(sys.executable, "-c", "raise SystemExit(4)")
    assert eventually(lambda: process.watch(0.0)) == 4


def test_a_child_that_worked_is_never_given_up(child: Callable[..., Child]) -> None:
    """What went wrong later may right itself: a disk, a port, a store."""
    process = child(sys.executable, "-c", "raise SystemExit(2)")
    process.worked = True
    eventually(lambda: process.watch(0.0) is None and process.process_id is None)


def test_a_child_that_does_not_listen_is_killed(
    child: Callable[..., Child], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is asked, has its time, and then must."""
    monkeypatch.setattr(supervisor, "GRACE", 0.05)
    process = child(sys.executable, "-c", IGNORE_SIGTERM, str(tmp_path / "deaf"))
    eventually((tmp_path / "deaf").exists)
    process_id = process.process_id
    assert process_id is not None
    process.end()
    assert gone(process_id)


def test_children_die_with_their_parent(tmp_path: Path) -> None:
    """Even of a parent that was killed: nothing goes on enforcing with nobody watching."""
    parent = subprocess.Popen([sys.executable, "-c", START_A_CHILD, tmp_path / "pid", *SLEEP])
    try:
        process_id = int(eventually(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text()))
        assert not gone(process_id)
    finally:
        parent.kill()
        parent.wait()
    eventually(lambda: gone(process_id))


def test_children_are_this_installations(child: Callable[..., Child]) -> None:
    """The same interpreter, by module: a wheel without its script on the PATH works too."""
    assert command("keeper") == (sys.executable, "-m", "proxy.cli", "keeper")
