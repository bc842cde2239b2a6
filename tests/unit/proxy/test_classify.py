"""Navigation or not, from what the head of a request shows."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.vocabulary import Kind
from proxy.classify import kind_of

HTML = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"


@pytest.mark.parametrize(
    ("mode", "destination", "kind"),
    [
        ("navigate", "document", Kind.NAVIGATION),
        ("navigate", "iframe", Kind.EMBEDDED),
        ("navigate", "object", Kind.EMBEDDED),
        ("no-cors", "image", Kind.EMBEDDED),
        ("no-cors", "script", Kind.EMBEDDED),
        ("no-cors", "video", Kind.EMBEDDED),
        ("cors", "font", Kind.EMBEDDED),
        ("cors", "empty", Kind.EMBEDDED),
        ("cors", "something-new", Kind.EMBEDDED),
        ("no-cors", "empty", Kind.BACKGROUND),
        ("no-cors", "report", Kind.BACKGROUND),
        ("websocket", "empty", Kind.BACKGROUND),
        ("websocket", "websocket", Kind.BACKGROUND),
        ("same-origin", "serviceworker", Kind.BACKGROUND),
        (None, "document", Kind.UNKNOWN),
        ("navigate", None, Kind.UNKNOWN),
        ("Navigate", "document", Kind.UNKNOWN),
        ("navigate", "Document", Kind.UNKNOWN),
        ("navigate, navigate", "document", Kind.UNKNOWN),
        ("navigate", "document, document", Kind.UNKNOWN),
        ("navigate", "d" * 10_000, Kind.UNKNOWN),
        ("navigate", "", Kind.UNKNOWN),
        ("nested-navigate", "document", Kind.UNKNOWN),
    ],
)
def test_what_the_browser_says(mode: str | None, destination: str | None, kind: Kind) -> None:
    """Only a top-level navigation is a person going there; what no browser sends says nothing."""
    headers = {"sec-fetch-mode": mode, "sec-fetch-dest": destination, "accept": HTML}
    assert kind_of({name: value for name, value in headers.items() if value is not None}, "GET") is kind


@pytest.mark.parametrize("site", ["none", "same-origin", "cross-site"])
def test_where_a_navigation_began_makes_no_difference(site: str) -> None:
    """Typed, followed or sent on by a script: the person's window went there."""
    headers = {"sec-fetch-mode": "navigate", "sec-fetch-dest": "document", "sec-fetch-site": site}
    assert kind_of(headers, "GET") is kind_of({**headers, "sec-fetch-user": "?1"}, "POST") is Kind.NAVIGATION


def test_half_of_fetch_metadata_is_not_made_up_for() -> None:
    """A program that plays at being a browser is not believed half."""
    assert kind_of({"sec-fetch-site": "none", "accept": HTML}, "GET") is Kind.UNKNOWN


@pytest.mark.parametrize("method", ["PUT", "DELETE", "OPTIONS", "TRACE", "get", ""])
def test_no_browser_navigates_by_other_methods(method: str) -> None:
    """A navigation is GET or POST, or somebody's HEAD."""
    assert kind_of({"sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}, method) is Kind.UNKNOWN
    assert kind_of({"accept": HTML}, method) is Kind.UNKNOWN


@pytest.mark.parametrize("value", ["prefetch", "prefetch;prerender", "prefetch;anonymous-client-ip", "anything"])
def test_looking_ahead_is_not_going_there(value: str) -> None:
    """A browser that prefetches or prerenders a link shows nobody anything."""
    document = {"sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}
    assert kind_of({**document, "sec-purpose": value}, "GET") is Kind.BACKGROUND


@pytest.mark.parametrize(
    ("headers", "kind"),
    [
        ({"accept": HTML}, Kind.NAVIGATION),
        ({"accept": "TEXT/HTML"}, Kind.NAVIGATION),
        ({"accept": HTML, "referer": "http://www.example.org/"}, Kind.UNKNOWN),
        ({"accept": HTML, "purpose": "prefetch"}, Kind.BACKGROUND),
        ({"accept": "image/avif,image/webp,*/*;q=0.8"}, Kind.EMBEDDED),
        ({"accept": "text/css,*/*;q=0.1"}, Kind.EMBEDDED),
        ({"accept": "application/json"}, Kind.BACKGROUND),
        ({"upgrade": "websocket"}, Kind.BACKGROUND),
        ({"accept": "*/*"}, Kind.UNKNOWN),
        ({"accept": "text/plain"}, Kind.UNKNOWN),
        ({}, Kind.UNKNOWN),
    ],
)
def test_without_fetch_metadata(headers: dict[str, str], kind: Kind) -> None:
    """Plain HTTP and programs: what is plain is said, the rest is unknown."""
    assert kind_of(headers, "GET") is kind


def test_a_connect_says_nothing() -> None:
    """What goes through the tunnel is not known yet."""
    assert kind_of({"accept": HTML}, "CONNECT") is Kind.UNKNOWN


NAMES = ["sec-fetch-mode", "sec-fetch-dest", "sec-fetch-site", "sec-purpose", "accept", "upgrade", "referer"]


@given(st.dictionaries(st.sampled_from(NAMES), st.text(max_size=3000)), st.text(max_size=20))
def test_any_request_has_a_kind(headers: dict[str, str], method: str) -> None:
    """Whatever a stranger sends."""
    assert kind_of(headers, method) in Kind
