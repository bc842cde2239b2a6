"""A CA made by the real code, valid now, and the intermediate that a test may misuse."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509

from policies.names import HostName
from proxy.ca import issuing, storage
from proxy.ca.authority import Authority
from proxy.ca.certificates import Signer

NAMES = {"social-network": tuple(map(HostName, ("facebook.com", "fb.com", "xn--bcher-kva.example", "my_site.example")))}


@pytest.fixture(scope="session")
def ca_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("state") / "ca"
    issuing.create(directory, NAMES, datetime.now(UTC))
    return directory


@pytest.fixture(scope="session")
def root(ca_dir: Path) -> x509.Certificate:
    return storage.read_root(ca_dir)


@pytest.fixture(scope="session")
def intermediate(ca_dir: Path, root: x509.Certificate) -> Signer:
    return storage.read_intermediates(ca_dir, root)[0].signer


@pytest.fixture
def answering(ca_dir: Path) -> Authority:
    return Authority.open(ca_dir, datetime.now(UTC))
