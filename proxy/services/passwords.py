"""Passwords: Argon2id as its library's authors set it, long enough, not the obvious ones, the same work for nobody.

The rules are those of the NCSC: length over composition, and a list of what everybody tries first.
"""

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

# A hash of nothing anybody knows, made with the same parameters: verifying it takes as long as verifying a real one.
NOBODY = "$argon2id$v=19$m=65536,t=3,p=4$j2CcuTmnbe+BRX3RgVxg7g$SdMdWvsI7khyoCNeUDW0WaLqfRulbA3UeUDorvf7vwg"

_HASHER = PasswordHasher()


def hashed(password: str, *, name: str) -> str:
    """What is kept of a new password. Raises BadInput, which says what is wrong with it."""
    composed = _composed(password)
    _demand_length(composed)
    _refuse_obvious(composed, name)
    return _HASHER.hash(composed)


def rehashed(password: str) -> str:
    """What is kept of a password that was verified, hashed as is usual now."""
    return _HASHER.hash(_composed(password))


def verified(password: str, kept: str | None) -> bool:
    """Whether this is the password; with none kept it is not, after the same work."""
    composed = _composed(password)
    if len(composed) > LONGEST:
        composed = b""
    try:
        _HASHER.verify(kept or NOBODY, composed)
    except (VerificationError, InvalidHashError):
        return False
    return kept is not None


def outdated(kept: str) -> bool:
    """Whether it was hashed with less work than is usual now."""
    return _HASHER.check_needs_rehash(kept)


def _composed(password: str) -> bytes:
    return unicodedata.normalize("NFC", password).encode(errors="surrogateescape")


def _demand_length(password: bytes) -> None:
    if len(password.decode(errors="replace")) < SHORTEST:
        raise _bad(f"A password has at least {SHORTEST} characters.")
    if len(password) > LONGEST:
        raise _bad(f"A password has at most {LONGEST} bytes.")


def _refuse_obvious(password: bytes, name: str) -> None:
    plain = "".join(c for c in password.decode(errors="replace").casefold() if c.isalnum())
    words = (*OBVIOUS, "".join(c for c in name if c.isalnum()))
    if any(w in plain and len(plain) - len(w) < LEAST_BESIDE for w in words if len(w) >= LEAST_DIFFERENT):
        raise _bad("That is among the first passwords anybody would try.")
    if len(set(password)) < LEAST_DIFFERENT:
        raise _bad("That repeats too few characters.")


def _bad(what: str) -> BadInput:
    return BadInput("bad_password", what, "Three random words make a good one, such as no book would put together.")
