"""The one decision (law 3): Attempt + Snapshot + now -> Decision. First match wins:

0. Credentials that stand for nobody any more (a new password, a disabled account): denied.
   Nothing judgeable (no name, not TLS or HTTP, malformed, an address literal, a port that is not allowed): denied,
   unless the policy lists the destination. The school's own networks and names: passed, from networks that reach them.
1. Locked categories and services: denied; no authorisation opens them.
2. A live authorisation that covers subject and target: allowed.
3. Hosts the policy exempts: passed, with the policy's reason.
4. The policy's rules in order; the first that applies decides.
5. Anything else passes, ``unlisted``.

Where a name was asked for (CONNECT, request line) and another was shown (server name, Host), both are judged; if
either is refused, refused; if both pass and differ, ``name_mismatch``. On a network that is being commissioned
(``observe``) a refusal for any reason of policy passes as ``observed`` and says what it would have been.
"""

from datetime import datetime, timedelta
from typing import NamedTuple

from policies.attempt import Attempt, Destination
from policies.authorisation import Authorisation, State
from policies.model import Rule, Service
from policies.names import HostName
from policies.snapshot import Snapshot
from policies.vocabulary import Protocol, Reason, Verdict

REMEMBERED = timedelta(days=1)  # how long an ended authorisation still explains a refusal

ALLOW, DENY = Verdict.ALLOW, Verdict.DENY

# Where a name cannot be judged, a destination that the policy lists may pass all the same.
UNJUDGEABLE = frozenset(
    {Reason.NO_SERVER_NAME, Reason.NOT_TLS, Reason.ADDRESS_LITERAL, Reason.MALFORMED, Reason.PORT_NOT_ALLOWED}
)
FREE = frozenset({Reason.INTERNAL, Reason.EXEMPT})  # what passes where people must sign in and have not
# The reasons of the policy, which observing lifts. Not what guards machines (ports, internal) or cannot be passed on.
OBSERVABLE = frozenset(
    {
        Reason.NOT_AUTHORISED,
        Reason.AUTHORISATION_ENDED,
        Reason.AUTHORISATION_REVOKED,
        Reason.IN_LESSON,
        Reason.LOCKED,
        Reason.NO_SERVER_NAME,
        Reason.NOT_TLS,
        Reason.ADDRESS_LITERAL,
        Reason.NAME_MISMATCH,
    }
)


class Decision(NamedTuple):
    """The verdict, its reason, and everything it rests on. A tuple: one is made for every connection."""

    verdict: Verdict
    reason: Reason
    host: Destination | None = None
    rule: str | None = None
    clause: str | None = None
    service: str | None = None
    category: str | None = None
    authorisation: int | None = None
    network: str | None = None
    device: str | None = None
    person: str | None = None
    page: bool = True  # whether this network's devices can be shown a page (they trust the school's CA)
    would_be: Reason | None = None  # under ``observed``: the refusal that did not happen

    @property
    def allowed(self) -> bool:
        return self.verdict is Verdict.ALLOW

    @property
    def recorded(self) -> bool:
        """Law 6: every refusal, done or observed, and every attempt at the catalogue or under an authorisation."""
        if not self.allowed or self.would_be is not None:
            return True
        return self.service is not None or self.authorisation is not None

    @property
    def category_label(self) -> str:
        return self.category or "none"


def decide(attempt: Attempt, snapshot: Snapshot | None, now: datetime) -> Decision:
    """Judge one attempt at one moment. Never raises for anything an attempt can hold."""
    if snapshot is None:
        return refusal(Reason.NO_SNAPSHOT, attempt)
    judge = _Judge(attempt, snapshot, now)
    decision = judge.decision()
    if decision.allowed or decision.host is None or decision.reason not in OBSERVABLE:
        return decision
    if not snapshot.policy.observes(judge.who.network, now):
        return decision
    return decision._replace(verdict=ALLOW, reason=Reason.OBSERVED, would_be=decision.reason)


def refusal(reason: Reason, attempt: Attempt | None = None) -> Decision:
    """A refusal for a reason that is not the policy's: no snapshot, an internal error, too busy."""
    host = (attempt.server_name or attempt.destination) if attempt else None
    return Decision(verdict=DENY, reason=reason, host=host, person=attempt.person if attempt else None)


