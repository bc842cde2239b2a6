"""Accounts, signing in, and who may change whom."""

import pytest

from tests.integration.cli.conftest import PASSWORDS


def test_actor_and_new_password_come_line_by_line(school):
    """Where both are read from standard input, the actor's is the first line."""
    added = school("--as", "head", "--password-stdin", "people", "add", "a.jones", "--name", "Al Jones", "--role",
                   "staff", "--group", "governors", "--password-stdin", "--json",
                   stdin=f"{PASSWORDS['head']}\nbramble teapot wren\n")  # fmt: skip
    assert added.code == 0, added.err
    assert added.json == {
        "name": "a.jones",
        "display_name": "Al Jones",
        "role": "staff",
        "enabled": True,
        "has_password": True,
        "groups": ["governors"],
    }
    assert school("login", "a.jones", "--password-stdin", stdin="bramble teapot wren\n").code == 0


def test_without_a_terminal_nobody_is_asked(school):
    """``--as`` needs a terminal or standard input, and says so."""
    result = school("--as", "head", "grants", "--json")
    assert result.code == 2
    assert result.error["code"] == "password_missing"
    assert "--password-stdin" in result.error["hint"]


@pytest.mark.parametrize("stdin", ["", "\n", b"\xff\xfe\n", "x" * 100_000])
def test_what_is_no_password(school, stdin):
    """Nothing, not text, too much."""
    assert school("login", "head", "--password-stdin", stdin=stdin).code == 2


def test_wrong_password(school):
    """Refused, with nothing said about which of the two is wrong."""
    for name in ("head", "nobody.such"):
        result = school("login", name, "--password-stdin", stdin="wrong horse entirely\n")
        assert result.code == 3
        assert "The name or the password is wrong" in result.err
    assert not (school.state_dir.parent / "session").exists()


def test_password_stdin_before_the_command_needs_as(school):
    """Whose would it be."""
    assert school("--password-stdin", "grants").code == 2


def test_the_session_lasts_until_logout(school):
    """``login`` keeps it for the commands that follow; ``logout`` ends it in the store too."""
    assert school("grants").code == 3
    school.login("head")
    token = (school.state_dir.parent / "session").read_text()
    assert school("grants").code == 0
    assert school("logout").code == 0
    assert school("grants").code == 3
    (school.state_dir.parent / "session").write_text(token)
    (school.state_dir.parent / "session").chmod(0o600)
    result = school("grants", "--json")
    assert result.code == 3
    assert result.error["code"] == "session_ended"


def test_logout_of_nobody(school):
    """Is done already."""
    assert school("logout").code == 0


@pytest.mark.parametrize(
    ("name", "command", "code"),
    [
        ("tech", ("people", "list"), 0),
        ("net", ("people", "list"), 3),
        ("j.smith", ("people", "list"), 3),
        ("tech", ("people", "role", "j.smith", "slt"), 3),
        ("tech", ("people", "disable", "head"), 3),
        ("j.smith", ("grant", "10.20.0.10", "facebook", "--for", "1h", "--reason", "Because"), 3),
        ("tech", ("grant", "10.20.0.10", "facebook", "--for", "1h", "--reason", "Because"), 3),
        ("net", ("devices", "list"), 3),
        ("net", ("attempts", "--person", "j.smith"), 3),
        ("j.smith", ("attempts",), 0),
        ("net", ("attempts",), 0),
    ],
)
def test_roles(school, name, command, code):
    """Each role does what it may, and is told what it may not."""
    school.act_as(name)
    result = school(*command)
    assert result.code == code, result.err
    assert code == 0 or "may" in result.err


def test_changes_of_an_account(head):
    """Role, disable, enable, password, list."""
    assert head("people", "role", "j.smith", "technician", "--json").json["role"] == "technician"
    assert head("people", "disable", "j.smith", "--json").json["enabled"] is False
    assert head.as_("j.smith", "grants").code == 3
    assert head("people", "enable", "j.smith").code == 0
    assert head("people", "password", "j.smith", "--password-stdin", stdin="bramble teapot wren\n").code == 0
    assert head("login", "j.smith", "--password-stdin", stdin="bramble teapot wren\n").code == 0
    head.login("head")
    listed = head("people", "list", "--json").json
    assert [person["name"] for person in listed] == ["deputy", "head", "j.smith", "net", "tech"]
    assert "technician" in head("people", "list").out


def test_a_person_without_a_password(head):
    """Is added, cannot sign in, and the next command is named."""
    result = head("people", "add", "a.jones", "--name", "Al Jones", "--role", "staff")
    assert result.code == 0
    assert "schoolgate people password a.jones" in result.out


@pytest.mark.parametrize(
    "arguments",
    [
        ("people", "add", "a.jones", "--role", "staff"),
        ("people", "add", "a.jones", "--name", "X", "--role", "king"),
        ("people", "add", "A JONES!", "--name", "X", "--role", "staff"),
        ("people", "add", "x" * 100_000, "--name", "X", "--role", "staff"),
        ("people", "add", "x.y", "--name", "\x1b\u202e", "--role", "staff"),
        ("people", "add", "x.y", "--name", "X" * 100_000, "--role", "staff"),
        ("people", "add", "x.y", "--name", "X", "--role", "staff", "--group", "../../etc"),
        ("people", "role", "j.smith"),
    ],
)
def test_wrong_use_changes_nothing(head, arguments):
    """Exit code 2, one sentence, nothing half written."""
    before = head("people", "list", "--json").json
    result = head(*arguments)
    assert result.code == 2
    assert len(result.err) < 1000
    assert "\x1b" not in result.err
    assert head("people", "list", "--json").json == before


def test_a_short_new_password_is_refused(head):
    """And the old one stays."""
    result = head("people", "password", "j.smith", "--password-stdin", stdin="short\n")
    assert result.code == 2
    assert "8 characters" in result.err
    assert head("login", "j.smith", "--password-stdin", stdin=PASSWORDS["j.smith"] + "\n").code == 0
