"""The root as a file for each kind of device."""

import json
import plistlib
from pathlib import Path

import pytest
from cryptography import x509

from proxy.ca.files import contents, root_name
from proxy.ca.platforms import BY_PLATFORM, GUIDES
from proxy.ca.storage import read_root
from proxy.cli.handing_out import Platform

DOCS = Path(__file__).parents[4] / "docs"


@pytest.fixture
def root(ca_dir: Path) -> x509.Certificate:
    return read_root(ca_dir)


@pytest.mark.parametrize("file", ["root.pem", "root.crt", "root"])
def test_pem_is_what_it_is_without_a_reason(root: x509.Certificate, file: str) -> None:
    """One certificate, and no key."""
    data = contents(file, root)
    assert x509.load_pem_x509_certificates(data) == [root]
    assert b"KEY" not in data


@pytest.mark.parametrize("file", ["root.cer", "root.der", "root.CER"])
def test_windows_takes_der(root: x509.Certificate, file: str) -> None:
    """The same certificate, without the armour."""
    assert x509.load_der_x509_certificate(contents(file, root)) == root


def test_apple_takes_a_profile(root: x509.Certificate) -> None:
    """One root certificate, named as the device will list it; the same for the same root, so that it updates itself."""
    profile = plistlib.loads(contents("x.mobileconfig", root))
    [payload] = profile["PayloadContent"]
    assert payload["PayloadType"] == "com.apple.security.root"
    assert x509.load_der_x509_certificate(payload["PayloadContent"]) == root
    assert profile["PayloadType"] == "Configuration"
    assert profile["PayloadDisplayName"] == root_name(root)
    assert profile["PayloadUUID"] != payload["PayloadUUID"]
    assert contents("x.mobileconfig", root) == contents("y.mobileconfig", root)


def test_firefox_takes_a_policy(root: x509.Certificate) -> None:
    """It names the certificate's file, and trusts what the system trusts."""
    policies = json.loads(contents("policies.json", root))["policies"]
    assert policies == {"Certificates": {"ImportEnterpriseRoots": True, "Install": ["schoolgate-root.pem"]}}


def test_every_platform_has_a_guide() -> None:
    """The command offers what there is, and all of it."""
    assert {platform.value for platform in Platform} == set(BY_PLATFORM)


@pytest.mark.parametrize("guide", GUIDES, ids=lambda guide: guide.platform)
def test_a_guide_is_whole(guide) -> None:
    """Steps that name the file, what it honours, from where; the documentation names the same sources."""
    assert any("{file}" in step for step in guide.steps)
    assert all(step.format(file="F", name="N") for step in guide.steps)
    assert guide.honours
    page = " ".join((DOCS / "ca.md").read_text().split())
    assert [source for source in guide.sources if source not in page] == []
