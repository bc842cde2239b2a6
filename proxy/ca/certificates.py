"""The three kinds of certificate, as values: root, intermediate, leaf. No files, no clock.

The law: whatever an intermediate's key signs, only a TLS server certificate for one of its names verifies. Clients
enforce that themselves, by what stands in the intermediate (RFC 5280, 4.2.1.10): DNS names permitted one by one, every
address excluded, e-mail confined to a name that cannot exist (RFC 2606), server authentication only, no CA below it.
Left open, each of these verified in OpenSSL under DNS constraints alone.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_network

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from policies.names import HostName
from policies.shared_infrastructure import is_shared_infrastructure
from proxy.ca.errors import CaError

CURVE = ec.SECP256R1()
BACKDATED = timedelta(hours=1)  # a client's clock may be a little behind
ROOT_LIFE = timedelta(days=3652)  # ten years
INTERMEDIATE_LIFE = timedelta(days=730)
LEAF_LIFE = timedelta(days=10)

ORGANISATION = "schoolgate"
NO_ADDRESS = tuple(x509.IPAddress(ip_network(everywhere)) for everywhere in ("0.0.0.0/0", "::/0"))
NO_EMAIL = x509.RFC822Name("invalid")
SERVER_ONLY = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
SIGNS_CERTIFICATES = x509.KeyUsage(
    key_cert_sign=True,
    digital_signature=False,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    crl_sign=False,
    encipher_only=False,
    decipher_only=False,
)
SIGNS_HANDSHAKES = x509.KeyUsage(
    digital_signature=True,
    key_cert_sign=False,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    crl_sign=False,
    encipher_only=False,
    decipher_only=False,
)


@dataclass(frozen=True, slots=True)
class Signer:
    """A CA certificate and its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey


def new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(CURVE)


def issue_root(now: datetime) -> Signer:
    """A new root. Its name carries a random part, so that two roots are never mistaken for each other."""
    key = new_key()
    name = _name(f"schoolgate root {_mark()}")
    builder = _builder(name, name, key.public_key(), now, now + ROOT_LIFE)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=1), critical=True)
    builder = builder.add_extension(SIGNS_CERTIFICATES, critical=True)
    return Signer(builder.sign(key, hashes.SHA256()), key)


def issue_intermediate(title: str, names: Sequence[HostName], root: Signer, now: datetime) -> Signer:
    """A new intermediate that clients confine to ``names`` and what lies below them.

    Raises CaError for a name that is nobody's own: whoever stole the key could speak for half the web.
    """
    for name in filter(is_shared_infrastructure, names):
        raise CaError(
            f"{name}: the CA signs for no top-level domain, and for none that many sites share.",
            "Name the hosts below it that are meant; as `host_name` the gateway's full name, as gate.school.example.",
        )
    key = new_key()
    ends_at = min(now + INTERMEDIATE_LIFE, root.certificate.not_valid_after_utc)
    subject = _name(f"schoolgate {title} {_mark()}")
    builder = _builder(subject, root.certificate.subject, key.public_key(), now, ends_at)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(SIGNS_CERTIFICATES, critical=True)
    builder = builder.add_extension(SERVER_ONLY, critical=False)
    builder = builder.add_extension(_confined_to(names), critical=True)
    return Signer(_under(builder, root), key)


def issue_leaf(host: HostName, key: ec.EllipticCurvePublicKey, signer: Signer, now: datetime) -> x509.Certificate:
    """A server certificate for one host: its only name, with nothing in the subject that could be taken for one."""
    ends_at = min(now + LEAF_LIFE, signer.certificate.not_valid_after_utc)
    builder = _builder(_name(), signer.certificate.subject, key, now, ends_at)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(SIGNS_HANDSHAKES, critical=True)
    builder = builder.add_extension(SERVER_ONLY, critical=False)
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
    return _under(builder, signer)


def permitted_names(certificate: x509.Certificate) -> tuple[HostName, ...]:
    """The names that an intermediate is confined to: its certificate is the only place where they are kept."""
    try:
        constraints = certificate.extensions.get_extension_for_class(x509.NameConstraints).value
    except x509.ExtensionNotFound:
        return ()
    permitted = constraints.permitted_subtrees or ()
    return tuple(HostName(subtree.value) for subtree in permitted if isinstance(subtree, x509.DNSName))


def certificate_pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def certificate_der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.DER)


def key_pem(key: ec.EllipticCurvePrivateKey, passphrase: str | None = None) -> bytes:
    """PKCS#8; with a passphrase encrypted (PBES2: PBKDF2 with SHA-256, AES-256), as every OpenSSL reads it."""
    encryption = (
        serialization.BestAvailableEncryption(passphrase.encode()) if passphrase else serialization.NoEncryption()
    )
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)


def fingerprint(certificate: x509.Certificate) -> str:
    """SHA-256, as browsers and ``openssl x509 -fingerprint`` write it."""
    return certificate.fingerprint(hashes.SHA256()).hex(":").upper()


def _confined_to(names: Sequence[HostName]) -> x509.NameConstraints:
    permitted = [x509.DNSName(name) for name in names]
    return x509.NameConstraints(permitted_subtrees=[*permitted, NO_EMAIL], excluded_subtrees=NO_ADDRESS)


def _mark() -> str:
    """Tells apart what would bear the same name: clients remember issuers by it."""
    return secrets.token_hex(4)


def _name(common_name: str | None = None) -> x509.Name:
    attributes = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, ORGANISATION)]
    if common_name:
        attributes.append(x509.NameAttribute(NameOID.COMMON_NAME, common_name))
    return x509.Name(attributes)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, now: datetime, ends_at: datetime
) -> x509.CertificateBuilder:
    return x509.CertificateBuilder(
        subject_name=subject,
        issuer_name=issuer,
        public_key=key,
        serial_number=x509.random_serial_number(),
        not_valid_before=now - BACKDATED,
        not_valid_after=ends_at,
    ).add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)


def _under(builder: x509.CertificateBuilder, signer: Signer) -> x509.Certificate:
    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.key.public_key())
    return builder.add_extension(issuer, critical=False).sign(signer.key, hashes.SHA256())
