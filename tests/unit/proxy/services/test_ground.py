"""Ranges within ranges: each address belongs to the narrowest, and what is left of a range is worked out exactly."""

from ipaddress import ip_address, ip_network

from hypothesis import given
from hypothesis import strategies as st

from policies.index import AddressIndex
from proxy.services.ground import Span, plots

NETWORKS = st.builds(
    lambda number, prefix: ip_network((number >> (32 - prefix) << (32 - prefix), prefix)),
    st.integers(0x0A000000, 0x0A0000FF),
    st.integers(24, 32),
)


def laid(*ranges: str) -> list[tuple[str, str, str]]:
    """As ``(first, last, range that they belong to)``."""
    found = plots((ip_network(r), r) for r in ranges)
    return [(str(ip_address(p.span.first)), str(ip_address(p.span.last)), p.of) for p in found]


def test_side_by_side() -> None:
    """Ranges apart are themselves."""
    assert laid("10.0.0.4/30", "10.0.0.0/30") == [
        ("10.0.0.0", "10.0.0.3", "10.0.0.0/30"),
        ("10.0.0.4", "10.0.0.7", "10.0.0.4/30"),
    ]


def test_within_each_other() -> None:
    """What lies in a range is taken out of it."""
    assert laid("10.0.0.0/29", "10.0.0.2/31", "10.0.0.3/32") == [
        ("10.0.0.0", "10.0.0.1", "10.0.0.0/29"),
        ("10.0.0.2", "10.0.0.2", "10.0.0.2/31"),
        ("10.0.0.3", "10.0.0.3", "10.0.0.3/32"),
        ("10.0.0.4", "10.0.0.7", "10.0.0.0/29"),
    ]


def test_both_families() -> None:
    """An IPv6 range holds no IPv4 address, whatever the numbers."""
    assert len(laid("0.0.0.0/0", "::/96")) == 2


@given(st.lists(NETWORKS, max_size=8, unique=True))
def test_as_deciding_finds_it(networks) -> None:
    """Every address belongs to just the range that a decision finds for it."""
    index = AddressIndex((network, network) for network in networks)
    found = list(plots((network, network) for network in networks))
    for number in range(0x0A000000, 0x0A000100):
        owners = [plot.of for plot in found if plot.span.first <= number <= plot.span.last]
        expected = index.find(ip_address(number))
        assert owners == ([expected] if expected is not None else [])


def test_beyond() -> None:
    """Whether anything of a span is left outside others."""
    span = Span(4, 0, 9)
    assert span.beyond(())
    assert span.beyond((Span(4, 0, 8),))
    assert span.beyond((Span(6, 0, 9),))
    assert not span.beyond((Span(4, 0, 9),))
    assert not span.beyond((Span(4, 0, 4), Span(4, 5, 19)))
