"""The resolver's cache: fresh, stale, negative, one question at a time."""

import asyncio
import threading
from ipaddress import ip_address

import pytest

from policies.names import HostName
from proxy import resolving
from proxy.resolving import NEGATIVE_TTL, STALE_FOR, Answer, NoSuchName, Resolver, SystemSource, Unresolvable

BBC = HostName("www.bbc.co.uk")
FIRST, SECOND = ip_address("203.0.113.10"), ip_address("203.0.113.11")


class Server:
    """A source under the test's control, which counts questions."""

    def __init__(self) -> None:
        self.address, self.asked, self.up, self.gone = FIRST, 0, True, False
        self.gate: asyncio.Event | None = None

    async def ask(self, host: HostName) -> Answer:
        self.asked += 1
        if self.gate is not None:
            await self.gate.wait()
        if self.gone:
            raise NoSuchName("gone")
        if not self.up:
            raise Unresolvable("down")
        return Answer((self.address,), 60.0)

    async def settled(self, host: HostName) -> None:
        """It answers, or it does not: nothing goes on after that."""


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_an_answer_is_kept_for_its_ttl():
    """One question for as long as the answer is fresh."""
    server, clock = Server(), Clock()
    resolver = Resolver(server, clock=clock)

    async def scenario() -> None:
        await resolver.lookup(BBC)
        clock.now = 59
        await resolver.lookup(BBC)
        assert server.asked == 1
        clock.now, server.address = 61, SECOND
        assert await resolver.lookup(BBC) == (SECOND,)

    asyncio.run(scenario())


def test_a_failing_server_leaves_the_old_answer():
    """For a day; after that the name is gone."""
    server, clock = Server(), Clock()
    resolver = Resolver(server, clock=clock)

    async def scenario() -> None:
        await resolver.lookup(BBC)
        server.up, clock.now = False, 3600
        assert await resolver.lookup(BBC) == (FIRST,)
        clock.now = 61 + STALE_FOR
        with pytest.raises(Unresolvable):
            await resolver.lookup(BBC)

    asyncio.run(scenario())


def test_a_name_that_is_gone_is_not_answered_stale():
    """Its servers answered: stale answers are for servers that fail."""
    server, clock = Server(), Clock()
    resolver = Resolver(server, clock=clock)

    async def scenario() -> None:
        await resolver.lookup(BBC)
        server.gone, clock.now = True, 61
        with pytest.raises(Unresolvable):
            await resolver.lookup(BBC)

    asyncio.run(scenario())


def test_a_failure_is_remembered_briefly():
    """A dead name does not cost a question each time, and comes back soon."""
    server, clock = Server(), Clock()
    server.up = False
    resolver = Resolver(server, clock=clock)

    async def scenario() -> None:
        for _ in range(3):
            with pytest.raises(Unresolvable):
                await resolver.lookup(BBC)
        assert server.asked == 1
        server.up, clock.now = True, NEGATIVE_TTL + 1
        assert await resolver.lookup(BBC) == (FIRST,)

    asyncio.run(scenario())


def test_many_who_ask_at_once_share_one_question():
    """Single flight; and one who gives up does not take the others' answer away."""
    server = Server()

    async def scenario() -> None:
        server.gate = asyncio.Event()
        resolver = Resolver(server)
        waiting = [asyncio.create_task(resolver.lookup(BBC)) for _ in range(5)]
        await asyncio.sleep(0)
        waiting[0].cancel()
        server.gate.set()
        assert await asyncio.gather(*waiting[1:]) == [(FIRST,)] * 4
        assert server.asked == 1

    asyncio.run(scenario())


def test_a_suffix_has_its_own_server():
    """The longest suffix decides, by whole labels."""
    general, school = Server(), Server()
    resolver = Resolver(general, [(HostName("school.example"), school)])
    asyncio.run(resolver.lookup(HostName("intranet.school.example")))
    asyncio.run(resolver.lookup(HostName("notschool.example")))
    assert (general.asked, school.asked) == (1, 1)


@pytest.mark.parametrize("entry", ["resolver.example", "127.0.0.1:x", "a b=127.0.0.1", "=127.0.0.1", "10.0.0.300"])
def test_a_wrong_setting_says_what_was_expected(entry):
    """And which entry it was."""
    with pytest.raises(ValueError, match="resolver: "):
        Resolver.from_setting([entry])


def test_the_system_knows_localhost():
    """/etc/hosts included."""
    answer = asyncio.run(SystemSource().ask(HostName("localhost")))
    assert ip_address("127.0.0.1") in answer.addresses


# The system's way


@pytest.fixture
def stuck(monkeypatch):
    """A system that answers for no name until it is let go; every name that it was asked for."""
    asked, let_go = list[str](), threading.Event()

    def getaddrinfo(host):
        asked.append(host)
        assert let_go.wait(20)
        return (FIRST,)

    monkeypatch.setattr(resolving, "_getaddrinfo", getaddrinfo)
    monkeypatch.setattr(resolving, "PATIENCE", 0.05)
    yield asked, let_go
    let_go.set()


def test_a_slow_answer_of_the_systems_is_not_waited_for(stuck):
    """Its thread cannot be stopped: until it has ended the name is not settled, and is not asked for again."""
    asked, let_go = stuck

    async def scenario() -> None:
        source = SystemSource()
        for _ in range(3):
            with pytest.raises(Unresolvable):
                await source.ask(BBC)
        assert asked == [BBC]
        settling = asyncio.create_task(source.settled(BBC))
        for _ in range(10):
            await asyncio.sleep(0)
        assert not settling.done()
        let_go.set()
        await asyncio.wait_for(settling, 20)
        assert (await source.ask(BBC)).addresses == (FIRST,)
        await source.settled(BBC)

    asyncio.run(scenario())


def test_an_answer_that_comes_too_late_is_taken_all_the_same(stuck):
    """By whoever asks next."""
    _, let_go = stuck

    async def scenario() -> None:
        source = SystemSource()
        with pytest.raises(Unresolvable):
            await source.ask(BBC)
        asyncio.get_running_loop().call_later(0.01, let_go.set)
        assert (await source.ask(BBC)).addresses == (FIRST,)

    asyncio.run(scenario())
