"""Accounts, signing in, and who may change whom."""

import os
import pty
import re
import stat
import subprocess
import sys
from collections.abc import Sequence
from contextlib import closing

import pytest
from sqlalchemy import delete, select

from policies.vocabulary import Role
from proxy.services.passwords import verified
from proxy.store.models import Person, SignIn
from tests.integration.cli.conftest import PASSWORDS
from tests.integration.cli.screen import read_until


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
        "has_browsing": False,
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


def test_a_session_that_has_ended_is_forgotten(school):
    """It is said once; from then on nobody is signed in."""
    school.login("head")
    with closing(school.store) as store, store.write() as unit:
        unit.execute(delete(SignIn))
    assert school("grants", "--json").error["code"] == "session_ended"
    assert not school.session_file.exists()
    assert "Nobody is signed in" in school("grants").err


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


def test_groups(head):
    """Joining and leaving, and how many are in each."""
    joined = head("people", "groups", "j.smith", "--join", "governors", "--join", "choir", "--json").json
    assert joined["groups"] == ["choir", "governors"]
    assert "j.smith is in the group choir now." in head("people", "groups", "j.smith", "--leave", "governors").out
    assert head("groups", "list", "--json").json == [
        {"name": "choir", "people": 1, "devices": 0},
        {"name": "governors", "people": 0, "devices": 0},
    ]
    assert "governors" in head("groups", "list").out
    assert head("people", "groups", "j.smith").code == 2


def test_a_browsing_password(school):
    """Is set by whoever may, shown in the list, signs nobody in, and is taken away."""
    school.act_as("j.smith")
    given = ("people", "password", "j.smith", "--browsing", "--password-stdin")
    assert school(*given, stdin="bramble teapot wren\n").code == 0
    assert school(*given, stdin=PASSWORDS["j.smith"] + "\n").code == 2
    assert school("login", "j.smith", "--password-stdin", stdin="bramble teapot wren\n").code == 3
    school.act_as("tech")
    assert [p["name"] for p in school("people", "list", "--json").json if p["has_browsing"]] == ["j.smith"]
    assert (
        school("people", "password", "head", "--browsing", "--password-stdin", stdin="bramble teapot wren\n").code == 3
    )
    assert school("people", "password", "j.smith", "--browsing", "--remove").code == 0
    assert school("people", "password", "j.smith", "--browsing", "--remove").code == 1


@pytest.mark.parametrize(
    "options",
    [
        ("--remove",),
        ("--browsing", "--remove", "--generate"),
        ("--generate", "--password-stdin"),
        ("--generate",),
        ("--browsing", "--generate"),
    ],
)
def test_passwords_that_cannot_be(head, options):
    """Contradictions, and a password that would be made up with nobody there to see it: nothing is changed."""
    result = head("people", "password", "j.smith", *options, stdin="bramble teapot wren\n")
    assert result.code == 2, result.out
    assert head("login", "j.smith", "--password-stdin", stdin=PASSWORDS["j.smith"] + "\n").code == 0


@pytest.mark.parametrize("browsing", [(), ("--browsing",)])
def test_a_password_that_is_made_up(head, browsing):
    """On a terminal it is shown, once, and it works."""
    shown = on_a_terminal(head, "people", "password", "j.smith", "--generate", *browsing)
    [made] = re.findall(r"^    ((?:[a-z]{4}-){2}[a-z]{4})\r?$", shown, re.MULTILINE)
    if browsing:
        with closing(head.store) as store, store.read() as session:
            [kept] = session.scalars(select(Person.browsing_hash).where(Person.name == "j.smith"))
        assert verified(made, kept)
    else:
        assert head("login", "j.smith", "--password-stdin", stdin=f"{made}\n").code == 0


