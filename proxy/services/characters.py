"""Characters that a name or a reason may not hold: what cannot be seen, turns text round, or passes for another.

Whatever people type is shown again: to SLT who decide, in the record, in a terminal. What is found wrong is named with
its place, because it cannot be seen. A script is taken from a character's Unicode name, which is exact for letters.
"""

import unicodedata
from collections.abc import Iterator

import idna

LOOK_ALIKES = frozenset(("ARMENIAN", "CHEROKEE", "COPTIC", "CYRILLIC", "GEORGIAN", "GREEK", "LATIN"))
TURNING = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
JOINERS = frozenset("\u200c\u200d")
# Not controls by category, yet nothing is seen of them (Default_Ignorable_Code_Point, and the empty braille cell).
UNSEEN = frozenset(
    "\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0"
    + "".join(map(chr, (*range(0xFE00, 0xFE0F), *range(0xE0100, 0xE01F0))))
)
MOST_MARKS = 4  # on one letter; no language writes more
_HIDDEN = {
    "Cc": "a control character",
    "Cf": "which cannot be seen",
    "Cs": "which is a piece of text that was not UTF-8",
    "Co": "which means something else on every computer",
    "Cn": "which is no character at all",
}


def problem(text: str) -> str | None:
    """What is wrong with the first character that may not stand there, as the end of a sentence; None: nothing."""
    for place, why in _problems(text):
        return f"character {place + 1} is {named(text[place])}, {why}"
    return None


def named(character: str) -> str:
    """``U+0430 CYRILLIC SMALL LETTER A``"""
    return f"U+{ord(character):04X} {unicodedata.name(character, '')}".rstrip()


def _problems(text: str) -> Iterator[tuple[int, str]]:
    script: str | None = None
    marks = 0
    for place, character in enumerate(text):
        if why := _hidden(text, place):
            yield place, why
        category = unicodedata.category(character)
        marks = marks + 1 if category in {"Mn", "Me"} else 0
        if marks > MOST_MARKS:
            yield place, f"one of more than {MOST_MARKS} marks on one letter"
        if not character.isalpha():
            script = script if category[0] == "M" else None  # an accent ends no word
            continue
        if plain := _only_looks_like(character, category):
            yield place, f"which only looks like {plain!r}"
        own = unicodedata.name(character, "").partition(" ")[0]
        if own in LOOK_ALIKES:
            if script is not None and script != own:
                yield place, f"in a word that is {script.title()} so far"
            script = own


def _hidden(text: str, place: int) -> str | None:
    character = text[place]
    if character.isspace():
        return None  # becomes a single space
    if character in TURNING:
        return "which turns the direction of writing"
    if character in JOINERS and _joins(text, place):
        return None
    if character in UNSEEN:
        return _HIDDEN["Cf"]
    return _HIDDEN.get(unicodedata.category(character))


def _joins(text: str, place: int) -> bool:
    """Whether a joiner is one that Persian or an Indic script is written with (RFC 5892, appendix A)."""
    try:
        return idna.valid_contextj(text, place)
    except ValueError:
        return False


def _only_looks_like(character: str, category: str) -> str | None:
    """The plain letter that a full-width or mathematical one is a picture of."""
    plain = unicodedata.normalize("NFKC", character)
    pictured = category in {"Lu", "Ll"} and plain != character and len(plain) == 1 and plain.isascii()
    return plain if pictured else None
