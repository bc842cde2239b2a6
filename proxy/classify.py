"""Whether a person went there, or a page or an app fetched it: from Fetch Metadata (W3C) alone.

Browsers send it over HTTPS; its absence says nothing.
"""

from collections.abc import Mapping

from policies.vocabulary import Kind


def kind_of(headers: Mapping[str, str]) -> Kind:
    """The kind of a refused request, from its ``Sec-Fetch-Mode`` and ``Sec-Fetch-Dest`` headers."""
    mode, destination = headers.get("sec-fetch-mode"), headers.get("sec-fetch-dest")
    if mode is None or destination is None:
        return Kind.UNKNOWN
    if mode == "navigate" and destination == "document":
        return Kind.NAVIGATION
    if mode == "websocket" or destination in ("serviceworker", "sharedworker"):
        return Kind.BACKGROUND
    return Kind.EMBEDDED
