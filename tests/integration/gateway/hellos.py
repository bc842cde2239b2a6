"""ClientHellos as no browser sends them: built field by field, framed in records as one likes (RFC 8446, 4.1.2)."""

import struct
from collections.abc import Iterable

SERVER_NAME, SUPPORTED_GROUPS, SIGNATURES, ALPN, VERSIONS, KEY_SHARE, ECH = 0, 10, 13, 16, 43, 51, 0xFE0D
type Extension = tuple[int, bytes]


def vector(size: int, content: bytes) -> bytes:
    """A TLS vector: its length in ``size`` bytes, then itself."""
    return len(content).to_bytes(size, "big") + content


def server_names(*names: bytes) -> Extension:
    return SERVER_NAME, vector(2, b"".join(b"\x00" + vector(2, name) for name in names))


def grease_ech() -> Extension:
    """Encrypted ClientHello as every Chrome sends it, with nothing inside."""
    outer = b"\x00" + struct.pack("!HHB", 1, 1, 7) + vector(2, bytes(32)) + vector(2, bytes(144))
    return ECH, outer


def padding(size: int) -> Extension:
    return 21, bytes(size)


def client_hello(*extensions: Extension) -> bytes:
    """The handshake message. What a server insists on is added, the server name is not."""
    usual: Iterable[Extension] = (
        (SUPPORTED_GROUPS, vector(2, b"\x00\x1d\x00\x17")),
        (SIGNATURES, vector(2, b"\x04\x03\x08\x04\x04\x01")),
        (VERSIONS, vector(1, b"\x03\x04\x03\x03")),
        (KEY_SHARE, vector(2, b"\x00\x1d" + vector(2, bytes([9]) + bytes(31)))),
    )
    fields = b"".join(struct.pack("!H", kind) + vector(2, content) for kind, content in (*extensions, *usual))
    body = b"\x03\x03" + bytes(range(32)) + vector(1, bytes(32)) + vector(2, b"\x13\x01\xc0\x2b\xc0\x2f") + b"\x01\x00"
    return b"\x01" + vector(3, body + vector(2, fields))


def records(message: bytes, *sizes: int) -> bytes:
    """Frame a handshake message in records: the first ones of these sizes, the last with the rest."""
    framed, rest = b"", message
    for size in (*sizes, len(message)):
        part, rest = rest[:size], rest[size:]
        if part:
            framed += b"\x16\x03\x01" + vector(2, part)
    return framed


def reframed(record: bytes, *sizes: int) -> bytes:
    """A hello that some TLS library framed in one record, in several."""
    return records(record[5:], *sizes)
