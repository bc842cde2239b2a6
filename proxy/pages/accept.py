"""Which form of a refusal suits an Accept header (RFC 9110, 12.5.1): a page, JSON, or a line of text.

Only what the client likes best counts. ``*/*`` alone is a person with curl, who is shown the page; a browser that
fetches an image or a style sheet gets the line, which nobody will see.
"""

import re
from enum import Enum

LONGEST = 1000  # characters looked at
_PAGES = frozenset({"text/html", "application/xhtml+xml"})
_JSON = frozenset({"application/json", "application/problem+json", "application/*"})
_QUALITY = re.compile(r"q=[01](\.[0-9]{0,6})?")
_ANYTHING = frozenset({"*/*", "text/*"})


class Form(Enum):
    PAGE = "text/html; charset=utf-8"
    JSON = "application/problem+json"
    TEXT = "text/plain; charset=utf-8"


def form_for(accept: str) -> Form:
    best = _liked_best(accept[:LONGEST])
    if not best or best & _PAGES:
        return Form.PAGE
    if best & _JSON:
        return Form.JSON
    return Form.PAGE if best & _ANYTHING else Form.TEXT


def _liked_best(accept: str) -> frozenset[str]:
    """The media ranges with the highest quality; none if there is no sensible one."""
    qualities = dict(_range_and_quality(part) for part in accept.split(",") if part.strip())
    highest = max(qualities.values(), default=0.0)
    return frozenset(name for name, quality in qualities.items() if quality == highest) if highest > 0 else frozenset()


def _range_and_quality(part: str) -> tuple[str, float]:
    name, *parameters = (piece.strip().lower() for piece in part.split(";"))
    quality = next((value for value in parameters if value.startswith("q=")), "q=1")
    return name, float(quality[2:]) if _QUALITY.fullmatch(quality) else 0.0
