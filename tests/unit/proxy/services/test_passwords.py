"""Passwords: long, not obvious, the same work for nobody."""

import re

import argon2
import pytest

from proxy.services import passwords
from proxy.services.errors import BadInput

GOOD = "three random words"


def test_round_trip() -> None:
    """The password is verified, another is not, and what is kept is salted Argon2id."""
    kept = passwords.hashed(GOOD, name="head")
    assert kept.startswith("$argon2id$")
    assert kept != passwords.hashed(GOOD, name="head")
    assert passwords.verified(GOOD, kept)
    assert not passwords.verified(GOOD + "x", kept)
    assert not passwords.outdated(kept)


def test_nobody_costs_the_same() -> None:
    """The hash that is verified for unknown names asks for as much work as a new one."""
    assert argon2.extract_parameters(passwords.NOBODY) == argon2.extract_parameters(argon2.PasswordHasher().hash("x"))
    assert not passwords.verified(GOOD, None)


@pytest.mark.parametrize(
    ("password", "why"),
    [
        ("", "at least 8"),
        ("a short", "at least 8"),
        ("x" * 1025, "at most 1024"),
        ("é" * 513, "at most 1024"),
        ("Password123", "first passwords"),
        ("P.a.s.s.w.o.r.d.1", "first passwords"),
        ("horringercourt1", "first passwords"),
        ("schoolgate!!", "first passwords"),
        ("j.smith2026", "first passwords"),
        ("ababababababab", "too few characters"),
        ("bramble\x00teapot", "Character 8 is a control character, U\\+0000"),
        ("bramble\tteapot", "Character 8 is a control character, U\\+0009"),
    ],
)
def test_bad_passwords(password: str, why: str) -> None:
    """What is too short, too long, obvious or repetitive is refused, and the password is not in the error."""
    with pytest.raises(BadInput, match=why) as caught:
        passwords.hashed(password, name="j.smith")
    assert not password or password not in caught.value.message


@pytest.mark.parametrize(
    "password",
    ["correct password horse", "x" * 1000 + "abc", "\udce9ric the half bee", "ключ от дома", "a:colon:or two"],
)
def test_good_passwords(password: str) -> None:
    """An obvious word among others, any length, any script, even bytes that are no text."""
    assert passwords.verified(password, passwords.hashed(password, name="head"))


@pytest.mark.parametrize("long", ["x" * 10**6, "\u0301\u0316" * 10**6])
def test_a_megabyte(long: str) -> None:
    """Is no password, and costs no more than another: composing piled-up accents would take minutes."""
    with pytest.raises(BadInput, match="at most 1024"):
        passwords.hashed(long, name="head")
    assert not passwords.verified(long, passwords.hashed(GOOD, name="head"))


def test_made_up() -> None:
    """Twelve letters in groups, different each time, good enough to be kept."""
    made = {passwords.generated() for _ in range(100)}
    assert len(made) == 100
    assert all(re.fullmatch(r"[bcdfghjkmnp-tv-xz]{4}(-[bcdfghjkmnp-tv-xz]{4}){2}", password) for password in made)
    one = made.pop()
    assert passwords.verified(one, passwords.hashed(one, name="head"))


def test_composed_or_not() -> None:
    """The same letters, or blanks, typed another way are the same password."""
    assert passwords.verified("three\u00a0random words", passwords.hashed(GOOD, name="head"))
    assert passwords.verified("cafe\u0301 au lait", passwords.hashed("caf\u00e9 au lait", name="head"))


@pytest.mark.parametrize("kept", ["", "no hash", "$argon2id$v=19$m=65536,t=3,p=4$"])
def test_no_hash(kept: str) -> None:
    """What is no hash verifies nothing."""
    assert not passwords.verified(GOOD, kept)
