"""``schoolgate run`` as a person starts it: at a terminal, without one, twice, with its ports taken."""

import os
import pty
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.integration.cli.conftest import Commands
from tests.integration.cli.screen import DEADLINE, read_until

PASSWORD = re.compile(r"password ((?:[a-z0-9]{4}-){3}[a-z0-9]{4})")
PASSPHRASE = re.compile(r"\b(?:[a-z]{4}-){5}[a-z]{4}\b")  # of the CA's root key


def _free_ports(count: int) -> list[int]:
    with socket.socket() as first, socket.socket() as second:
        for listener in (first, second):
            listener.bind(("127.0.0.1", 0))
        return [first.getsockname()[1], second.getsockname()[1]][:count]


@pytest.fixture
def ported(bare) -> Commands:
    """Commands whose ``run`` has ports of its own."""
    listen, status = _free_ports(2)
    bare.extra = {"SCHOOLGATE_LISTEN": f"explicit@127.0.0.1:{listen}", "SCHOOLGATE_STATUS": f"127.0.0.1:{status}"}
    return bare


@contextmanager
def _running(commands: Commands, *arguments: str, terminal: bool) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    ours, theirs = pty.openpty() if terminal else os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-m", "proxy.cli", *arguments],
        stdin=theirs if terminal else subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
        env=dict(commands.environment),
        start_new_session=terminal,
    )
    os.close(theirs)
    try:
        yield process, ours
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.wait(DEADLINE)
        os.close(ours)


def test_run_at_a_terminal(ported):
    """Says where everything is and what to type next; the first account works; a second run refuses; Ctrl-C ends it."""
    with _running(ported, "run", terminal=True) as (process, terminal):
        shown = read_until(terminal, "Ctrl-C")
        for part in (ported.extra["SCHOOLGATE_LISTEN"], "/metrics", "ca export", "why www.facebook.com", "grant"):
            assert part in shown
        password = PASSWORD.search(shown)
        assert password is not None
        assert len(PASSPHRASE.findall(shown)) == 1
        assert re.search(r"nobody can\s+recover it\.\s*\n\r?\nschoolgate enforces", shown)
        assert max(len(line) for line in re.sub(r"\x1b\[[0-9;]*m", "", shown).splitlines()) <= 80
        assert ported("login", "head", "--password-stdin", stdin=password[1] + "\n").code == 0
        second = ported.process("run")
        assert second.code == 1
        assert "already runs" in second.err
        assert ported("why", "www.facebook.com", "--from", "127.0.0.1", "--json").json["verdict"] == "deny"
        process.send_signal(signal.SIGINT)
        assert process.wait(DEADLINE) == 0
    with _running(ported, "run", terminal=True) as (process, terminal):
        shown = read_until(terminal, "Ctrl-C")
        assert not PASSWORD.search(shown)
        assert not PASSPHRASE.search(shown)


def test_run_without_a_terminal_makes_no_account(ported):
    """Nobody would read the password: the command to type is shown instead, and works."""
    with _running(ported, "run", terminal=False) as (process, output):
        shown = read_until(output, "Ctrl-C")
        assert "Nobody can grant yet" in shown
        assert not PASSWORD.search(shown)
        assert not PASSPHRASE.search(shown)
        assert "ca/root.passphrase" in shown
        assert "    schoolgate ca passphrase\n" in shown
        assert "\x1b" not in shown
        typed = re.search(r'schoolgate (people add head --name "Head teacher" --role slt --password-stdin)', shown)
        assert typed is not None
        arguments = ["people", "add", "head", "--name", "Head teacher", "--role", "slt", "--password-stdin"]
        assert ported(*arguments, stdin="lapwing umbrella soup\n").code == 0
        process.send_signal(signal.SIGTERM)
        assert process.wait(DEADLINE) == 0


@pytest.mark.parametrize("setting", ["LISTEN", "STATUS"])
def test_a_port_that_is_taken(ported, setting):
    """Is told by its setting, and ends the run."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", int(ported.extra[f"SCHOOLGATE_{setting}"].rpartition(":")[2])))
        taken.listen()
        result = ported.process("run")
    assert result.code in (1, 2)
    assert f"SCHOOLGATE_{setting}" in result.err


def test_a_wrong_policy_starts_nothing(ported):
    """File and line; nothing is made."""
    policy = ported.state_dir.parent / "policy.yaml"
    policy.write_text("school: 3\n")
    ported.extra["SCHOOLGATE_POLICY"] = str(policy)
    result = ported.process("run")
    assert result.code == 1
    assert f"{policy}:1:" in result.err
    assert not ported.state_dir.exists()


def test_wrong_settings(ported):
    """The setting, where it was set, exit code 2; an unknown one is a warning."""
    result = ported.process("grants", "--json")
    assert result.code == 4
    ported.extra["SCHOOLGATE_LISTEN"] = "nowhere"
    result = ported.process("grants", "--json")
    assert (result.code, result.error["code"]) == (2, "settings_invalid")
    assert "SCHOOLGATE_LISTEN" in result.error["message"]
    ported.extra = {"SCHOOLGATE_COLOUR": "blue"}
    assert "warning: SCHOOLGATE_COLOUR" in ported.process("policy", "show").err


def test_a_password_is_asked_for_at_a_terminal(school):
    """Unseen, by name."""
    with _running(school, "login", "head", terminal=True) as (process, terminal):
        assert "Password of head" in read_until(terminal, "Password of head: ")
        os.write(terminal, b"lapwing umbrella soup\n")
        shown = read_until(terminal, "signed in")
        assert "lapwing" not in shown
        assert process.wait(DEADLINE) == 0
