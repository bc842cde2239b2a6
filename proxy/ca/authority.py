"""The school's CA: made once, grown when the catalogue grows, and the contexts it answers with.

A root that clients trust signs intermediates; each is confined to at most 100 names of one category, so that a page
stays light and a new service is signed without touching the others. A name is covered while an intermediate for it
has a month left: ``update`` issues for whatever is not, which renews as well.
"""

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import batched
from pathlib import Path
from typing import Self

from cryptography import x509
from OpenSSL import SSL

from policies.index import HostIndex
from policies.names import HostName
from proxy.ca import storage
from proxy.ca.certificates import (
    Signer,
    certificate_pem,
    fingerprint,
    issue_intermediate,
    issue_leaf,
    issue_root,
    new_key,
)
from proxy.ca.contexts import server_context
from proxy.ca.errors import CaError
from proxy.ca.storage import Intermediate

type CategoryNames = Mapping[str, Sequence[HostName]]

NAMES_EACH = 100  # measured: 64 names make 2.5 KB and cost nothing, 500 make 17 KB and half a millisecond a page
RENEWED_BEFORE = timedelta(days=30)
LEAF_SHOWN_FOR = 0.9  # of its life; then a new one is made
LARGEST_CACHE = 1000  # contexts of 30 KB each


# Making and growing


def create(ca_dir: Path, names: CategoryNames, now: datetime) -> None:
    """Make root and intermediates in ``ca_dir``, whole or not at all. Raises CaExists where there is one."""
    root = issue_root(now)
    storage.write_new(ca_dir, root, dict(_issue(root, names, (), now)))


def update(ca_dir: Path, names: CategoryNames, now: datetime) -> tuple[str, ...]:
    """Issue intermediates for the names that lack one; the root and the others stay as they are.

    The root's key is read only if a name lacks. Returns the titles of what was issued.
    """
    with storage.locked(ca_dir):
        certificate = storage.read_root(ca_dir)
        _check_time(certificate, now)
        present = storage.read_intermediates(ca_dir, certificate)
        lacking = _lacking(names, present, now)
        if not lacking:
            return ()
        root = storage.read_root_signer(ca_dir)
        issued = dict(_issue(root, lacking, present, now))
        for title, signer in issued.items():
            storage.add_intermediate(ca_dir, title, signer)
        return tuple(issued)


def ensure(ca_dir: Path, names: CategoryNames, now: datetime) -> None:
    """What a start does: make the CA if there is none, else let it grow."""
    if storage.exists(ca_dir):
        update(ca_dir, names, now)
    else:
        create(ca_dir, names, now)


def _issue(
    root: Signer, names: CategoryNames, present: Sequence[Intermediate], now: datetime
) -> Iterator[tuple[str, Signer]]:
    taken = {intermediate.title for intermediate in present}
    for category, domains in names.items():
        number = 1
        for chunk in batched(_outermost(domains), NAMES_EACH, strict=False):
            while (title := f"{category}-{number}") in taken:
                number += 1
            taken.add(title)
            yield title, issue_intermediate(title, chunk, root, now)


def _outermost(names: Iterable[HostName]) -> list[HostName]:
    """Sorted, without those that lie below another: a permitted domain covers what is below it."""
    every = set(names)
    return sorted(name for name in every if not any(above in every for above in _above(name)))


def _above(name: HostName) -> Iterator[HostName]:
    rest: str = name
    while rest := rest.partition(".")[2]:
        yield HostName(rest)


def _lacking(names: CategoryNames, present: Sequence[Intermediate], now: datetime) -> dict[str, list[HostName]]:
    lasting = _by_name(i for i in present if i.certificate.not_valid_after_utc > now + RENEWED_BEFORE)
    lacking = {category: [n for n in domains if not lasting.find(n)] for category, domains in names.items()}
    return {category: domains for category, domains in lacking.items() if domains}


def _by_name(intermediates: Iterable[Intermediate]) -> HostIndex[Intermediate]:
    """Name -> the intermediate for it that lasts longest."""
    in_order = sorted(intermediates, key=lambda i: i.certificate.not_valid_after_utc)
    return HostIndex({name: intermediate for intermediate in in_order for name in intermediate.names})


def _check_time(root: x509.Certificate, now: datetime) -> None:
    if now < root.not_valid_before_utc:
        raise CaError(
            f"The clock says {now:%Y-%m-%d %H:%M}Z, which is before this CA was made "
            f"({root.not_valid_before_utc:%Y-%m-%d %H:%M}Z).",
            "Set the clock (`timedatectl`), then start again.",
        )
    if now >= root.not_valid_after_utc:
        raise CaError(
            f"The CA's root expired on {root.not_valid_after_utc:%Y-%m-%d}.",
            "Move its directory away, make a new one with `schoolgate ca init`, and give every device the new root.",
        )


