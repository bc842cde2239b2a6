"""The table: what somebody with an intermediate's key might forge, and whether each client believes it.

Each forgery works on every client under a CA as one would make it first, so that it is ours that stops it.
"""

import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from playwright.sync_api import Browser
from playwright.sync_api import Error as BrowserError

from policies.names import HostName
from proxy.ca.certificates import Signer, certificate_pem, issue_intermediate, issue_leaf, issue_root, new_key
from tests.browser import launched
from tests.integration.ca.rogues import CLIENT, CODE, EMAIL, Rogue, address, ca, dns, mail, naive_ca, sign
from tests.integration.ca.servers import BODY, served
from tests.needs import require

NAMES = ("facebook.com", "m.facebook.com", "www.example.org", "notfacebook.com")


@dataclass(frozen=True)
class Case:
    """A server's certificate, and the name it is visited by."""

    title: str
    host: str
    names: Sequence[x509.GeneralName]
    below: bool = False  # signed by a CA that the intermediate signed
    usage: x509.ObjectIdentifier = Rogue("").usage


FORGERIES = (
    Case("another name", "www.example.org", dns("www.example.org")),
    Case("a name that ends alike", "notfacebook.com", dns("notfacebook.com")),
    Case("another name beside a refused one", "m.facebook.com", dns("m.facebook.com", "www.example.org")),
    Case("an address", "127.0.0.1", address("127.0.0.1")),
    Case("an address beside a refused name", "m.facebook.com", [*dns("m.facebook.com"), *address("192.0.2.1")]),
    Case("by a CA below", "m.facebook.com", dns("m.facebook.com"), below=True),
)
GENUINE = tuple(Case(f"the page of {name}", name, dns(name)) for name in ("facebook.com", "m.facebook.com"))


@dataclass(frozen=True)
class Chain:
    """What a server shows, and the root it leads to."""

    root: x509.Certificate
    certificates: Sequence[x509.Certificate]
    key: ec.EllipticCurvePrivateKey


def forged(case: Case, root: x509.Certificate, signer: Signer) -> Chain:
    key, chain = new_key(), [signer.certificate]
    if case.below:
        signer = ca("a CA below", signer)
        chain.insert(0, signer.certificate)
    leaf = sign(Rogue(case.title, case.names, usage=case.usage), signer, key.public_key())
    return Chain(root, [leaf, *chain], key)


# The clients: each says whether it believes


def openssl(folder: Path, chain: Chain, host: str) -> bool:
    _write(folder, chain)
    check = ("-verify_ip", host) if host[0].isdigit() else ("-verify_hostname", host)
    command = ["openssl", "verify", "-CAfile", "root.pem", "-untrusted", "chain.pem", "-purpose", "sslserver", *check]
    return (
        subprocess.run([*command, "leaf.pem"], cwd=folder, capture_output=True, timeout=30, check=False).returncode == 0
    )


def curl(folder: Path, chain: Chain, host: str) -> bool:
    _write(folder, chain)
    with served(folder, chain.certificates, chain.key) as port:
        command = ["curl", "-sS", "--noproxy", "*", "--cacert", "root.pem", "--resolve", f"{host}:{port}:127.0.0.1"]
        result = subprocess.run(
            [*command, f"https://{host}:{port}/"], cwd=folder, capture_output=True, timeout=30, check=False
        )
    assert result.returncode in (0, 60), result.stderr  # 60: the certificate could not be verified
    return result.stdout == BODY


def chromium(folder: Path, chain: Chain, host: str, browser: Browser) -> bool:
    with served(folder, chain.certificates, chain.key) as port, browser.new_page() as page:
        try:
            response = page.goto(f"https://{host}:{port}/")
        except BrowserError as error:
            assert "net::ERR_CERT_" in str(error)  # noqa: PT017 -- either outcome is told to the caller
            return False
    return response is not None and response.ok


def _write(folder: Path, chain: Chain) -> None:
    leaf, *rest = chain.certificates
    for name, certificates in {"root": [chain.root], "chain": rest, "leaf": [leaf]}.items():
        (folder / f"{name}.pem").write_bytes(b"".join(map(certificate_pem, certificates)))


type Client = Callable[[Path, Chain, str], bool]


@pytest.fixture(scope="module")
def naive() -> tuple[x509.Certificate, Signer]:
    return naive_ca(None)


@pytest.fixture(scope="module")
def expired() -> tuple[x509.Certificate, Signer]:
    """A CA of ours whose intermediate has ended: the leaf is young, as a clock that was set back would make it."""
    then = datetime.now(UTC) - timedelta(days=731)
    root = issue_root(then)
    return root.certificate, issue_intermediate("social-network-1", [HostName("facebook.com")], root, then)


