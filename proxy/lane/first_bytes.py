"""What the first bytes of a connection are: TLS with its server name, HTTP, or neither. Sans-io, never guesses."""

import re
from dataclasses import dataclass

from policies.names import HostName, InvalidName, address_literal, host_name
from policies.vocabulary import Protocol, Reason
from proxy.lane import hello

_METHOD = re.compile(rb"[A-Z]{1,20}(-[A-Z]{1,20})? ")  # RFC 9110 section 9: methods are tokens, in upper case by use
_METHOD_BEGUN = re.compile(rb"[A-Z]{1,20}(-[A-Z]{0,20})?")
_H2_PREFACE = b"PRI * "  # HTTP/2 with prior knowledge (RFC 9113 section 3.3) has no host to judge before it runs


@dataclass(frozen=True, slots=True)
class FirstBytes:
    protocol: Protocol
    server_name: HostName | None = None
    fault: Reason | None = None
    page_possible: bool = False  # a TLS client that can be shown a page or an alert


def read(data: bytes) -> FirstBytes | None:
    """Everything received so far in; None while it could still become more than one thing."""
    if not data:
        return None
    if data[0] == hello.HANDSHAKE_RECORD:
        return _tls(data)
    if data.startswith(_H2_PREFACE):
        return FirstBytes(Protocol.HTTP, fault=Reason.MALFORMED)
    if _METHOD.match(data):
        return FirstBytes(Protocol.HTTP)
    if _METHOD_BEGUN.fullmatch(data):
        return None
    return FirstBytes(Protocol.OTHER)


def _tls(data: bytes) -> FirstBytes | None:
    try:
        found = hello.read(data)
    except hello.MalformedHello:
        return FirstBytes(Protocol.TLS, fault=Reason.MALFORMED)
    if found is None:
        return None
    if found.server_name is None:
        return FirstBytes(Protocol.TLS, fault=Reason.NO_SERVER_NAME, page_possible=True)
    try:
        return FirstBytes(Protocol.TLS, server_name=host_name(found.server_name), page_possible=True)
    except InvalidName:
        literal = address_literal(found.server_name) is not None
        fault = Reason.ADDRESS_LITERAL if literal else Reason.MALFORMED
        return FirstBytes(Protocol.TLS, fault=fault, page_possible=True)
