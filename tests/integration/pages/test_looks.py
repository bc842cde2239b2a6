"""How the page stands in a window: nothing sticks out, moves or is loaded; it prints; its link leads back to itself."""

import pytest
from playwright.sync_api import Page, expect

from proxy.pages.forms import Form
from tests.integration.pages.conftest import ADDRESS, Show
from tests.refusals import HOSTILE, LONGEST_HOST, REFERENCE, example

SIDEWAYS = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
LONG = "Llanfairpwllgwyngyllgogerychwyrndrobwllllantysiliogogogoch" * 3


def style_of(page: Page, selector: str, what: str = "color") -> str:
    return str(page.locator(selector).first.evaluate(f"element => getComputedStyle(element)['{what}']"))


@pytest.mark.parametrize("width", [200, 320, 390, 768, 1280, 1920, 3840])
@pytest.mark.parametrize("language", ["en", "cy"])
def test_nothing_sticks_out(show: Show, width: int, language: str) -> None:
    """From a watch to a wall, with the longest host name and words that have no end."""
    window = {"viewport": {"width": width, "height": 800}}
    assert show(example(language=language, sign_in=True), **window).evaluate(SIDEWAYS) == 0
    long = example(host=LONGEST_HOST, service=None, school=LONG, heading=LONG, advice=LONG, contact=LONG, clause=LONG)
    assert show(long, **window).evaluate(SIDEWAYS) == 0


def test_a_person_at_a_desk_need_not_scroll(show: Show) -> None:
    """All of it is seen at once on an ordinary screen."""
    page = show(example(), viewport={"width": 1280, "height": 800})
    assert page.evaluate("document.documentElement.scrollHeight") <= 800


def test_letters_grow_with_the_screen(show: Show) -> None:
    """A projector is read from the back of the room."""
    screens = ((320, 568), (1280, 800), (1920, 1080))
    pages = [show(example(), viewport={"width": width, "height": height}) for width, height in screens]
    sizes = [float(style_of(page, "html", "fontSize").removesuffix("px")) for page in pages]
    assert 16 <= sizes[0] <= sizes[1] < sizes[2]
    assert sizes[2] >= 20


@pytest.mark.parametrize("motion", ["reduce", "no-preference"])
def test_nothing_moves(show: Show, motion: str) -> None:
    """Whether or not a person has asked for less of it."""
    page = show(example(sign_in=True), reduced_motion=motion)
    page.locator("a").hover()
    assert page.evaluate("document.getAnimations().length") == 0


def test_the_style_sheet_is_applied(show: Show) -> None:
    """The policy in the header lets it through, in both schemes."""
    light, dark = (style_of(show(example(), color_scheme=c), "html", "backgroundColor") for c in ("light", "dark"))
    assert light != dark
    assert "rgba(0, 0, 0, 0)" not in {light, dark}


def test_nothing_written_into_it_runs(show: Show) -> None:
    """Markup in every field stays text, and nothing is asked for."""
    fields = ("service", "category", "school", "heading", "advice", "contact", "clause", "reference", "explanation")
    page = show(example(**dict.fromkeys(fields, HOSTILE)))
    assert page.locator("script, img").count() == 0
    expect(page.locator(".site bdi")).to_contain_text("<script>alert(1)</script>")


def test_on_paper_it_is_black_on_white(show: Show) -> None:
    """Whatever the screen's scheme: the reference is there to be quoted, and no link that cannot be pressed."""
    page = show(example(sign_in=True), color_scheme="dark")
    page.emulate_media(media="print", color_scheme="dark")
    assert style_of(page, "html", "backgroundColor") == "rgb(255, 255, 255)"
    assert style_of(page, "h1") == "rgb(0, 0, 0)"
    expect(page.locator(".reference")).to_be_visible()
    for hidden in ("a", ".gate"):
        expect(page.locator(hidden)).to_be_hidden()


def test_signing_in_leads_to_the_same_address(show: Show) -> None:
    """Path and query kept; reached by the keyboard as well, and large enough for a thumb."""
    page = show(example(sign_in=True), viewport={"width": 320, "height": 568})
    page.keyboard.press("Tab")
    expect(page.locator("a")).to_be_focused()
    box = page.locator("a").bounding_box()
    assert box is not None
    assert min(box["width"], box["height"]) >= 24
    with page.expect_navigation(url=ADDRESS):
        page.keyboard.press("Enter")


@pytest.mark.parametrize("language", ["en", "cy"])
def test_a_frame_fits_into_a_widgets_place(show: Show, language: str) -> None:
    """300 by 150, the size of a frame that says no other, with the heading and the reference in it."""
    page = show(example(language=language), Form.FRAME, viewport={"width": 300, "height": 150})
    assert page.evaluate("document.documentElement.scrollHeight") <= 150
    assert page.evaluate(SIDEWAYS) == 0
    expect(page.get_by_text(REFERENCE)).to_be_in_viewport(ratio=1)
    expect(page.locator("h1")).to_be_in_viewport(ratio=1)
