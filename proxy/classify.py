"""Whether a person went there, or a page or an app fetched it: from what the head of a refused request shows.

Browsers say it themselves (Sec-Fetch-*, W3C Fetch Metadata), but only where the connection is trustworthy: over plain
HTTP, and in programs, there is less. There a page that was asked for without a Referer is taken for a navigation, as
what a page embeds carries one unless it hides it; asked for with one it may be either (what the Referer says is not
read). What is not understood, said twice, or longer than any browser makes it, is ``unknown``: nobody is said to have
gone where they may not have.
"""

import re
from collections.abc import Mapping

from policies.vocabulary import Kind
from proxy.pages.forms import Form, form_for

_TOKEN = re.compile(r"[a-z-]{1,32}")
_MODES = frozenset({"navigate", "cors", "no-cors", "same-origin", "websocket", "webtransport"})
_BEHIND = frozenset({"report", "serviceworker", "sharedworker"})  # fetched for no page that somebody looks at
_BY_FORM: Mapping[Form, Kind] = {
    Form.PROBLEM: Kind.BACKGROUND,
    Form.IMAGE: Kind.EMBEDDED,
    Form.SCRIPT: Kind.EMBEDDED,
    Form.STYLE: Kind.EMBEDDED,
}


def kind_of(headers: Mapping[str, str], method: str) -> Kind:
    """The kind of a refused request."""
    if method == "CONNECT":
        return Kind.UNKNOWN
    if headers.get("sec-purpose") is not None or headers.get("purpose") == "prefetch":
        return Kind.BACKGROUND  # a browser that looks ahead: nobody has gone there yet
    if any(headers.get(name) is not None for name in ("sec-fetch-mode", "sec-fetch-dest", "sec-fetch-site")):
        return _told(headers.get("sec-fetch-mode", ""), headers.get("sec-fetch-dest", ""), method)
    return _guessed(headers, method)


def _told(mode: str, destination: str, method: str) -> Kind:
    """By Fetch Metadata. A frame is navigated too, but is part of the page around it."""
    if mode not in _MODES or not _TOKEN.fullmatch(destination):
        return Kind.UNKNOWN
    if mode == "navigate" and destination == "document":
        return Kind.NAVIGATION if method in ("GET", "POST", "HEAD") else Kind.UNKNOWN
    if mode in ("websocket", "webtransport") or destination in _BEHIND or _is_beacon(mode, destination):
        return Kind.BACKGROUND
    return Kind.EMBEDDED


def _is_beacon(mode: str, destination: str) -> bool:
    """Sent, and the answer never looked at: sendBeacon, <a ping>, fetch with no-cors."""
    return mode == "no-cors" and destination == "empty"


def _guessed(headers: Mapping[str, str], method: str) -> Kind:
    if headers.get("upgrade") is not None:
        return Kind.BACKGROUND
    accept = headers.get("accept", "")
    form = form_for(accept)
    if form is not Form.PAGE:
        return _BY_FORM.get(form, Kind.UNKNOWN)
    asks_for_a_page = "text/html" in accept.lower() and method in ("GET", "HEAD")
    return Kind.NAVIGATION if asks_for_a_page and headers.get("referer") is None else Kind.UNKNOWN
