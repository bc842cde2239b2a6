"""How a refusal is told: by a page where the client can be shown one, else by a TLS alert or a closed connection."""

from mitmproxy import http
from OpenSSL import SSL

from policies.vocabulary import Kind
from proxy.ca.authority import Authority
from proxy.classify import kind_of
from proxy.judging import Judge, Ticket
from proxy.metrics import Metrics
from proxy.pages.refusal import refusal_for, render


class Answers:
    """Pages and the certificates to show them under. Without an authority every TLS refusal is an alert."""

    def __init__(self, judge: Judge, authority: Authority | None, metrics: Metrics) -> None:
        self._judge, self._authority, self._metrics = judge, authority, metrics

    def context_for(self, ticket: Ticket) -> SSL.Context | None:
        """What to show a page with: only where the name refused is the one that the client expects to meet."""
        name = ticket.attempt.server_name
        if self._authority is None or not ticket.decision.page or name is None or name != ticket.decision.host:
            return None
        return self._authority.context_for(name, ticket.at)

    def page(self, flow: http.HTTPFlow, ticket: Ticket) -> None:
        """Put the page on a request. Of it only Fetch Metadata and Accept are looked at, and nothing is kept."""
        kind = kind_of(flow.request.headers) if flow.request.method != "CONNECT" else Kind.UNKNOWN
        reference = self._judge.classify(ticket, kind)
        shown = refusal_for(ticket.decision, self._judge.snapshot, reference=reference, now=ticket.at)
        status, headers, body = render(shown, flow.request.headers.get("accept", ""))
        flow.request.headers.pop("expect", None)
        flow.response = http.Response.make(status, b"" if flow.request.method == "HEAD" else body, headers)
        if flow.client_conn.alpn != b"h2":  # what the request itself says of its version may be a lie
            flow.response.headers["connection"] = "close"
        self.told("page")

    def told(self, form: str) -> None:
        """Count a refusal by its form: ``page``, ``alert`` or ``close``."""
        self._metrics.refusals.labels(form).inc()
