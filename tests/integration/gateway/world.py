"""The internet that the gateway's tests see: which names there are, where they lead, and what stands there.

``www.bbc.co.uk`` and its like live on OPEN, catalogue names on CLOSED (same port, so that a client could be led from
one to the other by address alone), and ``inside.example`` on HIDDEN: a loopback address that the policy does not
declare as the school's own.
"""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.integration.gateway.internet import HttpOrigin, InternetAuthority, Server, TlsOrigin
from tests.integration.gateway.name_server import NameServer

OPEN, CLOSED, HIDDEN = "127.0.1.1", "127.0.1.2", "127.0.2.1"
INTERNAL = "127.0.1.0/24"  # what the policy of the tests declares as its own, so that the gateway may dial it

OPEN_NAMES = (
    "bbc.co.uk",
    "www.bbc.co.uk",
    "wikipedia.org",
    "other.example",
    "facebook.com.evil.example",
    "notfacebook.com",
)
CLOSED_NAMES = (
    "facebook.com",
    "www.facebook.com",
    "m.facebook.com",
    "instagram.com",
    "www.instagram.com",
    "www.reddit.com",
    "www.tiktok.com",
)
NAMES: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(OPEN_NAMES, (OPEN,)),
    **dict.fromkeys(CLOSED_NAMES, (CLOSED,)),
    "inside.example": (HIDDEN,),
    "mapped.example": ("::ffff:127.0.2.1",),
    "private.example": ("10.1.2.3",),
    "nowhere.example": (),
}


@dataclass(frozen=True)
class World:
    authority: InternetAuthority
    names: NameServer
    open: TlsOrigin
    closed: TlsOrigin
    hidden: TlsOrigin
    open_http: HttpOrigin
    closed_http: HttpOrigin
    hidden_http: HttpOrigin

    @property
    def servers(self) -> tuple[Server, ...]:
        return (self.open, self.closed, self.hidden, self.open_http, self.closed_http, self.hidden_http)

    @property
    def port(self) -> int:
        """The internet's 443."""
        return self.open.port

    @property
    def http_port(self) -> int:
        """The internet's 80."""
        return self.open_http.port

    @property
    def root(self) -> Path:
        return self.authority.root

    def forget(self) -> None:
        for server in self.servers:
            server.forget()
        self.names.asked.clear()


@contextmanager
def internet(folder: Path) -> Iterator[World]:
    authority = InternetAuthority(folder)
    context = authority.server_context([*NAMES, "*.some.example"])
    with ExitStack() as stack:
        names = stack.enter_context(NameServer(NAMES))
        tls = stack.enter_context(TlsOrigin(context, OPEN))
        http = stack.enter_context(HttpOrigin(OPEN))
        closed, hidden = (stack.enter_context(TlsOrigin(context, host, tls.port)) for host in (CLOSED, HIDDEN))
        closed_http, hidden_http = (stack.enter_context(HttpOrigin(host, http.port)) for host in (CLOSED, HIDDEN))
        yield World(authority, names, tls, closed, hidden, http, closed_http, hidden_http)
