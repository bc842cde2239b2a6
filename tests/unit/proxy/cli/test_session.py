"""The session's file is one's own."""

import os
from pathlib import Path

import pytest

from proxy.cli import session, terminals
from proxy.cli.errors import NotSignedIn
from proxy.cli.terminals import Terminal

TERMINAL = Terminal("1000", 4711, 8892)


@pytest.mark.parametrize("terminal", [None, TERMINAL])
def test_where_it_is(tmp_path, terminal):
    """Named, or with this user's settings: one for each terminal, and one for all that have none."""
    own = "session-1000-4711-8892" if terminal else "session"
    named = {"SCHOOLGATE_SESSION": str(tmp_path / "s")}
    assert session.session_file(named, terminal) == tmp_path / "s"
    assert session.session_file({"XDG_CONFIG_HOME": str(tmp_path)}, terminal) == tmp_path / "schoolgate" / own
    assert session.session_file({}, terminal) == Path.home() / ".config" / "schoolgate" / own


def test_what_was_kept_for_terminals_that_are_gone(tmp_path):
    """Is deleted; what is of a terminal that is there, and any other file, stays."""
    here = terminals.process(os.getpid())
    assert here is not None
    folder = tmp_path / "schoolgate"
    names = (f"session-none-{here.pid}-{here.began}", f"session-none-{here.pid}-1", "session", "session-of-mine")
    there, gone, *others = (folder / name for name in names)
    for path in (there, gone, *others):
        session.keep_token(path, "abc")
    session.forget_gone(there)
    assert sorted(folder.iterdir()) == sorted([there, *others])


def test_a_named_file_s_neighbours_are_left_alone(tmp_path):
    """Only beside a terminal's file is anything deleted."""
    session.keep_token(tmp_path / "session-1000-1-1", "abc")
    session.forget_gone(tmp_path / "session")
    assert session.read_token(tmp_path / "session-1000-1-1") == "abc"
    session.forget_gone(tmp_path / "not-yet/session-1000-1-1")


def test_kept_read_forgotten(tmp_path):
    """0600 in a 0700 folder; gone after."""
    path = tmp_path / "schoolgate" / "session"
    assert session.read_token(path) is None
    session.keep_token(path, "abc-123")
    assert session.read_token(path) == "abc-123"
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    session.forget_token(path)
    session.forget_token(path)
    assert session.read_token(path) is None


@pytest.mark.parametrize("mode", [0o644, 0o660, 0o606])
def test_a_file_that_others_can_open_is_refused(tmp_path, mode):
    """What others could have read or put there is nobody's session."""
    path = tmp_path / "session"
    session.keep_token(path, "abc")
    path.chmod(mode)
    with pytest.raises(NotSignedIn, match="others can read"):
        session.read_token(path)


def test_rubbish_is_a_token_that_nobody_has(tmp_path):
    """Bytes of any kind are read as far as a token can be."""
    path = tmp_path / "session"
    session.keep_token(path, "abc")
    path.write_bytes(b"\xff\x00" * 10_000)
    assert len(session.read_token(path) or "") <= session.LARGEST
