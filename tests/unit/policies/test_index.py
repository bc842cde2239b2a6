"""Where a host or an address lies: whole labels, longest match, narrowest range."""

from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.index import AddressIndex, HostIndex, NameTrie
from policies.names import host_name

labels = st.sampled_from(["a", "b", "com", "facebook", "notfacebook", "x", "net", "1a"])
names = st.lists(labels, min_size=1, max_size=4).map(".".join).map(host_name)
networks = st.builds(
    lambda number, length: ip_network((number << 24, length), strict=False),
    st.integers(0, 255),
    st.integers(0, 32),
)
DOMAINS = {host_name(name): number for number, name in enumerate(["facebook.com", "m.facebook.com", "x.com", "t.co"])}


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("facebook.com", 0),
        ("www.facebook.com", 0),
        ("m.facebook.com", 1),
        ("a.b.m.facebook.com", 1),
        ("x.com", 2),
        ("netflix.com", None),
        ("notfacebook.com", None),
        ("facebook.com.evil.example", None),
        ("com", None),
        ("facebook", None),
        ("microsoft.co", None),
    ],
)
def test_whole_labels_longest_match(host, expected):
    """Both indexes find the longest domain by whole labels."""
    found = HostIndex(DOMAINS).find(host_name(host))
    assert (found[1] if found else None) == expected
    assert NameTrie.build(DOMAINS.items()).find(host_name(host)) == expected


@given(st.dictionaries(names, st.integers(0, 2**32 - 1)), names)
def test_trie_and_dictionary_agree(entries, host):
    """For any domains and any host the two shapes give one answer."""
    found = HostIndex(entries).find(host)
    assert NameTrie.build(entries.items()).find(host) == (found[1] if found else None)


def test_a_saved_trie_is_the_same(tmp_path):
    """Saved and mapped again, it knows the same names."""
    NameTrie.build(DOMAINS.items()).save(tmp_path / "names.trie")
    trie = NameTrie.open(tmp_path / "names.trie")
    assert len(trie) == len(DOMAINS)
    assert {name: trie.find(name) for name in DOMAINS} == DOMAINS


def test_a_missing_or_damaged_trie_is_an_error(tmp_path):
    """What cannot be mapped raises; it never reads as an empty catalogue."""
    (tmp_path / "damaged").write_bytes(b"not a trie at all")
    for name in ("absent", "damaged"):
        with pytest.raises((OSError, RuntimeError)):
            NameTrie.open(tmp_path / name)


@given(st.lists(networks), st.integers(0, 2**32 - 1).map(ip_address))
def test_addresses_by_longest_prefix(ranges, address):
    """The index gives what walking all ranges would."""
    index = AddressIndex((network, network) for network in ranges)
    holding = sorted((n for n in ranges if address in n), key=lambda n: -n.prefixlen)
    assert index.find(address) == (holding[0] if holding else None)
    assert list(index.all(address)) == holding


def test_the_two_address_families_do_not_mix():
    """::a00:1 is not 10.0.0.1."""
    index = AddressIndex([(ip_network("10.0.0.0/8"), "four"), (ip_network("fc00::/7"), "six")])
    assert index.find(ip_address("10.0.0.1")) == "four"
    assert index.find(ip_address("fd00::1")) == "six"
    assert index.find(ip_address("::a00:1")) is None
