"""What people paste where a host name is asked for."""

from ipaddress import ip_address

import pytest

from proxy.cli.errors import WrongUse
from proxy.cli.hosts import pasted


@pytest.mark.parametrize(
    ("text", "host", "trimmed"),
    [
        ("www.facebook.com", "www.facebook.com", False),
        ("  M.Facebook.COM. ", "m.facebook.com", False),
        ("https://www.tiktok.com/@somebody?x=1#y", "www.tiktok.com", True),
        ("http://user:word@Facebook.com:8080/", "facebook.com", True),
        ("facebook.com:443", "facebook.com", True),
        ("facebook.com/groups", "facebook.com", True),
        ("//facebook.com", "facebook.com", True),
        ("someone@facebook.com", "facebook.com", True),
        ("bücher.example", "xn--bcher-kva.example", False),
    ],
)
def test_a_name(text: str, host: str, *, trimmed: bool) -> None:
    """The host, and whether there was more around it."""
    assert pasted(text) == (host, trimmed)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("10.1.2.3", "10.1.2.3"),
        ("2001:db8::1", "2001:db8::1"),
        ("[::1]", "::1"),
        ("https://10.1.2.3:8443/x", "10.1.2.3"),
        ("http://[2001:db8::1]/", "2001:db8::1"),
        ("::ffff:10.1.2.3", "10.1.2.3"),
    ],
)
def test_an_address(text: str, address: str) -> None:
    """An address is one, with a port and a scheme around it too."""
    assert pasted(text).host == ip_address(address)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "face book",
        "https://",
        "http://[::1",
        "@@",
        "a..b",
        "a" * 300,
        "\x1b[31m",
        "a\u202eb.com",
        "0x7f.1",
        "/",
        "?",
    ],
)
def test_what_names_no_host(text: str) -> None:
    """A sentence with what was given and what to write."""
    with pytest.raises(WrongUse) as caught:
        pasted(text)
    assert "is no host name" in str(caught.value)
