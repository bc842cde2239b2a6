"""The refusal as a person meets it: what is closed, why, under which clause, whom to ask, and the reference to quote.

A value, put together from a decision and the snapshot it was made on. How it is shown is ``showing``'s.
"""

import unicodedata
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from zoneinfo import ZoneInfo

import idna

from policies.authorisation import Authorisation
from policies.decision import Decision
from policies.snapshot import Snapshot
from policies.vocabulary import Reason
from proxy.pages.languages import DEFAULT, Language, language
from proxy.pages.reasons import AUTHORISABLE, FAULTS, REMEDIES

RULED = frozenset({Reason.NOT_AUTHORISED, Reason.IN_LESSON})  # for these a rule may say why itself
_UNSEEN = frozenset({"Cc", "Cf"})  # Unicode: controls, formats (bidi, zero width)
_JOINERS = "\u200c\u200d"  # formats too, but Persian, Hindi and others are not written without them


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """All that a refusal shows. Times are in the school's zone; ``sign_in``: somebody might be let through."""

    reason: Reason
    host: str | None
    reference: str
    at: datetime
    language: str = DEFAULT
    school: str = ""
    policy_title: str = ""
    service: str | None = None
    category: str | None = None
    clause: str | None = None
    explanation: str = ""
    heading: str = ""
    advice: str = ""
    contact: str = ""
    ended_at: datetime | None = None
    sign_in: bool = False

    @property
    def status(self) -> HTTPStatus:
        return HTTPStatus.SERVICE_UNAVAILABLE if self.reason in FAULTS else HTTPStatus.FORBIDDEN

    @property
    def words(self) -> Language:
        return language(self.language)

    @property
    def title(self) -> str:
        page = self.words.page
        return page.fault_heading if self.reason in FAULTS else self.heading or page.heading

    @property
    def site(self) -> str:
        """What is closed, in as few words as there are."""
        return self.service or self.host or self.words.page.connection

    @property
    def unicode_host(self) -> str | None:
        """The host as its owner writes it, where that is not as it stands on the wire: never shown alone."""
        return None if self.host is None else unicode_form(self.host)

    @property
    def sentence(self) -> str:
        """Why, in the policy's own words where its rule has some for a plain refusal, else in ours."""
        return self.explanation if self.explanation and self.reason in RULED else self.words.reasons[self.reason]

    @property
    def remedy(self) -> str:
        if self.reason in AUTHORISABLE:
            return self.advice or self.words.page.advice
        remedy = REMEDIES.get(self.reason)
        return self.words.remedies[remedy] if remedy else ""

    @property
    def basis(self) -> str:
        """Title and clause: ``Social Media Policy, section 3 ¶1``."""
        if not self.clause:
            return self.policy_title
        numbered = self.clause[0].isdigit()
        clause = self.words.page.section.format(clause=self.clause) if numbered else self.clause
        return f"{self.policy_title}, {clause}" if self.policy_title else clause

    @property
    def line(self) -> str:
        """All of it in one line of plain text."""
        page = self.words.page
        pattern = page.line_reference if self.reference else page.line
        return plain(pattern.format(site=self.site, sentence=self.sentence, reference=self.reference))

    @property
    def recorded(self) -> bool:
        """What is on record has a reference to find it by."""
        return bool(self.reference) and self.reason is not Reason.NOT_RECORDABLE


def plain(text: str) -> str:
    """One line, without what nobody can see and what turns the order of the letters round."""
    spaced = (" " if character.isspace() else character for character in text)
    return "".join(c for c in spaced if unicodedata.category(c) not in _UNSEEN or c in _JOINERS)


def unicode_form(host: str) -> str | None:
    """``bücher.example`` for ``xn--bcher-kva.example``; None where there is no other form, or none that is valid."""
    if "xn--" not in host:
        return None
    try:
        return idna.decode(host)
    except (idna.IDNAError, UnicodeError):
        return None


def refusal_for(
    decision: Decision, snapshot: Snapshot | None, *, reference: str, now: datetime, sign_in: bool = False
) -> Refusal:
    """What to show for a decision. Without a snapshot there is no school to name: the words of the code remain."""
    host = None if decision.host is None else str(decision.host)
    if snapshot is None:
        return Refusal(reason=decision.reason, host=host, reference=reference, at=now, sign_in=sign_in)
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
        language=policy.wording.language,
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
        sign_in=sign_in,
    )


def _ended_at(snapshot: Snapshot, decision: Decision, now: datetime) -> datetime | None:
    """When the authorisation that a refusal mentions stopped; unknown where it lapsed before its end."""
    if decision.authorisation is None or decision.allowed:
        return None
    mentioned: Authorisation | None = next((a for a in snapshot.authorisations if a.id == decision.authorisation), None)
    ended_at = (mentioned.revoked_at or mentioned.ends_at) if mentioned else None
    return ended_at if ended_at and ended_at <= now else None
