"""Who is behind a connection, from the real keeper in its own process, asked by a real door."""

import asyncio
import signal
import stat
from base64 import b64encode
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path

import pytest
from sqlalchemy import update

from policies.vocabulary import Role
from proxy.identity import browsing as door_module
from proxy.identity.browsing import BrowsingDoor
from proxy.identity.door import Identity, Unproven
from proxy.services import browsing
from proxy.services.permission import Actor
from proxy.store.engine import Store
from proxy.store.models import Person
from tests.integration.gateway.clients import eventually
from tests.integration.keeper.conftest import School, school_at

HERE, THERE = ip_address("10.20.0.10"), ip_address("10.20.0.11")
HEAD = Actor("head", "Head", Role.SLT)
BROWSING, OTHER = "browsing: three random words", "another: three random words"
WRONG, WAIT, AWAY = Unproven.WRONG, Unproven.WAIT, Unproven.AWAY


@dataclass
class Gate:
    """The enforcing side: a door, and the snapshot it holds answers against."""

    school: School
    door: BrowsingDoor

    def tell(self, name: str = "j.smith", password: str = BROWSING, address=HERE) -> Identity | Unproven:
        field = "Basic " + b64encode(f"{name}:{password}".encode()).decode()
        return asyncio.run(self.door.identify(field, address))

    def knows(self, name: str = "j.smith", password: str = BROWSING) -> Identity:
        """Wait for who it is: the snapshot comes a moment after the store."""
        found: list[Identity] = []

        def look() -> bool:
            found[:] = [shown] if isinstance(shown := self.tell(name, password), Identity) else []
            return bool(found)

        eventually(look)
        return found[0]

    def set_browsing(self, name: str, password: str) -> None:
        with closing(Store.open(self.school.settings.store_url)) as store, store.write() as session:
            browsing.set_password(session, HEAD, name, password, datetime.now(UTC))

    def credential(self, name: str) -> str | None:
        member = self.school.snapshot.members.get(name)
        return member.browsing if member else None


def peopled(school: School) -> Gate:
    with closing(Store.open(school.settings.store_url)) as store, store.write() as session:
        for name, role in (("head", Role.SLT), ("j.smith", Role.STAFF)):
            session.add(Person(name=name, display_name=name, role=role, added_at=datetime.now(UTC)))
    gate = Gate(school, BrowsingDoor(school.settings.identity_socket, lambda: school.snapshot))
    gate.set_browsing("j.smith", BROWSING)
    school.published(lambda snapshot: "j.smith" in snapshot.members and snapshot.members["j.smith"].browsing)
    return gate


@pytest.fixture
def gate(school: School) -> Gate:
    return peopled(school)


def test_told(gate: Gate) -> None:
    """By the browsing password; through a socket that is the service's own."""
    assert gate.tell() == Identity("j.smith", gate.credential("j.smith") or "")
    assert gate.tell("j.smith", "guess") is WRONG
    assert gate.tell("nobody", BROWSING) is WRONG
    status = gate.school.settings.identity_socket.stat()
    assert stat.S_ISSOCK(status.st_mode)
    assert stat.S_IMODE(status.st_mode) == 0o600


def test_a_new_password_is_known_at_once(gate: Gate) -> None:
    """The old one is wrong as soon as the snapshot has the new one."""
    before = gate.tell()
    gate.set_browsing("j.smith", OTHER)
    gate.school.published(lambda snapshot: snapshot.members["j.smith"].browsing != before.credential)
    assert gate.tell() is WRONG
    assert gate.knows(password=OTHER).credential == gate.credential("j.smith")


def test_a_disabled_account_is_nobody(gate: Gate) -> None:
    """Known or not a moment before."""
    gate.knows()
    with closing(Store.open(gate.school.settings.store_url)) as store, store.write() as session:
        session.execute(update(Person).where(Person.name == "j.smith").values(enabled=False))
    gate.school.published(lambda snapshot: "j.smith" not in snapshot.members)
    assert gate.tell() is WRONG


