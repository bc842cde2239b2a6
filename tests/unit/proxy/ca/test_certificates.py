"""What stands in the certificates: the wording that clients enforce."""

from datetime import UTC, datetime, timedelta
from ipaddress import ip_network

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from policies.names import HostName
from proxy.ca.certificates import Signer, issue_intermediate, issue_leaf, issue_root, new_key, permitted_names

NOW = datetime(2026, 9, 7, 8, 30, tzinfo=UTC)
NAMES = (HostName("facebook.com"), HostName("fbcdn.net"))
LEAF_KEY = new_key()


@pytest.fixture(scope="module")
def root() -> Signer:
    return issue_root(NOW)


@pytest.fixture(scope="module")
def intermediate(root: Signer) -> Signer:
    return issue_intermediate("social-network-1", NAMES, root, NOW)


@pytest.fixture(scope="module")
def leaf(intermediate: Signer) -> x509.Certificate:
    return issue_leaf(HostName("www.facebook.com"), LEAF_KEY.public_key(), intermediate, NOW)


def extension[T: x509.ExtensionType](certificate: x509.Certificate, kind: type[T]) -> tuple[T, bool]:
    found = certificate.extensions.get_extension_for_class(kind)
    return found.value, found.critical


def test_root_signs_intermediates_only(root: Signer) -> None:
    """The root is a CA with one level below it, for ten years, with a key on P-256."""
    assert extension(root.certificate, x509.BasicConstraints) == (x509.BasicConstraints(True, 1), True)  # noqa: FBT003 -- ca
    usage, critical = extension(root.certificate, x509.KeyUsage)
    assert critical
    assert usage.key_cert_sign
    assert not usage.digital_signature
    assert root.certificate.not_valid_after_utc == NOW + timedelta(days=3652)
    assert isinstance(root.key.curve, ec.SECP256R1)


def test_two_roots_have_two_names() -> None:
    """A root made anew is never taken for the old one in a device's list."""
    assert issue_root(NOW).certificate.subject != issue_root(NOW).certificate.subject


def test_intermediate_is_confined(intermediate: Signer) -> None:
    """Its names alone, no address, no usable e-mail; critical, so that a client that knows none of it refuses."""
    constraints, critical = extension(intermediate.certificate, x509.NameConstraints)
    assert critical
    assert set(constraints.permitted_subtrees or ()) == {*map(x509.DNSName, NAMES), x509.RFC822Name("invalid")}
    everywhere = {x509.IPAddress(ip_network("0.0.0.0/0")), x509.IPAddress(ip_network("::/0"))}
    assert set(constraints.excluded_subtrees or ()) == everywhere


def test_intermediate_makes_servers_and_nothing_else(intermediate: Signer) -> None:
    """No CA below it, server authentication only, two years."""
    certificate = intermediate.certificate
    assert extension(certificate, x509.BasicConstraints) == (x509.BasicConstraints(True, 0), True)  # noqa: FBT003 -- ca
    assert list(extension(certificate, x509.ExtendedKeyUsage)[0]) == [ExtendedKeyUsageOID.SERVER_AUTH]
    assert certificate.not_valid_after_utc == NOW + timedelta(days=730)


def test_intermediate_tells_its_names(intermediate: Signer) -> None:
    """What an intermediate covers is read from the certificate itself."""
    assert permitted_names(intermediate.certificate) == NAMES


def test_a_certificate_without_constraints_covers_nothing(root: Signer) -> None:
    """Where no name is permitted one by one, none is answered for."""
    assert permitted_names(root.certificate) == ()


def test_no_intermediate_outlives_its_root(root: Signer) -> None:
    """One that is issued in the root's last year ends with the root."""
    late = issue_intermediate("forum-2", NAMES, root, NOW + timedelta(days=3600))
    assert late.certificate.not_valid_after_utc == root.certificate.not_valid_after_utc


def test_leaf_has_one_name_and_it_is_the_host(leaf: x509.Certificate) -> None:
    """The host is the only alternative name, and nothing in the subject could pass for a name."""
    assert list(extension(leaf, x509.SubjectAlternativeName)[0]) == [x509.DNSName("www.facebook.com")]
    assert leaf.subject.rfc4514_string() == "O=schoolgate"


def test_leaf_lives_ten_days_and_began_an_hour_ago(leaf: x509.Certificate) -> None:
    """Short enough to need no revocation list, early enough for a clock a little behind."""
    assert leaf.not_valid_before_utc == NOW - timedelta(hours=1)
    assert leaf.not_valid_after_utc == NOW + timedelta(days=10)
    with pytest.raises(x509.ExtensionNotFound):
        leaf.extensions.get_extension_for_class(x509.CRLDistributionPoints)


def test_leaf_key_is_not_a_key_of_the_ca(leaf: x509.Certificate, intermediate: Signer) -> None:
    """Whoever gets the key of a leaf has no key of the CA."""
    assert leaf.public_key() == LEAF_KEY.public_key()
    assert leaf.public_key() != intermediate.key.public_key()
    assert extension(leaf, x509.BasicConstraints) == (x509.BasicConstraints(False, None), True)  # noqa: FBT003 -- ca
