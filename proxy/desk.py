"""What every hook works with: the open connections, the tickets issued on them, and how what goes wrong is told.

A ticket is issued here and nowhere else, with who stands behind the connection, so that no hook can forget it.
"""

import logging
from time import monotonic

from mitmproxy import connection

from policies.attempt import Attempt
from policies.vocabulary import Reason
from proxy.answering import Answers
from proxy.clients import Client, Clients
from proxy.flows import attempt_of_nothing
from proxy.judging import Judge, Ticket
from proxy.metrics import Metrics

logger = logging.getLogger(__name__)

TOLD_EVERY = 60.0  # seconds between two reports of one fault
AFTER_A_PAGE = 5.0  # seconds a refused connection may stay open


class Desk:
    """One per process, shared by the addons, the layers and the sweeper."""

    def __init__(self, judge: Judge, answers: Answers, clients: Clients, metrics: Metrics) -> None:
        self.judge, self.answers, self.clients = judge, answers, clients
        self._metrics = metrics
        self._told: dict[tuple[str, type[BaseException]], float] = {}

    # Tickets

    def issue(self, client: Client, attempt: Attempt) -> Ticket:
        """Decide what a client asks for now."""
        client.current = None
        ticket = self.judge.judge(client.standing.signed(attempt))
        client.current = ticket
        client.live.append(ticket)
        return ticket

    def refuse_unheard(self, client: connection.Client, reason: Reason) -> None:
        """Put on record that somebody was refused whose wish is not known."""
        self.judge.end(self.judge.judge(attempt_of_nothing(client, reason)))

    def ticket_of(self, client: connection.Client) -> Ticket | None:
        return self.clients.known(client).current

    def finish(self, client: Client) -> None:
        """Nothing of a connection is left: its attempts are over."""
        self.clients.remove(client.connection)
        for ticket in client.live:
            self.judge.end(ticket)

    # What goes wrong

    def malformed(self, client: connection.Client) -> None:
        """What a client sent is not HTTP, or more of it than anyone needs."""
        self.answers.told("close")
        known = self.clients.get(client)
        if known is not None:
            known.close_by = monotonic() + AFTER_A_PAGE
        self.refuse_unheard(client, Reason.MALFORMED)

    def fault(self, where: str, error: BaseException) -> None:
        """Count it, always; tell of it in full, once a minute for each place and kind."""
        self._metrics.internal_errors.labels(where).inc()
        place, now = (where, type(error)), monotonic()
        if now - self._told.get(place, -TOLD_EVERY) >= TOLD_EVERY:
            self._told[place] = now
            logger.error("Refused: an internal error in %s", where, exc_info=error)

    def refuse_for_fault(self, client: connection.Client) -> None:
        """Put a refusal for an internal error on record; itself never raises."""
        try:
            known = self.clients.get(client)
            ticket = self.judge.refuse(attempt_of_nothing(client, None), Reason.INTERNAL_ERROR)
            self.answers.told("close")
            if known is not None:
                known.current, known.shown, known.asked = None, None, None
                known.live.append(ticket)
        except Exception:
            logger.exception("An internal error could not be recorded")
