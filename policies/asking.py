"""Whether to ask who is there: only where the answer could open what was refused.

Asked is whoever meets a refusal that the grant of some person, or of a group with people in it, would turn, were they
the one asking; a grant still to come counts, so that whoever has it can sign in before it begins. Nobody is asked for
what passes anyway, for what no grant opens (locked, malformed, a port, the school's own), or where only devices,
addresses and networks hold grants.
"""

from dataclasses import replace
from datetime import datetime

from policies.attempt import Attempt
from policies.authorisation import Authorisation, State
from policies.decision import decide
from policies.snapshot import Snapshot
from policies.vocabulary import Reason

OPEN = (State.LIVE, State.FUTURE)
# The refusals that a live authorisation turns.
GRANTABLE = frozenset(
    {Reason.NOT_AUTHORISED, Reason.IN_LESSON, Reason.AUTHORISATION_ENDED, Reason.AUTHORISATION_REVOKED}
)


def would_ask(attempt: Attempt, snapshot: Snapshot | None, now: datetime) -> bool:
    """Whether somebody's grant could turn what would be decided of this attempt if nobody said who they are."""
    if snapshot is None or not snapshot.personal or now >= snapshot.grants_lapse_at or len(attempt.names) != 1:
        return False  # as nearly always; two names that differ never pass, whoever asks
    decision = decide(_of_nobody(attempt), snapshot, now)
    if decision.reason not in GRANTABLE or decision.service is None:
        return False
    (host,), service = attempt.names, snapshot.catalogue.services[decision.service]
    covers = snapshot.catalogue.covers
    return any(_is_open(a, snapshot, now) and covers(a.target, host, service) for a in snapshot.personal)


def _of_nobody(attempt: Attempt) -> Attempt:
    if attempt.person is None and attempt.credential is None:
        return attempt
    return replace(attempt, person=None, credential=None)


def _is_open(authorisation: Authorisation, snapshot: Snapshot, now: datetime) -> bool:
    return authorisation.state(now) in OPEN and authorisation.id not in snapshot.latched
