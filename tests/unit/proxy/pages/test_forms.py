"""Which form of a refusal suits which request."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.pages.forms import Form, form_for, form_of

CHROMIUM = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"
FIREFOX_IMAGE = "image/avif,image/webp,image/png,image/svg+xml,image/*;q=0.8,*/*;q=0.5"
CHROMIUM_IMAGE = "image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8"


@pytest.mark.parametrize(
    ("destination", "form"),
    [
        ("document", Form.PAGE),
        ("iframe", Form.FRAME),
        ("frame", Form.FRAME),
        ("object", Form.FRAME),
        ("embed", Form.FRAME),
        ("empty", Form.PROBLEM),
        ("image", Form.IMAGE),
        ("script", Form.SCRIPT),
        ("worker", Form.SCRIPT),
        ("serviceworker", Form.SCRIPT),
        ("style", Form.STYLE),
        ("font", Form.TEXT),
        ("video", Form.TEXT),
        ("audio", Form.TEXT),
        ("track", Form.TEXT),
        ("manifest", Form.TEXT),
        ("report", Form.TEXT),
        ("", Form.TEXT),
        ("Document", Form.TEXT),
        ("document, document", Form.TEXT),
        ("x" * 5000, Form.TEXT),
    ],
)
def test_what_the_browser_says_it_is_for_decides(destination: str, form: Form) -> None:
    """Sec-Fetch-Dest first, whatever Accept says; what nobody has heard of gets a line of text."""
    for accept in ("text/html", "application/json", "*/*", ""):
        assert form_of({"sec-fetch-dest": destination, "accept": accept}) is form


def test_a_socket_gets_a_line_of_text() -> None:
    """Whoever asks for an upgrade reads no page."""
    assert form_of({"upgrade": "websocket", "accept": "text/html"}) is Form.TEXT
    assert form_of({"sec-fetch-mode": "websocket", "sec-fetch-dest": "empty"}) is Form.TEXT


def test_without_fetch_metadata_the_accept_header_decides() -> None:
    """As over plain HTTP, where browsers send none."""
    assert form_of({"accept": CHROMIUM_IMAGE}) is Form.IMAGE
    assert form_of({"accept": CHROMIUM}) is form_of({}) is Form.PAGE


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        (CHROMIUM, Form.PAGE),
        ("*/*", Form.PAGE),
        ("", Form.PAGE),
        ("TEXT/HTML", Form.PAGE),
        ("text/html;level=1;q=0.9, application/json;q=0.8", Form.PAGE),
        ("application/json", Form.PROBLEM),
        ("application/json, text/plain, */*", Form.PROBLEM),
        ("application/problem+json", Form.PROBLEM),
        ("text/html;q=0.5, application/json", Form.PROBLEM),
        ("application/json;q=0, */*", Form.PAGE),
        (FIREFOX_IMAGE, Form.IMAGE),
        (CHROMIUM_IMAGE, Form.IMAGE),
        ("image/webp,*/*", Form.IMAGE),
        ("text/css,*/*;q=0.1", Form.STYLE),
        ("text/javascript", Form.SCRIPT),
        ("text/plain", Form.TEXT),
        ("text/event-stream", Form.TEXT),
        ("text/html;q=nonsense", Form.PAGE),
        ("text/html;q=nan, application/json", Form.PROBLEM),
    ],
)
def test_accept(accept: str, form: Form) -> None:
    """What the client likes best decides; what nobody can make sense of is shown the page."""
    assert form_for(accept) is form


@given(
    st.dictionaries(st.sampled_from(["accept", "sec-fetch-dest", "sec-fetch-mode", "upgrade"]), st.text(max_size=3000))
)
def test_any_request_has_a_form(headers: dict[str, str]) -> None:
    """Whatever a stranger sends."""
    assert form_of(headers) in Form
