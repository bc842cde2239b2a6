"""The refusal as it is sent: what it says, in which form, and that nothing foreign gets into it."""

import json
import re
import xml.etree.ElementTree as ET
from base64 import b64encode
from datetime import timedelta
from hashlib import sha256
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.vocabulary import Reason
from proxy.pages.forms import Form
from proxy.pages.refusal import Refusal, plain
from proxy.pages.showing import render
from tests.refusals import AT, HOSTILE, LONGEST_HOST, REFERENCE, example

VOID = {"meta", "path"}
PARTS = ("reference", "host", "service", "category", "clause", "school", "heading", "advice", "contact", "explanation")


class Page(HTMLParser):
    """The page as a parser sees it: elements with attributes, the text, and that every element is closed."""

    def __init__(self, body: bytes) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text, self.style, self._open = "", "", list[str]()
        self.feed(body.decode())
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] == "style":
            self.style += data
        else:
            self.text += data

    def tags(self) -> list[str]:
        return [tag for tag, _ in self.elements]


def page(form: Form = Form.PAGE, **changes: object) -> Page:
    return Page(render(example(**changes), form)[2])


def header(name: bytes, refused: Refusal, form: Form = Form.PAGE) -> bytes:
    (value,) = [value for key, value in render(refused, form)[1] if key == name]
    return value


# What it says


def test_the_page_says_all_a_teacher_needs() -> None:
    """What, why, under which clause, whom to ask, what to quote."""
    text = page().text
    for part in (
        "Horringer Court School",
        "This site is not open on the school’s network",
        "Facebook",
        "Social network",
        "www.facebook.com",
        "unless a member of the senior leadership team has authorised it",
        "Social Media Policy, section 3 ¶1",
        "ask a member of the senior leadership team to authorise it",
        "through the school office",
        "Tuesday 14 July 2026 at 09:05",
        REFERENCE,
    ):
        assert part in text


def test_an_end_is_said_to_the_minute() -> None:
    """Whoever had an authorisation is told when it stopped."""
    text = page(reason=Reason.AUTHORISATION_ENDED, ended_at=AT - timedelta(minutes=5)).text
    assert "The time for which it was authorised is over." in text
    assert "It ended on Tuesday 14 July 2026 at 09:00." in text


@pytest.mark.parametrize("language", ["en", "cy"])
@pytest.mark.parametrize("reason", Reason)
def test_every_reason_makes_a_page(reason: Reason, language: str) -> None:
    """With everything known, and with nothing known but the reason."""
    bare = Refusal(reason=reason, host=None, reference=REFERENCE, at=AT, language=language)
    for refused in (example(reason=reason, language=language), bare):
        status, headers, body = render(refused)
        assert REFERENCE in Page(body).text
        assert dict(headers)[b"content-length"] == str(len(body)).encode()
        assert status == (503 if reason in {Reason.TOO_BUSY, Reason.NO_SNAPSHOT, Reason.INTERNAL_ERROR} else 403)


def test_a_fault_is_not_blamed_on_the_policy() -> None:
    """The gateway says that it is the gateway, and when to come back."""
    refused = example(reason=Reason.NO_SNAPSHOT)
    assert "This page cannot be opened just now" in Page(render(refused)[2]).text
    assert header(b"retry-after", refused) == b"30"


@pytest.mark.parametrize("form", [Form.PAGE, Form.FRAME, Form.TEXT])
def test_what_has_no_reference_shows_none(form: Form) -> None:
    """Nobody is asked to quote what is not there, nor promised a record where there is none."""
    body = render(example(reason=Reason.NOT_RECORDABLE, reference=""), form)[2].decode()
    assert "eference" not in body.replace('class="reference"', "").replace(".reference", "")
    if form is Form.PAGE:
        assert "could not be recorded" in body
        assert "on the school’s record" in page().text


def test_welsh_is_welsh_throughout() -> None:
    """Words, dates and the language that is declared; what the school wrote stays as it is."""
    made = page(language="cy", contact="y pennaeth", sign_in=True, ended_at=AT)
    assert dict(made.elements)["html"] == {"lang": "cy", "dir": "ltr"}
    for part in ("Nid yw’r wefan hon ar agor", "Daeth i ben: dydd Mawrth 14 Gorffennaf 2026 am 09:05.", "adran 3 ¶1",
                 "y pennaeth", "Mewngofnodi", "Cyfeirnod", "Rheol", "Gwefan"):  # fmt: skip
        assert part in made.text
    assert header(b"content-language", example(language="cy")) == b"cy"


# Signing in


