"""The addon's hooks around HTTP: a CONNECT, a plain request to the proxy, a request inside a refused connection.

Each is denied until the hook's last line lets it in. What a client shows of itself is taken from the request first,
so that nothing behind these hooks can pass it on or keep it.
"""

from time import monotonic

from mitmproxy import http

from policies.attempt import Attempt
from proxy.classify import kind_of
from proxy.clients import TYPING_FOR, Client
from proxy.desk import AFTER_A_PAGE, Desk
from proxy.flows import (
    attempt_of_connect,
    attempt_of_request,
    attempt_of_silent_connect,
    strip_hop_by_hop,
    take_credentials,
)
from proxy.guarding import guarded, guarded_async, nothing, refuse_flow, stop_flow, unavailable
from proxy.judging import Ticket
from proxy.persons import NOBODY, Invitation, Persons, Turn, round_trip

MOST_PAGES = 32  # on one refused connection
MOST_CHALLENGES = 16  # on one connection
SWITCHING_PROTOCOLS = 101


class Requests:
    """An addon. ``persons`` says who asks, and whom to ask who they are."""

    name = "schoolgate-requests"

    def __init__(self, desk: Desk, persons: Persons) -> None:
        self.desk, self._persons = desk, persons

    @guarded_async(refuse_flow)
    async def http_connect(self, flow: http.HTTPFlow) -> None:
        """Let a CONNECT succeed, so that a refusal can be shown inside it; refuse what can never lead anywhere."""
        flow.response = unavailable()  # denied until let in
        authorization = take_credentials(flow.request)
        client = self.desk.clients.known(flow.client_conn)
        target = (flow.request.data.host, flow.request.data.port)
        attempt = attempt_of_connect(flow.client_conn, target)
        client.standing = NOBODY
        if attempt.fault is not None or not self._is_port_open(attempt):
            self._answer(flow, client, self.desk.issue(client, attempt))
            return
        if await self._meet(flow, client, attempt_of_silent_connect(flow.client_conn, target), authorization):
            client.attend()
            client.asked, client.is_tunnel = target, True
            flow.response = None

    def _is_port_open(self, attempt: Attempt) -> bool:
        """Whether anything that may follow a CONNECT could pass; without a snapshot what follows is refused anyway."""
        snapshot = self.desk.judge.snapshot
        if snapshot is None or attempt.destination is None:
            return True
        return snapshot.policy.opens_port(attempt.destination, attempt.port)

    @guarded_async(refuse_flow)
    async def requestheaders(self, flow: http.HTTPFlow) -> None:
        flow.response = unavailable()  # denied until allowed
        authorization = take_credentials(flow.request)
        client = self.desk.clients.known(flow.client_conn)
        if client.shown is not None:
            self._answer_inside(flow, client, client.shown)
            return
        attempt = attempt_of_request(flow)
        if not client.is_tunnel and not await self._meet(flow, client, attempt, authorization):
            return
        ticket = self.desk.issue(client, attempt)
        if not ticket.decision.allowed:
            self._answer(flow, client, ticket)
            return
        strip_hop_by_hop(flow.request)
        flow.request.stream = ticket.count_up
        flow.metadata[self.name] = ticket
        flow.response = None

    async def _meet(self, flow: http.HTTPFlow, client: Client, attempt: Attempt, authorization: str | None) -> bool:
        """Find out who asks, each time anew. False: there is nothing to judge."""
        client.standing = NOBODY
        client.attend()
        met = await self._persons.meet(attempt, flow.request, authorization, client.paused)
        if self.desk.clients.get(flow.client_conn) is not client:
            return False  # gone meanwhile
        if isinstance(met, Turn):
            self._challenge(flow, client)
            return False
        client.standing = met
        return True

    @guarded(stop_flow)
    def responseheaders(self, flow: http.HTTPFlow) -> None:
        ticket = flow.metadata.get(self.name)
        if ticket is None or flow.response is None:
            return
        flow.response.stream = ticket.count_down
        if flow.response.status_code != SWITCHING_PROTOCOLS:
            flow.request.headers["connection"] = "close"  # an upgrade that was not taken: one request all the same

    @guarded(nothing)
    def response(self, flow: http.HTTPFlow) -> None:
        """What was passed is answered; an answer of our own has set its own time."""
        if flow.response is None or flow.response.status_code == SWITCHING_PROTOCOLS or self.name not in flow.metadata:
            return
        if flow.request.timestamp_end is not None:
            self._end(flow)
        elif (client := self.desk.clients.get(flow.client_conn)) is not None:
            client.close_by = monotonic() + AFTER_A_PAGE  # answered before its end: what it still sends is on the books

    @guarded(nothing)
    def error(self, flow: http.HTTPFlow) -> None:
        self._end(flow)

    # Answers of our own

    def _answer_inside(self, flow: http.HTTPFlow, client: Client, ticket: Ticket) -> None:
        """A refused connection shows what was asked for, and by whom: somebody may be invited to sign in."""
        invitation = self._persons.invite(ticket.attempt, client.standing, flow.request)
        self._answer(flow, client, ticket, invitation)

    def _answer(
        self, flow: http.HTTPFlow, client: Client, ticket: Ticket, invitation: Invitation = Invitation.NONE
    ) -> None:
        client.pages += 1
        if client.pages > MOST_PAGES:
            client.close_by = monotonic()
            flow.response = http.Response.make(429, headers={"Connection": "close"})
            return
        if invitation is Invitation.ROUND:
            self.desk.judge.classify(ticket, kind_of(flow.request.headers, flow.request.method))
            self._tell(flow, round_trip(), "round")
        else:
            self.desk.answers.page(flow, ticket, sign_in=invitation is Invitation.LINK)
        if client.pages == 1:
            client.close_by = monotonic() + AFTER_A_PAGE  # however much is asked for after it

    def _challenge(self, flow: http.HTTPFlow, client: Client) -> None:
        """Ask who they are. Browsers answer on the same connection, once somebody has typed it."""
        client.challenges += 1
        client.attend(TYPING_FOR)
        is_last = client.challenges >= MOST_CHALLENGES
        if is_last:
            client.close_by = monotonic() + AFTER_A_PAGE
        self._tell(flow, self._persons.challenge(flow.request, last=is_last), "challenge")

    def _tell(self, flow: http.HTTPFlow, response: http.Response, form: str) -> None:
        flow.request.headers.pop("expect", None)  # it is answered already
        flow.response = response
        self.desk.answers.told(form)

    def _end(self, flow: http.HTTPFlow) -> None:
        ticket = flow.metadata.get(self.name)
        client = self.desk.clients.get(flow.client_conn)
        if ticket is None or client is None:
            return
        self.desk.judge.end(ticket)
        if ticket in client.live:
            client.live.remove(ticket)