@pytest.fixture(scope="module")
def browser(
    tmp_path_factory: pytest.TempPathFactory,
    naive: tuple[x509.Certificate, Signer],
    expired: tuple[x509.Certificate, Signer],
    root: x509.Certificate,
) -> Iterator[Browser]:
    """A Chromium that trusts all three roots, as a school's computer trusts one."""
    require("chromium", "certutil")
    folder = tmp_path_factory.mktemp("roots")
    for name, certificate in {"naive": naive[0], "expired": expired[0], "ours": root}.items():
        (folder / f"{name}.pem").write_bytes(certificate_pem(certificate))
    with launched(trust=sorted(folder.iterdir()), hosts=dict.fromkeys(NAMES, "127.0.0.1")) as browser:
        yield browser


@pytest.fixture(params=["openssl", "curl", "chromium"])
def client(request: pytest.FixtureRequest) -> Client:
    if request.param == "chromium":
        browser: Browser = request.getfixturevalue("browser")
        return lambda folder, chain, host: chromium(folder, chain, host, browser)
    require(request.param)
    return {"openssl": openssl, "curl": curl}[request.param]


def title(case: Case) -> str:
    return case.title


@pytest.mark.parametrize("case", GENUINE, ids=title)
def test_the_page_is_believed(tmp_path: Path, client: Client, root: x509.Certificate, intermediate: Signer, case: Case):
    """A device with the root shows the page without a warning."""
    key = new_key()
    leaf = issue_leaf(HostName(case.host), key.public_key(), intermediate, datetime.now(UTC))
    assert client(tmp_path, Chain(root, [leaf, intermediate.certificate], key), case.host)


@pytest.mark.parametrize("case", FORGERIES, ids=title)
def test_a_forgery_is_not(
    tmp_path: Path,
    client: Client,
    naive: tuple[x509.Certificate, Signer],
    root: x509.Certificate,
    intermediate: Signer,
    case: Case,
):
    """It is under a CA that says less."""
    assert client(tmp_path, forged(case, *naive), case.host)
    assert not client(tmp_path, forged(case, root, intermediate), case.host)


@pytest.mark.parametrize("usage", [CODE, EMAIL, CLIENT], ids=["code signing", "e-mail", "a client"])
def test_a_certificate_for_something_else_is_no_servers(
    tmp_path: Path, client: Client, root: x509.Certificate, intermediate: Signer, usage: x509.ObjectIdentifier
):
    """Whatever else is in it."""
    case = Case("something else", "facebook.com", dns("facebook.com"), usage=usage)
    assert not client(tmp_path, forged(case, root, intermediate), case.host)


def test_an_expired_intermediate_is_not_believed(
    tmp_path: Path, client: Client, expired: tuple[x509.Certificate, Signer]
):
    """However young the leaf: the gateway shows none, and here is why."""
    assert not client(tmp_path, forged(GENUINE[0], *expired), "facebook.com")


# Other purposes: NSS judges them for mail programs and signed objects


PURPOSES = {
    "code signing": ("J", Rogue("code", dns("facebook.com"), usage=CODE)),
    "e-mail": ("S", Rogue("mail", mail("head@school.example"), usage=EMAIL)),
    "e-mail at a refused name": ("S", Rogue("mail", mail("head@facebook.com"), usage=EMAIL)),
}


@pytest.mark.parametrize(("usage", "rogue"), PURPOSES.values(), ids=PURPOSES)
def test_another_purpose(tmp_path: Path, root: x509.Certificate, intermediate: Signer, usage: str, rogue: Rogue):
    """With the root trusted for everything, NSS believes it of a CA that is for it, and not of ours."""
    require("certutil")
    naive_root = ca("a naive root")
    willing = ca("a naive intermediate", naive_root, x509.ExtendedKeyUsage([rogue.usage]))
    assert nss(tmp_path / "naive", naive_root.certificate, willing, rogue, usage)
    assert not nss(tmp_path / "ours", root, intermediate, rogue, usage)


def test_the_same_judge_believes_the_page(tmp_path: Path, root: x509.Certificate, intermediate: Signer):
    """It is not that NSS believes nothing of ours."""
    require("certutil")
    assert nss(tmp_path / "ours", root, intermediate, Rogue("server", dns("facebook.com")), "V")


def nss(folder: Path, root: x509.Certificate, signer: Signer, rogue: Rogue, usage: str) -> bool:
    folder.mkdir()
    at = ("-d", f"sql:{folder}")
    subprocess.run(["certutil", "-N", *at, "--empty-password"], check=True, capture_output=True, timeout=30)
    shown = {"root": root, "intermediate": signer.certificate, "leaf": sign(rogue, signer)}
    for name, certificate in shown.items():
        add = ["certutil", "-A", *at, "-n", name, "-t", "CT,C,C" if name == "root" else ",,", "-a"]
        subprocess.run(add, input=certificate_pem(certificate), check=True, capture_output=True, timeout=30)
    judge = ["certutil", "-V", *at, "-n", "leaf", "-u", usage]
    return subprocess.run(judge, capture_output=True, timeout=30, check=False).returncode == 0
