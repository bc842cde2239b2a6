"""The CA as it stands, for a technician: what it is, how long it lasts, what it lacks. Telling is not using."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from pathlib import Path

from cryptography import x509

from policies.names import HostName
from proxy.ca import findings, root_key, storage
from proxy.ca.certificates import certificate_pem, fingerprint
from proxy.ca.findings import Finding
from proxy.ca.issuing import CategoryNames, by_name, lasts, uncovered
from proxy.ca.root_key import RootKey
from proxy.ca.storage import Intermediate


@dataclass(frozen=True, slots=True)
class CertificateStatus:
    """What a technician compares: whose, which, until when, for what."""

    subject: str
    fingerprint: str
    valid_from: datetime
    expires_at: datetime
    names: tuple[HostName, ...] = ()


@dataclass(frozen=True, slots=True)
class CaStatus:
    """``lacking``: names that the policy refuses and no valid intermediate covers."""

    root: CertificateStatus
    root_key: RootKey
    intermediates: tuple[CertificateStatus, ...]
    lacking: tuple[HostName, ...]
    expires_at: datetime
    findings: tuple[Finding, ...]


def status(ca_dir: Path, names: CategoryNames, now: datetime) -> CaStatus:
    """The CA as it stands, expired or not. Raises CaError where it cannot be read."""
    root, key = storage.read_root(ca_dir), root_key.look(ca_dir)
    intermediates = storage.read_intermediates(ca_dir, root)
    wanted = frozenset(chain.from_iterable(names.values()))
    ends_at = _expiry(root, intermediates, wanted)
    without = uncovered(names, [i for i in intermediates if lasts(i.certificate, now)])
    lacking = tuple(sorted(chain.from_iterable(without.values())))
    surplus = {name for i in intermediates for name in i.names} - wanted
    renewal = f"schoolgate ca renew{'' if key.present else ' --root-key FILE'}"
    return CaStatus(
        root=_describe(root),
        root_key=key,
        intermediates=tuple(_describe(i.certificate, i.names) for i in intermediates),
        lacking=lacking,
        expires_at=ends_at,
        findings=(
            *findings.of_time(root, ends_at, now, renewal),
            *findings.of_names(len(lacking), len(surplus), renewal),
            *findings.of_key(ca_dir),
        ),
    )


def expires_at(ca_dir: Path) -> datetime:
    """When the first name loses its page, unless something is issued before. Raises CaError."""
    root = storage.read_root(ca_dir)
    intermediates = storage.read_intermediates(ca_dir, root)
    return _expiry(root, intermediates, [name for i in intermediates for name in i.names])


def root_certificate(ca_dir: Path) -> bytes:
    """The root's certificate, PEM: what devices are given."""
    return certificate_pem(storage.read_root(ca_dir))


def _expiry(root: x509.Certificate, intermediates: Sequence[Intermediate], names: Collection[HostName]) -> datetime:
    """The end of the first certificate that a name rests on: one that another outlasts does not count."""
    covering = by_name(intermediates)
    in_use = {found[1].title: found[1].certificate for name in names if (found := covering.find(name))}
    return min([root.not_valid_after_utc, *(certificate.not_valid_after_utc for certificate in in_use.values())])


def _describe(certificate: x509.Certificate, names: tuple[HostName, ...] = ()) -> CertificateStatus:
    return CertificateStatus(
        subject=certificate.subject.rfc4514_string(),
        fingerprint=fingerprint(certificate),
        valid_from=certificate.not_valid_before_utc,
        expires_at=certificate.not_valid_after_utc,
        names=names,
    )
