"""From mitmproxy's objects to values: who asks, for what, and what a plain HTTP request really names."""

from dataclasses import replace
from ipaddress import ip_address

from mitmproxy import connection, http
from mitmproxy.proxy import mode_specs

from policies.attempt import Attempt, Destination
from policies.names import HostName, InvalidName, IPAddress, address_literal, host_name, normal_address
from policies.vocabulary import Protocol, Reason
from proxy.lane.first_bytes import FirstBytes
from proxy.tls_listener import ExplicitTlsMode

PROXY_AUTHORIZATION = "proxy-authorization"
HOP_BY_HOP = frozenset(  # RFC 9110 section 7.6.1
    {"connection", "keep-alive", "te", "upgrade", "http2-settings", "proxy-connection", PROXY_AUTHORIZATION}
)
HTTP_1 = (b"HTTP/1.0", b"HTTP/1.1")
NEVER_STRIPPED = frozenset({"host", "content-length", "transfer-encoding"})  # a client may not unframe its own body


def client_address(client: connection.Client) -> IPAddress:
    return normal_address(ip_address(client.peername[0].partition("%")[0]))


def is_explicit(client: connection.Client) -> bool:
    """Whether the client speaks to the proxy, so that where it wants to go is its own word."""
    return isinstance(client.proxy_mode, mode_specs.RegularMode)


def is_behind_tls(client: connection.Client) -> bool:
    """Whether the client speaks TLS to the proxy itself."""
    return isinstance(client.proxy_mode, ExplicitTlsMode)


def destination_of(host: str) -> Destination:
    """A CONNECT or request target, or an original destination. Raises InvalidName."""
    return address_literal(host) or host_name(host)


def attempt_of_first_bytes(client: connection.Client, target: tuple[str, int], first: FirstBytes) -> Attempt:
    """A connection that is not HTTP. ``target`` is the CONNECT target or the original destination."""
    return _attempt(client, target, first.protocol, first.server_name, first.fault)


def attempt_of_connect(client: connection.Client, target: tuple[str, int]) -> Attempt:
    """A CONNECT, judged before anything was said inside it."""
    return _attempt(client, target, Protocol.OTHER, None, None)


def attempt_of_silent_connect(client: connection.Client, target: tuple[str, int]) -> Attempt:
    """A CONNECT that nothing followed: its own name stands for the server name."""
    attempt = _attempt(client, target, Protocol.TLS, None, None)
    return replace(attempt, server_name=attempt.destination if isinstance(attempt.destination, str) else None)


def attempt_of_nothing(client: connection.Client, fault: Reason | None) -> Attempt:
    """A client whose wish is not known: refused before, or for, what it said."""
    return Attempt(
        address=client_address(client),
        destination=None,
        port=0,
        protocol=Protocol.OTHER,
        explicit=is_explicit(client),
        fault=fault,
    )


def attempt_of_request(flow: http.HTTPFlow) -> Attempt:
    """A plain HTTP request. Two Host headers, or a Host that is no name, are ``malformed``, never guessed at."""
    request = flow.request
    target = (request.data.host, request.data.port)
    name, fault = _host_header(request)
    if flow.error is not None or request.scheme != "http" or _is_ambiguous(request):
        fault = Reason.MALFORMED
    return _attempt(flow.client_conn, target, Protocol.HTTP, name, fault)


def _attempt(
    client: connection.Client,
    target: tuple[str, int],
    protocol: Protocol,
    name: HostName | None,
    fault: Reason | None,
) -> Attempt:
    try:
        destination = destination_of(target[0])
    except InvalidName:
        destination, fault = None, Reason.MALFORMED
    return Attempt(
        address=client_address(client),
        destination=destination,
        port=target[1],
        protocol=protocol,
        explicit=is_explicit(client),
        server_name=name,
        fault=fault,
    )


def _is_ambiguous(request: http.Request) -> bool:
    """What another may read as naming another host than the one that is judged.

    A folded line (RFC 9112 section 5.2) may be two; a target in absolute form outranks Host (section 3.2.2), and
    mitmproxy leaves one standing only where the client spoke to a server; after an upgrade to h2c hosts go unseen.
    """
    folded = any(b"\r" in value or b"\n" in value for _, value in request.headers.fields)
    another = bool(request.data.authority) or request.data.http_version not in HTTP_1
    return folded or another or "h2c" in request.headers.get("upgrade", "").lower()


def _host_header(request: http.Request) -> tuple[HostName | None, Reason | None]:
    values = request.headers.get_all("host")
    if len(values) > 1:
        return None, Reason.MALFORMED
    if not values:
        return None, None
    name = _without_port(values[0].strip())
    if (literal := address_literal(name)) is not None:
        same = literal == address_literal(request.data.host)
        return None, None if same else Reason.ADDRESS_LITERAL
    try:
        return host_name(name), None
    except InvalidName:
        return None, Reason.MALFORMED


def _without_port(authority: str) -> str:
    host, colon, port = authority.rpartition(":")
    return host if colon and port.isascii() and port.isdigit() and not host.endswith(":") else authority


def take_credentials(request: http.Request) -> str | None:
    """What was sent in ``Proxy-Authorization``; the request holds it no more, so that it goes nowhere else.

    Two of them are none: who would be meant is anybody's guess.
    """
    sent = request.headers.get_all(PROXY_AUTHORIZATION)
    if not sent:
        return None
    del request.headers[PROXY_AUTHORIZATION]
    return sent[0] if len(sent) == 1 else ""


def strip_hop_by_hop(request: http.Request) -> None:
    """Make a passed request the gateway's own: one request per upstream connection, nothing meant for a proxy."""
    websocket = request.headers.get("upgrade", "").lower() == "websocket"
    named = {name.strip().lower() for name in request.headers.get("connection", "").split(",")}
    for name in HOP_BY_HOP | named - NEVER_STRIPPED:
        request.headers.pop(name, None)
    request.headers["connection"] = "upgrade" if websocket else "close"
    if websocket:
        request.headers["upgrade"] = "websocket"
