"""A CA in a temporary directory, made at a fixed moment."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from policies.names import HostName
from proxy.ca import issuing, storage
from proxy.ca.certificates import key_pem
from proxy.ca.root_key import read_signer

NOW = datetime(2026, 9, 7, 8, 30, tzinfo=UTC)
NAMES = {
    "social-network": (HostName("facebook.com"), HostName("fbcdn.net")),
    "forum": (HostName("reddit.com"),),
}


PASSPHRASE = "correct horse battery staple"


@pytest.fixture
def now() -> datetime:
    return NOW


@pytest.fixture
def names() -> dict[str, tuple[HostName, ...]]:
    return dict(NAMES)


@pytest.fixture
def ca_dir(tmp_path: Path) -> Path:
    directory = tmp_path / "ca"
    issuing.create(directory, NAMES, NOW)
    return directory


@pytest.fixture
def passphrase() -> str:
    return PASSPHRASE


@pytest.fixture
def locked_dir(tmp_path: Path) -> Path:
    """A CA whose passphrase only people know."""
    directory = tmp_path / "locked" / "ca"
    directory.parent.mkdir()
    issuing.create(directory, NAMES, NOW, PASSPHRASE)
    return directory


@pytest.fixture
def old_dir(ca_dir: Path) -> Path:
    """A CA as the first release made it: its root's key is not encrypted."""
    key = read_signer(ca_dir, storage.read_root(ca_dir)).key
    (ca_dir / "root.passphrase").unlink()
    (ca_dir / "root.key").write_bytes(key_pem(key))
    return ca_dir
