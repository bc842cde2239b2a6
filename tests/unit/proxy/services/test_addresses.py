"""Addresses as people type them."""

import pytest

from proxy.services import addresses
from proxy.services.errors import BadInput


@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        ("10.20.0.10", "10.20.0.10"),
        ("10.20.0.10/32", "10.20.0.10"),
        ("10.20.0.0/24", "10.20.0.0/24"),
        (" 2001:DB8::1 ", "2001:db8::1"),
        ("2001:db8::/64", "2001:db8::/64"),
        ("::ffff:10.20.0.10", "10.20.0.10"),
        ("::ffff:10.20.0.0/120", "10.20.0.0/24"),
    ],
)
def test_normal_form(typed: str, shown: str) -> None:
    """One address has one form, whichever way it was typed."""
    assert addresses.shown(addresses.network(typed)) == shown


@pytest.mark.parametrize(
    "typed", ["", "10.20.0", "10.20.0.256", "10.20.0.0/33", "fe80::1%eth0/64", "office-3", "1" * 999]
)
def test_not_an_address(typed: str) -> None:
    """What is no address is refused, shortly."""
    with pytest.raises(BadInput) as caught:
        addresses.network(typed)
    assert len(caught.value.message) < 150


def test_an_address_within_a_range() -> None:
    """A range with host bits is refused, and the range it lies in is named."""
    with pytest.raises(BadInput) as caught:
        addresses.network("10.20.0.10/24")
    assert "10.20.0.0/24" in caught.value.hint


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("10.20.0.0/24", "10.20.0.10", True),
        ("10.20.0.10", "10.20.0.0/24", True),
        ("10.20.0.0/24", "10.20.1.0/24", False),
        ("::/0", "10.20.0.10", False),
    ],
)
def test_overlap(one: str, other: str, *, expected: bool) -> None:
    """Ranges overlap, or are of different kinds."""
    assert addresses.overlap(addresses.network(one), addresses.network(other)) is expected
