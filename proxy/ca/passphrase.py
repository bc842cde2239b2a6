"""The passphrase of the root's key: made here, never kept here."""

import secrets

from proxy.ca.errors import CaError

LETTERS = "abcdefghjkmnpqrstuvwxyz"  # 23: without i, l and o, which are taken for others
GROUPS, GROUP = 6, 4  # 24 letters of 4.5 bits: 108 bits, beyond guessing whatever the file's key derivation costs
SHORTEST, LONGEST = 20, 1024  # characters of one that somebody chose: PKCS#8 as OpenSSL writes it derives cheaply


def new_passphrase() -> str:
    """Six groups of four letters: to be read out, and written on paper."""
    return "-".join("".join(secrets.choice(LETTERS) for _ in range(GROUP)) for _ in range(GROUPS))


def check_passphrase(passphrase: str) -> None:
    """Raises CaError for one that could be guessed by whoever has the file."""
    if not SHORTEST <= len(passphrase) <= LONGEST:
        raise CaError(
            f"A passphrase for the root's key has {SHORTEST} to {LONGEST} characters; this one has {len(passphrase)}.",
            "Five or six random words will do, or let schoolgate make one, on a terminal.",
        )
