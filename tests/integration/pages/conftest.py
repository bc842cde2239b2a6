"""Refusals as they are met: by a browser that is sent them as they are, and behind a real gateway."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Route

from proxy.pages.forms import Form
from proxy.pages.refusal import Refusal
from proxy.pages.showing import render
from tests.browser import launched
from tests.integration.gateway.gate import Gate, gate
from tests.integration.gateway.processes import SCHOOLGATE
from tests.integration.gateway.world import World, internet
from tests.integration.pages import widgets
from tests.needs import require

ADDRESS = "https://www.facebook.com/some/page?and=more"

type Show = Callable[..., Page]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    require("chromium", "certutil")
    with launched() as running:
        yield running


@pytest.fixture
def show(browser: Browser) -> Iterator[Show]:
    """Open a refusal in a window of the given kind. Whatever the page then asks for or complains of is a failure."""
    windows: list[BrowserContext] = []
    asked: list[str] = []
    complaints: list[str] = []

    def showing(refused: Refusal, form: Form = Form.PAGE, **window: object) -> Page:
        status, headers, body = render(refused, form)
        sent = {name.decode(): value.decode() for name, value in headers if name != b"content-length"}

        def answer(route: Route) -> None:
            asked.append(route.request.url)
            route.fulfill(status=status, headers=sent, body=body)

        context = browser.new_context(**window)  # type: ignore[arg-type]  # what a test says of its window
        windows.append(context)
        context.route("**", answer)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.goto(ADDRESS)
        return page

    yield showing
    for window in windows:
        window.close()
    assert set(asked) <= {ADDRESS}
    assert [text for text in complaints if "status of" not in text] == []  # the refusal's own status is told there


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The tests' internet, and in it a page that embeds what the school refuses."""
    with internet(tmp_path_factory.mktemp("internet")) as made:
        made.names.names[widgets.HOST] = (widgets.ADDRESS,)
        refused = {name: f"{name}.facebook.com:{made.port}" for name in widgets.WIDGETS}
        with widgets.EmbeddingPage(made.authority.server_context([widgets.HOST]), made.port, refused):
            yield made


@pytest.fixture(scope="session")
def gateway(tmp_path_factory: pytest.TempPathFactory, world: World) -> Iterator[Gate]:
    with gate(tmp_path_factory.mktemp("school"), world, (*SCHOOLGATE, "answerer")) as running:
        yield running
