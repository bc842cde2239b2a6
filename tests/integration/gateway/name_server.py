"""A name server on loopback, over UDP and TCP: it answers from a dictionary and counts what it was asked."""

import socket
import struct
import threading
from collections.abc import Mapping
from contextlib import suppress
from ipaddress import ip_address
from typing import Self

from mitmproxy import dns
from mitmproxy.net.dns import classes, response_codes, types

DEADLINE = 20.0


class NameServer:
    """``names`` may change while it runs; ``broken`` makes every answer SERVFAIL, ``silent`` makes it none."""

    def __init__(self, names: Mapping[str, tuple[str, ...]], host: str = "127.0.0.1", port: int = 0) -> None:
        self.names = dict(names)
        self.asked: list[str] = []
        self.broken = self.silent = False
        self.ttl = 60
        self._tcp = socket.create_server((host, port))
        self.host: str = host
        self.port: int = self._tcp.getsockname()[1]
        self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._udp.bind((self.host, self.port))
        self._closing = False
        self._threads = [threading.Thread(target=run, daemon=True) for run in (self._serve_udp, self._serve_tcp)]
        for thread in self._threads:
            thread.start()

    @property
    def endpoint(self) -> str:
        return f"{self.host}:{self.port}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._closing = True
        for listener in (self._tcp, self._udp):
            with suppress(OSError):  # UDP says "not connected", and wakes its thread all the same
                listener.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(DEADLINE)
        self._tcp.close()
        self._udp.close()

    def answer(self, question: bytes) -> bytes | None:
        try:
            query = dns.DNSMessage.unpack(question)
        except struct.error:
            return None
        asked = query.question
        if asked is None or self.silent:
            return None
        name = asked.name.lower().removesuffix(".")
        self.asked.append(name)
        if self.broken:
            return query.fail(response_codes.SERVFAIL).packed
        if name not in self.names:
            return query.fail(response_codes.NXDOMAIN).packed
        records = [_record(asked.name, address, self.ttl) for address in self.names[name]]
        return query.succeed([record for record in records if record.type == asked.type]).packed

    def _serve_udp(self) -> None:
        while not self._closing:
            question, client = self._udp.recvfrom(4096)
            if reply := self.answer(question):
                self._udp.sendto(reply, client)

    def _serve_tcp(self) -> None:
        while True:
            try:
                connection, _ = self._tcp.accept()
            except OSError:
                return
            with connection, suppress(OSError, struct.error):
                connection.settimeout(DEADLINE)
                (size,) = struct.unpack("!H", connection.recv(2, socket.MSG_WAITALL))
                if reply := self.answer(connection.recv(size, socket.MSG_WAITALL)):
                    connection.sendall(struct.pack("!H", len(reply)) + reply)


def _record(name: str, address: str, ttl: int) -> dns.ResourceRecord:
    packed = ip_address(address).packed
    kind = types.A if len(packed) == len(bytes(4)) else types.AAAA
    return dns.ResourceRecord(name, kind, classes.IN, ttl, packed)
