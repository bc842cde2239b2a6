"""Passwords: Argon2id as its library's authors set it, long enough, not the obvious ones, the same work for nobody.

The rules are those of the NCSC: length over composition, and a list of what everybody tries first.
"""

import secrets
import unicodedata

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from proxy.services.errors import BadInput

SHORTEST = 8  # characters
LONGEST = 1024  # bytes
LEAST_BESIDE = 6  # characters that a password needs beside an obvious word
LEAST_DIFFERENT = 4
OBVIOUS = (
    "password",
    "passw0rd",
    "schoolgate",
    "horringercourt",
    "horringer",
    "letmein",
    "welcome",
    "qwertyuiop",
    "qwerty",
    "1234567890",
    "123456",
    "teacher",
    "headteacher",
    "changeme",
    "iloveyou",
    "administrator",
)

# Letters that are told apart when read aloud or copied by hand; without vowels no words come up.
LETTERS = "bcdfghjkmnpqrstvwxz"
GROUPS, GROUP_LENGTH = 3, 4  # 19 ** 12: 51 bits, out of reach of guessing at the gateway and of Argon2 undone

# A hash of nothing anybody knows, made with the same parameters: verifying it takes as long as verifying a real one.
NOBODY = "$argon2id$v=19$m=65536,t=3,p=4$j2CcuTmnbe+BRX3RgVxg7g$SdMdWvsI7khyoCNeUDW0WaLqfRulbA3UeUDorvf7vwg"

_HASHER = PasswordHasher()


def hashed(password: str, *, name: str) -> str:
    """What is kept of a new password. Raises BadInput, which says what is wrong with it."""
    if len(password) > LONGEST:
        raise _too_long()
    _refuse_controls(password)
    composed = _composed(password)
    _demand_length(composed)
    _refuse_obvious(composed, name)
    return _HASHER.hash(composed)


def generated() -> str:
    """A new password to be shown once, such as ``mtkr-zbwn-hdqs``."""
    groups = ("".join(secrets.choice(LETTERS) for _ in range(GROUP_LENGTH)) for _ in range(GROUPS))
    return "-".join(groups)


def rehashed(password: str) -> str:
    """What is kept of a password that was verified, hashed as is usual now."""
    return _HASHER.hash(_composed(password))


def verified(password: str, kept: str | None) -> bool:
    """Whether this is the password; with none kept it is not, after the same work."""
    composed = _composed(password) if len(password) <= LONGEST else b""
    if len(composed) > LONGEST:
        composed = b""
    try:
        _HASHER.verify(kept or NOBODY, composed)
    except (VerificationError, InvalidHashError):
        return False
    return kept is not None


def refuse_same(password: str, kept: str | None) -> None:
    """Raise BadInput if it is the same person's other password: one is for signing in, one for browsing."""
    if kept is not None and verified(password, kept):
        raise BadInput(
            "same_password",
            "The passwords for signing in and for browsing are two: this one is the other of them already.",
            "The one for browsing crosses the network and lies in browsers: it must open nothing else.",
        )


def outdated(kept: str) -> bool:
    """Whether it was hashed with less work than is usual now."""
    return _HASHER.check_needs_rehash(kept)


def _composed(password: str) -> bytes:
    """One form however it was typed (RFC 8265, OpaqueString). Slow for what is long: see before."""
    spaced = "".join(" " if unicodedata.category(c) == "Zs" else c for c in password)
    return unicodedata.normalize("NFC", spaced).encode(errors="surrogateescape")


def _refuse_controls(password: str) -> None:
    for place, character in enumerate(password, 1):
        if unicodedata.category(character) == "Cc":
            raise _bad(f"Character {place} is a control character, U+{ord(character):04X}.")


def _demand_length(password: bytes) -> None:
    if len(password.decode(errors="replace")) < SHORTEST:
        raise _bad(f"A password has at least {SHORTEST} characters.")
    if len(password) > LONGEST:
        raise _too_long()


def _refuse_obvious(password: bytes, name: str) -> None:
    plain = "".join(c for c in password.decode(errors="replace").casefold() if c.isalnum())
    words = (*OBVIOUS, "".join(c for c in name if c.isalnum()))
    if any(w in plain and len(plain) - len(w) < LEAST_BESIDE for w in words if len(w) >= LEAST_DIFFERENT):
        raise _bad("That is among the first passwords anybody would try.")
    if len(set(password)) < LEAST_DIFFERENT:
        raise _bad("That repeats too few characters.")


def _too_long() -> BadInput:
    return _bad(f"A password has at most {LONGEST} bytes.")


def _bad(what: str) -> BadInput:
    return BadInput("bad_password", what, "Three random words make a good one, such as no book would put together.")
