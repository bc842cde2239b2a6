"""The form of a refusal that suits what was asked for: a page for a person, something small for what a page embeds.

A browser says what a request is for (Sec-Fetch-Dest, W3C Fetch Metadata); where it does not, as over plain HTTP, what
the Accept header likes best decides (RFC 9110, 12.5.1). ``*/*`` alone is a person with curl, who is shown the page.
"""

import re
from collections.abc import Mapping
from enum import Enum, auto
from types import MappingProxyType

LONGEST = 1000  # characters looked at
_QUALITY = re.compile(r"q=[01](\.[0-9]{0,6})?")


class Form(Enum):
    PAGE = auto()  # a person's window
    FRAME = auto()  # a page inside a page, often no larger than 300 x 150
    PROBLEM = auto()  # a program: RFC 9457
    IMAGE = auto()
    SCRIPT = auto()
    STYLE = auto()
    TEXT = auto()  # media, fonts, sockets, and whatever else


_BY_DESTINATION: Mapping[str, Form] = MappingProxyType(
    {
        "document": Form.PAGE,
        **dict.fromkeys(("iframe", "frame", "fencedframe", "embed", "object"), Form.FRAME),
        "empty": Form.PROBLEM,  # fetch, XMLHttpRequest, beacons
        "json": Form.PROBLEM,
        "image": Form.IMAGE,
        "script": Form.SCRIPT,
        **dict.fromkeys(("worker", "sharedworker", "serviceworker", "audioworklet", "paintworklet"), Form.SCRIPT),
        "style": Form.STYLE,
    }
)
_BY_TYPE: Mapping[str, Form] = MappingProxyType(
    {
        **dict.fromkeys(("text/html", "application/xhtml+xml"), Form.PAGE),
        **dict.fromkeys(("application/json", "application/problem+json", "application/*"), Form.PROBLEM),
        **dict.fromkeys(("text/javascript", "application/javascript"), Form.SCRIPT),
        "text/css": Form.STYLE,
    }
)  # the first that is among what is liked best
_ANYTHING = frozenset({"*/*", "text/*"})


def form_of(headers: Mapping[str, str]) -> Form:
    """The form that suits a request."""
    if headers.get("upgrade") is not None or headers.get("sec-fetch-mode") == "websocket":
        return Form.TEXT
    destination = headers.get("sec-fetch-dest")
    if destination is None:
        return form_for(headers.get("accept", ""))
    return _BY_DESTINATION.get(destination, Form.TEXT)


def form_for(accept: str) -> Form:
    """The form that suits an Accept header."""
    best = _liked_best(accept[:LONGEST])
    if not best:
        return Form.PAGE
    if form := next((form for name, form in _BY_TYPE.items() if name in best), None):
        return form
    if any(name.startswith("image/") for name in best):
        return Form.IMAGE
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
