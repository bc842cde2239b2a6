"""A school whose people have browsing passwords, and the keeper's end of the exchange for it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from prometheus_client import CollectorRegistry, Counter

from policies.loading import build_catalogue
from policies.model import Policy
from policies.snapshot import Snapshot
from policies.vocabulary import Role
from proxy.identity.verifying import Verifier, VerifyingServer
from proxy.metrics import internal_errors
from proxy.services import browsing, passwords
from proxy.services.permission import Actor
from proxy.store import models
from proxy.store.engine import Store
from proxy.store.queries import snapshot_parts

NOW = datetime(2026, 3, 2, 10, tzinfo=UTC)
HEAD = Actor("head", "Head", Role.SLT)
SIGNING_IN, BROWSING = "signing in is a secret", "browsing: three random words"


@dataclass
class School:
    """Its store, its published state, and a clock that stands still until it is moved."""

    store: Store
    policy: Policy
    now: datetime = NOW
    checked: list[str | None] = field(default_factory=list)  # what Argon2 was asked about
    snapshot: Snapshot | None = None

    def publish(self) -> None:
        """What the store says is what enforcing processes know."""
        with self.store.read() as session:
            parts = snapshot_parts(session, self.now)
        self.snapshot = Snapshot(
            number=self.snapshot.number + 1 if self.snapshot else 1,
            confirmed_at=self.now,
            policy=self.policy,
            catalogue=build_catalogue("1", [], []),
            members=parts.members,
        )

    def set_browsing(self, name: str, password: str = BROWSING) -> None:
        with self.store.write() as session:
            browsing.set_password(session, HEAD, name, password, self.now)

    def change(self, name: str, **changes: object) -> None:
        with self.store.write() as session:
            person = session.query(models.Person).filter_by(name=name).one()
            for attribute, value in changes.items():
                setattr(person, attribute, value)

    def pass_time(self, span: timedelta) -> None:
        self.now += span

    def monotonic(self) -> float:
        return (self.now - NOW).total_seconds()

    def verifier(self) -> Verifier:
        return Verifier(lambda: self.store, lambda: self.now, self.monotonic)


@pytest.fixture
def school(store: Store, monkeypatch: pytest.MonkeyPatch) -> School:
    """Four people; ``j.smith`` and the others but ``new`` have a browsing password. Argon2 is set to be quick."""
    quick = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    monkeypatch.setattr(passwords, "_HASHER", quick)
    monkeypatch.setattr(passwords, "NOBODY", quick.hash("nobody"))
    policy = {
        "school": {"name": "A school", "contact": "the office"},
        "networks": {"estate": {"addresses": ["10.0.0.0/8"]}},
        "rules": [{"name": "Estate", "clause": "3", "verdict": "deny"}],
    }
    made = School(store, Policy.model_validate(policy))
    with store.write() as session:
        for name, role in (("head", Role.SLT), ("j.smith", Role.STAFF), ("gone", Role.STAFF), ("new", Role.STAFF)):
            hashed = passwords.hashed(SIGNING_IN, name=name)
            session.add(models.Person(name=name, display_name=name, role=role, password_hash=hashed, added_at=NOW))
    for name in ("head", "j.smith", "gone"):
        made.set_browsing(name)
    made.change("gone", enabled=False)
    made.publish()
    _watch(made, monkeypatch)
    return made


def _watch(school: School, monkeypatch: pytest.MonkeyPatch) -> None:
    verified = passwords.verified

    def watched(password: str, kept: str | None) -> bool:
        school.checked.append(kept)
        return verified(password, kept)

    monkeypatch.setattr(passwords, "verified", watched)


@pytest.fixture
def failures() -> Counter:
    return internal_errors(CollectorRegistry())


@pytest.fixture
def server(tmp_path: Path, failures: Counter) -> Callable[..., VerifyingServer]:
    """The keeper's end, with a way of answering; to be entered."""
    return lambda answer: VerifyingServer(tmp_path / "identity.sock", answer, failures)
