"""What somebody with an intermediate's key might sign, and how a client judges it: with the real ``openssl verify``."""

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from proxy.ca.certificates import Signer, certificate_pem, new_key

NOW = datetime.now(UTC)
SERVER, CLIENT, EMAIL, CODE = (
    ExtendedKeyUsageOID.SERVER_AUTH,
    ExtendedKeyUsageOID.CLIENT_AUTH,
    ExtendedKeyUsageOID.EMAIL_PROTECTION,
    ExtendedKeyUsageOID.CODE_SIGNING,
)


def dns(*names: str) -> list[x509.GeneralName]:
    return [x509.DNSName(name) for name in names]


def address(text: str) -> list[x509.GeneralName]:
    return [x509.IPAddress(ip_address(text))]


def mail(text: str) -> list[x509.GeneralName]:
    return [x509.RFC822Name(text)]


@dataclass(frozen=True)
class Rogue:
    """A certificate to sign, and what a client that believed it would be told."""

    title: str
    names: Sequence[x509.GeneralName] = ()
    common_name: str = "rogue"
    mailbox: str | None = None
    usage: x509.ObjectIdentifier = SERVER
    check: Sequence[str] = ("-purpose", "sslserver")


def sign(rogue: Rogue, signer: Signer, key: ec.EllipticCurvePublicKey | None = None) -> x509.Certificate:
    """The rogue's certificate; for a key that nobody has, unless one is given."""
    subject = [x509.NameAttribute(NameOID.COMMON_NAME, rogue.common_name)]
    if rogue.mailbox:
        subject.append(x509.NameAttribute(NameOID.EMAIL_ADDRESS, rogue.mailbox))
    builder = _builder(x509.Name(subject), signer.certificate.subject, key or new_key().public_key())
    builder = builder.add_extension(x509.ExtendedKeyUsage([rogue.usage]), critical=False)
    if rogue.names:
        builder = builder.add_extension(x509.SubjectAlternativeName(rogue.names), critical=False)
    return builder.sign(signer.key, hashes.SHA256())


def naive_ca(permitted: Sequence[str] | None) -> tuple[x509.Certificate, Signer]:
    """A root and an intermediate as one would make them first: DNS names permitted (None: any), and no more said."""
    constraints = x509.NameConstraints([x509.DNSName(n) for n in permitted], None) if permitted is not None else None
    root = ca("a naive root")
    return root.certificate, ca("a naive intermediate", root, constraints)


def ca(title: str, signer: Signer | None = None, said: x509.ExtensionType | None = None) -> Signer:
    """A CA that says no more of itself than it must, and ``said``; its own signer where none is given."""
    key = new_key()
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, title)])
    issuer = signer.certificate.subject if signer else subject
    builder = _builder(subject, issuer, key.public_key())
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    if said:
        builder = builder.add_extension(said, critical=True)
    return Signer(builder.sign(signer.key if signer else key, hashes.SHA256()), key)


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - timedelta(hours=1))
        .not_valid_after(NOW + timedelta(days=5))
    )


def verify(
    folder: Path,
    root: x509.Certificate,
    chain: Sequence[x509.Certificate],
    leaf: x509.Certificate,
    check: Sequence[str],
) -> subprocess.CompletedProcess[str]:
    """``openssl verify`` as a client with ``root`` would see ``leaf``."""
    for name, certificates in {"root": [root], "chain": chain, "leaf": [leaf]}.items():
        (folder / f"{name}.pem").write_bytes(b"".join(map(certificate_pem, certificates)))
    command = ["openssl", "verify", "-CAfile", "root.pem", "-untrusted", "chain.pem", *check]
    return subprocess.run([*command, "leaf.pem"], cwd=folder, capture_output=True, text=True, timeout=30, check=False)
