"""Signing in is for one terminal: what is typed at another, by the same user of the system, is nobody's."""

import os
import pty
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from tests.integration.cli.conftest import PASSWORDS, ROOT

DEADLINE = 60
COMMAND = f"{sys.executable} -m proxy.cli"


@pytest.fixture
def home(school) -> Path:
    """Where this user's settings are; nothing names a session's file."""
    home = school.state_dir.parent / "home"
    (school.state_dir.parent / "password").write_text(f"{PASSWORDS['head']}\n")
    return home


@pytest.fixture
def environment(school, home) -> dict[str, str]:
    ours = {name: value for name, value in school.environment.items() if name != "SCHOOLGATE_SESSION"}
    return {**ours, "XDG_CONFIG_HOME": str(home), "PASSWORD": str(school.state_dir.parent / "password")}


@pytest.fixture
def typed(environment):
    """What comes of commands typed one after the other in a shell on a terminal of its own."""

    def typed(*commands: str) -> str:
        script = "\n".join(commands).replace("schoolgate", COMMAND)
        pid, terminal = pty.fork()
        if pid == 0:
            os.chdir(ROOT)
            os.execve("/bin/sh", ["sh", "-c", f"{script}\n:"], environment)  # noqa: S606 -- a shell is what is tested
        shown = b""
        with suppress(OSError):  # Linux's way to say that the other end is closed
            while part := os.read(terminal, 4096):
                shown += part
        os.close(terminal)
        os.waitpid(pid, 0)
        return shown.decode()

    return typed


LOGIN = 'schoolgate login head --password-stdin < "$PASSWORD"'
WHO = "schoolgate grants --json; echo code=$?"


def test_one_terminal_signs_in_no_other(home, typed):
    """In the terminal itself it lasts from command to command, until logout; its file goes when it is gone."""
    assert "code=0" in typed(LOGIN, WHO)
    [kept] = (home / "schoolgate").iterdir()
    assert kept.stat().st_mode & 0o777 == 0o600
    assert kept.parent.stat().st_mode & 0o777 == 0o700
    assert "Nobody is signed in" in typed(WHO)
    assert "code=0" in typed(LOGIN, WHO)
    assert kept not in [*(home / "schoolgate").iterdir()]
    shown = typed(LOGIN, "schoolgate logout", WHO)
    assert "You are signed out." in shown
    assert "code=3" in shown


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become another user without a password")
def test_as_somebody_else_it_is_the_same_terminal(typed):
    """``su -c`` runs each command in a session of its own; what counts is where it was typed."""
    quoted = f"su -m root -c '{LOGIN}'"
    assert "code=0" in typed(quoted, f"su -m root -c '{WHO}'")
    assert "code=3" in typed(f"su -m root -c '{WHO}'")


def test_without_a_terminal(environment, home, typed):
    """Scripts share one session, whatever session of processes they are in; no terminal has a part in it."""

    def run(*arguments: str, stdin: str = "") -> int:
        done = subprocess.run(
            [sys.executable, "-m", "proxy.cli", *arguments],
            input=stdin,
            text=True,
            capture_output=True,
            check=False,
            env=environment,
            cwd=ROOT,
            start_new_session=True,  # whoever runs these tests may have a terminal
            timeout=DEADLINE,
        )
        return done.returncode

    assert run("login", "head", "--password-stdin", stdin=f"{PASSWORDS['head']}\n") == 0
    assert run("grants") == 0
    assert "code=3" in typed(WHO)
    assert [path.name for path in (home / "schoolgate").iterdir()] == ["session"]
