"""Addresses as people type them: one address or a range, in one normal form."""

from ipaddress import IPv4Network, IPv6Network, ip_network

from policies.index import IPNetwork
from proxy.services.errors import BadInput
from proxy.services.text import clean, quoted

MAPPED = IPv6Network("::ffff:0:0/96")  # ::ffff:a.b.c.d is a.b.c.d


def network(text: str) -> IPNetwork:
    """One address (as a range of one) or a range in CIDR notation. Raises BadInput."""
    typed = clean(text)
    try:
        return _normal(ip_network(typed, strict=True))
    except ValueError:
        raise BadInput("bad_address", f"{quoted(text)} is no address or range.", _hint(typed)) from None


def shown(found: IPNetwork) -> str:
    """A range of one address is that address."""
    return str(found.network_address) if found.prefixlen == found.max_prefixlen else str(found)


def overlap(one: IPNetwork, other: IPNetwork) -> bool:
    return one.version == other.version and int(one[0]) <= int(other[-1]) and int(other[0]) <= int(one[-1])


def _normal(found: IPNetwork) -> IPNetwork:
    if isinstance(found, IPv6Network) and found.subnet_of(MAPPED):
        return IPv4Network((int(found.network_address) & 0xFFFF_FFFF, found.prefixlen - MAPPED.prefixlen))
    return found


def _hint(typed: str) -> str:
    try:
        return f"The range that it lies in is {ip_network(typed, strict=False)}."
    except ValueError:
        return "Write one such as 10.20.0.10, or a range: 10.20.0.0/24."
