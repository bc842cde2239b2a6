"""The refusal: what it says, to whom, in which form, and that nothing foreign gets into it."""

import json
import re
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from html.parser import HTMLParser
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.authorisation import Authorisation, Subject, SubjectKind, Target, TargetKind
from policies.decision import Decision, refusal
from policies.index import NameTrie
from policies.model import Catalogue, Category, Policy, Service
from policies.names import HostName
from policies.snapshot import Snapshot
from policies.vocabulary import Reason, Verdict
from proxy.pages.refusal import Refusal, refusal_for, render

NOW = datetime(2026, 7, 14, 8, 5, tzinfo=UTC)  # 09:05 in London
LONDON = ZoneInfo("Europe/London")
REFERENCE = "K7QF-2M9X-TDWA-5B3C"
VOID = {"meta", "path"}


class Page(HTMLParser):
    """The page as a parser sees it: elements with attributes, the text, and that every element is closed."""

    def __init__(self, body: bytes) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text, self.style, self._open = "", "", list[str]()
        self.feed(body.decode())
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] == "style":
            self.style += data
        else:
            self.text += data

    def tags(self) -> list[str]:
        return [tag for tag, _ in self.elements]


def example(**changes: object) -> Refusal:
    fields: dict[str, object] = {
        "reason": Reason.NOT_AUTHORISED,
        "host": "www.facebook.com",
        "reference": REFERENCE,
        "at": NOW.astimezone(LONDON),
        "school": "Horringer Court Middle School",
        "policy_title": "Social Media Policy",
        "service": "Facebook",
        "category": "Social network",
        "clause": "3 ¶1",
        "contact": "the school office",
    }
    return Refusal(**{**fields, **changes})  # type: ignore[arg-type]  # the fields of a test's case


def page(**changes: object) -> Page:
    return Page(render(example(**changes))[2])


def header(name: bytes, refused: Refusal, accept: str = "text/html") -> bytes:
    (value,) = [value for key, value in render(refused, accept)[1] if key == name]
    return value


# What it says


def test_the_page_says_all_a_teacher_needs() -> None:
    """What, why, under which clause, whom to ask, what to quote."""
    text = page().text
    for part in (
        "Horringer Court Middle School",
        "This site is not open on the school's network",
        "Facebook",
        "Social network",
        "www.facebook.com",
        "unless a member of the senior leadership team has authorised it",
        "Social Media Policy, section 3 ¶1",
        "ask a member of the senior leadership team to authorise it",
        "the school office",
        "Tuesday 14 July 2026 at 09:05",
        REFERENCE,
    ):
        assert part in text


def test_an_end_is_said_to_the_minute() -> None:
    """Whoever had an authorisation is told when it stopped."""
    text = page(reason=Reason.AUTHORISATION_ENDED, ended_at=(NOW - timedelta(minutes=5)).astimezone(LONDON)).text
    assert "The time for which it was authorised is over." in text
    assert "It ended on Tuesday 14 July 2026 at 09:00." in text


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_makes_a_page(reason: Reason) -> None:
    """With everything known, and with nothing known but the reason."""
    bare = Refusal(reason=reason, host=None, reference=REFERENCE, at=NOW)
    for refused in (example(reason=reason), bare):
        status, headers, body = render(refused)
        assert REFERENCE in Page(body).text
        assert dict(headers)[b"content-length"] == str(len(body)).encode()
        assert status == (503 if reason in {Reason.TOO_BUSY, Reason.NO_SNAPSHOT, Reason.INTERNAL_ERROR} else 403)


def test_a_fault_is_not_blamed_on_the_policy() -> None:
    """The gateway says that it is the gateway, and when to come back."""
    refused = example(reason=Reason.NO_SNAPSHOT)
    assert "This page cannot be opened just now" in Page(render(refused)[2]).text
    assert header(b"retry-after", refused) == b"30"


def test_what_could_not_be_recorded_is_not_said_to_be() -> None:
    """The page promises no record where there is none."""
    assert "could not be recorded" in page(reason=Reason.NOT_RECORDABLE).text
    assert "on the school's record" in page().text


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


# How it is made


def test_the_page_is_well_formed_and_accessible() -> None:
    """British English, one heading, landmarks, a title, a labelled region; no picture that is read out."""
    made = page()
    tags = made.tags()
    assert dict(made.elements)["html"] == {"lang": "en-GB"}
    assert [tags.count(tag) for tag in ("h1", "header", "main", "footer", "title")] == [1, 1, 1, 1, 1]
    assert dict(made.elements)["section"]["aria-labelledby"] in {a.get("id") for _, a in made.elements}
    assert dict(made.elements)["svg"]["aria-hidden"] == "true"


def test_the_page_holds_nothing_but_itself() -> None:
    """No script, no link, no image, no form, no style or handler in an attribute."""
    made = page()
    allowed = "html head meta title style body header svg path p main h1 bdi span section h2 dl div dt dd time footer"
    assert set(made.tags()) <= set(allowed.split())
    attributes = {name for _, found in made.elements for name in found}
    assert not {name for name in attributes if name.startswith("on") or name in {"style", "href", "src"}}
    assert "url(" not in made.style
    assert "@import" not in made.style


