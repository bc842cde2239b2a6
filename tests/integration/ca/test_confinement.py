"""The CA can speak for the names of the catalogue and for nothing else: clients see to that themselves.

Every forgery is shown to work under an intermediate that says less, so that it is ours that stops it.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from policies.names import HostName
from proxy.ca.certificates import Signer, issue_leaf, new_key
from tests.integration.ca.rogues import CLIENT, CODE, EMAIL, Rogue, address, ca, dns, mail, naive_ca, sign, verify
from tests.needs import require

PERMITTED = ("facebook.com", "m.facebook.com", "a.b.c.fb.com", "xn--bcher-kva.example", "www.my_site.example")

OTHER_NAMES = (
    Rogue("another name", dns("example.org")),
    Rogue("a name beside a permitted one", dns("facebook.com", "example.org")),
    Rogue("a name that ends alike", dns("notfacebook.com")),
    Rogue("a name that begins alike", dns("facebook.com.evil.example")),
    Rogue("everything in com", dns("*.com")),
    Rogue("a name in the subject only", common_name="example.org"),
)
OTHER_KINDS = (
    Rogue("an IPv4 address", address("192.0.2.1")),
    Rogue("an IPv6 address", address("2001:db8::1")),
    Rogue("an address beside a permitted name", [*dns("facebook.com"), *address("192.0.2.1")]),
    Rogue("e-mail", mail("head@school.example"), usage=EMAIL, check=("-purpose", "smimesign")),
    Rogue("e-mail, whatever it is for", mail("head@school.example"), usage=EMAIL, check=("-purpose", "any")),
    Rogue("e-mail in the subject", mailbox="head@school.example", usage=EMAIL, check=("-purpose", "any")),
    Rogue("e-mail at a permitted name", mail("head@facebook.com"), usage=EMAIL, check=("-purpose", "any")),
    Rogue("signing mail under a permitted name", dns("facebook.com"), usage=EMAIL, check=("-purpose", "smimesign")),
    Rogue("being a client", dns("facebook.com"), usage=CLIENT, check=("-purpose", "sslclient")),
)


def title(rogue: Rogue) -> str:
    return rogue.title


@pytest.fixture(autouse=True)
def _openssl() -> None:
    require("openssl")


@pytest.mark.parametrize("host", PERMITTED)
def test_what_is_refused_verifies(tmp_path: Path, root: x509.Certificate, intermediate: Signer, host: str) -> None:
    """A device with the root believes the page's certificate for every name of the catalogue."""
    leaf = issue_leaf(HostName(host), new_key().public_key(), intermediate, datetime.now(UTC))
    check = ("-x509_strict", "-purpose", "sslserver", "-verify_hostname", host)
    result = verify(tmp_path, root, [intermediate.certificate], leaf, check)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("rogue", OTHER_NAMES, ids=title)
def test_no_other_name(tmp_path: Path, root: x509.Certificate, intermediate: Signer, rogue: Rogue) -> None:
    """A bank's name, signed with the school's key, is believed by nobody."""
    check = (*rogue.check, "-verify_hostname", "example.org") if not rogue.names else rogue.check
    assert believed(tmp_path, *naive_ca(None), rogue, check)
    assert not believed(tmp_path, root, intermediate, rogue, check)


@pytest.mark.parametrize("rogue", OTHER_KINDS, ids=title)
def test_no_other_kind(tmp_path: Path, root: x509.Certificate, intermediate: Signer, rogue: Rogue) -> None:
    """Each of these verifies under an intermediate that permits DNS names and says no more."""
    assert believed(tmp_path, *naive_ca(["facebook.com"]), rogue, rogue.check)
    assert not believed(tmp_path, root, intermediate, rogue, rogue.check)


def believed(folder: Path, root: x509.Certificate, signer: Signer, rogue: Rogue, check: Sequence[str]) -> bool:
    result = verify(folder, root, [signer.certificate], sign(rogue, signer), check)
    return result.returncode == 0


def test_no_ca_below(tmp_path: Path, root: x509.Certificate, intermediate: Signer) -> None:
    """A CA signed by the intermediate signs nothing that anybody believes, not even for a permitted name."""
    check, rogue = ("-purpose", "sslserver"), Rogue("below", dns("facebook.com"))
    naive_root, naive = naive_ca(["facebook.com"])
    for trusted, signer, expected in ((naive_root, naive, True), (root, intermediate, False)):
        below = ca("a CA below", signer)
        chain = [below.certificate, signer.certificate]
        assert (verify(tmp_path, trusted, chain, sign(rogue, below), check).returncode == 0) is expected


def test_code_signing_is_not_in_the_chain(intermediate: Signer) -> None:
    """Who verifies signed programs takes the purposes of the whole chain together; ours has one."""
    usage = intermediate.certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert CODE not in usage


def test_a_second_verifier_agrees(root: x509.Certificate, intermediate: Signer) -> None:
    """The one that is written in Rust for the web's own rules, too."""
    verifier = PolicyBuilder().store(Store([root])).build_server_verifier
    good = issue_leaf(HostName("m.facebook.com"), new_key().public_key(), intermediate, datetime.now(UTC))
    assert len(verifier(x509.DNSName("m.facebook.com")).verify(good, [intermediate.certificate])) == 3
    bad = issue_leaf(HostName("example.org"), new_key().public_key(), intermediate, datetime.now(UTC))
    with pytest.raises(VerificationError):
        verifier(x509.DNSName("example.org")).verify(bad, [intermediate.certificate])
