"""The session's file is one's own."""

from pathlib import Path

import pytest

from proxy.cli import session
from proxy.cli.errors import NotSignedIn


def test_where_it_is(tmp_path):
    """Named, or with this user's settings."""
    assert session.session_file({"SCHOOLGATE_SESSION": str(tmp_path / "s")}) == tmp_path / "s"
    assert session.session_file({"XDG_CONFIG_HOME": str(tmp_path)}) == tmp_path / "schoolgate" / "session"
    assert session.session_file({}) == Path.home() / ".config" / "schoolgate" / "session"


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
