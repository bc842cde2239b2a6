"""Which form of a refusal is sent to whom."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.pages.accept import Form, form_for

CHROMIUM = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"
FIREFOX_IMAGE = "image/avif,image/webp,image/png,image/svg+xml,image/*;q=0.8,*/*;q=0.5"


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        (CHROMIUM, Form.PAGE),
        ("*/*", Form.PAGE),
        ("", Form.PAGE),
        ("TEXT/HTML", Form.PAGE),
        ("text/html;level=1;q=0.9, application/json;q=0.8", Form.PAGE),
        ("application/json", Form.JSON),
        ("application/json, text/plain, */*", Form.JSON),
        ("application/problem+json", Form.JSON),
        ("text/html;q=0.5, application/json", Form.JSON),
        ("application/json;q=0, */*", Form.PAGE),
        (FIREFOX_IMAGE, Form.TEXT),
        ("text/css,*/*;q=0.1", Form.TEXT),
        ("text/plain", Form.TEXT),
        ("text/event-stream", Form.TEXT),
        ("text/html;q=nonsense", Form.PAGE),
        ("text/html;q=nan, application/json", Form.JSON),
    ],
)
def test_form(accept: str, form: Form) -> None:
    """What the client likes best decides; what nobody can make sense of is shown the page."""
    assert form_for(accept) is form


@given(st.text(max_size=3000))
def test_any_header_has_a_form(accept: str) -> None:
    """Whatever a stranger sends."""
    assert form_for(accept) in Form
