"""The connections that are open: what was decided on each, and how to cut one.

A connection lives by its tickets. ``cut`` is abrupt by intent: a reset on both sides, nothing flushed, because time
means now (law 4) and a client that does not read would otherwise keep its socket (mitmproxy #4711, #8045).
"""

import asyncio
import contextlib
import socket
import struct
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from mitmproxy import connection
from mitmproxy.addons.proxyserver import Proxyserver

from policies.names import IPAddress
from policies.vocabulary import Outcome
from proxy.judging import Ticket

_RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER on, for no time


@dataclass(slots=True, eq=False, kw_only=True)
class Client:
    """One client connection. ``current`` may be dialled, once; ``shown`` is refused, its TLS ended here for a page."""

    connection: connection.Client
    address: IPAddress
    since: float
    heard: bool = False
    asked: tuple[str, int] | None = None  # a CONNECT that nothing followed yet
    current: Ticket | None = None
    shown: Ticket | None = None
    close_by: float | None = None
    live: list[Ticket] = field(default_factory=list)


class Clients:
    """Every open connection, by mitmproxy's id."""

    def __init__(self) -> None:
        self._by_id: dict[str, Client] = {}
        self._per_address: Counter[IPAddress] = Counter()

    def __len__(self) -> int:
        return len(self._by_id)

    def __iter__(self) -> Iterator[Client]:
        return iter(list(self._by_id.values()))

    def get(self, client: connection.Client) -> Client | None:
        return self._by_id.get(client.id)

    def add(self, client: Client) -> None:
        self._by_id[client.connection.id] = client
        self._per_address[client.address] += 1

    def remove(self, client: connection.Client) -> Client | None:
        gone = self._by_id.pop(client.id, None)
        if gone is not None:
            self._per_address[gone.address] -= 1
            if not self._per_address[gone.address]:
                del self._per_address[gone.address]
        return gone

    def of_address(self, address: IPAddress) -> int:
        return self._per_address[address]


def cut(client: Client, proxyserver: Proxyserver) -> None:
    """Reset both sides of a connection, at once and whatever is queued."""
    for ticket in client.live:
        if ticket.decision.allowed and ticket.outcome is None:
            ticket.outcome = Outcome.CUT
    handler = proxyserver.connections.get(client.connection.id)
    if handler is None:
        return
    for transport in list(handler.transports.values()):
        if isinstance(transport.writer, asyncio.StreamWriter):
            _reset(transport.writer.get_extra_info("socket"))
            transport.writer.transport.abort()
        elif transport.handler is not None:  # still connecting
            transport.handler.cancel("cut")


def _reset(sock: socket.socket | None) -> None:
    with contextlib.suppress(OSError, AttributeError):  # closed meanwhile: then there is nothing to reset
        if sock is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
