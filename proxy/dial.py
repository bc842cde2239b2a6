"""Where an allowed attempt is dialled: the judged name, resolved by the gateway itself.

In transparent mode the client chose the address, so a spoofed name could lead anywhere: the original destination is
dialled only if it is among the name's own answers, else one of those is. Never dialled, whatever a name resolves to:
the ranges below and the gateway itself; the policy's ``internal`` networks are excepted.
"""

import asyncio
import socket
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable, Sequence
from functools import partial
from ipaddress import IPv4Address, ip_network
from typing import Any

from policies.attempt import Attempt
from policies.decision import Decision
from policies.model import Policy
from policies.names import HostName, IPAddress
from policies.vocabulary import Outcome, Reason
from proxy.resolving import Resolver, Unresolvable

LOOK_UPS_AT_A_TIME = 8  # of one client
REFUSED_NETWORKS = tuple(
    ip_network(text)
    for text in (
        "0.0.0.0/8",  # this network, RFC 1122
        "10.0.0.0/8",  # private, RFC 1918
        "100.64.0.0/10",  # shared, RFC 6598
        "127.0.0.0/8",  # loopback, RFC 1122
        "169.254.0.0/16",  # link-local, RFC 3927
        "172.16.0.0/12",  # private, RFC 1918
        "192.0.0.0/24",  # protocol assignments, RFC 6890
        "192.168.0.0/16",  # private, RFC 1918
        "224.0.0.0/4",  # multicast, RFC 5771
        "240.0.0.0/4",  # reserved and broadcast, RFC 1112
        "::/96",  # unspecified, loopback, IPv4-compatible, RFC 4291
        "::ffff:0:0/96",  # IPv4-mapped, RFC 4291
        "64:ff9b::/96",  # NAT64, RFC 6052
        "64:ff9b:1::/48",  # local NAT64, RFC 8215
        "2001::/32",  # Teredo, RFC 4380
        "2002::/16",  # 6to4, RFC 3056
        "fc00::/7",  # unique local, RFC 4193
        "fe80::/10",  # link-local, RFC 4291
        "fec0::/10",  # site-local, RFC 3879
        "ff00::/8",  # multicast, RFC 4291
    )
)


class DialError(Exception):
    """An allowed attempt that cannot be dialled; ``outcome`` is what the record says of it."""

    def __init__(self, outcome: Outcome, message: str) -> None:
        super().__init__(message)
        self.outcome = outcome


class Turns:
    """So many questions at a time for each client: one that asks for slow names waits for itself, not others for it.

    A question keeps its turn until it is ``settled``, though whoever asked has hung up, or was told that there is no
    answer: it is being asked all the same.
    """

    def __init__(self, at_a_time: int) -> None:
        self._at_a_time = at_a_time
        self._semaphores: dict[IPAddress, asyncio.Semaphore] = {}
        self._holding: Counter[IPAddress] = Counter()
        self._turns: set[asyncio.Task[None]] = set()

    async def ask[T](
        self,
        client: IPAddress,
        question: Callable[[], Coroutine[None, None, T]],
        settled: Callable[[], Coroutine[None, None, None]],
    ) -> T:
        semaphore = self._semaphores.setdefault(client, asyncio.Semaphore(self._at_a_time))
        self._holding[client] += 1
        try:
            await semaphore.acquire()
        except BaseException:
            self._leave(client)
            raise
        asking = asyncio.ensure_future(question())
        turn = asyncio.ensure_future(_until_over(asking, settled))
        self._turns.add(turn)
        turn.add_done_callback(lambda _: self._over(turn, client, semaphore))
        return await asyncio.shield(asking)

    def _over(self, turn: asyncio.Task[None], client: IPAddress, semaphore: asyncio.Semaphore) -> None:
        self._turns.discard(turn)
        semaphore.release()
        self._leave(client)
        if not turn.cancelled():
            turn.result()  # a fault of its own is the loop's to tell of

    def _leave(self, client: IPAddress) -> None:
        self._holding[client] -= 1
        if not self._holding[client]:
            del self._holding[client], self._semaphores[client]


async def _until_over(asking: "asyncio.Task[Any]", settled: Callable[[], Coroutine[None, None, None]]) -> None:
    await asyncio.wait([asking])
    await settled()


class Dialler:
    """Chooses the address to dial for a decision. ``own_ports`` are those the gateway itself listens on."""

    def __init__(self, resolver: Resolver, own_ports: Iterable[int] = ()) -> None:
        self._resolver = resolver
        self._own_ports = frozenset(own_ports)
        self._turns = Turns(LOOK_UPS_AT_A_TIME)

    async def address_for(self, decision: Decision, attempt: Attempt, policy: Policy) -> tuple[str, int]:
        """The address and port to connect to. Raises DialError."""
        if decision.host is None:
            raise DialError(Outcome.UNRESOLVABLE, "there is nothing to dial")
        original, port = attempt.destination, attempt.port
        listed = decision.reason in (Reason.EXEMPT, Reason.INTERNAL)
        answers: Sequence[IPAddress]
        if isinstance(decision.host, str):
            answers = await self._turns.ask(
                attempt.address, partial(self._resolve, decision.host), partial(self._resolver.settled, decision.host)
            )
        else:
            answers = (decision.host,)
        allowed = [a for a in answers if self._may_dial(a, port, policy, listed=listed and a == decision.host)]
        if not allowed:
            raise DialError(Outcome.REFUSED_DESTINATION, "the name leads to an address that is never dialled")
        return str(original if original in allowed else _preferred(allowed)), port

    async def _resolve(self, host: HostName) -> Sequence[IPAddress]:
        try:
            return await self._resolver.lookup(host)
        except Unresolvable as error:
            raise DialError(Outcome.UNRESOLVABLE, str(error)) from error

    def _may_dial(self, address: IPAddress, port: int, policy: Policy, *, listed: bool) -> bool:
        """``listed``: the policy names this very address as a destination."""
        excepted = listed or policy.is_internal_address(address)
        if not excepted and any(address in network for network in REFUSED_NETWORKS):
            return False
        if not is_own(address):
            return True
        return excepted and port not in self._own_ports


def _preferred(answers: Sequence[IPAddress]) -> IPAddress:
    """IPv4 first until connections race (RFC 8305): a school without IPv6 upstream is the common one."""
    return min(answers, key=lambda address: not isinstance(address, IPv4Address))


def is_own(address: IPAddress) -> bool:
    """Whether this machine holds ``address``: only then can a socket be bound to it. Asks nobody outside."""
    family = socket.AF_INET if isinstance(address, IPv4Address) else socket.AF_INET6
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((str(address), 0))
    except OSError:
        return False
    return True
