"""A page of the internet that embeds what the school refuses: each widget from a host of its own, in its own way."""

import socket
import ssl
from collections.abc import Mapping
from types import MappingProxyType

from tests.integration.gateway.internet import TlsOrigin, Visit

HOST, ADDRESS = "embedding.example", "127.0.1.3"
# How each way of embedding is written; {at} is a host that is refused.
WIDGETS: Mapping[str, str] = MappingProxyType(
    {
        "image": '<img id="image" src="https://{at}/pixel.png" onload="done()" onerror="done()">',
        "script": '<script src="https://{at}/sdk.js" onload="done()" onerror="done()"></script>',
        "style": '<link rel="stylesheet" href="https://{at}/theme.css" onload="done()" onerror="done()">',
        "iframe": '<iframe id="iframe" src="https://{at}/plugin" onload="done()"></iframe>',
        "object": '<object data="https://{at}/old" type="text/html" onload="done()" onerror="done()"></object>',
        "video": '<video src="https://{at}/clip.mp4" preload="auto" onerror="done()"></video>',
        "font": '<style>@font-face{{font-family:f;src:url("https://{at}/f.woff2")}}b{{font-family:f}}</style><b>x</b>',
        "manifest": '<link rel="manifest" href="https://{at}/app.webmanifest">',
        "prefetch": '<link rel="prefetch" href="https://{at}/next" onload="done()" onerror="done()">',
        "icon": '<link rel="icon" href="https://{at}/favicon.ico">',
        "fetch": '<script>fetch("https://{at}/graph").then(done, done)</script>',
        "xhr": '<script>x=new XMLHttpRequest();x.onloadend=done;x.open("POST","https://{at}/x");x.send("a")</script>',
        "beacon": '<script>navigator.sendBeacon("https://{at}/beacon", "x"); done()</script>',
        "socket": '<script>new WebSocket("wss://{at}/live").onerror = done</script>',
        "events": '<script>new EventSource("https://{at}/events").onerror = done</script>',
    }
)
UNANNOUNCED = {"font", "manifest", "icon"}  # the page is not told how these went; a manifest is fetched when asked for


class EmbeddingPage(TlsOrigin):
    """Serves the page, and nothing else. ``window.left`` counts the widgets whose fate is not known yet."""

    def __init__(self, context: ssl.SSLContext, port: int, widgets: Mapping[str, str]) -> None:
        context.set_alpn_protocols(["http/1.1"])
        left = len(set(widgets) - UNANNOUNCED)
        script = f"<script>left = {left}; function done() {{ left -= 1 }}</script>"
        written = [WIDGETS[name].format(at=at) for name, at in widgets.items()]
        links = "".join(widget for widget in written if widget.startswith("<link"))
        others = "".join(widget for widget in written if not widget.startswith("<link"))
        page = f"<!DOCTYPE html><title>a page of the internet</title>{script}{links}<body>{others}".encode()
        head = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\nContent-Length: %d\r\n\r\n"
        self._answer = head % len(page) + page
        super().__init__(context, ADDRESS, port)

    def serve(self, connection: socket.socket, visit: Visit) -> None:
        assert isinstance(connection, ssl.SSLSocket)
        connection.do_handshake()
        with connection.makefile("rb") as incoming:
            while incoming.readline(65536) not in (b"\r\n", b""):
                pass
        connection.sendall(self._answer)
