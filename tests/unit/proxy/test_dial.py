"""Where an allowed attempt is dialled, and where never."""

import asyncio
from ipaddress import ip_address

import pytest

from policies.attempt import Attempt
from policies.decision import Decision
from policies.names import HostName, IPAddress
from policies.vocabulary import Outcome, Protocol, Reason, Verdict
from proxy.dial import LOOK_UPS_AT_A_TIME, DialError, Dialler, Turns, is_own
from proxy.resolving import THREADS, Answer, Resolver, Unresolvable


class Internal:
    """A policy as far as dialling asks it."""

    def __init__(self, *networks: str) -> None:
        self.networks = networks

    def is_internal_address(self, address: IPAddress) -> bool:
        return str(address) in self.networks


class Fixed:
    """A source that answers what it was told."""

    def __init__(self, *addresses: str) -> None:
        self.addresses = tuple(ip_address(a) for a in addresses)

    async def ask(self, host: HostName) -> Answer:
        if not self.addresses:
            raise Unresolvable("nothing")
        return Answer(self.addresses, 60.0)

    async def settled(self, host: HostName) -> None:
        """At once."""


def dial(
    *answers: str,
    original: str | None = None,
    internal: tuple[str, ...] = (),
    host: str | IPAddress = "www.bbc.co.uk",
    reason: Reason = Reason.UNLISTED,
    port: int = 443,
) -> tuple[str, int]:
    dialler = Dialler(Resolver(Fixed(*answers)), own_ports=[8080])
    decision = Decision(verdict=Verdict.ALLOW, reason=reason, host=host)
    attempt = Attempt(
        address=ip_address("10.20.0.10"),
        destination=ip_address(original) if original else None,
        port=port,
        protocol=Protocol.TLS,
        explicit=False,
    )
    return asyncio.run(dialler.address_for(decision, attempt, Internal(*internal)))


def test_the_original_destination_is_kept_if_the_name_leads_there():
    """A client that went where the name leads goes on going there."""
    assert dial("203.0.113.10", "203.0.113.11", original="203.0.113.11") == ("203.0.113.11", 443)


def test_a_spoofed_name_leads_to_its_real_owner():
    """An address of the client's own choice is not dialled: the name's answer is."""
    assert dial("203.0.113.10", original="203.0.113.66") == ("203.0.113.10", 443)


def test_ipv4_is_preferred():
    """Where a name has both, the one that a school is sure to have."""
    assert dial("2001:db8::1", "203.0.113.10") == ("203.0.113.10", 443)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "224.0.0.1", "0.0.0.0",
        "255.255.255.255", "::1", "::", "fe80::1", "fc00::1", "ff02::1", "64:ff9b::7f00:1",
        "::ffff:127.0.0.1", "2002:7f00:1::",
    ],
)  # fmt: skip
def test_the_refused_ranges_are_never_dialled(address):
    """Whatever a name resolves to, it does not lead inside."""
    with pytest.raises(DialError) as caught:
        dial(address)
    assert caught.value.outcome is Outcome.REFUSED_DESTINATION


def test_a_refused_answer_beside_a_good_one_is_passed_over():
    """The good answer is dialled."""
    assert dial("10.0.0.1", "203.0.113.10", original="10.0.0.1") == ("203.0.113.10", 443)


def test_internal_networks_are_excepted():
    """The school's own servers may be dialled by name."""
    assert dial("10.0.0.9", internal=("10.0.0.9",)) == ("10.0.0.9", 443)


def test_the_gateways_own_listeners_are_never_dialled():
    """Not even where loopback is internal: a loop ends in exhausted descriptors."""
    with pytest.raises(DialError):
        dial("127.0.0.1", internal=("127.0.0.1",), port=8080)


def test_a_listed_address_is_dialled_as_it_is():
    """A destination that the policy lists needs no name."""
    address = ip_address("192.168.7.7")
    assert dial(host=address, reason=Reason.EXEMPT) == ("192.168.7.7", 443)


def test_no_answer_is_unresolvable():
    """And says so in the record."""
    with pytest.raises(DialError) as caught:
        dial()
    assert caught.value.outcome is Outcome.UNRESOLVABLE


def test_own_addresses_are_recognised():
    """By asking the kernel, not a list."""
    assert is_own(ip_address("127.0.0.1"))
    assert not is_own(ip_address("203.0.113.10"))


