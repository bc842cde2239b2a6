"""What helps: a remedy wherever somebody was refused, and none where there is nothing to remedy."""

from policies.vocabulary import Reason
from proxy.pages.reasons import AUTHORISABLE, FAULTS, REMEDIES, Remedy

PASSING = {Reason.UNLISTED, Reason.EXEMPT, Reason.OBSERVED, Reason.OUTSIDE_LESSONS, Reason.AUTHORISED}


def test_every_refusal_has_a_remedy() -> None:
    """A new reason for refusing needs one first; internal is both, passed to some and refused to others."""
    assert set(REMEDIES) | AUTHORISABLE == set(Reason) - PASSING
    assert not set(REMEDIES) & AUTHORISABLE
    assert set(REMEDIES.values()) == set(Remedy)


def test_a_fault_is_the_gateways_not_the_persons() -> None:
    """Where the gateway fails, the page asks for patience and not for permission."""
    assert {REMEDIES[reason] for reason in FAULTS} == {Remedy.AGAIN}
