"""A small policy and catalogue of the tests' own, beside the ones that come with schoolgate."""

import copy
from collections.abc import Callable
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Any

import pytest

from policies.attempt import Attempt
from policies.authorisation import Authorisation, Subject, Target
from policies.catalogue import Catalogue, Category, Service
from policies.decision import Decision, decide
from policies.loading import build_catalogue, default_policy_path, load_catalogue, load_policy
from policies.model import Policy
from policies.names import address_literal, host_name
from policies.snapshot import Snapshot
from policies.vocabulary import Protocol

LESSON = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)

SMALL: dict[str, Any] = {
    "school": {"name": "A school", "contact": "the head"},
    "networks": {
        "estate": {"addresses": ["10.0.0.0/8", "fc00::/7"], "reaches_internal": True},
        "guest": {"addresses": ["10.99.0.0/16"], "page": False},
    },
    "internal": {"suffixes": ["local"], "networks": ["10.1.0.0/16"]},
    "timetable": {"periods": {"lessons": [{"from": "09:00", "to": "10:00"}]}},
    "locked": [{"name": "Ways round", "clause": "2", "categories": ["circumvention"]}],
    "exempt": [{"because": "Help", "clause": "5", "domains": ["help.facebook.com"]}],
    "teaching": [
        {"service": "scratch", "allow": True, "clause": "3", "because": "Lessons"},
        {"service": "player", "allow": True, "clause": "3", "because": "Clips"},
        {"service": "youtube", "allow": False, "clause": "3", "because": "Video sharing"},
    ],
    "destinations": [
        {"because": "The till", "clause": "1", "networks": ["192.0.2.10/32"], "ports": [443, 9000]},
        {"because": "Mail", "clause": "1", "domains": ["mail.example.org"], "ports": [993]},
    ],
    "rules": [
        {"name": "Staff room", "clause": "3", "verdict": "allow", "roles": ["slt"], "services": ["forum"]},
        {"name": "Estate", "clause": "3 ¶1", "verdict": "deny", "networks": ["estate"]},
        {"name": "In lessons", "clause": "3 ¶1", "verdict": "deny", "networks": ["guest"], "during": ["lessons"]},
        {"name": "Own devices", "clause": "3 ¶1", "verdict": "allow", "networks": ["guest"], "outside": ["lessons"]},
    ],
}

SERVICES = (
    Service(key="facebook", name="Facebook", category="social-network", domains=("facebook.com", "fbcdn.net")),
    Service(
        key="instagram",
        name="Instagram",
        category="image-sharing",
        domains=("instagram.com",),
        shared_hosts=("fbcdn.net",),
    ),
    Service(key="youtube", name="YouTube", category="video-sharing", domains=("youtube.com", "ytimg.com")),
    Service(key="player", name="Player", category="learning", domains=("player.example",), shared_hosts=("ytimg.com",)),
    Service(key="scratch", name="Scratch", category="learning", domains=("scratch.mit.edu",)),
    Service(key="forum", name="Forum", category="forum", domains=("forum.example",)),
    Service(key="vpn", name="VPN", category="circumvention", domains=("vpn.example",)),
)


@pytest.fixture(scope="session")
def catalogue() -> Catalogue:
    """A handful of services, one that shares another's host among them."""
    categories = [Category(key=key, name=key) for key in sorted({service.category for service in SERVICES})]
    return build_catalogue("1", categories, SERVICES)


@pytest.fixture(scope="session")
def make_policy() -> Callable[..., Policy]:
    """The small policy, with some of its fields replaced."""
    return lambda **changes: Policy.model_validate({**copy.deepcopy(SMALL), **changes})


@pytest.fixture(scope="session")
def policy(make_policy) -> Policy:
    return make_policy()


@pytest.fixture(scope="session")
def shipped_policy() -> Policy:
    return load_policy(default_policy_path())


@pytest.fixture(scope="session")
def shipped_catalogue() -> Catalogue:
    return load_catalogue()


@pytest.fixture(scope="session")
def grant() -> Callable[..., Authorisation]:
    """An authorisation written as people write it; live from 09:00 to 10:00 on the day of LESSON."""

    def make(who: str, target: str, **changes) -> Authorisation:
        values = {"id": 1, "starts_at": LESSON.replace(minute=0), "ends_at": LESSON.replace(hour=10, minute=0)}
        return Authorisation(subject=Subject.parse(who), target=Target.parse(target), **{**values, **changes})

    return make


@pytest.fixture(scope="session")
def make_snapshot(policy, catalogue) -> Callable[..., Snapshot]:
    def make(*authorisations: Authorisation, **changes) -> Snapshot:
        values = {"number": 1, "confirmed_at": LESSON, "policy": policy, "catalogue": catalogue}
        return Snapshot(**{**values, "authorisations": authorisations, **changes})

    return make


@pytest.fixture(scope="session")
def make_attempt() -> Callable[..., Attempt]:
    """A TLS connection to ``host`` as a transparent gateway sees it, with some of its fields replaced."""

    def make(host: str | None = "www.facebook.com", address: str = "10.20.0.10", **changes) -> Attempt:
        values: dict[str, Any] = {
            "destination": ip_address("203.0.113.7"),
            "port": 443,
            "protocol": Protocol.TLS,
            "explicit": False,
            "server_name": host_name(host) if host else None,
        }
        if isinstance(asked := changes.get("destination"), str):
            changes["destination"] = address_literal(asked) or host_name(asked)
        return Attempt(address=ip_address(address), **{**values, **changes})

    return make


@pytest.fixture(scope="session")
def judge(make_attempt, make_snapshot) -> Callable[..., Decision]:
    """Decide on a host from an address at a moment, with these authorisations."""

    def make(host="www.facebook.com", address="10.20.0.10", *grants, at=LESSON, snapshot=None, **changes) -> Decision:
        return decide(make_attempt(host, address, **changes), snapshot or make_snapshot(*grants), at)

    return make
