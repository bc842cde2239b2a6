"""While somebody else is writing: what ends access waits for its turn, and says so on a terminal."""

import os
import pty
import sqlite3
import subprocess
import sys
from contextlib import closing, suppress

import pytest

from proxy.cli import context

ENDING = [
    ("revoke", "1", "--reason", "Finished"),
    ("people", "disable", "j.smith"),
    ("people", "password", "j.smith", "--browsing", "--remove"),
    ("devices", "remove", "office-3"),
]


@pytest.fixture
def writer(head):
    """Somebody else's connection to the store."""
    with closing(sqlite3.connect(head.state_dir / "schoolgate.db", isolation_level=None)) as connection:
        yield connection


@pytest.fixture
def impatient(monkeypatch):
    """Where one try of the store's own gives up at once, how many are made is counted."""
    monkeypatch.setattr("proxy.store.connection.PATIENCE", 0)
    monkeypatch.setattr(context, "PATIENCE", 0.5)
    tries = []
    turn = context.Site._turn

    def counted(site, stack):
        tries.append(site.patient)
        return turn(site, stack)

    monkeypatch.setattr(context.Site, "_turn", counted)
    return tries


@pytest.mark.parametrize("command", ENDING, ids=" ".join)
def test_what_ends_access_is_patient(head, writer, impatient, command):
    """And fails in the end, if its turn does not come."""
    writer.execute("BEGIN IMMEDIATE")
    result = head(*command)
    assert result.code == 4
    assert "is locked" in result.err
    assert impatient == [True]


@pytest.mark.parametrize("command", [("grants",), ("people", "enable", "j.smith")], ids=" ".join)
def test_what_does_not_is_not(head, writer, impatient, command):
    """One try, of as long as the store itself has patience."""
    writer.execute("BEGIN IMMEDIATE")
    assert head(*command).code == 4
    assert impatient == [False]


def test_its_turn_comes(head, writer):
    """A terminal is told meanwhile; when the other is done, it is done."""
    assert head("devices", "add", "office-3", "--address", "10.20.0.10").code == 0
    writer.execute("BEGIN IMMEDIATE")
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "proxy.cli", "devices", "remove", "office-3"],
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
        env=dict(head.environment),
    )
    os.close(theirs)
    shown = b""
    while b"busy: waiting" not in shown and (part := os.read(ours, 4096)):
        shown += part
    writer.execute("ROLLBACK")
    with suppress(OSError):  # Linux's way to say that the other end is closed
        while part := os.read(ours, 4096):
            shown += part
    os.close(ours)
    assert process.wait(timeout=60) == 0, shown
    assert b"office-3 is removed." in shown
