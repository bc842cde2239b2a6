"""Refusals as tests show them: one that says everything, and whatever a test changes about it."""

from datetime import datetime
from zoneinfo import ZoneInfo

from policies.vocabulary import Reason
from proxy.pages.refusal import Refusal

LONDON = ZoneInfo("Europe/London")
AT = datetime(2026, 7, 14, 9, 5, tzinfo=LONDON)
REFERENCE = "K7QF-2M9X-TDWA-5B3C"
# What a stranger or a careless policy may put into any field; the last letters: right-to-left override, zero width.
HOSTILE = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>{{ 7*7 }}*/\u202e\u200b"
LONGEST_HOST = ".".join(["a" * 63, "xn--bcher-kva", "b" * 63, "c" * 63, "d" * 40, "test"])


def example(**changes: object) -> Refusal:
    fields: dict[str, object] = {
        "reason": Reason.NOT_AUTHORISED,
        "host": "www.facebook.com",
        "reference": REFERENCE,
        "at": AT,
        "school": "Horringer Court School",
        "policy_title": "Social Media Policy",
        "service": "Facebook",
        "category": "Social network",
        "clause": "3 ¶1",
        "contact": "the head teacher or a deputy head, through the school office",
    }
    return Refusal(**{**fields, **changes})  # type: ignore[arg-type]  # the fields of a test's case
