"""The gate behind all gates: nothing is dialled but the ticket that was just allowed, once, to where its name leads.

A client is read no further while its name is resolved and its connection made: what it sends meanwhile waits in its
own kernel, not in our memory.
"""

from mitmproxy.proxy import server_hooks

from policies.vocabulary import Outcome
from proxy.clients import writer_of
from proxy.desk import Desk
from proxy.dial import DialError, Dialler
from proxy.guarding import guarded, guarded_dial, nothing


class Dialling:
    """The addon's hooks around a dial."""

    name = "schoolgate-dialling"

    def __init__(self, desk: Desk, dialler: Dialler) -> None:
        self.desk, self._dialler = desk, dialler

    @guarded_dial
    async def server_connect(self, data: server_hooks.ServerConnectionHookData) -> None:
        """Open the way for the ticket that was just allowed, once, and to where its own name leads."""
        client, snapshot = self.desk.clients.known(data.client), self.desk.judge.snapshot
        ticket = client.current
        if ticket is None or snapshot is None or not ticket.decision.allowed or ticket.dialled:
            return
        ticket.dialled = True
        client.pause()
        try:
            address = await self._dialler.address_for(ticket.decision, ticket.attempt, snapshot.policy)
        except DialError as error:
            ticket.outcome = error.outcome
            data.server.error = str(error)
            return
        if ticket.outcome is None and not ticket.ended:  # not cut meanwhile
            data.server.address = address
            data.server.error = None

    @guarded(nothing)
    def server_connected(self, data: server_hooks.ServerConnectionHookData) -> None:
        self.desk.clients.known(data.client).resume()

    @guarded(nothing)
    def server_disconnected(self, data: server_hooks.ServerConnectionHookData) -> None:
        writer = writer_of(data.client, data.server)  # mitmproxy forgot it: as with a client, see Client.close
        if writer is not None:
            writer.close()

    @guarded(nothing)
    def server_connect_error(self, data: server_hooks.ServerConnectionHookData) -> None:
        client = self.desk.clients.get(data.client)
        if client is None:
            return
        client.resume()
        if client.current is not None and client.current.outcome is None:
            client.current.outcome = Outcome.UNREACHABLE
