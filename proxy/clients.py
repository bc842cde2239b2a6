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
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import monotonic

from mitmproxy import connection, ctx
from mitmproxy.addons.proxyserver import Proxyserver

from policies.names import IPAddress
from policies.vocabulary import Outcome
from proxy.identity.pacing import Device, device_of
from proxy.judging import Ticket
from proxy.persons import NOBODY, Standing

SILENT_FOR = 60.0  # seconds; browsers open connections that they may never use
TYPING_FOR = 180.0  # seconds for a name and a password
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER on, for no time


@dataclass(slots=True, eq=False, kw_only=True)
class Client:
    """One client connection. ``current`` may be dialled, once; ``shown`` is refused, its TLS ended here for a page."""

    connection: connection.Client
    address: IPAddress
    since: float  # it was let in, or it began to speak, or we last answered
    heard: bool = False  # it has begun to say what it wants
    patience: float = SILENT_FOR  # seconds for which it may say nothing
    writer: asyncio.StreamWriter | None = None
    standing: Standing = NOBODY  # behind what it asks for now
    challenges: int = 0
    is_behind_tls: bool = False  # its TLS with the gateway itself is ended here: what follows is for the gateway
    is_tunnel: bool = False  # a CONNECT succeeded: what follows is for the origin
    asked: tuple[str, int] | None = None  # a CONNECT that nothing followed yet
    current: Ticket | None = None
    shown: Ticket | None = None
    close_by: float | None = None
    pages: int = 0
    gone: bool = False  # mitmproxy has let go of it; what is queued is still on its way
    cut: bool = False
    live: list[Ticket] = field(default_factory=list)

    def hear(self) -> None:
        """It speaks: from its first byte on it has so long to finish."""
        if not self.heard:
            self.heard, self.since = True, monotonic()

    def attend(self, patience: float = SILENT_FOR) -> None:
        """It is answered, or is to wait for us: the next word is its own to begin, in its own time."""
        self.heard, self.since, self.patience = False, monotonic(), patience

    @property
    def is_sending(self) -> bool:
        """Whether bytes for the client are queued: until they are gone the connection is open, whoever let go."""
        return self.writer is not None and self.writer.transport.get_write_buffer_size() > 0

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Read nothing more of it while something is found out."""
        self.pause()
        try:
            yield
        finally:
            self.resume()

    def close(self) -> None:
        """Once what is queued is sent. mitmproxy leaves it open if it is cancelled while it waits for its own lock."""
        if self.writer is not None:
            self.writer.close()

    def pause(self) -> None:
        """Read nothing more of it for now: what it sends meanwhile waits in its own kernel."""
        with contextlib.suppress(RuntimeError):  # closed meanwhile
            if self.writer is not None:
                self.writer.transport.pause_reading()  # type: ignore[attr-defined]  # a socket's transport has it

    def resume(self) -> None:
        with contextlib.suppress(RuntimeError):
            if self.writer is not None:
                self.writer.transport.resume_reading()  # type: ignore[attr-defined]  # likewise


class Clients:
    """Every open connection, by mitmproxy's id."""

    def __init__(self) -> None:
        self._by_id: dict[str, Client] = {}
        self._per_device: Counter[Device] = Counter()

    def __len__(self) -> int:
        return len(self._by_id)

    def __iter__(self) -> Iterator[Client]:
        return iter(list(self._by_id.values()))

    def get(self, client: connection.Client) -> Client | None:
        return self._by_id.get(client.id)

    def known(self, client: connection.Client) -> Client:
        """The client, which must be one that was let in. Raises LookupError."""
        known = self.get(client)
        if known is None:
            raise LookupError("a connection that was never let in")
        return known

    def add(self, client: Client) -> None:
        self._by_id[client.connection.id] = client
        self._per_device[device_of(client.address)] += 1

    def remove(self, client: connection.Client) -> Client | None:
        gone = self._by_id.pop(client.id, None)
        if gone is not None:
            device = device_of(gone.address)
            self._per_device[device] -= 1
            if not self._per_device[device]:
                del self._per_device[device]
        return gone

    def beside(self, address: IPAddress) -> int:
        """How many connections its device has open: by address, and by /64 where a device has a whole one."""
        return self._per_device[device_of(address)]


def writer_of(client: connection.Client, to: connection.Connection | None = None) -> asyncio.StreamWriter | None:
    """The stream that mitmproxy writes a client's bytes to, or those for one of its servers."""
    proxyserver = ctx.master.addons.get("proxyserver")
    handler = proxyserver.connections.get(client.id) if proxyserver is not None else None
    transport = handler.transports.get(to or client) if handler is not None else None
    return transport.writer if transport is not None and isinstance(transport.writer, asyncio.StreamWriter) else None


def cut(client: Client, proxyserver: Proxyserver) -> None:
    """Reset both sides of a connection, at once and whatever is queued."""
    client.cut = True
    for ticket in client.live:
        if ticket.decision.allowed and ticket.outcome is None:
            ticket.outcome = Outcome.CUT
    handler = proxyserver.connections.get(client.connection.id)
    transports = list(handler.transports.values()) if handler is not None else []
    for writer in (client.writer, *(transport.writer for transport in transports)):
        if isinstance(writer, asyncio.StreamWriter):
            _reset(writer)
    own = handler.transports.get(client.connection) if handler is not None else None
    if own is not None and own.handler is not None:
        own.handler.cancel("cut")  # a layer that waits for a dial would not see the reset; mitmproxy ends the rest


def _reset(writer: asyncio.StreamWriter) -> None:
    sock: socket.socket | None = writer.get_extra_info("socket")
    with contextlib.suppress(OSError):  # closed meanwhile: then there is nothing to reset
        if sock is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
    writer.transport.abort()
