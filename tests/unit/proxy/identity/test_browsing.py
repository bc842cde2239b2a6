"""Telling who is there: asked once of the keeper's real end, and kept for as long as it is true."""

import asyncio
import logging
import socket
from base64 import b64encode
from collections.abc import Callable, Coroutine
from dataclasses import replace
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from policies.attempt import Attempt
from policies.decision import decide
from policies.vocabulary import Protocol, Reason
from proxy.identity import browsing as door_module
from proxy.identity.browsing import HOLDS, MOST_FROM_ONE, MOST_QUESTIONS, WAIT_HOLDS, BrowsingDoor
from proxy.identity.door import Door, Identity, Unproven
from proxy.identity.exchange import Question
from proxy.identity.verifying import VerifyingServer
from proxy.services.back_off import FREE
from tests.unit.proxy.identity.conftest import BROWSING, SIGNING_IN, School

HERE, THERE = ip_address("10.20.0.10"), ip_address("10.20.0.11")
WRONG, WAIT, AWAY = Unproven.WRONG, Unproven.WAIT, Unproven.AWAY


def field(name: str, password: str = BROWSING) -> str:
    return "Basic " + b64encode(f"{name}:{password}".encode()).decode()


@pytest.fixture
def backend() -> str:
    """What differs between stores is the verifier's matter."""
    return "sqlite"


@pytest.fixture
def door(school: School, tmp_path: Path) -> BrowsingDoor:
    return BrowsingDoor(tmp_path / "identity.sock", lambda: school.snapshot, monotonic=school.monotonic)


@pytest.fixture
def served(school: School, server: Callable[..., VerifyingServer]):
    """The keeper answers throughout the test."""
    with server(school.verifier().answer):
        yield school


def run[T](work: Coroutine[object, object, T]) -> T:
    async def bounded() -> T:
        async with asyncio.timeout(60):
            return await work

    return asyncio.run(bounded())


def told(door: Door, authorization: str, address=HERE) -> Identity | Unproven:
    """What the door says, to one who asks in an event loop of their own."""
    return run(door.identify(authorization, address))


def test_right(served: School, door: BrowsingDoor) -> None:
    """Who it is, by the credential that the snapshot has; asked once, wherever it is sent from next."""
    expected = Identity("j.smith", served.snapshot.members["j.smith"].browsing)
    assert told(door, field("j.smith")) == expected
    for address in (HERE, THERE, ip_address("::ffff:10.20.0.10")):
        assert told(door, field("J.Smith"), address) == expected
    assert len(served.checked) == 1


@pytest.mark.parametrize(
    ("name", "password"),
    [("j.smith", "wrong"), ("j.smith", SIGNING_IN), ("nobody", BROWSING), ("gone", BROWSING), ("new", SIGNING_IN)],
)
def test_wrong(served: School, door: BrowsingDoor, name: str, password: str) -> None:
    """Asked once too: what a browser goes on sending makes nobody wait."""
    answers = {told(door, field(name, password), address) for _ in range(FREE + 3) for address in (HERE, THERE)}
    assert answers == {WRONG}
    assert len(served.checked) == 1


def test_what_is_no_credential_is_not_asked_about(served: School, door: BrowsingDoor) -> None:
    """Another scheme, nonsense, a megabyte."""
    for value in ("", "Basic x", "Negotiate YII", "Basic " + "A" * 1_000_000, field("j.smith", "x" * 1_000_000)):
        assert told(door, value) is WRONG
    assert served.checked == []


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(st.text() | (st.text() | st.binary().map(lambda data: b64encode(data).decode())).map("Basic {}".format))
def test_whatever_is_sent(door: BrowsingDoor, value: str) -> None:
    """It never raises, and nobody is let in; here there is no keeper at all."""
    assert told(door, value) in {WRONG, AWAY}


def test_a_new_password_ends_what_the_old_one_was(served: School, door: BrowsingDoor) -> None:
    """Kept answers go with the credential they rest on: the right ones and the wrong ones."""
    assert told(door, field("j.smith", "another: three words")) is WRONG
    first = told(door, field("j.smith"))
    served.set_browsing("j.smith", "another: three words")
    served.publish()
    assert told(door, field("j.smith")) is WRONG
    second = told(door, field("j.smith", "another: three words"))
    assert isinstance(second, Identity)
    assert second != first


NO_PASSWORD = {"browsing_hash": None, "browsing_id": None, "browsing_set_by_id": None}


