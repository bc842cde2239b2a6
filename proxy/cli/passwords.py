"""Passwords as they are given to a command: lines of standard input, or typed at a terminal. Never an argument."""

import sys
from getpass import getpass

from proxy.cli.errors import WrongUse
from proxy.cli.output import command, say

LONGEST = 1024  # bytes of a line; Argon2 takes any length, standard input should not


def from_stdin(whose: str) -> str:
    """The next line of standard input."""
    line = sys.stdin.buffer.readline(LONGEST + 2)
    text = line.removesuffix(b"\n").removesuffix(b"\r")
    if len(text) > LONGEST:
        raise WrongUse(f"The password of {whose} is longer than {LONGEST} bytes.", code="password_unreadable")
    try:
        password = text.decode("utf-8")
    except UnicodeDecodeError:
        raise WrongUse(f"The password of {whose} is not UTF-8.", code="password_unreadable") from None
    if not password:
        raise WrongUse(
            f"There is no password of {whose} on standard input.",
            code="password_missing",
            hint="One line each: first that of whoever acts, then the new one.",
        )
    return password


def from_terminal(whose: str, prompt: str | None = None) -> str:
    """Typed, unseen. Without a terminal there is nobody to ask."""
    if not sys.stdin.isatty():
        raise WrongUse(
            f"There is no terminal to ask for the password of {whose}.",
            code="password_missing",
            hint="Give it on standard input, with --password-stdin; or sign in before, with `schoolgate login NAME`.",
        )
    return getpass(prompt or f"Password of {whose}: ")


def new_or_none(whose: str, *, stdin: bool) -> str | None:
    """A new password; none where there is nobody to ask, or nothing is typed."""
    if not stdin and not sys.stdin.isatty():
        return None
    return new(whose, stdin=stdin) or None


def new(whose: str, *, stdin: bool, kind: str = "password") -> str:
    """A new password; at a terminal it is typed twice."""
    if stdin:
        return from_stdin(whose)
    password = from_terminal(whose, f"New {kind} for {whose}: ")
    if password and password != getpass("The same again: "):
        raise WrongUse("The two are not the same.", code="passwords_differ", hint="Nothing was changed: try again.")
    return password


def generated() -> str:
    """One made up here. Without a terminal there is nobody to show it to, and nothing is changed."""
    from proxy.services import passwords

    if not sys.stdout.isatty():
        raise WrongUse(
            "A password that is made up is shown once, on a terminal, and this is none.",
            code="password_missing",
            hint="Give one on standard input instead, with --password-stdin.",
        )
    return passwords.generated()


def show_once(whose: str, password: str) -> None:
    say(f"It is shown this once. Give it to {whose} in person, who may change it:")
    command(password)