# Answering


@dataclass(frozen=True, slots=True)
class _Answer:
    """A context, and the half-open time in which its leaf is good to show."""

    context: SSL.Context
    good_from: datetime
    good_until: datetime


class Authority:
    """Contexts for the hosts that the intermediates cover. One leaf key for all, never written anywhere.

    For one event loop: nothing here waits, and nothing is shared between threads.
    """

    def __init__(self, root: x509.Certificate, intermediates: Iterable[Intermediate]) -> None:
        self._root = root
        self._intermediates = tuple(intermediates)
        self._by_name = _by_name(self._intermediates)
        self._leaf_key = new_key()
        self._answers: OrderedDict[HostName, _Answer] = OrderedDict()

    @classmethod
    def open(cls, ca_dir: Path, now: datetime) -> Self:
        """Read root certificate and intermediates; the root's key is not looked at. Raises CaError."""
        root = storage.read_root(ca_dir)
        _check_time(root, now)
        intermediates = storage.read_intermediates(ca_dir, root)
        valid = [intermediate for intermediate in intermediates if _is_valid(intermediate, now)]
        if not valid:
            raise CaError(
                f"{ca_dir}: no intermediate of this CA is valid at {now:%Y-%m-%d %H:%M}Z.",
                "With root.key in its place, `schoolgate run` issues new ones when it starts.",
            )
        return cls(root, valid)

    @property
    def expires_at(self) -> datetime:
        """When the first name loses its page, unless something is issued before."""
        in_use = {
            id(found[1]): found[1] for i in self._intermediates for n in i.names if (found := self._by_name.find(n))
        }
        ends = [intermediate.certificate.not_valid_after_utc for intermediate in in_use.values()]
        return min([self._root.not_valid_after_utc, *ends])

    def context_for(self, host: HostName, now: datetime) -> SSL.Context | None:
        """A server context for ``host``, cached; None where no valid intermediate covers the name."""
        answer = self._answers.get(host)
        if answer is not None and answer.good_from <= now < answer.good_until:
            self._answers.move_to_end(host)
            return answer.context
        fresh = self._answer(host, now)
        if fresh is None:
            return None
        self._answers[host] = fresh
        self._answers.move_to_end(host)
        if len(self._answers) > LARGEST_CACHE:
            self._answers.popitem(last=False)
        return fresh.context

    def _answer(self, host: HostName, now: datetime) -> _Answer | None:
        found = self._by_name.find(host)
        if found is None or not _is_valid(found[1], now):
            return None
        signer = found[1].signer
        leaf = issue_leaf(host, self._leaf_key.public_key(), signer, now)
        context = server_context(leaf, self._leaf_key, signer.certificate)
        return _Answer(context, leaf.not_valid_before_utc, now + (leaf.not_valid_after_utc - now) * LEAF_SHOWN_FOR)


def _is_valid(intermediate: Intermediate, now: datetime) -> bool:
    certificate = intermediate.certificate
    return certificate.not_valid_before_utc <= now < certificate.not_valid_after_utc


# Telling


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
    """``lacking``: names that the policy refuses and no lasting intermediate covers."""

    root: CertificateStatus
    root_key_present: bool
    intermediates: tuple[CertificateStatus, ...]
    lacking: tuple[HostName, ...]
    expires_at: datetime


def status(ca_dir: Path, names: CategoryNames, now: datetime) -> CaStatus:
    """The CA as it stands, expired or not. Raises CaError where it cannot be read."""
    root = storage.read_root(ca_dir)
    intermediates = storage.read_intermediates(ca_dir, root)
    lacking = _lacking(names, intermediates, now)
    return CaStatus(
        root=_describe(root),
        root_key_present=(ca_dir / storage.ROOT_KEY).exists(),
        intermediates=tuple(_describe(i.certificate, i.names) for i in intermediates),
        lacking=tuple(sorted(name for domains in lacking.values() for name in domains)),
        expires_at=Authority(root, intermediates).expires_at,
    )


def root_certificate(ca_dir: Path) -> bytes:
    """The root's certificate, PEM: what devices are given."""
    return certificate_pem(storage.read_root(ca_dir))


def _describe(certificate: x509.Certificate, names: tuple[HostName, ...] = ()) -> CertificateStatus:
    return CertificateStatus(
        subject=certificate.subject.rfc4514_string(),
        fingerprint=fingerprint(certificate),
        valid_from=certificate.not_valid_before_utc,
        expires_at=certificate.not_valid_after_utc,
        names=names,
    )