@pytest.mark.parametrize("changes", [{"enabled": False}, NO_PASSWORD])
def test_an_account_that_closes_ends_it(served: School, door: BrowsingDoor, changes: dict) -> None:
    """Disabled, or without a browsing password: nobody from then on."""
    assert isinstance(told(door, field("j.smith")), Identity)
    served.change("j.smith", **changes)
    served.publish()
    assert told(door, field("j.smith")) is WRONG


def test_a_credential_that_the_snapshot_does_not_know_yet(served: School, door: BrowsingDoor) -> None:
    """Nobody is wrong: a moment later it is known."""
    served.set_browsing("new")
    assert told(door, field("new")) is AWAY
    served.publish()
    assert isinstance(told(door, field("new")), Identity)


def test_a_decision_rests_on_it(served: School, door: BrowsingDoor) -> None:
    """A connection that was judged with the old credential is refused when it is judged again."""
    found = told(door, field("j.smith"))
    assert isinstance(found, Identity)
    attempt = Attempt(
        address=HERE, destination=None, port=443, protocol=Protocol.TLS, explicit=False, server_name="www.bbc.co.uk"
    )
    attempt = replace(attempt, person=found.person, credential=found.credential)
    assert decide(attempt, served.snapshot, served.now).allowed
    served.set_browsing("j.smith", "another: three words")
    served.publish()
    assert decide(attempt, served.snapshot, served.now).reason is Reason.BAD_CREDENTIALS


def test_an_answer_does_not_hold_for_ever(served: School, door: BrowsingDoor) -> None:
    """A school day."""
    told(door, field("j.smith"))
    served.pass_time(timedelta(seconds=HOLDS - 1))
    told(door, field("j.smith"))
    assert len(served.checked) == 1
    served.pass_time(timedelta(seconds=1))
    told(door, field("j.smith"))
    assert len(served.checked) == 2


