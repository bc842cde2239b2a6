"""Who is behind an explicit connection: what every way of telling it has in common.

A door reads what a client sent in ``Proxy-Authorization`` and says who that is, or why not. Basic with a browsing
password is one (``browsing``); Kerberos and RADIUS can be others without touching who enforces.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from policies.names import IPAddress


@dataclass(frozen=True, slots=True)
class Identity:
    """Somebody who has shown who they are, and by which of their credentials: a new one ends what rests on the old."""

    person: str
    credential: str


class Unproven(StrEnum):
    """Why a credential told nobody."""

    WRONG = "wrong"  # no such name, not its password, disabled, or not a credential at all
    WAIT = "wait"  # too many wrong ones: this name is not tried for now
    AWAY = "away"  # nobody could look: the keeper is away or has more to do than it can


class Door(Protocol):
    """One way of telling who is there."""

    @property
    def challenge(self) -> str:
        """The ``Proxy-Authenticate`` field (RFC 9110 section 11.7.1)."""
        ...

    async def identify(self, authorization: str, address: IPAddress) -> Identity | Unproven:
        """Who sent this ``Proxy-Authorization``. Never raises for anything a client can send."""
        ...