def test_guessing(gate: Gate) -> None:
    """A device that guesses waits; what it sent is nowhere in the log, and the keeper goes on."""
    answers = [gate.tell("j.smith", f"secret guess {n}") for n in range(7)]
    assert answers == [WRONG] * 5 + [WAIT] * 2
    assert gate.tell() is WAIT
    assert isinstance(gate.tell(address=THERE), Identity)
    gate.school.confirmed()
    assert "secret guess" not in gate.school.process.output
    assert BROWSING not in gate.school.process.output


def test_while_it_checks_it_keeps(gate: Gate) -> None:
    """Fifty people at once: each is told, and the snapshot is vouched for meanwhile."""

    async def many() -> list[Identity | Unproven]:
        field = [b64encode(f"name-{n}:{BROWSING}".encode()).decode() for n in range(50)]
        asked = [gate.door.identify(f"Basic {one}", ip_address(f"10.20.1.{n}")) for n, one in enumerate(field)]
        return await asyncio.gather(*asked)

    before = gate.school.snapshot.confirmed_at
    answers = asyncio.run(many())
    assert set(answers) <= {WRONG, AWAY}
    assert WRONG in answers
    assert gate.school.published(lambda snapshot: snapshot.confirmed_at > before)
    gate.knows()


def test_killed_and_started_again(gate: Gate) -> None:
    """Its socket is left behind; who is known stays known, others are known once it is back."""
    gate.set_browsing("head", OTHER)
    gate.school.published(lambda snapshot: snapshot.members["head"].browsing)
    known = gate.knows()
    gate.school.process.kill()
    assert gate.school.settings.identity_socket.exists()
    assert gate.tell() == known
    assert gate.tell("head", OTHER) is AWAY
    gate.school.process.start()
    assert gate.knows("head", OTHER).person == "head"


def test_hung(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asks is told in time; it goes on where it stopped."""
    monkeypatch.setattr(door_module, "PATIENCE", 0.5)
    gate.school.process.running.send_signal(signal.SIGSTOP)
    try:
        assert gate.tell() is AWAY
    finally:
        gate.school.process.running.send_signal(signal.SIGCONT)
    monkeypatch.undo()
    gate.knows()


def test_without_the_store(gate: Gate) -> None:
    """Nobody new is known until it is back."""
    known = gate.knows()
    store = Path(gate.school.settings.store_url.removeprefix("sqlite:///"))
    store.rename(store.with_suffix(".away"))
    eventually(lambda: gate.school.figure("schoolgate_store_up") == 0)
    assert gate.tell() == known
    assert gate.tell("j.smith", OTHER) is AWAY
    store.with_suffix(".away").rename(store)
    eventually(lambda: gate.tell("j.smith", OTHER) is WRONG)


def test_its_socket_goes_with_it(gate: Gate) -> None:
    """Stopped while somebody asks, it ends all the same."""
    assert gate.school.process.stop() == 0
    assert not gate.school.settings.identity_socket.exists()
    assert gate.tell() is AWAY


def test_a_state_directory_that_lies_deep(tmp_path: Path) -> None:
    """Deeper than the name of a socket may be long."""
    folder = tmp_path / ("deep" * 30)
    folder.mkdir()
    with school_at(folder) as school:
        school.process.start()
        school.published(lambda _: True)
        assert isinstance(peopled(school).tell(), Identity)


def test_on_postgresql(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """As on SQLite."""
    server = request.getfixturevalue("postgresql")
    name = server.create(request.getfixturevalue("postgresql_template"))
    try:
        with school_at(tmp_path, store_url=server.url(name)) as school:
            school.process.start()
            school.published(lambda _: True)
            gate = peopled(school)
            assert isinstance(gate.tell(), Identity)
            assert gate.tell("j.smith", "guess") is WRONG
            assert school.process.stop() == 0
    finally:
        server.drop(name)
