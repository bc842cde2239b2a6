"""TLS, HTTP or neither: told from the first bytes, and from no fewer than it takes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.vocabulary import Protocol, Reason
from proxy.lane.first_bytes import FirstBytes, read


@pytest.mark.parametrize("data", [b"", b"G", b"GET", b"M-SEARC", b"\x16", b"\x16\x03", b"PRI"])
def test_too_little_is_not_guessed_at(data):
    """As long as it could become more than one thing, it is nothing yet."""
    assert read(data) is None


@pytest.mark.parametrize("data", [b"GET / HTTP/1.1\r\n", b"CONNECT a:443 HTTP/1.1", b"M-SEARCH * HTTP/1.1", b"BREW "])
def test_a_method_and_a_space_is_http(data):
    """Any method will do; the request head is somebody else's to read."""
    assert read(data) == FirstBytes(Protocol.HTTP)


@pytest.mark.parametrize(
    "data", [b"SSH-2.0-OpenSSH_9.2\r\n", b"\x80\x2e\x01", b"get / HTTP/1.1", b"\x00", b"{", b"A" * 30]
)
def test_the_rest_is_neither(data):
    """SSH, SSLv2, lower-case methods, binary: not TLS, and refused as such."""
    assert read(data) == FirstBytes(Protocol.OTHER)


def test_http2_with_prior_knowledge_is_malformed():
    """It has no host to judge before it runs."""
    assert read(b"PRI * HTTP/2.0\r\n") == FirstBytes(Protocol.HTTP, fault=Reason.MALFORMED)


@given(st.binary(min_size=1, max_size=64))
def test_a_verdict_does_not_change_with_more_bytes(data):
    """Once said, whatever follows: nobody is served by a second guess."""
    for length in range(1, len(data)):
        early = read(data[:length])
        if early is not None and early.fault is None and early.protocol is not Protocol.TLS:
            late = read(data)
            assert late is not None
            assert late.protocol is early.protocol
            break
