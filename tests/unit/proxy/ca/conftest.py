"""A CA in a temporary directory, made at a fixed moment."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from policies.names import HostName
from proxy.ca import authority

NOW = datetime(2026, 9, 7, 8, 30, tzinfo=UTC)
NAMES = {
    "social-network": (HostName("facebook.com"), HostName("fbcdn.net")),
    "forum": (HostName("reddit.com"),),
}


@pytest.fixture
def now() -> datetime:
    return NOW


@pytest.fixture
def names() -> dict[str, tuple[HostName, ...]]:
    return dict(NAMES)


@pytest.fixture
def ca_dir(tmp_path: Path) -> Path:
    directory = tmp_path / "ca"
    authority.create(directory, NAMES, NOW)
    return directory
