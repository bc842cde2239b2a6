"""What may make a state directory, and what says that there is none."""

import os
import stat

import pytest

from proxy import init
from proxy.cli.session import keep_token
from proxy.settings import load
from proxy.store.models import Person

NEEDS_A_STATE_DIR = [
    ("grants",),
    ("grant", "10.20.0.10", "facebook", "--for", "2h", "--reason", "A visit"),
    ("revoke", "1", "--reason", "Finished"),
    ("extend", "1", "--for", "2h", "--reason", "Overran"),
    ("attempts",),
    ("why", "www.facebook.com", "--from", "10.20.0.10"),
    ("people", "list"),
    ("people", "role", "head", "staff"),
    ("people", "disable", "head"),
    ("people", "password", "head", "--password-stdin"),
    ("devices", "list"),
    ("devices", "add", "office-3", "--address", "10.20.0.10"),
    ("ca", "status"),
    ("ca", "export"),
    ("store", "status"),
    ("store", "upgrade"),
    ("store", "backup", "copy.db"),
    ("login", "head", "--password-stdin"),
    ("--as", "head", "--password-stdin", "people", "add", "x.y", "--name", "X", "--role", "staff"),
    ("keeper",),
    ("answerer",),
]


@pytest.mark.parametrize("command", NEEDS_A_STATE_DIR, ids=" ".join)
def test_without_a_state_directory_nothing_is_made(bare, command):
    """Exit code 4, a sentence, and not a file."""
    result = bare(*command, stdin="a password of any kind\n")
    assert result.code == 4, result.err
    assert f"Nothing is set up in {bare.state_dir}" in result.err
    assert "schoolgate run" in result.err
    assert not bare.state_dir.exists()


def test_the_first_account_makes_what_is_missing(bare):
    """The owner of the directory adds the first of SLT without signing in; store and directory are their own."""
    added = bare("people", "add", "head", "--name", "Head teacher", "--role", "slt", "--password-stdin", "--json",
                 stdin="lapwing umbrella soup\n")  # fmt: skip
    assert added.code == 0, added.err
    assert added.json["role"] == "slt"
    assert added.json["has_password"] is True
    assert stat.S_IMODE(bare.state_dir.stat().st_mode) == 0o700
    assert stat.S_IMODE((bare.state_dir / "schoolgate.db").stat().st_mode) == 0o600
    assert bare("login", "head", "--password-stdin", stdin="lapwing umbrella soup\n").code == 0


@pytest.mark.parametrize("prepared_before", [False, True])
def test_a_session_of_before_is_no_session_where_nobody_could_sign_in(bare, prepared_before):
    """Whoever begins anew, with a state directory of another time or none, adds the first account all the same."""
    if prepared_before:
        init.prepare_store(load(bare.environment).settings)
    keep_token(bare.session_file, "a-token-of-another-time")
    added = bare("people", "add", "head", "--name", "Head teacher", "--role", "slt", "--password-stdin",
                 stdin="lapwing umbrella soup\n")  # fmt: skip
    assert added.code == 0, added.err
    assert not bare.session_file.exists()


@pytest.mark.parametrize("role", ["technician", "network", "staff"])
def test_the_first_account_is_one_of_slt(bare, role):
    """Whoever owns the directory makes nobody else."""
    result = bare("people", "add", "x.y", "--name", "X", "--role", role, "--password-stdin", stdin="a good password\n")
    assert result.code == 3
    assert "The first account is one of SLT" in result.err


def test_with_an_slt_account_the_owner_signs_in_like_anybody(school):
    """Owning the directory is no account."""
    result = school("people", "add", "x.y", "--name", "X", "--role", "slt", "--password-stdin", "--json",
                    stdin="a good password\n")  # fmt: skip
    assert result.code == 3
    assert result.error["code"] == "not_signed_in"


def test_the_owner_restores_the_last_slt_account(school):
    """With every SLT account shut, the directory's owner opens one again."""
    assert school.as_("head", "people", "disable", "deputy").code == 0
    last = school.as_("head", "people", "disable", "head")
    assert last.code == 1
    assert "last SLT account" in last.err
    store = school.store
    with store.write() as unit:
        for person in unit.query(Person).filter_by(role="slt"):
            person.enabled = False
    store.close()
    assert school("people", "enable", "head").code == 0
    assert school.as_("head", "people", "list").code == 0


def test_a_directory_of_somebody_else_is_left_alone(bare):
    """Only its owner prepares it."""
    if os.geteuid() != 0:
        pytest.skip("needs root, to own a directory as somebody else")
    bare.state_dir.mkdir(mode=0o700)
    os.chown(bare.state_dir, 65534, 65534)
    result = bare(
        "people", "add", "head", "--name", "X", "--role", "slt", "--password-stdin", stdin="a good password\n"
    )
    assert result.code == 1
    assert "belongs to nobody" in result.err
    assert list(bare.state_dir.iterdir()) == []


def test_an_open_directory_with_something_else_in_it_is_refused(bare):
    """Nobody's home directory is closed by accident."""
    bare.state_dir.mkdir(mode=0o755)
    (bare.state_dir / "letters.txt").write_text("Dear all")
    result = bare("ca", "init")
    assert result.code == 1
    assert "others may enter" in result.err
    assert stat.S_IMODE(bare.state_dir.stat().st_mode) == 0o755


def test_an_empty_directory_is_closed_to_others(bare):
    """``mkdir`` is kind to everybody; we are not."""
    bare.state_dir.mkdir(mode=0o755)
    assert bare("ca", "init").code == 0
    assert stat.S_IMODE(bare.state_dir.stat().st_mode) == 0o700


def test_a_state_directory_that_cannot_be_made(bare):
    """A file in its way."""
    bare.state_dir.write_text("")
    result = bare("ca", "init")
    assert result.code == 1
    assert "cannot be made" in result.err
