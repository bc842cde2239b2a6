"""One host name, normalised: what is compared, recorded and dialled is always this form.

Lower-case A-labels (RFC 5890), no trailing dot, 253 characters at the most (RFC 1035), letters, digits, hyphens
and underscores only. A name whose last label is a number is an address in disguise (WHATWG URL, "ends in a number").
"""

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import NewType

import idna

type IPAddress = IPv4Address | IPv6Address
HostName = NewType("HostName", str)

LONGEST_NAME = 253
LONGEST_LABEL = 63
_LONGEST_INPUT = 4 * LONGEST_NAME  # an internationalised name may shrink when it is mapped, but not without end
_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-_")
_COUNTRY = 2  # letters in a country's top-level domain
_REGISTRY_LABELS = frozenset({"co", "com", "ltd", "me", "ne", "net", "or", "org", "plc"})


class InvalidName(ValueError):
    """Not a host name; the message says why."""


def host_name(raw: str | bytes) -> HostName:
    """Normalise a host name as met in a ClientHello, a Host header, a list or a command. Raises InvalidName."""
    text = _text(raw)
    if len(text) > _LONGEST_INPUT:
        raise InvalidName(f"a name has 1 to {LONGEST_NAME} characters")
    if not text.isascii():
        text = _to_ascii(text)
    name = text.lower().removesuffix(".")
    if not name or len(name) > LONGEST_NAME:
        raise InvalidName(f"a name has 1 to {LONGEST_NAME} characters")
    labels = name.split(".")
    for label in labels:
        _check_label(label)
    if ends_in_number(labels[-1]):
        raise InvalidName("a name does not end in a number: that is an address")
    return HostName(name)


def address_literal(raw: str | bytes) -> IPAddress | None:
    """The address that ``raw`` spells (``[::1]``, ``10.0.0.1``, ``::ffff:10.0.0.1``), or None."""
    try:
        text = _text(raw)
        bracketed = text.startswith("[") and text.endswith("]")
        return normal_address(IPv6Address(text[1:-1]) if bracketed else ip_address(text))
    except ValueError:
        return None


def normal_address(address: IPAddress) -> IPAddress:
    """``::ffff:a.b.c.d`` is a.b.c.d; a zone (``%eth0``) says nothing about who it is."""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
        if address.scope_id is not None:
            return IPv6Address(int(address))
    return address


def is_within(host: HostName, domain: HostName) -> bool:
    """Whether ``host`` is ``domain`` or below it, by whole labels: ``notfacebook.com`` is not in ``facebook.com``."""
    return host == domain or host.endswith("." + domain)


def parents(name: HostName) -> Iterator[HostName]:
    """``m.facebook.com`` -> ``facebook.com``, ``com``."""
    while rest := name.partition(".")[2]:
        name = HostName(rest)
        yield name


def is_public_suffix(name: HostName) -> bool:
    """Whether anybody may register below this name: ``uk``, ``co.uk``; not ``gov.uk``. A rule of thumb."""
    match name.split("."):
        case [_]:
            return True
        case [second, country]:
            return len(country) == _COUNTRY and second in _REGISTRY_LABELS
        case _:
            return False


def ends_in_number(label: str) -> bool:
    """Whether a browser would take the name that ends in this label for an IPv4 address."""
    return label.isdigit() or (label.startswith("0x") and all(c in "0123456789abcdef" for c in label[2:]))


def _text(raw: str | bytes) -> str:
    if isinstance(raw, str):
        return raw
    try:
        return raw.decode("ascii")
    except UnicodeDecodeError:
        raise InvalidName("a name on the wire is ASCII") from None


def _to_ascii(text: str) -> str:
    try:
        return idna.encode(text, uts46=True).decode("ascii")
    except (idna.IDNAError, UnicodeError) as error:
        raise InvalidName(f"not an internationalised name: {error}") from error


def _check_label(label: str) -> None:
    if not label:
        raise InvalidName("a name has no empty label")
    if len(label) > LONGEST_LABEL:
        raise InvalidName(f"a label has at most {LONGEST_LABEL} characters")
    if not _LETTERS.issuperset(label):
        raise InvalidName("a name has letters, digits, hyphens and underscores only")
