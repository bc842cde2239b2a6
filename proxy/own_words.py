"""What the gateway answers by itself where there is no refusal to show: one plain sentence, and what to do.

mitmproxy's own answers name it and its version, and repeat what a client sent; nobody needs to know either.
"""

from collections.abc import Mapping
from types import MappingProxyType

from mitmproxy import http

from policies.vocabulary import Outcome

OTHER = "The gateway could not answer this."
BY_STATUS: Mapping[int, str] = MappingProxyType(
    {
        400: "The gateway cannot read this request: it does not follow the rules of the web.",
        413: "This request is larger than the gateway takes.",
        431: "The head of this request is larger than the gateway reads: delete this site's cookies, and try again.",
        502: "The site did not answer the gateway as it should. Try again later.",
    }
)
BY_OUTCOME: Mapping[Outcome, str] = MappingProxyType(
    {
        Outcome.UNRESOLVABLE: "This name has no address that the gateway can find. Look whether it is spelt rightly.",
        Outcome.REFUSED_DESTINATION: "This name leads to an address that the gateway never connects to.",
        Outcome.UNREACHABLE: "The site's server cannot be reached. It may be down: try again later.",
    }
)


def own_answer(status: int, outcome: Outcome | None = None, *, body: bool = True) -> http.Response:
    """In HTTP/1.1, and the last on its connection. ``outcome``: what became of the attempt to get there."""
    words = (BY_OUTCOME.get(outcome) if outcome is not None else None) or BY_STATUS.get(status, OTHER)
    headers = {
        "Content-Type": "text/plain; charset=utf-8",
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
        "Connection": "close",
    }
    return http.Response.make(status, f"{words}\n" if body else b"", headers)
