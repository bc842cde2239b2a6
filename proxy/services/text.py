"""What people type, made safe to keep and to show: nothing unseen, nothing that passes for another, limited lengths.

``clean`` is for looking up and for repeating; what is to be kept goes through ``reason``, ``key`` or ``display_name``,
which name the character that may not be there.
"""

import re
import unicodedata

from proxy.services import characters
from proxy.services.errors import BadInput

LONGEST_TYPED = 5000  # composing takes time by the square of what is piled up; nothing kept is as long
LONGEST_REASON = 500
LONGEST_DISPLAY_NAME = 100
LONGEST_QUOTE = 60
FORMULA = tuple("=+-@＝＋－＠")  # a spreadsheet runs a cell that begins like this
_KEY = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,61}[a-z0-9])?")


def clean(text: str) -> str:
    """Composed, on one line, single-spaced, without what is invisible or turns text around."""
    spaced = "".join(" " if c.isspace() else c for c in unicodedata.normalize("NFC", text[:LONGEST_TYPED]))
    visible = (c for c in spaced if not unicodedata.category(c).startswith("C"))
    return " ".join("".join(visible).split())


def quoted(text: str) -> str:
    """As an error repeats it: clean, and short."""
    shown = clean(text)
    return repr(shown if len(shown) <= LONGEST_QUOTE else shown[: LONGEST_QUOTE - 1] + "…")


def in_words(value: object) -> str:
    """A value of a change as it is said: yes, several, nobody."""
    match value:
        case bool():
            return "yes" if value else "no"
        case list():
            return " and ".join(map(str, value))
        case "":
            return "nobody"
        case _:
            return str(value)


def reason(text: str, shortest: int = 1) -> str:
    """Why something is done, as a sentence that the record keeps."""
    said = clean(text)
    _demand_fit(text, "bad_reason", "The reason cannot be kept", "Type it again, in plain letters.")
    if len(said) < shortest:
        raise BadInput(
            "reason_too_short",
            f"A reason has at least {shortest} characters; this has {len(said)}." if said else "There is no reason.",
            "Say in a few words what it is for: it is kept in the record.",
        )
    if len(said) > LONGEST_REASON:
        raise BadInput(
            "reason_too_long",
            f"A reason has at most {LONGEST_REASON} characters, and this has {_length(text, said)}.",
            "Say it shorter.",
        )
    return said


def key(text: str, of: str) -> str:
    """The name of a person, device or group: what commands, the record and sign-ins know it by."""
    name = clean(text).lower()
    hint = "Use 1 to 63 letters a-z, digits, dots, hyphens or underscores, a letter among them, such as j.smith."
    what = f"{quoted(text)} cannot be the name of a {of}"
    _demand_fit(text, "bad_name", what, hint)
    if stranger := next((c for c in name if c.isalpha() and not c.isascii()), None):
        raise BadInput("bad_name", f"{what}: {characters.named(stranger)} is not one of the letters a-z.", hint)
    if not _KEY.fullmatch(name) or not any(c.isalpha() for c in name):
        raise BadInput("bad_name", f"{what}.", hint)
    return name


def display_name(text: str) -> str:
    """A person's name as it is shown."""
    shown = clean(text)
    _demand_fit(text, "bad_display_name", f"{quoted(text)} cannot be shown as a person's name", "Type it again.")
    if not 1 <= len(shown) <= LONGEST_DISPLAY_NAME:
        raise BadInput(
            "bad_display_name",
            f"A person's name as it is shown has 1 to {LONGEST_DISPLAY_NAME} characters, and this has "
            f"{_length(text, shown)}.",
        )
    if shown.startswith(FORMULA):
        raise BadInput(
            "bad_display_name",
            f"{quoted(text)} cannot be shown as a person's name: it begins with {shown[0]!r}, "
            "and a spreadsheet would run it.",
            "Begin with a letter.",
        )
    return shown


def _demand_fit(text: str, code: str, what: str, hint: str) -> None:
    if wrong := characters.problem(text[:LONGEST_TYPED]):
        raise BadInput(code, f"{what}: {wrong}.", hint)


def _length(text: str, said: str) -> int:
    return len(said) if len(text) <= LONGEST_TYPED else len(text)
