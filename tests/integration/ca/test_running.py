"""A gateway that runs while somebody renews its CA: no restart, no lost page, and never a key of the CA on the wire."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509

from policies.names import HostName
from proxy.ca import issuing, storage
from tests.integration.gateway.clients import eventually
from tests.integration.gateway.gate import Client, Gate, gate
from tests.integration.gateway.processes import SCHOOLGATE
from tests.integration.gateway.world import internet

HOST = "www.facebook.com"
SOURCE = "127.20.0.1"


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gate]:
    folder = tmp_path_factory.mktemp("renewal")
    (folder / "internet").mkdir()
    with (
        internet(folder / "internet") as world,
        gate(folder, world, (*SCHOOLGATE, "answerer")) as running,
    ):
        yield running


@pytest.fixture
def client(gateway: Gate) -> Client:
    return gateway.client(SOURCE)


def names_of(gateway: Gate) -> dict[str, list[HostName]]:
    names: dict[str, list[HostName]] = {}
    for service in gateway.keeper.catalogue.services.values():
        names.setdefault(service.category, []).extend(service.domains)
    return names


def shows_page(client: Client) -> bool:
    try:
        return client.get(HOST).is_page
    except OSError:
        return False


def leaf_of(client: Client) -> x509.Certificate:
    with client.tls(HOST) as connection:
        return x509.load_der_x509_certificate(connection.certificate)


def keys_of(ca_dir: Path) -> list[object]:
    root = storage.read_root(ca_dir)
    return [root.public_key(), *(i.signer.key.public_key() for i in storage.read_intermediates(ca_dir, root))]


def test_the_leaf_has_a_key_of_its_own(gateway: Gate, client: Client) -> None:
    """mitmproxy would sign with the CA's key and show it: what is on the wire is neither root's nor intermediate's."""
    leaf = leaf_of(client)
    assert leaf.public_key() not in keys_of(gateway.state_dir / "ca")
    assert [type(extension.value) for extension in leaf.extensions if "CRL" in type(extension.value).__name__] == []
    assert (leaf.not_valid_after_utc - leaf.not_valid_before_utc).days == 10


def test_a_renewal_is_taken_over_while_it_runs(gateway: Gate, client: Client) -> None:
    """Names given up lose their page; issued again, by another intermediate, they have one; the root is the same."""
    ca_dir, names = gateway.state_dir / "ca", names_of(gateway)
    before = leaf_of(client).issuer
    category = next(
        s.category for s in gateway.keeper.catalogue.services.values() if HostName("facebook.com") in s.domains
    )
    issuing.renew(ca_dir, {key: value for key, value in names.items() if key != category}, datetime.now(UTC))
    eventually(lambda: not shows_page(client))
    issuing.renew(ca_dir, names, datetime.now(UTC))
    eventually(lambda: shows_page(client))
    assert leaf_of(client).issuer != before
    gateway.process.check()


def test_a_ca_that_breaks_while_it_runs_goes_on(gateway: Gate, client: Client) -> None:
    """What was read stays in use, and the log says what is wrong."""
    path = gateway.state_dir / "ca" / "root.pem"
    whole = path.read_bytes()
    path.write_bytes(b"garbage")
    eventually(lambda: shows_page(client) and "is used as it was" in gateway.process.output)
    path.write_bytes(whole)
    assert shows_page(client)
