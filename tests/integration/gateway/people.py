"""People at a gate: their browsing passwords, and a keeper to ask whose answers a test can turn."""

import threading
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from prometheus_client import CollectorRegistry, Counter

from policies.snapshot import Member
from proxy.identity.door import Identity, Unproven
from proxy.identity.exchange import Question
from proxy.identity.verifying import VerifyingServer
from tests.integration.gateway.clients import DEADLINE
from tests.integration.gateway.gate import Client, Gate

SMITH, JONES = "j.smith", "a.jones"
PASSWORDS = {SMITH: "pa:ss word", JONES: "Grüße an alle"}


def basic(name: str, password: str) -> str:
    """The header of RFC 7617."""
    return f"Proxy-Authorization: Basic {b64encode(f'{name}:{password}'.encode()).decode()}"


def signed_in(client: Client, name: str, password: str | None = None) -> Client:
    """The same device, in a browser that gives this name and password to the proxy."""
    return replace(client, headers=(basic(name, PASSWORDS[name] if password is None else password),))


@dataclass
class People:
    """Who answers for the keeper. ``asked`` are the questions; ``hang`` holds every answer back until it is cleared."""

    gate: Gate
    passwords: dict[str, str] = field(default_factory=lambda: dict(PASSWORDS))
    term: int = 0
    waiting: set[str] = field(default_factory=set)
    asked: list[Question] = field(default_factory=list)
    answering: threading.Event = field(default_factory=threading.Event)

    def arrive(self) -> None:
        """Everybody is given their password, anew: what is remembered of before stands for nobody."""
        self.passwords, self.term = dict(PASSWORDS), self.term + 1
        self.gate.keeper.members = {name: Member("staff", browsing=f"{name}-{self.term}") for name in self.passwords}
        self.gate.keeper.publish()
        self.asked.clear()
        self.answering.set()

    def change_credential(self, name: str) -> None:
        """A new password: what rested on the old one stands for nobody."""
        member = self.gate.keeper.members[name]
        self.passwords[name] += " new"
        self.gate.keeper.members[name] = replace(member, browsing=f"{member.browsing}+")
        self.gate.keeper.publish()

    def answer(self, question: Question) -> Identity | Unproven:
        self.asked.append(question)
        self.answering.wait(DEADLINE)
        if question.name in self.waiting:
            return Unproven.WAIT
        if self.passwords.get(question.name) != question.password:
            return Unproven.WRONG
        return Identity(question.name, self.gate.keeper.members[question.name].browsing or "")

    @contextmanager
    def looked_after(self) -> Iterator[None]:
        """While the block runs there is a keeper to ask."""
        failures = Counter("failures", "Of the tests' own keeper.", ("where",), registry=CollectorRegistry())
        with VerifyingServer(self.gate.state_dir / "identity.sock", self.answer, failures):
            yield