@pytest.mark.parametrize(
    ("options", "asked"), [((), "New password for j.smith:"), (("--browsing",), "New browsing password for j.smith:")]
)
def test_which_password_is_asked_for(head, options, asked):
    """A new one, and for what; not the one that is in force, as ``--as`` asks for it."""
    typed = [(asked, "bramble teapot wren"), ("The same again:", "bramble teapot wren")]
    assert asked in on_a_terminal(head, "people", "password", "j.smith", *options, typed=typed)


def on_a_terminal(school, *arguments: str, typed: Sequence[tuple[str, str]] = ()) -> str:
    """What a command shows whose standard output is a terminal. ``typed``: behind which prompt, and what."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "proxy.cli", *arguments]
    streams = {"stdin": theirs, "stdout": theirs, "stderr": theirs}
    process = subprocess.Popen(command, **streams, env=dict(school.environment), start_new_session=True)
    os.close(theirs)
    shown = ""
    for prompt, line in typed:
        shown += read_until(ours, prompt)  # getpass forgets what was typed before it asked
        os.write(ours, f"{line}\n".encode())
    shown += read_until(ours, None)
    os.close(ours)
    assert process.wait(timeout=60) == 0, shown
    return shown


@pytest.mark.parametrize("change", ["role", "disable", "password"])
def test_a_change_ends_sessions_at_once(head, change):
    """Whoever was signed in is not any more."""
    head.act_as("j.smith")
    assert head("grants").code == 0
    head.act_as("head")
    done = {
        "role": lambda: head("people", "role", "j.smith", "network"),
        "disable": lambda: head("people", "disable", "j.smith"),
        "password": lambda: head("people", "password", "j.smith", "--password-stdin", stdin="bramble teapot wren\n"),
    }[change]()
    assert done.code == 0, done.err
    head.act_as("j.smith")
    result = head("grants", "--json")
    assert (result.code, result.error["code"]) == (3, "session_ended")


def test_the_session_is_private_and_hashed(school):
    """The file is its owner's alone; the store cannot be turned into a session."""
    school.login("head")
    assert stat.S_IMODE(school.session_file.stat().st_mode) == 0o600
    token = school.session_file.read_text().strip()
    for file in school.state_dir.glob("schoolgate.db*"):
        assert token.encode() not in file.read_bytes()


def test_the_last_of_slt_is_restored_by_the_owner(school):
    """The directory's owner gives a lost account a new password, or enables it, only while nobody of SLT works."""
    lost = ("people", "password", "head", "--password-stdin")
    assert school(*lost, stdin="bramble teapot wren\n").code == 3
    with closing(school.store) as store, store.write() as unit:
        for person in unit.scalars(select(Person).where(Person.role == Role.SLT)):
            person.enabled = False
    assert school("people", "enable", "j.smith").code == 3
    assert school(*lost, stdin="bramble teapot wren\n").code == 0
    assert school("people", "enable", "head", "--json").json["enabled"] is True
    assert school("people", "enable", "deputy").code == 3
    assert school("login", "head", "--password-stdin", stdin="bramble teapot wren\n").code == 0


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("j.sm\u0456th", "character 5 is U+0456 CYRILLIC SMALL LETTER BYELORUSSIAN-UKRAINIAN I"),
        ("j\u200bsmith", "character 2 is U+200B ZERO WIDTH SPACE"),
        ("j\u202esmith", "character 2 is U+202E RIGHT-TO-LEFT OVERRIDE"),
        ("j\x07smith", "character 2 is U+0007, a control character"),
    ],
)
def test_characters_that_deceive_are_named(head, name, said):
    """In a person's name, a device's, a group's, and a reason."""
    for command in (
        ("people", "add", name, "--name", "X", "--role", "staff"),
        ("people", "add", "new", "--name", name, "--role", "staff"),
        ("devices", "add", name, "--address", "10.20.0.9"),
        ("people", "groups", "j.smith", "--join", name),
        ("grant", "10.20.0.9", "facebook", "--for", "1h", "--reason", f"{name} asked for it"),
    ):
        result = head(*command)
        assert result.code == 2
        assert said in result.err.replace("\n  ", " "), command
