"""What people type is made safe to keep and to show."""

import re
import unicodedata
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.services import text
from proxy.services.errors import BadInput


@given(st.text())
def test_clean(typed: str) -> None:
    """Whatever was typed, what is left is one line that shows all it has, and cleaning it again changes nothing."""
    said = text.clean(typed)
    assert not [c for c in said if unicodedata.category(c).startswith("C") or (c.isspace() and c != " ")]
    assert said == said.strip()
    assert "  " not in said
    assert text.clean(said) == said


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("open\nday", "open day"),
        ("  open \t day  ", "open day"),
        ("open\x00\x1b[31mday", "open[31mday"),
        ("\u202eopen day", "open day"),
        ("o\u200bpen\u2066 day", "open day"),
        ("cafe\u0301", "café"),
        ("\udce9ric", "ric"),
    ],
)
def test_cleaned(typed: str, said: str) -> None:
    """Lines, controls, escapes, overrides, invisible characters and broken encodings."""
    assert text.clean(typed) == said


def test_a_reason_that_says_nothing() -> None:
    """Blanks are no reason."""
    with pytest.raises(BadInput, match="There is no reason"):
        text.reason(" \n\u00a0 " * 50, 5)


def test_a_reason_that_never_ends() -> None:
    """A reason fits a page."""
    assert text.reason("x" * 500) == "x" * 500
    with pytest.raises(BadInput, match="at most 500 characters, and this has 501"):
        text.reason("x" * 501)


@pytest.mark.parametrize("keep", [text.reason, text.display_name, lambda typed: text.key(typed, "person")])
@pytest.mark.parametrize(
    ("typed", "names"),
    [
        ("j\u0430ne", "character 2 is U+0430 CYRILLIC SMALL LETTER A"),
        ("ja\u202ene", "character 3 is U+202E RIGHT-TO-LEFT OVERRIDE, which turns the direction of writing"),
        ("\u200bjane", "character 1 is U+200B ZERO WIDTH SPACE, which cannot be seen"),
        ("jane\x00", "character 5 is U+0000, a control character"),
    ],
)
def test_a_character_that_may_not_be_there_is_named(keep, typed: str, names: str) -> None:
    """In a name, a display name and a reason alike."""
    with pytest.raises(BadInput, match=re.escape(names)):
        keep(typed)


def test_a_name_of_another_alphabet() -> None:
    """A whole word of look-alikes mixes nothing, and is still no name that is typed with a-z."""
    with pytest.raises(BadInput, match=r"U\+0430 CYRILLIC SMALL LETTER A is not one of the letters a-z"):
        text.key("\u0430", "person")


@pytest.mark.parametrize("name", ["=cmd|' /C calc'!A0", "+1", "-2+3", "@sum", "\uff1d1+1"])
def test_a_display_name_is_no_formula(name: str) -> None:
    """Where it is exported it would be run."""
    with pytest.raises(BadInput, match="a spreadsheet would run it"):
        text.display_name(name)


@pytest.mark.parametrize("keep", [text.reason, text.display_name, lambda typed: text.key(typed, "person")])
@pytest.mark.parametrize("typed", ["x" * 10**6, "\u0301\u0316" * 10**6, "\u0430" * 10**6])
def test_a_megabyte_is_refused_at_once(keep, typed: str) -> None:
    """Composing piled-up accents takes time by the square of their number: what is too long is not composed."""
    with pytest.raises(BadInput):
        keep(typed)


@pytest.mark.parametrize("name", ["head", "J.Smith", " office-3 ", "a", "x_1", "4d-printer", "a" * 63])
def test_names(name: str) -> None:
    """A name is known by its lower-case form."""
    assert text.key(name, "person") == name.strip().lower()


@pytest.mark.parametrize(
    "name", ["", " ", ".", "-a", "a-", "a b", "person:a", "10.20.0.10", "42", "a/b", "é", "a" * 64, "(keeper)", "../a"]
)
def test_names_that_cannot_be(name: str) -> None:
    """A name cannot be taken for an address, a kind, a path or one of ours, and the error says what can be one."""
    with pytest.raises(BadInput) as caught:
        text.key(name, "person")
    assert "j.smith" in caught.value.hint


@given(st.text())
def test_every_name_is_taken_or_refused(typed: str) -> None:
    """No text gets past the two ways out; a name that is taken is taken as it is from then on."""
    with suppress(BadInput):
        name = text.key(typed, "person")
        assert text.key(name, "person") == name
