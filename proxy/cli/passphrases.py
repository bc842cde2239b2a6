"""The passphrase of the root's key, as it is given to a command or shown by one. Never an argument, never in a log."""

import sys
from collections.abc import Callable
from getpass import getpass

import typer

from proxy.ca.errors import KeyLocked, WrongPassphrase
from proxy.ca.passphrase import LONGEST
from proxy.cli.errors import CommandError, WrongUse
from proxy.cli.output import command, say, warn

TRIES = 3


def from_stdin(which: str = "passphrase") -> str:
    """The next line of standard input."""
    line = sys.stdin.buffer.readline(4 * LONGEST + 2)
    try:
        passphrase = line.removesuffix(b"\n").removesuffix(b"\r").decode("utf-8")
    except UnicodeDecodeError:
        raise WrongUse(f"The {which} on standard input is not UTF-8.", code="passphrase_unreadable") from None
    if not passphrase:
        raise WrongUse(f"There is no {which} on standard input.", code="passphrase_missing", hint="One line each.")
    return passphrase


def unlocked[T](act: Callable[[str | None], T], *, stdin: bool) -> T:
    """Do what may need the passphrase: with the one on standard input, else without, else with what is typed."""
    if stdin:
        return act(from_stdin())
    try:
        return act(None)
    except KeyLocked:
        if not sys.stdin.isatty():
            raise
    for left in reversed(range(TRIES)):
        try:
            return act(getpass("Passphrase of the root's key: "))
        except WrongPassphrase:
            if not left:
                raise
            warn(f"That is not it. {'Once more' if left == 1 else 'Try again'}:")
    raise AssertionError  # the last try returned or raised


def show(passphrase: str) -> None:
    """Where somebody can see it: on a terminal, once."""
    say("The passphrase of the CA's root key:")
    say("")
    command(passphrase)
    say("")
    say("Write it on paper and lock it away: it is shown this once, and nobody can recover it.")
    say("")


def hand_over(passphrase: str) -> None:
    """Show it, and go on only if somebody says that they have it."""
    if not sys.stdout.isatty() or not sys.stdin.isatty():
        raise CommandError(
            "There is no terminal to show the passphrase on.",
            code="no_terminal",
            hint="Run this on a terminal, or give a passphrase of your own on standard input, with --passphrase-stdin.",
        )
    show(passphrase)
    if not typer.confirm("Is it written down?"):
        raise CommandError("Nothing was changed.", code="not_written_down", hint="Run this again when you can write.")
