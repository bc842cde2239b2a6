"""How a refusal is told: by a page where the client can be shown one, else by a TLS alert or a closed connection."""

from mitmproxy import http
from OpenSSL import SSL

from proxy.ca.authority import CertificateSource
from proxy.classify import kind_of
from proxy.judging import Judge, Ticket
from proxy.metrics import Metrics
from proxy.pages.forms import form_of
from proxy.pages.refusal import refusal_for
from proxy.pages.showing import render


class Answers:
    """Pages and the certificates to show them under. Where there is none for a name, a refusal in TLS is an alert."""

    def __init__(self, judge: Judge, certificates: CertificateSource, metrics: Metrics) -> None:
        self._judge, self._certificates, self._metrics = judge, certificates, metrics

    def context_for(self, ticket: Ticket) -> SSL.Context | None:
        """What to show a page with: only where the name refused is the one that the client expects to meet."""
        name = ticket.attempt.server_name
        if not ticket.decision.page or name is None or name != ticket.decision.host:
            return None
        return self._certificates.context_for(name, ticket.at)

    def page(self, flow: http.HTTPFlow, ticket: Ticket, *, sign_in: bool = False) -> None:
        """Put the refusal on a request, in the form that suits it. Nothing of the request is kept."""
        kind = kind_of(flow.request.headers, flow.request.method)
        reference = self._judge.classify(ticket, kind)
        shown = refusal_for(ticket.decision, self._judge.snapshot, reference=reference, now=ticket.at, sign_in=sign_in)
        status, headers, body = render(shown, form_of(flow.request.headers))
        flow.request.headers.pop("expect", None)
        flow.response = http.Response.make(status, body, headers)
        if flow.request.method == "HEAD":
            flow.response.data.content = b""  # past the setter, which would say that its length is nought
        if flow.client_conn.alpn != b"h2":  # what the request itself says of its version may be a lie
            flow.response.headers["connection"] = "close"
        self.told("page")

    def told(self, form: str) -> None:
        """Count a refusal by its form: ``page``, ``alert`` or ``close``."""
        self._metrics.refusals.labels(form).inc()
