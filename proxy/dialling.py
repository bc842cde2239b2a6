"""The gate behind all gates: nothing is dialled but the ticket that was just allowed, once, to where its name leads.

A client is read no further while its name is resolved and its connection made: what it sends meanwhile waits in its
own kernel, not in our memory.
"""

from collections.abc import Callable

from mitmproxy.proxy import server_hooks

from policies.vocabulary import Outcome
from proxy.clients import Clients
from proxy.dial import DialError, Dialler
from proxy.guarding import guarded, guarded_dial, nothing
from proxy.judging import Judge


class Dialling:
    """The addon's hooks around a dial. ``fault`` counts and logs what goes wrong in them."""

    name = "schoolgate-dialling"

    def __init__(
        self, judge: Judge, clients: Clients, dialler: Dialler, fault: Callable[[str, BaseException], None]
    ) -> None:
        self._judge, self._clients, self._dialler = judge, clients, dialler
        self.fault = fault

    @guarded_dial
    async def server_connect(self, data: server_hooks.ServerConnectionHookData) -> None:
        """Open the way for the ticket that was just allowed, once, and to where its own name leads."""
        client, snapshot = self._clients.known(data.client), self._judge.snapshot
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
        self._clients.known(data.client).resume()

    @guarded(nothing)
    def server_connect_error(self, data: server_hooks.ServerConnectionHookData) -> None:
        client = self._clients.get(data.client)
        if client is None:
            return
        client.resume()
        if client.current is not None and client.current.outcome is None:
            client.current.outcome = Outcome.UNREACHABLE