def test_so_many_are_kept(served: School, door: BrowsingDoor, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one that was not used for the longest time goes first."""
    monkeypatch.setattr(door_module, "MOST_ANSWERS", 3)
    told(door, field("j.smith"))
    for n in range(4):
        told(door, field("nobody", f"guess {n}"))
        told(door, field("j.smith"))
    assert len(served.checked) == 5
    told(door, field("nobody", "guess 0"))
    assert len(served.checked) == 6


def test_nothing_that_was_sent_is_kept(served: School, door: BrowsingDoor) -> None:
    """Of a password, only what nobody can undo without this process's own secret."""
    told(door, field("j.smith"))
    assert BROWSING not in repr(vars(door))
    other = BrowsingDoor(Path("s"), lambda: served.snapshot)
    question = Question("j.smith", BROWSING, str(HERE))
    assert door._key_of_answer(question) != other._key_of_answer(question)


def test_waiting(served: School, door: BrowsingDoor) -> None:
    """Told for a moment without asking; at another device the right password is right."""
    for n in range(FREE + 1):
        assert told(door, field("j.smith", f"guess {n}")) is WRONG
    assert told(door, field("j.smith")) is WAIT
    assert isinstance(told(door, field("j.smith"), THERE), Identity)
    assert isinstance(told(door, field("j.smith")), Identity)


def test_guessing_on_is_not_asked_about(served: School, door: BrowsingDoor, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever waits and goes on guessing fills neither the keeper's time nor the memory."""
    monkeypatch.setattr(door_module, "MOST_ANSWERS", FREE + 3)
    told(door, field("head"))
    for n in range(FREE + 1):
        told(door, field("j.smith", f"guess {n}"))
    assert {told(door, field("j.smith", f"more {n}")) for n in range(50)} == {WAIT}
    checked = len(served.checked)
    assert isinstance(told(door, field("head")), Identity)
    assert len(served.checked) == checked


def test_waiting_is_asked_about_again(served: School, door: BrowsingDoor) -> None:
    """Once the moment is over."""
    for n in range(FREE + 1):
        told(door, field("j.smith", f"guess {n}"))
    assert told(door, field("j.smith")) is WAIT
    served.pass_time(timedelta(seconds=15))
    assert WAIT_HOLDS < 15
    assert isinstance(told(door, field("j.smith")), Identity)


# Many at once


def test_many_connections_are_one_question(served: School, door: BrowsingDoor) -> None:
    """A browser opens fifty: Argon2 works once."""

    async def fifty() -> list[Identity | Unproven]:
        return await asyncio.gather(*(door.identify(field("j.smith"), HERE) for _ in range(50)))

    assert {answer.person for answer in run(fifty()) if isinstance(answer, Identity)} == {"j.smith"}
    assert len(served.checked) == 1


def test_who_goes_away_takes_nobodys_answer(served: School, door: BrowsingDoor) -> None:
    """A connection that is closed while the keeper looks: the others that wait get theirs."""

    async def three() -> Identity | Unproven:
        waiting = [asyncio.create_task(door.identify(field("j.smith"), HERE)) for _ in range(3)]
        await asyncio.sleep(0)
        waiting[0].cancel()
        waiting[1].cancel()
        assert isinstance((await asyncio.gather(*waiting, return_exceptions=True))[0], asyncio.CancelledError)
        return await waiting[2]

    assert isinstance(run(three()), Identity)
    assert len(served.checked) == 1


# The keeper away


def test_nobody_there(school: School, door: BrowsingDoor, caplog: pytest.LogCaptureFixture) -> None:
    """Said once, without what was asked; asked again the next time."""
    assert told(door, field("j.smith")) is AWAY
    assert told(door, field("j.smith")) is AWAY
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    assert BROWSING not in caplog.text


def test_it_comes_back(school: School, door: BrowsingDoor, server: Callable[..., VerifyingServer]) -> None:
    """What was known stays known meanwhile; a keeper that is started again answers."""
    with server(school.verifier().answer):
        assert isinstance(told(door, field("j.smith")), Identity)
    assert isinstance(told(door, field("j.smith")), Identity)
    assert told(door, field("head")) is AWAY
    with server(school.verifier().answer):
        assert isinstance(told(door, field("head")), Identity)


def test_without_a_snapshot(served: School, door: BrowsingDoor) -> None:
    """There is nothing to hold an answer against."""
    served.snapshot = None
    assert told(door, field("j.smith")) is AWAY
    assert served.checked == []


@pytest.mark.parametrize(("devices", "most"), [(1, MOST_FROM_ONE), (200, MOST_QUESTIONS)])
def test_a_keeper_that_hangs(
    school: School, door: BrowsingDoor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, devices: int, most: int
) -> None:
    """Nobody waits longer than is said, the loop goes on meanwhile, and only so many ask at once: fewer from one."""
    monkeypatch.setattr(door_module, "PATIENCE", 0.2)

    async def many() -> list[Identity | Unproven]:
        guesses = [(field("j.smith", f"guess {n}"), HERE + n % devices) for n in range(200)]
        asked = [asyncio.create_task(door.identify(guess, address)) for guess, address in guesses]
        turns = 0
        while not all(task.done() for task in asked):
            turns += 1
            await asyncio.sleep(0)
        assert turns > 10
        return [task.result() for task in asked]

    with socket.socket(socket.AF_UNIX) as hung:
        hung.bind(str(tmp_path / "identity.sock"))
        hung.listen(MOST_QUESTIONS)
        assert set(run(many())) == {AWAY}
        hung.settimeout(0)
        assert _accepted(hung) == most


def _accepted(listening: socket.socket) -> int:
    count = 0
    while True:
        try:
            listening.accept()[0].close()
        except BlockingIOError:
            return count
        count += 1


def test_a_keeper_that_talks_nonsense(
    school: School, door: BrowsingDoor, server: Callable[..., VerifyingServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Is away."""
    monkeypatch.setattr("proxy.identity.verifying.answer_message", lambda _: b"\0\2{}")
    with server(lambda _: Identity("j.smith", "x")):
        assert told(door, field("j.smith")) is AWAY


def test_somebody_elses_identity_is_not_taken(
    school: School, door: BrowsingDoor, server: Callable[..., VerifyingServer]
) -> None:
    """Whatever is answered, it must be a credential that the snapshot has of the name that was sent."""

    def mistaken(_: Question) -> Identity:
        return Identity("head", school.snapshot.members["head"].browsing)

    with server(mistaken):
        assert told(door, field("j.smith")) is AWAY


def test_it_is_a_door(door: BrowsingDoor) -> None:
    """RFC 7617: UTF-8 is asked for."""
    as_door: Door = door
    assert as_door.challenge.startswith('Basic realm="')
    assert as_door.challenge.endswith('", charset="UTF-8"')
    assert as_door.challenge.isascii()
