"""WCAG 2.2 AA, by axe-core in a real Chromium: every kind of page, in every kind of window, without a violation."""

from datetime import timedelta

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from policies.vocabulary import Reason
from proxy.pages.forms import Form
from proxy.pages.refusal import Refusal
from tests.integration.pages.conftest import Show
from tests.refusals import AT, HOSTILE, LONGEST_HOST, REFERENCE, example

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
REFUSALS = {
    "plain": example(),
    "sign-in": example(sign_in=True),
    "ended": example(reason=Reason.AUTHORISATION_ENDED, ended_at=AT - timedelta(minutes=5)),
    "fault": example(reason=Reason.INTERNAL_ERROR),
    "unrecorded": example(reason=Reason.NOT_RECORDABLE, reference=""),
    "nothing known": Refusal(reason=Reason.NO_SNAPSHOT, host=None, reference=REFERENCE, at=AT),
    "long": example(service=None, host=LONGEST_HOST, sign_in=True),
    "hostile": example(service=HOSTILE, school=HOSTILE, heading=HOSTILE, contact=HOSTILE),
    "Welsh": example(language="cy", sign_in=True, ended_at=AT),
}
PHONE = {"width": 320, "height": 568}
WINDOWS: dict[str, dict[str, object]] = {
    "light": {"color_scheme": "light"},
    "dark": {"color_scheme": "dark"},
    "phone": {"viewport": PHONE},
    "phone, dark": {"viewport": PHONE, "color_scheme": "dark"},
    "projector": {"viewport": {"width": 1920, "height": 1080}},
    "zoomed to 400 %": {"viewport": {"width": 320, "height": 200}},
    "forced colours": {"forced_colors": "active"},
    "more contrast": {"contrast": "more"},
}


def found_in(page: Page) -> list[str]:
    """What axe has against a page, and what it could not make up its mind about."""
    result = Axe().run(page, options={"runOnly": {"type": "tag", "values": RULES}}).response
    assert result["passes"]
    return [f"{rule['id']}: {rule['nodes'][0]['html']}" for rule in result["violations"] + result["incomplete"]]


@pytest.mark.parametrize("window", WINDOWS)
def test_the_page(show: Show, window: str) -> None:
    """In every window, with everything on it that can be on it."""
    assert found_in(show(REFUSALS["ended"], **WINDOWS[window])) == []
    assert found_in(show(REFUSALS["sign-in"], **WINDOWS[window])) == []


@pytest.mark.parametrize("name", REFUSALS)
def test_every_refusal(show: Show, name: str) -> None:
    """Whatever it says."""
    assert found_in(show(REFUSALS[name])) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_frame(show: Show, scheme: str) -> None:
    """The small page inside a page is held to the same."""
    assert found_in(show(example(), Form.FRAME, viewport={"width": 300, "height": 150}, color_scheme=scheme)) == []


def test_on_paper(show: Show) -> None:
    """As it is printed."""
    page = show(example(sign_in=True))
    page.emulate_media(media="print")
    assert found_in(page) == []


def test_axe_finds_what_is_wrong(show: Show) -> None:
    """The checker itself: a page with a fault put into it fails."""
    page = show(example())
    page.locator("footer").evaluate("element => element.style.color = '#cccccc'")
    page.locator("html").evaluate("element => element.removeAttribute('lang')")
    assert {finding.partition(":")[0] for finding in found_in(page)} == {"color-contrast", "html-has-lang"}
