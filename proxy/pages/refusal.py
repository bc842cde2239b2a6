"""The refusal as a person meets it: what is closed, why, under which clause, whom to ask, and the reference to quote.

A page holds nothing but itself: no script, nothing from outside, one style sheet that the browser checks by its hash.
All that comes from a connection or a policy is escaped. The page, the JSON and the line of text say the same.
"""

import json
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from hashlib import sha256
from http import HTTPStatus
from importlib.resources import files
from zoneinfo import ZoneInfo

from jinja2 import Environment, StrictUndefined, Template
from markupsafe import Markup

from policies.authorisation import Authorisation
from policies.decision import Decision
from policies.model import Wording
from policies.snapshot import Snapshot
from policies.vocabulary import Reason
from proxy.pages.accept import Form, form_for
from proxy.pages.reasons import WORDS

type Headers = list[tuple[bytes, bytes]]

FAULTS = frozenset({Reason.TOO_BUSY, Reason.NO_SNAPSHOT, Reason.INTERNAL_ERROR})
RULED = frozenset({Reason.NOT_AUTHORISED, Reason.IN_LESSON})  # for these a rule may say why itself
FAULT_HEADING = "This page cannot be opened just now"
RETRY_AFTER = b"30"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """All that a refusal shows. Times are in the school's zone; ``page``: the client trusts the school's CA."""

    reason: Reason
    host: str | None
    reference: str
    at: datetime
    school: str = ""
    policy_title: str = ""
    service: str | None = None
    category: str | None = None
    clause: str | None = None
    explanation: str = ""
    heading: str = Wording().heading
    advice: str = Wording().advice
    contact: str = ""
    ended_at: datetime | None = None
    page: bool = True

    @property
    def status(self) -> HTTPStatus:
        return HTTPStatus.SERVICE_UNAVAILABLE if self.reason in FAULTS else HTTPStatus.FORBIDDEN

    @property
    def title(self) -> str:
        return FAULT_HEADING if self.reason in FAULTS else self.heading

    @property
    def site(self) -> str:
        """What is closed, in as few words as there are."""
        return self.service or self.host or "This connection"

    @property
    def sentence(self) -> str:
        """Why, in the policy's own words where its rule has some for a plain refusal, else in ours."""
        return self.explanation if self.explanation and self.reason in RULED else WORDS[self.reason].sentence

    @property
    def remedy(self) -> str:
        remedy = WORDS[self.reason].remedy
        return self.advice if remedy is None else remedy

    @property
    def basis(self) -> str:
        """Title and clause: ``Social Media Policy, section 3 ¶1``."""
        if not self.clause:
            return self.policy_title
        clause = f"section {self.clause}" if self.clause[0].isdigit() else self.clause
        return f"{self.policy_title}, {clause}" if self.policy_title else clause

    @property
    def recorded(self) -> bool:
        return self.reason is not Reason.NOT_RECORDABLE


def refusal_for(decision: Decision, snapshot: Snapshot | None, *, reference: str, now: datetime) -> Refusal:
    """What to show for a decision. Without a snapshot there is no school to name: the words of the code remain."""
    host = None if decision.host is None else str(decision.host)
    if snapshot is None:
        return Refusal(reason=decision.reason, host=host, reference=reference, at=now, page=decision.page)
    policy, catalogue = snapshot.policy, snapshot.catalogue
    zone = ZoneInfo(policy.school.time_zone)
    service = catalogue.services.get(decision.service or "")
    category = catalogue.categories.get(decision.category or "")
    ended_at = _ended_at(snapshot, decision, now)
    return Refusal(
        reason=decision.reason,
        host=host,
        reference=reference,
        at=now.astimezone(zone),
        school=policy.school.name,
        policy_title=policy.school.policy_title,
        service=service.name if service else None,
        category=category.name if category else None,
        clause=decision.clause,
        explanation=next((rule.explanation for rule in policy.rules if rule.name == decision.rule), ""),
        heading=policy.wording.heading,
        advice=policy.wording.advice,
        contact=policy.school.contact,
        ended_at=ended_at.astimezone(zone) if ended_at else None,
        page=decision.page,
    )


def _ended_at(snapshot: Snapshot, decision: Decision, now: datetime) -> datetime | None:
    """When the authorisation that a refusal mentions stopped; unknown where it lapsed before its end."""
    if decision.authorisation is None or decision.allowed:
        return None
    mentioned: Authorisation | None = next((a for a in snapshot.authorisations if a.id == decision.authorisation), None)
    ended_at = (mentioned.revoked_at or mentioned.ends_at) if mentioned else None
    return ended_at if ended_at and ended_at <= now else None


# Showing


def render(refusal: Refusal, accept: str = "text/html") -> tuple[int, Headers, bytes]:
    """Status, headers and body. The body is for any method but HEAD."""
    form = form_for(accept)
    body = _BODIES[form](refusal).encode()
    headers = [
        (b"content-type", form.value.encode()),
        (b"content-length", b"%d" % len(body)),
        (b"cache-control", b"no-store"),
        (b"content-security-policy", _content_security_policy()),
        (b"referrer-policy", b"no-referrer"),
        (b"x-content-type-options", b"nosniff"),
        (b"x-frame-options", b"DENY"),
    ]
    if refusal.reason in FAULTS:
        headers.append((b"retry-after", RETRY_AFTER))
    return refusal.status, headers, body


def _page(refusal: Refusal) -> str:
    return _template().render(refusal=refusal, when=moment, style=Markup(_style()))  # noqa: S704 -- our own file


def _problem(refusal: Refusal) -> str:
    """RFC 9457, with what a program may act on beside it."""
    fields = {
        "type": "about:blank",
        "title": refusal.status.phrase,
        "status": refusal.status,
        "detail": f"{refusal.site}: {refusal.sentence}",
        "reason": refusal.reason,
        "host": refusal.host,
        "service": refusal.service,
        "category": refusal.category,
        "clause": refusal.clause,
        "policy": refusal.policy_title,
        "advice": refusal.remedy,
        "contact": refusal.contact,
        "ended_at": refusal.ended_at and refusal.ended_at.isoformat(timespec="seconds"),
        "at": refusal.at.isoformat(timespec="seconds"),
        "reference": refusal.reference,
    }
    return json.dumps(fields, ensure_ascii=False, indent=1) + "\n"


def _line(refusal: Refusal) -> str:
    return f"{refusal.site}: {refusal.sentence} Reference {refusal.reference}.\n"


_BODIES: dict[Form, Callable[[Refusal], str]] = {Form.PAGE: _page, Form.JSON: _problem, Form.TEXT: _line}


def moment(at: datetime) -> str:
    """``Tuesday 14 July 2026 at 09:05``, as people write it."""
    return f"{at:%A} {at.day} {at:%B %Y} at {at:%H:%M}"


@cache
def _template() -> Template:
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(_resource("refusal.html"))


@cache
def _style() -> str:
    return _resource("refusal.css")


@cache
def _content_security_policy() -> bytes:
    allowed = b64encode(sha256(_style().encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{allowed}'; base-uri 'none'; form-action 'none'"
    return f"{policy}; frame-ancestors 'none'".encode()


def _resource(name: str) -> str:
    return files("proxy.pages").joinpath("templates", name).read_text(encoding="utf-8")