def test_whoever_may_be_authorised_is_offered_to_sign_in() -> None:
    """A link to the very same address, whatever that is."""
    made = page(sign_in=True)
    assert [attributes for tag, attributes in made.elements if tag == "a"] == [{"href": ""}]
    assert "Somebody may have been authorised for this." in made.text
    assert "a" not in page().tags()


def test_a_page_with_something_to_click_is_never_framed() -> None:
    """Nobody is tricked into signing in; and there is nothing else to be tricked into."""
    refused = example(sign_in=True)
    assert header(b"x-frame-options", refused) == b"DENY"
    assert b"frame-ancestors 'none'" in header(b"content-security-policy", refused)
    for form in set(Form) - {Form.PAGE}:
        assert b"href" not in render(refused, form)[2]


@pytest.mark.parametrize("form", Form)
def test_a_page_with_nothing_to_click_may_stand_in_a_frame(form: Form) -> None:
    """A widget that is refused says so in its own place, instead of the browser's broken page."""
    headers = dict(render(example(), form)[1])
    assert b"x-frame-options" not in headers
    assert b"frame-ancestors" not in headers[b"content-security-policy"]


# How it is made


def test_the_page_is_well_formed_and_accessible() -> None:
    """British English, one heading, landmarks, a title, a labelled region; no picture that is read out."""
    made = page()
    tags = made.tags()
    assert dict(made.elements)["html"] == {"lang": "en-GB", "dir": "ltr"}
    assert [tags.count(tag) for tag in ("h1", "header", "main", "footer", "title")] == [1, 1, 1, 1, 1]
    assert dict(made.elements)["section"]["aria-labelledby"] in {a.get("id") for _, a in made.elements}
    assert all(attributes["aria-hidden"] == "true" for tag, attributes in made.elements if tag == "svg")


@pytest.mark.parametrize("form", [Form.PAGE, Form.FRAME])
def test_the_page_holds_nothing_but_itself(form: Form) -> None:
    """No script, no link, no image, no form, no style or handler in an attribute."""
    made = page(form, host="xn--bcher-kva.example")
    allowed = """html head meta title style body header svg path p main hgroup h1 bdi span section h2 dl div dt dd
                 small time footer"""
    assert set(made.tags()) <= set(allowed.split())
    attributes = {name for _, found in made.elements for name in found}
    assert not {name for name in attributes if name.startswith("on") or name in {"style", "href", "src"}}
    assert not re.search(r"url\(|@import|animation|transition", made.style)


@pytest.mark.parametrize("form", [Form.PAGE, Form.FRAME])
def test_the_style_is_the_one_that_the_header_allows(form: Form) -> None:
    """A browser applies our style sheet, by its hash, and no other; and nothing at all beside it."""
    policy = header(b"content-security-policy", example(), form).decode()
    expected = b64encode(sha256(page(form).style.encode()).digest()).decode()
    assert f"style-src 'sha256-{expected}'" in policy
    assert policy.startswith("default-src 'none';")
    assert "unsafe" not in policy


@pytest.mark.parametrize("form", Form)
def test_headers(form: Form) -> None:
    """Not stored, not sniffed, not referred from, nothing loaded, whatever the form."""
    headers = dict(render(example(), form)[1])
    assert headers[b"cache-control"] == b"no-store"
    assert headers[b"referrer-policy"] == b"no-referrer"
    assert headers[b"x-content-type-options"] == b"nosniff"
    assert headers[b"content-security-policy"].startswith(b"default-src 'none'")
    assert b"connection" not in headers
    assert all(name == name.lower() for name in headers)


def size(refused: Refusal, form: Form) -> int:
    _, headers, body = render(refused, form)
    return len(body) + sum(len(name) + len(value) + 4 for name, value in headers)


@pytest.mark.parametrize("language", ["en", "cy"])
@pytest.mark.parametrize("form", Form)
def test_size(form: Form, language: str) -> None:
    """Headers included, however long the name: a page under 15 KB, a frame under 2, what a page embeds under 1."""
    most = {Form.PAGE: 15_000, Form.FRAME: 2_000}.get(form, 1_000)
    for reason in Reason:
        assert size(example(reason=reason, language=language), form) < most
    longest = example(host=LONGEST_HOST, service=None, language=language, sign_in=True)
    assert size(longest, form) < most + (1_000 if form is Form.PROBLEM else 0)


def _luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("ink", ["ink", "quiet", "accent"])
def test_contrast(ink: str) -> None:
    """WCAG AA, 4.5 to 1, for every text: light, dark and on paper. (On paper no browser's checker looks.)"""
    themes = [
        dict(re.findall(r"--(\w+): (#\w{6})", block))
        for block in re.findall(r":root \{(.*?)\}", page().style, re.DOTALL)
    ]
    assert len(themes) == 3
    for theme in themes:
        lighter, darker = sorted((_luminance(theme[ink]), _luminance(theme["ground"])), reverse=True)
        assert (lighter + 0.05) / (darker + 0.05) >= 4.5