def test_the_style_is_the_one_that_the_header_allows() -> None:
    """A browser applies our style sheet, by its hash, and no other; and nothing at all beside it."""
    policy = header(b"content-security-policy", example()).decode()
    expected = b64encode(sha256(page().style.encode()).digest()).decode()
    assert f"style-src 'sha256-{expected}'" in policy
    assert policy.startswith("default-src 'none';")
    assert "unsafe" not in policy


@pytest.mark.parametrize("accept", ["text/html", "application/json", "image/png"])
def test_headers(accept: str) -> None:
    """Not stored, not sniffed, not framed, not referred from, whatever the form."""
    headers = dict(render(example(), accept)[1])
    assert headers[b"cache-control"] == b"no-store"
    assert headers[b"referrer-policy"] == b"no-referrer"
    assert headers[b"x-content-type-options"] == b"nosniff"
    assert headers[b"x-frame-options"] == b"DENY"
    assert b"connection" not in headers
    assert all(name == name.lower() for name in headers)


def _luminance(colour: str) -> float:
    long = colour if len(colour) == 7 else "#" + "".join(2 * c for c in colour[1:])
    parts = [int(long[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("ink", ["ink", "quiet", "accent"])
@pytest.mark.parametrize("ground", ["ground", "panel"])
def test_contrast(ink: str, ground: str) -> None:
    """WCAG AA, 4.5 to 1, for every text on every ground: light, dark and on paper."""
    themes = [
        dict(re.findall(r"--(\w+): (#\w+)", block)) for block in re.findall(r":root \{(.*?)\}", page().style, re.DOTALL)
    ]
    assert len(themes) == 3
    for theme in themes:
        lighter, darker = sorted((_luminance(theme[ink]), _luminance(theme[ground])), reverse=True)
        assert (lighter + 0.05) / (darker + 0.05) >= 4.5


HOSTILE = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>{{ 7*7 }}\u202e"


@pytest.mark.parametrize("field", ["host", "service", "category", "clause", "school", "heading", "advice", "contact"])
def test_what_comes_from_outside_stays_text(field: str) -> None:
    """Markup in a name or in a policy is shown as it is written."""
    made = page(**{field: HOSTILE, **({"service": None} if field == "host" else {})})
    assert not {"script", "img"} & set(made.tags())
    assert HOSTILE in made.text


@given(host=st.text(max_size=253), reference=st.text(max_size=40), explanation=st.text(max_size=500))
def test_no_text_breaks_the_page(host: str, reference: str, explanation: str) -> None:
    """Whatever is in the fields: the same elements, in order, under 15 KB."""
    refused = example(host=host or "x", reference=reference, explanation=explanation or "x")
    body = render(refused)[2]
    assert Page(body).tags() == page(explanation="x").tags()
    assert len(body) < 15_000


# Other forms


def test_problem_json() -> None:
    """RFC 9457 for programs, with the codes that the record and the metrics use."""
    status, headers, body = render(example(ended_at=NOW.astimezone(LONDON)), "application/json")
    assert dict(headers)[b"content-type"] == b"application/problem+json"
    problem = json.loads(body)
    assert problem["status"] == status == 403
    assert problem["type"] == "about:blank"
    assert problem["title"] == "Forbidden"
    assert problem["detail"].startswith("Facebook: Social media stays closed")
    assert problem["reason"] == "not_authorised"
    assert problem["reference"] == REFERENCE
    assert problem["at"] == problem["ended_at"] == "2026-07-14T09:05:00+01:00"


def test_a_line_of_text() -> None:
    """What a style sheet or an image gets: enough for somebody who looks into the network tab."""
    _, headers, body = render(example(), "image/avif,image/webp,*/*;q=0.5")
    assert dict(headers)[b"content-type"] == b"text/plain; charset=utf-8"
    assert body.decode().startswith("Facebook: Social media stays closed")
    assert body.endswith(f"Reference {REFERENCE}.\n".encode())


# From a decision


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


def denied(reason: Reason = Reason.NOT_AUTHORISED, authorisation: int | None = None, *, paged: bool = True) -> Decision:
    return Decision(
        verdict=Verdict.DENY,
        reason=reason,
        host=HostName("m.facebook.com"),
        rule="closed",
        clause="3 ¶1",
        service="facebook",
        category="social",
        authorisation=authorisation,
        page=paged,
    )


def test_a_decision_is_shown_in_the_schools_words() -> None:
    """Names instead of keys, the school's wording, its own time."""
    made = refusal_for(denied(paged=False), snapshot(), reference=REFERENCE, now=NOW)
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
        page=False,
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
    status, _, body = render(made)
    assert status == 503
    assert "does not have the policy yet" in Page(body).text


def test_a_service_the_snapshot_does_not_know_is_left_out() -> None:
    """A catalogue that was swapped in between is no reason to fail."""
    decision = Decision(verdict=Verdict.DENY, reason=Reason.LOCKED, host=HostName("a.example"), service="gone")
    assert refusal_for(decision, snapshot(), reference=REFERENCE, now=NOW).site == "a.example"
