"""One decision per attempt, said everywhere at once: counted, journalled, and held as a ticket while it lives.

Knows nothing of sockets or of mitmproxy: whoever relays asks for a ticket, obeys it, and says how it ended. The order
is law 6: the journal has a recorded attempt before a byte of it goes on; what cannot be recorded is counted, and
refused if it needed an authorisation.
"""

import itertools
import logging
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from time import monotonic, perf_counter

from policies.asking import would_ask
from policies.attempt import Attempt
from policies.decision import Decision, decide, refusal, unrecordable, unsigned
from policies.snapshot import Snapshot
from policies.vocabulary import Kind, Outcome, Reason
from proxy.metrics import Metrics
from proxy.record.events import Classified, Decided, Ended, reference
from proxy.record.journal import JournalError, JournalWriter
from proxy.snapshot import SnapshotReader

logger = logging.getLogger(__name__)


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(slots=True, eq=False, kw_only=True)
class Ticket:
    """One attempt under way: what was decided, and what has passed under it so far."""

    id: str
    at: datetime
    began: float  # monotonic seconds
    attempt: Attempt
    decision: Decision
    event: Decided | None  # as journalled; None for what is not recorded
    bytes_up: int = 0
    bytes_down: int = 0
    outcome: Outcome | None = None
    dialled: bool = False
    kind: Kind | None = None  # as the first request showed it
    ended: bool = False

    def count_up(self, data: bytes) -> bytes:
        self.bytes_up += len(data)
        return data

    def count_down(self, data: bytes) -> bytes:
        self.bytes_down += len(data)
        return data


class Judge:
    """Decides on the current snapshot, counts and journals. ``clock`` gives aware UTC times.

    ``must_sign_in``: whoever speaks to the proxy itself has to say who they are (``proxy_auth = required``).
    """

    def __init__(  # noqa: PLR0913 -- the parts it speaks to, named
        self,
        reader: SnapshotReader,
        journal: JournalWriter,
        metrics: Metrics,
        reference_key: bytes,
        clock: Callable[[], datetime] = utc_now,
        *,
        must_sign_in: bool = False,
    ) -> None:
        self._reader, self._journal, self._metrics = reader, journal, metrics
        self._reference_key, self._clock, self._must_sign_in = reference_key, clock, must_sign_in
        self._instance = secrets.token_hex(6)
        self._numbers = itertools.count(1)

    @property
    def snapshot(self) -> Snapshot | None:
        return self._reader.current

    def judge(self, attempt: Attempt) -> Ticket:
        """Decide an attempt. The ticket says what was decided; its event is in the journal."""
        now = self._clock()
        began = perf_counter()
        decision = self._decide(attempt, now)
        self._metrics.decision_seconds.observe(perf_counter() - began)
        return self._issue(attempt, decision, now)

    def refuse(self, attempt: Attempt, reason: Reason) -> Ticket:
        """A refusal that the policy did not ask for (an internal error, too busy), recorded like any other."""
        return self._issue(attempt, refusal(reason, attempt), self._clock())

    def foresee(self, attempt: Attempt) -> Decision:
        """What would be decided now. Counts and journals nothing: nobody acts on it yet."""
        return self._decide(attempt, self._clock())

    def judge_again(self, ticket: Ticket) -> Decision:
        """What would be decided now of an attempt that was decided, once, before."""
        return self.foresee(ticket.attempt)

    def would_ask(self, attempt: Attempt) -> bool:
        """Whether saying who they are could open it for somebody."""
        return would_ask(attempt, self.snapshot, self._clock())

    def classify(self, ticket: Ticket, kind: Kind) -> str:
        """Say whether a person went there; the first request decides. Gives the reference that its page shows."""
        if ticket.event is None:
            return ""
        if ticket.kind is None:
            ticket.kind = kind
            if kind is not Kind.UNKNOWN:
                self._append(Classified(id=ticket.id, kind=kind))
        return reference(ticket.event, ticket.kind, self._reference_key)

    def end(self, ticket: Ticket) -> None:
        """The attempt is over. Once; further calls say nothing."""
        if ticket.ended:
            return
        ticket.ended = True
        self._metrics.relayed_bytes.labels("up").inc(ticket.bytes_up)
        self._metrics.relayed_bytes.labels("down").inc(ticket.bytes_down)
        if ticket.event is None:
            return
        outcome = (ticket.outcome or Outcome.CLOSED) if ticket.decision.allowed else ticket.outcome
        seconds = round(monotonic() - ticket.began, 3)
        self._append(
            Ended(
                id=ticket.id,
                at=self._clock(),
                outcome=outcome,
                bytes_up=ticket.bytes_up,
                bytes_down=ticket.bytes_down,
                seconds=seconds,
            )
        )

    def _decide(self, attempt: Attempt, now: datetime) -> Decision:
        decision = decide(attempt, self.snapshot, now)
        return unsigned(decision) if self._must_sign_in and attempt.explicit and attempt.person is None else decision

    def _issue(self, attempt: Attempt, decision: Decision, now: datetime) -> Ticket:
        identifier = f"{self._instance}-{next(self._numbers)}"
        event = self._decided(identifier, attempt, decision, now) if decision.recorded else None
        if event is not None and not self._append(event):
            event = None
            decision = unrecordable(decision)
        self._metrics.attempts.labels(decision.verdict, decision.reason, decision.category_label).inc()
        return Ticket(id=identifier, at=now, began=monotonic(), attempt=attempt, decision=decision, event=event)

    def _append(self, event: Decided | Classified | Ended) -> bool:
        try:
            self._journal.append(event)
        except JournalError as error:
            self._metrics.internal_errors.labels("journal").inc()
            if isinstance(event, Decided):
                self._metrics.attempts_lost.inc()
            logger.error("%s", error)  # noqa: TRY400 -- a full disk is no programming error; no traceback helps
            return False
        return True

    def _decided(self, identifier: str, attempt: Attempt, decision: Decision, now: datetime) -> Decided:
        return Decided(
            id=identifier,
            at=now,
            address=str(attempt.address),
            device=decision.device,
            person=decision.person,
            network=decision.network,
            host=None if decision.host is None else str(decision.host),
            port=attempt.port,
            protocol=attempt.protocol,
            verdict=decision.verdict,
            reason=decision.reason,
            would_be=decision.would_be,
            rule=decision.rule,
            clause=decision.clause,
            service=decision.service,
            category=decision.category,
            authorisation=decision.authorisation,
            policy=self.snapshot.policy.version if self.snapshot else "",
        )
