"""Navigation or not, from Fetch Metadata."""

import pytest

from policies.vocabulary import Kind
from proxy.classify import kind_of


@pytest.mark.parametrize(
    ("mode", "destination", "kind"),
    [
        ("navigate", "document", Kind.NAVIGATION),
        ("navigate", "iframe", Kind.EMBEDDED),
        ("no-cors", "image", Kind.EMBEDDED),
        ("cors", "empty", Kind.EMBEDDED),
        ("websocket", "empty", Kind.BACKGROUND),
        ("same-origin", "serviceworker", Kind.BACKGROUND),
        (None, "document", Kind.UNKNOWN),
        ("navigate", None, Kind.UNKNOWN),
    ],
)
def test_kind(mode, destination, kind):
    """Only a top-level navigation is a person going there."""
    headers = {"sec-fetch-mode": mode, "sec-fetch-dest": destination}
    assert kind_of({name: value for name, value in headers.items() if value is not None}) is kind