def test_a_client_with_slow_names_waits_for_itself():
    """Its further look-ups queue; another client's begins at once; nothing is kept of who has gone."""

    async def scenario() -> None:
        turns, begun, done = Turns(LOOK_UPS_AT_A_TIME), list[str](), asyncio.Event()

        async def question(client: str) -> None:
            begun.append(client)
            await done.wait()

        async def settled() -> None:
            pass

        async def look_up(client: str) -> None:
            await turns.ask(ip_address(client), lambda: question(client), settled)

        tasks = [asyncio.create_task(look_up("10.0.0.1")) for _ in range(LOOK_UPS_AT_A_TIME + 5)]
        tasks.append(asyncio.create_task(look_up("10.0.0.2")))
        for _ in range(5):
            await asyncio.sleep(0)
        assert (begun.count("10.0.0.1"), begun.count("10.0.0.2")) == (LOOK_UPS_AT_A_TIME, 1)
        done.set()
        await asyncio.gather(*tasks)
        assert len(begun) == LOOK_UPS_AT_A_TIME + 6
        assert vars(turns)["_semaphores"] == {}

    asyncio.run(scenario())


class Pool:
    """A source as the system's is: so many questions at a time, and one for a slow name goes on whoever gives up."""

    def __init__(self, size: int) -> None:
        self.free = asyncio.Semaphore(size)
        self.never = asyncio.Event()

    async def ask(self, host: HostName) -> Answer:
        async with self.free:
            if host.endswith("slow.example"):
                await self.never.wait()
        return Answer((ip_address("203.0.113.10"),), 60.0)

    async def settled(self, host: HostName) -> None:
        """An answer is an end."""


class Impatient(Pool):
    """As the system's source: it says soon that there is no answer, while the question goes on."""

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.under_way: dict[HostName, asyncio.Task[Answer]] = {}

    async def ask(self, host: HostName) -> Answer:
        self.under_way[host] = asyncio.create_task(super().ask(host))
        for _ in range(3):
            await asyncio.sleep(0)
        if not self.under_way[host].done():
            raise Unresolvable("nobody answers")
        return self.under_way[host].result()

    async def settled(self, host: HostName) -> None:
        await asyncio.wait([self.under_way[host]])


@pytest.mark.parametrize("hangs_up", [False, True], ids=["waits", "hangs up"])
def test_one_clients_slow_names_leave_the_resolver_to_others(hangs_up):
    """A question that nobody waits for any more still has its asker's turn: it is still being asked."""

    async def scenario() -> None:
        dialler, theirs = Dialler(Resolver(Pool(THREADS))), list[asyncio.Task[tuple[str, int]]]()
        for number in range(2 * THREADS):
            theirs.append(asyncio.create_task(address_for(dialler, "10.0.0.1", f"x{number}.slow.example")))
            for _ in range(5):
                await asyncio.sleep(0)
            if hangs_up:
                theirs[-1].cancel()
        mine = asyncio.create_task(address_for(dialler, "10.0.0.2", "www.bbc.co.uk"))
        for _ in range(100):
            await asyncio.sleep(0)
        assert mine.done()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()

    asyncio.run(scenario())


def test_a_turn_lasts_as_long_as_the_question_does():
    """Not only until nobody waits for it: else one client's slow names would fill the resolver in a few rounds."""

    async def scenario() -> None:
        source = Impatient(THREADS)
        dialler = Dialler(Resolver(source))
        theirs = [asyncio.create_task(address_for(dialler, "10.0.0.1", f"x{n}.slow.example")) for n in range(THREADS)]
        for _ in range(500):
            await asyncio.sleep(0)
        assert [task.done() for task in theirs].count(True) == LOOK_UPS_AT_A_TIME == len(source.under_way)
        assert await address_for(dialler, "10.0.0.2", "www.bbc.co.uk") == ("203.0.113.10", 443)
        source.never.set()
        for _ in range(500):
            await asyncio.sleep(0)
        assert all(task.done() for task in theirs)
        await asyncio.gather(*theirs, return_exceptions=True)
        assert vars(vars(dialler)["_turns"])["_semaphores"] == {}

    asyncio.run(scenario())


async def address_for(dialler, client, name):
    decision = Decision(verdict=Verdict.ALLOW, reason=Reason.UNLISTED, host=HostName(name))
    attempt = Attempt(
        address=ip_address(client), destination=HostName(name), port=443, protocol=Protocol.TLS, explicit=True
    )
    return await dialler.address_for(decision, attempt, Internal())
