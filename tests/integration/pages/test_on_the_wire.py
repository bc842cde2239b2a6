"""Refusals byte by byte from a real gateway: the form that suits, to whom a page can be shown and to whom not."""

import json
import ssl

import pytest

from tests.integration.gateway.clients import Reply, read_reply, request_head
from tests.integration.gateway.gate import Gate

STAFF, VISITOR = "127.0.30.1", "127.99.30.1"
HOST = "www.facebook.com"


def ask(gateway: Gate, *headers: str, method: str = "GET") -> Reply:
    with gateway.client(STAFF).tls(HOST) as connection:
        connection.sendall(request_head(method, "/", HOST, "Connection: close", *headers))
        return read_reply(connection)


@pytest.mark.parametrize(
    ("headers", "media", "begins"),
    [
        (("Sec-Fetch-Dest: document",), "text/html; charset=utf-8", b"<!DOCTYPE html>"),
        (("Sec-Fetch-Dest: iframe",), "text/html; charset=utf-8", b"<!DOCTYPE html>"),
        (("Sec-Fetch-Dest: image",), "image/svg+xml", b"<svg "),
        (("Sec-Fetch-Dest: script",), "text/javascript; charset=utf-8", b"/* Facebook: "),
        (("Sec-Fetch-Dest: style",), "text/css; charset=utf-8", b"/* Facebook: "),
        (("Sec-Fetch-Dest: empty", "Accept: */*"), "application/problem+json", b"{"),
        (("Sec-Fetch-Dest: font",), "text/plain; charset=utf-8", b"Facebook: "),
        (("Sec-Fetch-Dest: video", "Range: bytes=0-"), "text/plain; charset=utf-8", b"Facebook: "),
        (("Upgrade: websocket", "Sec-WebSocket-Version: 13"), "text/plain; charset=utf-8", b"Facebook: "),
        (("Accept: application/json",), "application/problem+json", b"{"),
        (("Accept: image/png",), "image/svg+xml", b"<svg "),
    ],
)
def test_what_suits(gateway: Gate, headers: tuple[str, ...], media: str, begins: bytes) -> None:
    """403 in each form, of the type that it is, kept by nobody."""
    reply = ask(gateway, *headers)
    assert (reply.status, reply.header("content-type")) == (403, media)
    assert reply.body.startswith(begins)
    assert reply.header("cache-control") == "no-store"
    assert reply.header("x-content-type-options") == "nosniff"
    assert len(reply.body) == int(reply.header("content-length") or 0) < 15_000


def test_head(gateway: Gate) -> None:
    """The same head, and no body."""
    reply, other = ask(gateway, method="HEAD"), ask(gateway)
    assert (reply.status, reply.body) == (403, b"")
    assert reply.header("content-length") == other.header("content-length")


def test_a_program_is_told_what_is_on_record(gateway: Gate) -> None:
    """The record's own reason, and the reference that finds it."""
    problem = json.loads(ask(gateway, "Accept: application/json").body)
    assert (problem["reason"], problem["host"], problem["service"]) == ("not_authorised", HOST, "Facebook")
    assert len(problem["reference"]) == 19


def test_whoever_lacks_the_certificate_gets_an_alert(gateway: Gate) -> None:
    """``page: false``: no certificate that would only be warned of; the device is told that access is denied."""
    visitor = gateway.client(VISITOR)
    with pytest.raises(ssl.SSLError, match=r"(?i)access.denied"):
        visitor.get("nordvpn.com")
    assert gateway.reasons(VISITOR) == ["locked"]


def test_and_a_page_all_the_same_where_none_is_needed(gateway: Gate) -> None:
    """Over plain HTTP a page can be shown to anybody."""
    request = f"GET http://nordvpn.com:{gateway.world.http_port}/ HTTP/1.1\r\nHost: nordvpn.com\r\n\r\n"
    reply = gateway.client(VISITOR).http(request.encode())
    assert reply.status == 403
    assert b"<!DOCTYPE html>" in reply.body
    assert b"nordvpn.com" in reply.body
