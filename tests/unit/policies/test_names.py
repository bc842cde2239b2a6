"""One host name, normalised, whatever was on the wire."""

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.names import InvalidName, address_literal, host_name, is_public_suffix, is_within, normal_address

labels = st.text("abcXYZ019-_", min_size=1, max_size=12)
names = st.lists(labels, min_size=1, max_size=5).map(".".join)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("facebook.com", "facebook.com"),
        ("FACEBOOK.COM.", "facebook.com"),
        (b"WWW.Facebook.Com", "www.facebook.com"),
        ("ｆａｃｅｂｏｏｋ。ｃｏｍ", "facebook.com"),
        ("facebook。com。", "facebook.com"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("XN--BCHER-KVA.example", "xn--bcher-kva.example"),
        ("_dmarc.example.org", "_dmarc.example.org"),
        ("r4---sn-x.googlevideo.com", "r4---sn-x.googlevideo.com"),
        ("localhost", "localhost"),
    ],
)
def test_spellings_of_one_name(raw, expected):
    """Case, a last dot, full-width letters and dots, and international names are one spelling each."""
    assert host_name(raw) == expected


@pytest.mark.parametrize(
    "raw",
    [
        "",
        ".",
        "a..b",
        ".facebook.com",
        "facebook.com..",
        "facebook.com\n",
        "facebook.com\x00.example.org",
        "face book.com",
        "%66acebook.com",
        "user@facebook.com",
        "facebook.com:443",
        "facebook.com/",
        "*.facebook.com",
        "127.1",
        "0x7f.1",
        "0x7F000001",
        "2130706433",
        "10.20.0.10",
        "[::1]",
        "::1",
        "１２７.１",
        "a" * 64 + ".com",
        "a." * 127 + "aa",
        "x" * 100_000,
        "ü" * 300,
        b"facebook.com\xff",
        "bücher.example".encode(),
        "\ud800.com",
        "a\u200d.com",
    ],
)
def test_what_is_no_name(raw):
    """Addresses in any spelling, control and separating characters, lengths beyond the protocol: refused."""
    with pytest.raises(InvalidName):
        host_name(raw)


@given(st.one_of(st.text(), st.binary(), names))
def test_normalising_is_idempotent_and_clean(raw):
    """Whatever comes in, what comes out is its own normal form, lower-case, printable and bounded."""
    try:
        name = host_name(raw)
    except InvalidName:
        return
    assert host_name(name) == name
    assert set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-_.")
    assert 0 < len(name) <= 253
    assert address_literal(name) is None


@given(names, st.integers(0, 2**64))
def test_case_and_last_dot_say_nothing(name, swaps):
    """Any mix of cases, with or without the last dot, is the same name."""
    mixed = "".join(c.upper() if swaps >> (i % 64) & 1 else c.lower() for i, c in enumerate(name))
    try:
        expected = host_name(name)
    except InvalidName:
        return
    assert host_name(mixed) == expected == host_name(mixed + ".")


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("10.20.0.10", "10.20.0.10"),
        (b"10.20.0.10", "10.20.0.10"),
        ("[::1]", "::1"),
        ("::ffff:10.0.0.1", "10.0.0.1"),
        ("[::ffff:a00:1]", "10.0.0.1"),
        ("fe80::1%eth0", "fe80::1"),
        ("127.1", None),
        ("010.0.0.1", None),
        ("[10.0.0.1]", None),
        ("[::1", None),
        ("facebook.com", None),
        ("", None),
        (b"\xff", None),
    ],
)
def test_address_literals(raw, expected):
    """Only an address as it is properly written is one; a mapped one is the address that is mapped."""
    assert address_literal(raw) == (ip_address(expected) if expected else None)


def test_normal_address_leaves_others_alone():
    """An IPv6 address that maps nothing stays what it is."""
    assert normal_address(ip_address("2001:db8::1")) == ip_address("2001:db8::1")


@pytest.mark.parametrize(
    ("host", "inside"),
    [
        ("facebook.com", True),
        ("m.facebook.com", True),
        ("notfacebook.com", False),
        ("facebook.com.evil.example", False),
        ("com", False),
    ],
)
def test_within_means_whole_labels(host, inside):
    """A name is in a domain if it is the domain or ends in a dot and the domain."""
    assert is_within(host_name(host), host_name("facebook.com")) is inside


@pytest.mark.parametrize(
    ("name", "public"),
    [("uk", True), ("co.uk", True), ("com.au", True), ("facebook.com", False), ("gov.uk", False), ("t.co", False)],
)
def test_public_suffixes(name, public):
    """Where anybody may register a name below."""
    assert is_public_suffix(host_name(name)) is public
