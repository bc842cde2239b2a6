"""What people type, made safe to keep and to show: no control characters, no direction overrides, limited lengths."""

import re
import unicodedata

from proxy.services.errors import BadInput

LONGEST_REASON = 500
LONGEST_DISPLAY_NAME = 100
LONGEST_QUOTE = 60
_KEY = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,61}[a-z0-9])?")


def clean(text: str) -> str:
    """Composed, on one line, single-spaced, without what is invisible or turns text around."""
    spaced = "".join(" " if c.isspace() else c for c in unicodedata.normalize("NFC", text))
    visible = (c for c in spaced if not unicodedata.category(c).startswith("C"))
    return " ".join("".join(visible).split())


def quoted(text: str) -> str:
    """As an error repeats it: clean, and short."""
    shown = clean(text)
    return repr(shown if len(shown) <= LONGEST_QUOTE else shown[: LONGEST_QUOTE - 1] + "…")


def reason(text: str, shortest: int = 1) -> str:
    """Why something is done, as a sentence that the record keeps."""
    said = clean(text)
    if len(said) < shortest:
        raise BadInput(
            "reason_too_short",
            f"A reason has at least {shortest} characters; this has {len(said)}." if said else "There is no reason.",
            "Say in a few words what it is for: it is kept in the record.",
        )
    if len(said) > LONGEST_REASON:
        raise BadInput(
            "reason_too_long",
            f"A reason has at most {LONGEST_REASON} characters, and this has {len(said)}.",
            "Say it shorter.",
        )
    return said


def key(text: str, of: str) -> str:
    """The name of a person, device or group: what commands, the record and sign-ins know it by."""
    name = clean(text).lower()
    if not _KEY.fullmatch(name) or not any(c.isalpha() for c in name):
        raise BadInput(
            "bad_name",
            f"{quoted(text)} cannot be the name of a {of}.",
            "Use 1 to 63 letters a-z, digits, dots, hyphens or underscores, a letter among them, such as j.smith.",
        )
    return name


def display_name(text: str) -> str:
    """A person's name as it is shown."""
    shown = clean(text)
    if not 1 <= len(shown) <= LONGEST_DISPLAY_NAME:
        raise BadInput(
            "bad_display_name",
            f"A person's name as it is shown has 1 to {LONGEST_DISPLAY_NAME} characters, and this has {len(shown)}.",
        )
    return shown