# Hostile names


@pytest.mark.parametrize("form", Form)
@pytest.mark.parametrize("field", PARTS)
def test_what_comes_from_outside_stays_text(field: str, form: Form) -> None:
    """Markup, ends of comments and letters that turn others round: shown as text, or not at all."""
    refused = example(**{field: HOSTILE, **({"service": None} if field == "host" else {})})
    body = render(refused, form)[2].decode()
    if form in {Form.PAGE, Form.FRAME}:
        made = Page(body.encode())
        assert not {"script", "img"} & set(made.tags())
        assert plain(HOSTILE) in made.text or form is Form.FRAME
    elif form in {Form.SCRIPT, Form.STYLE}:
        assert body.index("*/") == len(body) - 3
    elif form is Form.TEXT:
        assert plain(body.removesuffix("\n")) == body.removesuffix("\n")


def test_letters_that_turn_others_round_are_left_out() -> None:
    """Nor does anything stay that nobody sees; what a script needs to be written right does."""
    body = render(example(service="abc\u202edef", school="\u2066x\u200by", contact="می\u200cخواهم\nب"))[2].decode()
    assert "<bdi>abcdef</bdi>" in body
    assert "<title>abcdef –" in body
    assert "<bdi>xy</bdi>" in body
    assert "<bdi>می\u200cخواهم ب</bdi>" in body


def test_a_name_in_other_letters_never_stands_alone() -> None:
    """What looks like another name is told by what stands beside it."""
    text = page(host="xn--fcebook-8va.com", service=None).text
    assert "xn--fcebook-8va.com" in text
    assert "fàcebook.com" in text


@given(host=st.text(max_size=253), reference=st.text(min_size=1, max_size=40), explanation=st.text(max_size=500))
def test_no_text_breaks_the_page(host: str, reference: str, explanation: str) -> None:
    """Whatever is in the fields: the same elements, in order, under 15 KB."""
    refused = example(host=host.replace("xn--", "") or "x", reference=reference, explanation=explanation or "x")
    body = render(refused)[2]
    assert Page(body).tags() == page(explanation="x").tags()
    assert len(body) < 15_000


# Other forms


def test_a_frame_says_what_and_which() -> None:
    """As little as fits into a widget's place: the heading, the site, the reference."""
    text = page(Form.FRAME).text
    assert "This site is not open on the school’s network" in text
    assert "Facebook" in text
    assert f"Reference {REFERENCE}" in text


def test_problem_json() -> None:
    """RFC 9457 for programs, with the codes that the record and the metrics use."""
    status, headers, body = render(example(ended_at=AT), Form.PROBLEM)
    assert dict(headers)[b"content-type"] == b"application/problem+json"
    problem = json.loads(body)
    assert problem["status"] == status == 403
    assert problem["type"] == "about:blank"
    assert problem["title"] == "Forbidden"
    assert problem["detail"].startswith("Facebook: Social media stays closed")
    assert problem["reason"] == "not_authorised"
    assert problem["reference"] == REFERENCE
    assert problem["at"] == problem["ended_at"] == "2026-07-14T09:05:00+01:00"


def test_a_line_of_text() -> None:
    """Enough for somebody who looks into the network tab."""
    _, headers, body = render(example(), Form.TEXT)
    assert dict(headers)[b"content-type"] == b"text/plain; charset=utf-8"
    assert body.decode().startswith("Facebook: Social media stays closed")
    assert body.endswith(f"Reference {REFERENCE}.\n".encode())


def test_a_picture_is_a_picture() -> None:
    """A drawing that takes no room by itself, loads nothing and runs nothing."""
    _, headers, body = render(example(), Form.IMAGE)
    assert dict(headers)[b"content-type"] == b"image/svg+xml"
    drawing = ET.fromstring(body)  # noqa: S314 -- our own file
    assert (drawing.get("width"), drawing.get("height")) == ("1", "1")
    assert [element.tag.rpartition("}")[2] for element in drawing.iter()] == ["svg", "path"]


@pytest.mark.parametrize(("form", "media"), [(Form.SCRIPT, b"text/javascript"), (Form.STYLE, b"text/css")])
def test_a_script_or_a_style_sheet_is_one_comment(form: Form, media: bytes) -> None:
    """It parses as what was asked for, and does nothing."""
    _, headers, body = render(example(), form)
    assert dict(headers)[b"content-type"].startswith(media)
    assert re.fullmatch(rb"/\* [^*]+ \*/\n", body)
