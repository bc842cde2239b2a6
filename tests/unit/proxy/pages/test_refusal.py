"""What a refusal says, put together from a decision and the snapshot it was made on."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from policies.authorisation import Authorisation, Subject, SubjectKind, Target, TargetKind
from policies.decision import Decision, refusal
from policies.index import NameTrie
from policies.model import Catalogue, Category, Policy, Service
from policies.names import HostName
from policies.snapshot import Snapshot
from policies.vocabulary import Reason, Verdict
from proxy.pages.refusal import Refusal, plain, refusal_for, unicode_form
from tests.refusals import REFERENCE, example

NOW = datetime(2026, 7, 14, 8, 5, tzinfo=UTC)  # 09:05 in London
LONDON = ZoneInfo("Europe/London")


@pytest.mark.parametrize(
    ("title", "clause", "basis"),
    [
        ("Policy", "3 ¶1", "Policy, section 3 ¶1"),
        ("Policy", "§3 ¶1", "Policy, §3 ¶1"),
        ("Policy", None, "Policy"),
        ("", "3", "section 3"),
        ("", None, ""),
    ],
)
def test_basis(title: str, clause: str | None, basis: str) -> None:
    """Policy and clause as far as they are known."""
    assert example(policy_title=title, clause=clause).basis == basis


@pytest.mark.parametrize(
    ("reason", "remedy"),
    [
        (Reason.NOT_AUTHORISED, "Ask nicely."),
        (Reason.AUTHORISATION_ENDED, "Ask nicely."),
        (Reason.IN_LESSON, "Try again outside lessons and structured sessions."),
        (Reason.UNLISTED, ""),
    ],
)
def test_remedy(reason: Reason, remedy: str) -> None:
    """The school's own advice where an authorisation would help."""
    assert example(reason=reason, advice="Ask nicely.").remedy == remedy


@pytest.mark.parametrize(
    ("host", "form"),
    [
        ("www.facebook.com", None),
        ("xn--bcher-kva.example", "bücher.example"),
        ("a.xn--e1afmkfd.example", "a.пример.example"),
        ("xn--a.example", None),
        ("xn--" + "9" * 59 + ".example", None),
        ("10.0.0.1", None),
    ],
)
def test_unicode_form(host: str, form: str | None) -> None:
    """A name as its owner writes it, where that is another one and a valid one."""
    assert unicode_form(host) == form


def test_plain() -> None:
    """What cannot be seen is left out; letters of every script stay."""
    assert plain("a\u202eb\u200bc\u2066\x00\nd") == "abc d"
    assert plain("Ysgol Llŷn – пример") == "Ysgol Llŷn – пример"


def test_what_has_no_reference_is_not_on_record() -> None:
    """Nor what was refused because it could not be recorded."""
    assert example().recorded
    assert not example(reference="").recorded
    assert not example(reason=Reason.NOT_RECORDABLE).recorded


POLICY = Policy.model_validate(
    {
        "school": {"name": "A school", "contact": "the office", "policy_title": "Online Policy"},
        "networks": {"estate": {"name": "estate"}},
        "timetable": {},
        "rules": [{"name": "closed", "clause": "3 ¶1", "verdict": "deny", "explanation": "For work only."}],
        "wording": {"heading": "Not here", "advice": "Ask nicely."},
    }
)
FACEBOOK = Service(key="facebook", name="Facebook", category="social", domains=(HostName("facebook.com"),))
CATALOGUE = Catalogue(
    "1",
    {"social": Category(key="social", name="Social network")},
    {"facebook": FACEBOOK},
    NameTrie.build([(HostName("facebook.com"), 0)]),
)


def snapshot(*authorisations: Authorisation) -> Snapshot:
    return Snapshot(number=1, confirmed_at=NOW, policy=POLICY, catalogue=CATALOGUE, authorisations=authorisations)


def grant(**changes: object) -> Authorisation:
    fields: dict[str, object] = {
        "id": 7,
        "subject": Subject(SubjectKind.ADDRESS, "10.0.0.1"),
        "target": Target(TargetKind.SERVICE, "facebook"),
        "starts_at": NOW - timedelta(hours=2),
        "ends_at": NOW - timedelta(hours=1),
    }
    return Authorisation(**{**fields, **changes})  # type: ignore[arg-type]  # the fields of a test's case


def denied(reason: Reason = Reason.NOT_AUTHORISED, authorisation: int | None = None) -> Decision:
    return Decision(
        verdict=Verdict.DENY,
        reason=reason,
        host=HostName("m.facebook.com"),
        rule="closed",
        clause="3 ¶1",
        service="facebook",
        category="social",
        authorisation=authorisation,
    )


def test_a_decision_is_shown_in_the_schools_words() -> None:
    """Names instead of keys, the school's wording, its own time."""
    made = refusal_for(denied(), snapshot(), reference=REFERENCE, now=NOW, sign_in=True)
    assert made == Refusal(
        reason=Reason.NOT_AUTHORISED,
        host="m.facebook.com",
        reference=REFERENCE,
        at=datetime(2026, 7, 14, 9, 5, tzinfo=LONDON),
        school="A school",
        policy_title="Online Policy",
        service="Facebook",
        category="Social network",
        clause="3 ¶1",
        explanation="For work only.",
        heading="Not here",
        advice="Ask nicely.",
        contact="the office",
        sign_in=True,
    )
    assert made.at.utcoffset() == timedelta(hours=1)


@pytest.mark.parametrize(
    ("authorisation", "ended_at"),
    [
        (grant(), NOW - timedelta(hours=1)),
        (grant(ends_at=NOW), NOW),
        (grant(ends_at=NOW + timedelta(hours=1), revoked_at=NOW - timedelta(minutes=2)), NOW - timedelta(minutes=2)),
        (grant(ends_at=NOW + timedelta(hours=1)), None),  # lapsed with a stale snapshot: its end is still to come
        (grant(id=8), None),  # no longer in the snapshot
    ],
)
def test_when_an_authorisation_stopped(authorisation: Authorisation, ended_at: datetime | None) -> None:
    """Its revocation, else its end; nothing is said that has not happened."""
    decision = denied(Reason.AUTHORISATION_ENDED, authorisation=7)
    assert refusal_for(decision, snapshot(authorisation), reference=REFERENCE, now=NOW).ended_at == ended_at


def test_without_a_snapshot_there_is_a_page_all_the_same() -> None:
    """A gateway that has nothing yet refuses in plain words."""
    made = refusal_for(refusal(Reason.NO_SNAPSHOT), None, reference=REFERENCE, now=NOW)
    assert made.status == 503
    assert "does not have the policy yet" in made.sentence
    assert made.title == "This page cannot be opened just now"


def test_a_service_the_snapshot_does_not_know_is_left_out() -> None:
    """A catalogue that was swapped in between is no reason to fail."""
    decision = Decision(verdict=Verdict.DENY, reason=Reason.LOCKED, host=HostName("a.example"), service="gone")
    assert refusal_for(decision, snapshot(), reference=REFERENCE, now=NOW).site == "a.example"
