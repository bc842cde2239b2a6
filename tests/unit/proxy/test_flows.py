"""From mitmproxy's objects to an attempt: what a plain request really names."""

import pytest
from mitmproxy import http
from mitmproxy.connection import Client, Server
from mitmproxy.proxy import mode_specs

from policies.names import address_literal
from policies.vocabulary import Protocol, Reason
from proxy.flows import attempt_of_request, client_address, strip_hop_by_hop, take_credentials


def flow(headers, *, host="www.bbc.co.uk", scheme="http", mode="regular", peer="10.20.0.10"):
    client = Client(
        peername=(peer, 40000),
        sockname=("127.0.0.1", 8080),
        timestamp_start=0,
        proxy_mode=mode_specs.ProxyMode.parse(mode),
    )
    request = http.Request(
        host=host, port=80, method=b"GET", scheme=scheme.encode(), authority=b"", path=b"/", http_version=b"HTTP/1.1",
        headers=http.Headers(headers), content=None, trailers=None, timestamp_start=0, timestamp_end=None,
    )  # fmt: skip
    made = http.HTTPFlow(client, Server(address=(host, 80)))
    made.request = request
    return made


def test_the_host_header_is_the_name_that_was_shown():
    """And the request line what was asked for; both are judged."""
    attempt = attempt_of_request(flow([(b"host", b"WWW.BBC.co.uk.:80")]))
    assert (attempt.destination, attempt.server_name, attempt.fault) == ("www.bbc.co.uk", "www.bbc.co.uk", None)
    assert attempt.protocol is Protocol.HTTP
    assert attempt.explicit


def test_a_transparent_request_has_an_address_for_a_destination():
    """Only its Host header names anything."""
    attempt = attempt_of_request(flow([(b"host", b"x.com")], host="203.0.113.12", mode="transparent"))
    assert attempt.destination == address_literal("203.0.113.12")
    assert attempt.names == ("x.com",)
    assert not attempt.explicit


@pytest.mark.parametrize(
    ("headers", "fault"),
    [
        ([(b"host", b"www.bbc.co.uk"), (b"host", b"x.com")], Reason.MALFORMED),
        ([(b"host", b"x.com evil")], Reason.MALFORMED),
        ([(b"host", b"")], Reason.MALFORMED),
        ([(b"host", b"x.com"), (b"upgrade", b"h2c")], Reason.MALFORMED),
        ([(b"host", b"203.0.113.66")], Reason.ADDRESS_LITERAL),
        ([], None),
    ],
)
def test_what_names_no_one_host_is_a_fault(headers, fault):
    """Two Hosts, no name, an upgrade to what cannot be judged."""
    assert attempt_of_request(flow(headers)).fault is fault


def test_a_scheme_other_than_http_is_malformed():
    """A proxy is asked for https by CONNECT."""
    assert attempt_of_request(flow([(b"host", b"www.bbc.co.uk")], scheme="https")).fault is Reason.MALFORMED


def test_a_second_name_in_the_request_line_is_malformed():
    """A target in absolute form outranks Host at a server that holds both names."""
    asked = flow([(b"host", b"www.bbc.co.uk")], host="203.0.113.12", mode="transparent")
    asked.request.data.authority = b"www.facebook.com"
    assert attempt_of_request(asked).fault is Reason.MALFORMED


def test_a_version_other_than_http_1_is_malformed():
    """``HTTP/2.0`` in the request line of HTTP/1 makes mitmproxy take the host from elsewhere."""
    asked = flow([(b"host", b"www.bbc.co.uk")])
    asked.request.data.http_version = b"HTTP/2.0"
    assert attempt_of_request(asked).fault is Reason.MALFORMED


def test_a_mapped_client_is_its_ipv4_address():
    """However the socket spells it."""
    assert str(client_address(flow([], peer="::ffff:10.20.0.10").client_conn)) == "10.20.0.10"


def test_what_concerns_a_proxy_goes_no_further():
    """Hop-by-hop headers and those that Connection names; the body's frame stays."""
    passed = flow(
        [
            (b"host", b"www.bbc.co.uk"),
            (b"connection", b"keep-alive, x-secret, content-length"),
            (b"proxy-authorization", b"Basic eDp5"),
            (b"x-secret", b"1"),
            (b"content-length", b"3"),
            (b"te", b"trailers"),
        ]
    ).request
    strip_hop_by_hop(passed)
    assert dict(passed.headers) == {"host": "www.bbc.co.uk", "content-length": "3", "connection": "close"}


@pytest.mark.parametrize(
    ("sent", "taken"),
    [
        ([], None),
        ([(b"Proxy-Authorization", b"Basic eDp5")], "Basic eDp5"),
        ([(b"proxy-authorization", b"Basic eDp5"), (b"PROXY-AUTHORIZATION", b"Basic eDp5")], ""),
        ([(b"authorization", b"Basic eDp5")], None),
    ],
)
def test_credentials_are_taken_from_the_request(sent, taken):
    """And are in it no more; two of them are none."""
    request = flow([(b"host", b"www.bbc.co.uk"), *sent]).request
    assert take_credentials(request) == taken
    assert "proxy-authorization" not in request.headers


def test_a_websocket_keeps_its_upgrade():
    """It is the one upgrade that passes."""
    passed = flow([(b"host", b"a.example"), (b"connection", b"Upgrade"), (b"upgrade", b"WebSocket")]).request
    strip_hop_by_hop(passed)
    assert (passed.headers["connection"], passed.headers["upgrade"]) == ("upgrade", "websocket")
