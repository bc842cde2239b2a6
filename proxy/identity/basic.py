"""Reading ``Proxy-Authorization: Basic …`` (RFC 7617): a name and a password, or nothing at all.

Whatever is not exactly right is nothing: another scheme, Base64 that is not canonical, bytes that are not UTF-8, a
control character, no colon, a name that nobody could have. Passwords may hold colons; names may not.
"""

import binascii
import unicodedata
from typing import NamedTuple

from proxy.services import text
from proxy.services.errors import BadInput

LARGEST = 2048  # characters of the field: more than the longest name and password need


class Basic(NamedTuple):
    """What a client sent: not proven yet. Never logged, never kept."""

    name: str
    password: str


def parse(field: str) -> Basic | None:
    """Read the field's value. Never raises, whatever a client sent."""
    if len(field) > LARGEST:
        return None
    scheme, _, token = field.strip(" \t").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        encoded = token.strip(" \t").encode("ascii")
        decoded = binascii.a2b_base64(encoded)
        if binascii.b2a_base64(decoded, newline=False) != encoded:
            return None
        sent = decoded.decode()
        name, colon, password = sent.partition(":")
        if not colon or any(unicodedata.category(c) == "Cc" for c in sent):
            return None
        return Basic(text.key(name, "person"), password)
    except (ValueError, BadInput):
        return None