def unrecordable(decision: Decision) -> Decision:
    """Law 6: what could not be recorded is refused if it needed an authorisation."""
    if decision.reason is not Reason.AUTHORISED:
        return decision
    return decision._replace(verdict=DENY, reason=Reason.NOT_RECORDABLE)


def unsigned(decision: Decision) -> Decision:
    """What is open to somebody who has to sign in and has not: the school's own, and what the policy exempts."""
    if not decision.allowed or decision.reason in FREE:
        return decision
    return decision._replace(verdict=DENY, reason=Reason.BAD_CREDENTIALS, authorisation=None, would_be=None)


def next_change(snapshot: Snapshot, now: datetime) -> datetime | None:
    """The next moment after ``now`` at which time alone may change a verdict, None if there is none."""
    policy = snapshot.policy
    moments = [m for a in snapshot.authorisations if a.revoked_at is None for m in (a.starts_at, a.ends_at)]
    moments += policy.observed_until.values()
    moments += [bell] if (bell := policy.timetable.next_change(now)) else []
    moments += [snapshot.grants_lapse_at] if snapshot.authorisations else []
    return min((moment for moment in moments if moment > now), default=None)


class _Judge:
    """One run through the precedence; each step gives a decision, or None for "not mine"."""

    def __init__(self, attempt: Attempt, snapshot: Snapshot, now: datetime) -> None:
        self.attempt, self.snapshot, self.now = attempt, snapshot, now
        self.policy = snapshot.policy
        self.who, self.network, self.grants = snapshot.standing(attempt.address, attempt.person)

    def decision(self) -> Decision:
        attempt = self.attempt
        if attempt.credential is not None and not self._proven():
            return self._faulty(Reason.BAD_CREDENTIALS)
        if (fault := attempt.fault or self._fault()) is not None:
            return self._listed(fault) or self._faulty(fault)
        return self._judge_names()

    # 0. What cannot be judged by a name alone

    def _faulty(self, fault: Reason) -> Decision:
        """Refused whatever it names; what it names is said all the same."""
        host = self.attempt.server_name or self.attempt.destination
        service = self.snapshot.listing(host).service if isinstance(host, str) else None
        return self._decision(DENY, fault, host, service)

    def _proven(self) -> bool:
        """A connection rests on the credential it was opened with, for as long as that stands for its person."""
        member = self.who.member
        return member is not None and member.browsing == self.attempt.credential

    def _fault(self) -> Reason | None:
        attempt = self.attempt
        if attempt.explicit and attempt.port not in self.policy.ports:
            return Reason.PORT_NOT_ALLOWED
        if attempt.protocol is Protocol.OTHER:
            return Reason.NOT_TLS
        if attempt.server_name is not None:
            return None
        if attempt.protocol is Protocol.TLS:
            return Reason.NO_SERVER_NAME
        return None if isinstance(attempt.destination, str) else Reason.ADDRESS_LITERAL

    def _listed(self, fault: Reason) -> Decision | None:
        """The school's own, and what the policy lists, pass all the same; names that were shown are judged first."""
        destination = self.attempt.destination
        if destination is None or fault not in UNJUDGEABLE:
            return None
        named = self._judge_names() if self.attempt.names else None
        if named is not None and named.reason is Reason.INTERNAL:
            return named
        if named is None and not isinstance(destination, str) and self.policy.is_internal_address(destination):
            return self._internal(destination)
        listed = self.policy.listed_destination(destination, self.attempt.port)
        if listed is None:
            return None
        if named is not None and (named.service is not None or not named.allowed):
            return named
        return self._decision(ALLOW, Reason.EXEMPT, destination, rule=listed.because, clause=listed.clause)

    def _internal(self, host: Destination) -> Decision:
        return self._decision(ALLOW if self.network.reaches_internal else DENY, Reason.INTERNAL, host)

    # 1 to 5. Names

    def _judge_names(self) -> Decision:
        """Every name by itself; a refusal of one refuses all, and two that pass must be one."""
        decisions = [self._judge_name(name) for name in self.attempt.names]
        for decision in decisions:
            if decision.verdict is DENY:
                return decision
        return decisions[0] if len(decisions) == 1 else self._decision(DENY, Reason.NAME_MISMATCH, decisions[0].host)

    def _judge_name(self, host: HostName) -> Decision:
        listing = self.snapshot.listing(host)
        if listing.internal:
            return self._internal(host)
        service = listing.service
        if (lock := listing.lock) is not None:
            return self._decision(DENY, Reason.LOCKED, host, service, rule=lock.name, clause=lock.clause)
        if self.grants and (authorised := self._authorised(host, service)) is not None:
            return authorised
        if (exempt := listing.exemption) is not None:
            return self._decision(ALLOW, Reason.EXEMPT, host, service, rule=exempt.because, clause=exempt.clause)
        if service is not None and (ruled := self._ruled(host, service)) is not None:
            return ruled
        return self._decision(ALLOW, Reason.UNLISTED, host, service)

    def _authorised(self, host: HostName, service: Service | None) -> Decision | None:
        live = [a for a in self._covering(host, service) if self._state(a) is State.LIVE]
        longest = max(live, key=lambda a: (a.ends_at, a.id), default=None)
        return self._decision(ALLOW, Reason.AUTHORISED, host, service, authorisation=longest.id) if longest else None

    def _ruled(self, host: HostName, service: Service) -> Decision | None:
        if (rule := next((rule for rule in self.policy.rules if self._applies(rule, service)), None)) is None:
            return None
        reason, authorisation = (rule.reason, None) if rule.verdict is ALLOW else self._why_not(rule, host, service)
        return self._decision(
            rule.verdict, reason, host, service, rule=rule.name, clause=rule.clause, authorisation=authorisation
        )

    def _applies(self, rule: Rule, service: Service) -> bool:
        role = self.who.member.role if self.who.member else None
        return (
            (not rule.networks or self.who.network in rule.networks)
            and (not rule.roles or role in rule.roles)
            and (not rule.categories or service.category in rule.categories)
            and (not rule.services or service.key in rule.services)
            and self.policy.timetable.matches(rule.during, rule.outside, self.now)
        )

    def _why_not(self, rule: Rule, host: HostName, service: Service) -> tuple[Reason, int | None]:
        """A refusal says so if an authorisation that covered this ended or was revoked in the last day."""
        past = [a for a in self._covering(host, service) if self._state(a) in (State.ENDED, State.REVOKED)]
        past = [a for a in past if self.now - (a.revoked_at or a.ends_at) < REMEMBERED]
        if not past:
            return rule.reason, None
        last = max(past, key=lambda a: (a.revoked_at or a.ends_at, a.id))
        revoked = self._state(last) is State.REVOKED
        return (Reason.AUTHORISATION_REVOKED if revoked else Reason.AUTHORISATION_ENDED), last.id

    def _covering(self, host: HostName, service: Service | None) -> list[Authorisation]:
        covers = self.snapshot.catalogue.covers
        return [a for a in self.grants if covers(a.target, host, service)]

    def _state(self, authorisation: Authorisation) -> State:
        """The state now; latched ends and a snapshot nobody vouches for any more count as ended."""
        state = authorisation.state(self.now)
        if state is not State.LIVE:
            return state
        stale = self.now >= self.snapshot.grants_lapse_at
        return State.ENDED if stale or authorisation.id in self.snapshot.latched else state

    def _decision(  # noqa: PLR0913 -- the one place where a Decision is put together
        self,
        verdict: Verdict,
        reason: Reason,
        host: Destination | None,
        service: Service | None = None,
        *,
        rule: str | None = None,
        clause: str | None = None,
        authorisation: int | None = None,
    ) -> Decision:
        return Decision(
            verdict=verdict,
            reason=reason,
            host=host,
            rule=rule,
            clause=clause,
            service=service.key if service else None,
            category=service.category if service else None,
            authorisation=authorisation,
            network=self.who.network,
            device=self.who.device.name if self.who.device else None,
            person=self.attempt.person,
            page=self.network.page,
        )
