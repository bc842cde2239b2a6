"""Characters that hide, turn text round or pass for another are found; what people's names are written with is not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.services import characters

NAMES = [
    "Zo\u00eb O'Brien-\u0141ukasz",
    "cafe\u0301",
    "\u0410\u043d\u043d\u0430 Smith",  # a word in Cyrillic, a word in Latin
    "\u03a0\u03ad\u03c4\u03c1\u03bf\u03c2",
    "\u0639\u0644\u06cc\u200c\u0631\u0636\u0627",  # Persian is written with the zero-width non-joiner
    "\u0915\u094d\u200d\u0937",  # and Devanagari with the joiner
    "\u674e\u660e Lee",
    "\u05d0\u05d1\u05e8\u05d4\u05dd",
    "Ti\u00ea\u0301ng Vi\u00ea\u0323t",
    "\u00bd \u00b5m, \ufb01ne \u2026 \U0001f44d",
]


@pytest.mark.parametrize("name", NAMES)
def test_what_people_write(name: str) -> None:
    """Accents, other scripts, the joiners that those need, signs."""
    assert characters.problem(name) is None


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a\u202eb", "which turns the direction of writing"),
        ("a\u2066b", "which turns the direction of writing"),
        ("a\u200db", "which cannot be seen"),
        ("a\u00adb", "which cannot be seen"),
        ("\ufeffa", "which cannot be seen"),
        ("a\u3164", "which cannot be seen"),
        ("a\u2800", "which cannot be seen"),
        ("a\U000e0041", "which cannot be seen"),
        ("a\x07", "a control character"),
        ("a\x1b[31m", "a control character"),
        ("a\udce9", "which is a piece of text that was not UTF-8"),
        ("a\ue000", "which means something else on every computer"),
        ("a\u0378", "which is no character at all"),
        ("j.sm\u0456th", "in a word that is Latin so far"),
        ("\u0410dmin", "in a word that is Cyrillic so far"),
        ("\u039fli", "in a word that is Greek so far"),
        ("caf\u0435\u0301", "in a word that is Latin so far"),
        ("\uff21nn", "which only looks like 'A'"),
        ("\U0001d409o", "which only looks like 'J'"),
        ("a" + "\u0316" * 5, "one of more than 4 marks on one letter"),
    ],
)
def test_what_hides(text: str, why: str) -> None:
    """Each with what it is."""
    problem = characters.problem(text)
    assert problem is not None
    assert problem.endswith(why)


@given(st.text())
def test_every_text_is_judged(text: str) -> None:
    """Nothing typed is too strange, and what is named is there."""
    problem = characters.problem(text)
    if problem is not None:
        place = int(problem.split()[1]) - 1
        assert characters.named(text[place]) in problem
