"""A real Chromium behind a real gateway: what it is shown where it is refused, and what the record makes of it.

Every way of embedding asks a host of its own, so that the record tells them apart.
"""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from policies.vocabulary import Kind
from proxy.record.events import Classified
from tests.browser import launched
from tests.integration.gateway.clients import eventually
from tests.integration.gateway.gate import Gate
from tests.integration.pages.widgets import HOST, WIDGETS
from tests.needs import require

BROWSER = "127.0.0.1"  # where the browser's connections come from
EXPECTED = {
    **dict.fromkeys(("image", "script", "style", "iframe", "object", "video", "font", "fetch", "xhr"), Kind.EMBEDDED),
    **dict.fromkeys(("manifest", "icon", "events"), Kind.EMBEDDED),
    **dict.fromkeys(("beacon", "socket", "prefetch"), Kind.BACKGROUND),
}


@pytest.fixture(scope="module")
def browser(gateway: Gate) -> Iterator[Browser]:
    require("chromium", "certutil")
    host, port = gateway.address
    with launched(proxy=f"http://{host}:{port}", trust=(gateway.school_root, gateway.world.root)) as running:
        yield running


@pytest.fixture(scope="module")
def embedding(browser: Browser, gateway: Gate) -> Iterator[Page]:
    """The embedding page, once everything on it has been refused."""
    page = browser.new_page()
    page.goto(f"https://{HOST}:{gateway.world.port}/")
    page.wait_for_function("window.left === 0")
    page.context.new_cdp_session(page).send("Page.getAppManifest")  # as a browser does that offers to install the page
    yield page
    page.context.close()


def kinds(gateway: Gate, host: str) -> list[str]:
    """What is on record of the requests to one host; a connection that nothing was asked on has no kind."""
    ids = {event.id for event in gateway.decided(BROWSER) if event.host == host}
    return [event.kind for event in gateway.events() if isinstance(event, Classified) and event.id in ids]


def test_a_person_who_goes_there_is_shown_the_page(browser: Browser, gateway: Gate) -> None:
    """Under the school's own certificate, without a warning; on record as one navigation."""
    page = browser.new_page()
    answer = page.goto(f"https://www.facebook.com:{gateway.world.port}/some/page?and=more")
    assert answer is not None
    assert answer.status == 403
    assert "Facebook" in page.inner_text("main")
    [reference] = page.locator(".reference").all_inner_texts()
    assert len(reference) == 19
    assert page.locator(".reference").evaluate("element => getComputedStyle(element).fontFamily").startswith("ui-mono")
    assert eventually(lambda: kinds(gateway, "www.facebook.com")) == [Kind.NAVIGATION]
    page.context.close()


def test_over_plain_http_as_well(browser: Browser, gateway: Gate) -> None:
    """A page needs no certificate there, and the browser says less; it is a navigation all the same."""
    page = browser.new_page()
    page.goto(f"http://m.facebook.com:{gateway.world.http_port}/")
    assert "Facebook" in page.inner_text("main")
    assert Kind.NAVIGATION in eventually(lambda: kinds(gateway, "m.facebook.com"))
    page.context.close()


@pytest.mark.parametrize("widget", WIDGETS)
def test_what_a_page_embeds_is_no_navigation(embedding: Page, gateway: Gate, widget: str) -> None:
    """Whoever reads a newspaper with a like button on it has not gone to the network behind it."""
    found = eventually(lambda: kinds(gateway, f"{widget}.facebook.com"))
    assert set(found) == {EXPECTED[widget]}


def test_the_page_around_is_not_on_record(embedding: Page, gateway: Gate) -> None:
    """It is on no list: it passes, undecrypted, and nobody keeps that somebody was there."""
    assert embedding.title() == "a page of the internet"
    assert [event for event in gateway.decided(BROWSER) if event.host == HOST] == []


def test_a_refused_frame_says_so(embedding: Page) -> None:
    """In its own place, in the school's words."""
    [frame] = [frame for frame in embedding.frames if "iframe.facebook.com" in frame.url]
    assert "Facebook" in frame.inner_text("main")
    assert "Reference" in frame.inner_text("main")


def test_a_refused_image_takes_no_room_and_is_not_broken(embedding: Page) -> None:
    """A drawing of one pixel where the page gives it no size."""
    size = embedding.locator("#image").evaluate("i => [i.complete, i.naturalWidth, i.naturalHeight]")
    assert size == [True, 1, 1]
