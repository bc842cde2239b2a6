"""What people paste where a host name is asked for: a name, an address, or the address of a page."""

from typing import NamedTuple
from urllib.parse import urlsplit

from policies.names import HostName, InvalidName, IPAddress, address_literal, host_name
from proxy.cli.errors import WrongUse

MOST_SHOWN = 60  # characters of what was given


class Pasted(NamedTuple):
    """The host, and whether more than a host was pasted."""

    host: HostName | IPAddress
    trimmed: bool


def pasted(text: str) -> Pasted:
    """Raises WrongUse for what names no host."""
    given = text.strip()
    if (literal := address_literal(given)) is not None:
        return Pasted(literal, trimmed=False)
    part = _host_of(given)
    try:
        return Pasted(address_literal(part) or host_name(part), trimmed=part != given.lower())
    except InvalidName as error:
        shown = text if len(text) <= MOST_SHOWN else text[:MOST_SHOWN] + "…"
        raise WrongUse(f"{shown!r} is no host name: {error}.", hint="Write one such as www.facebook.com.") from None


def _host_of(text: str) -> str:
    """``https://m.facebook.com:443/groups`` and ``m.facebook.com/groups`` -> ``m.facebook.com``."""
    if not any(sign in text for sign in "/:?#@"):
        return text.lower()
    try:
        return urlsplit(text if text.startswith("//") or "://" in text else f"//{text}").hostname or text
    except ValueError:
        return text
