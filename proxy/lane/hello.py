"""A TLS ClientHello, read sans-io: bytes in; "not yet", a hello, or an error out. It never guesses.

RFC 8446 section 5.1 lets a hello be cut into records and TCP into segments at any byte, so ``read`` is handed
everything received so far and is asked again when there is more. RFC 6066 section 3 forbids two names of one type and
RFC 8446 section 4.2 an extension twice: a server that took the other one would make us judge the wrong name, so both
are ``MalformedHello``, as is a length that does not add up, anywhere.
"""

from dataclasses import dataclass

RECORD_HEADER = 5
HANDSHAKE_RECORD = 22
CLIENT_HELLO = 1
SERVER_NAME = 0
ALPN = 16
HOST_NAME = 0
TLS_MAJOR = 3
MOST_RECORDS = 64  # browsers send one to three; each look reads all of them again
LARGEST_RECORD = 1 << 14
LARGEST_HELLO = 1 << 16


class MalformedHello(ValueError):
    """These bytes will never become a ClientHello; the message says where they stop making sense."""


@dataclass(frozen=True, slots=True)
class Hello:
    """What a decision and a refusal need of it. ``server_name`` is as sent: not normalised, not validated."""

    server_name: bytes | None
    alpn: tuple[bytes, ...]


def read(data: bytes) -> Hello | None:
    """The ClientHello at the start of ``data``; None while it is incomplete. Raises MalformedHello."""
    handshake = _handshake(data)
    return None if handshake is None else _client_hello(handshake)


def _handshake(data: bytes) -> bytes | None:
    """The first handshake message, put together from its records."""
    message = bytearray()
    position = 0
    for _ in range(MOST_RECORDS):
        header = data[position : position + RECORD_HEADER]
        _check_header(header)
        if len(header) < RECORD_HEADER:
            return None
        length = int.from_bytes(header[3:5])
        start = position + RECORD_HEADER
        message += data[start : start + length]
        if message and message[0] != CLIENT_HELLO:
            raise MalformedHello("the first handshake message is no ClientHello")
        if len(message) >= 4:  # noqa: PLR2004 -- type and 24 bits of length
            size = 4 + int.from_bytes(message[1:4])
            if size > LARGEST_HELLO:
                raise MalformedHello(f"a ClientHello of {size} bytes")
            if len(message) >= size:
                return bytes(message[4:size])
        if len(data) < start + length:
            return None
        position = start + length
    raise MalformedHello(f"a ClientHello in more than {MOST_RECORDS} records")


def _check_header(header: bytes) -> None:
    """Refuse as soon as one byte of a record header is wrong, so that nobody waits for the rest."""
    if len(header) > 0 and header[0] != HANDSHAKE_RECORD:
        raise MalformedHello("not a handshake record")
    if len(header) > 1 and header[1] != TLS_MAJOR:
        raise MalformedHello("not a version of TLS")
    if len(header) == RECORD_HEADER and not 0 < int.from_bytes(header[3:5]) <= LARGEST_RECORD:
        raise MalformedHello("a record of no or too many bytes")


class _Reader:
    """Takes length-prefixed fields off a message; every length must add up."""

    def __init__(self, data: bytes) -> None:
        self.data, self.position = data, 0

    def take(self, count: int) -> bytes:
        end = self.position + count
        if end > len(self.data):
            raise MalformedHello("a length points beyond the end")
        piece = self.data[self.position : end]
        self.position = end
        return piece

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size))

    def vector(self, size: int) -> bytes:
        """A field behind a length of ``size`` bytes."""
        return self.take(self.number(size))

    def at_end(self) -> bool:
        return self.position == len(self.data)


def _client_hello(body: bytes) -> Hello:
    reader = _Reader(body)
    reader.take(2 + 32)  # legacy_version, random
    reader.vector(1)  # legacy_session_id
    reader.vector(2)  # cipher_suites
    reader.vector(1)  # legacy_compression_methods
    if reader.at_end():
        return Hello(None, ())
    extensions = _extensions(reader.vector(2))
    if not reader.at_end():
        raise MalformedHello("bytes behind the extensions")
    name, alpn = extensions.get(SERVER_NAME), extensions.get(ALPN)
    return Hello(_server_name(name) if name is not None else None, _alpn(alpn) if alpn is not None else ())


def _extensions(data: bytes) -> dict[int, bytes]:
    reader, found = _Reader(data), dict[int, bytes]()
    while not reader.at_end():
        kind = reader.number(2)
        if kind in found:
            raise MalformedHello(f"extension {kind} twice")
        found[kind] = reader.vector(2)
    return found


def _server_name(data: bytes) -> bytes:
    outer = _Reader(data)
    reader = _Reader(outer.vector(2))
    if not outer.at_end():
        raise MalformedHello("bytes behind the server names")
    if reader.number(1) != HOST_NAME:
        raise MalformedHello("a server name of unknown type")
    name = reader.vector(2)
    if not reader.at_end() or not name:
        raise MalformedHello("one server name, and not an empty one")
    return name


def _alpn(data: bytes) -> tuple[bytes, ...]:
    outer = _Reader(data)
    reader, protocols = _Reader(outer.vector(2)), list[bytes]()
    while not reader.at_end():
        protocols.append(reader.vector(1))
    return tuple(protocols)
