"""Who may reach what, from when until when: values, and the one table of how a request may move.

An authorisation stores its window and its revocation; whether it is live is a function of time (law 4):
it covers ``starts_at <= now < ends_at``, unless it was revoked or its end has been latched.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from ipaddress import ip_address
from types import MappingProxyType
from typing import Self

from policies.names import HostName, InvalidName, host_name, is_public_suffix, is_within, normal_address


class SubjectKind(StrEnum):
    PERSON = "person"
    DEVICE = "device"
    ADDRESS = "address"
    NETWORK = "network"
    GROUP = "group"


class TargetKind(StrEnum):
    SERVICE = "service"
    CATEGORY = "category"
    DOMAIN = "domain"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class Subject:
    """Whom an authorisation covers, e.g. ``person:j.smith`` or ``address:10.20.0.10``."""

    kind: SubjectKind
    name: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``kind:name``; an address alone is itself. Raises ValueError with what was expected.

        A bare name (a person, then a device) needs the store to tell which: see ``services``.
        """
        kind, colon, name = text.partition(":")
        if not colon or kind not in SubjectKind:
            return cls(SubjectKind.ADDRESS, _address(text))
        if not name.strip():
            raise ValueError(f"{text!r} names nobody: write {kind}:NAME.")
        if kind == SubjectKind.ADDRESS:
            return cls(SubjectKind.ADDRESS, _address(name))
        return cls(SubjectKind(kind), name.strip())

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}"


@dataclass(frozen=True, slots=True)
class Target:
    """What an authorisation opens, e.g. ``facebook``, ``category:forum``, ``domain:example.org``, ``all``."""

    kind: TargetKind
    name: str = ""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a target. Raises ValueError with what was expected; whether it exists is the catalogue's to say."""
        text = text.strip()
        if text.lower() == TargetKind.ALL:
            return cls(TargetKind.ALL)
        kind, colon, name = text.partition(":")
        if not colon:
            kind, name = TargetKind.SERVICE, text
        if kind not in TargetKind or kind == TargetKind.ALL or not name.strip():
            raise ValueError(f"{text!r} is no target: write a service, category:NAME, domain:NAME or all.")
        if kind == TargetKind.DOMAIN:
            return cls(TargetKind.DOMAIN, _domain(name))
        return cls(TargetKind(kind), name.strip().lower())

    def __str__(self) -> str:
        match self.kind:
            case TargetKind.ALL:
                return "all"
            case TargetKind.SERVICE:
                return self.name
            case _:
                return f"{self.kind}:{self.name}"

    def is_domain_of(self, host: HostName) -> bool:
        return self.kind is TargetKind.DOMAIN and is_within(host, HostName(self.name))


class State(StrEnum):
    FUTURE = "future"
    LIVE = "live"
    ENDED = "ended"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Authorisation:
    """One grant, as decided upon. Times are aware."""

    id: int
    subject: Subject
    target: Target
    starts_at: datetime
    ends_at: datetime
    revoked_at: datetime | None = None
    lapsed_at: datetime | None = None  # latched by the keeper when it first saw the end pass

    def state(self, now: datetime) -> State:
        if self.revoked_at is not None:
            return State.REVOKED
        if self.lapsed_at is not None or now >= self.ends_at:
            return State.ENDED
        return State.LIVE if now >= self.starts_at else State.FUTURE


class RequestState(StrEnum):
    """Where a request for access stands."""

    PENDING = "pending"
    APPROVED = "approved"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"


class RequestAct(StrEnum):
    APPROVE = "approve"
    REFUSE = "refuse"
    WITHDRAW = "withdraw"


TRANSITIONS: Mapping[tuple[RequestState, RequestAct], RequestState] = MappingProxyType(
    {
        (RequestState.PENDING, RequestAct.APPROVE): RequestState.APPROVED,
        (RequestState.PENDING, RequestAct.REFUSE): RequestState.REFUSED,
        (RequestState.PENDING, RequestAct.WITHDRAW): RequestState.WITHDRAWN,
    }
)


class ImpossibleTransition(ValueError):
    """A request was asked to move where the table has no way; a decided request is final."""


def after(state: RequestState, act: RequestAct) -> RequestState:
    """The state that ``act`` leads to from ``state``. Raises ImpossibleTransition where the table has none."""
    try:
        return TRANSITIONS[state, act]
    except KeyError:
        raise ImpossibleTransition(f"It is too late to {act} this request: it is {state}, and that is final.") from None


def _domain(text: str) -> HostName:
    try:
        name = host_name(text.strip())
    except InvalidName as error:
        raise ValueError(f"{text!r} is no domain: {error}.") from error
    if is_public_suffix(name):
        raise ValueError(f"{text!r} is everybody's: name the domain below it that is meant.")
    return name


def _address(text: str) -> str:
    try:
        return str(normal_address(ip_address(text.strip())))
    except ValueError:
        raise ValueError(
            f"{text!r} is not an address: write one such as 10.20.0.10, or person:NAME, device:NAME, "
            "network:NAME or group:NAME."
        ) from None
