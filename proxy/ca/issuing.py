"""Making the school's CA, and keeping it in step with policy and catalogue.

A root that clients trust signs intermediates; each is confined to at most 100 names of one category, so that a page
stays light and a new service is signed without touching the others. ``renew`` issues for the names that no lasting
intermediate covers, or only one that permits more than is refused today, then takes away what nothing needs any more.
The root, and with it every device, stays as it is.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import batched, chain
from pathlib import Path

from cryptography import x509

from policies.index import HostIndex
from policies.names import HostName
from proxy.ca import root_key, storage
from proxy.ca.certificates import Signer, certificate_pem, issue_intermediate, issue_root, key_pem
from proxy.ca.errors import CaError
from proxy.ca.passphrase import check_passphrase, new_passphrase
from proxy.ca.storage import Intermediate

type CategoryNames = Mapping[str, Sequence[HostName]]

NAMES_EACH = 100  # measured: 64 names make 2.5 KB and cost nothing, 500 make 17 KB and half a millisecond a page


@dataclass(frozen=True, slots=True)
class Terms:
    """When an intermediate will not do any more: with less than ``ahead`` left, or a name that is not refused now."""

    ahead: timedelta
    exact: bool

    def allow(self, intermediate: Intermediate, wanted: frozenset[HostName], now: datetime) -> bool:
        return lasts(intermediate.certificate, now + self.ahead) and (
            not self.exact or wanted.issuperset(intermediate.names)
        )


AT_A_START = Terms(timedelta(days=30), exact=False)  # as little as must be: the key may be in a safe
ONCE_A_YEAR = Terms(timedelta(days=400), exact=True)  # a few weeks late is no harm


@dataclass(frozen=True, slots=True)
class Issue:
    """An intermediate to issue: its title, and the names it is confined to."""

    title: str
    names: tuple[HostName, ...]


@dataclass(frozen=True, slots=True)
class Renewal:
    """What was done, or is to be done: ``removed`` are the titles of what nothing needs any more."""

    issued: tuple[Issue, ...]
    removed: tuple[str, ...]


# Making


def create(ca_dir: Path, names: CategoryNames, now: datetime, passphrase: str | None = None) -> None:
    """Make root and intermediates in ``ca_dir``, whole or not at all. Raises CaExists where there is one.

    The root's key is encrypted. Without a ``passphrase`` of somebody who keeps it, a new one is left beside the key,
    for ``schoolgate ca passphrase`` to take away.
    """
    root, files = issue_root(now), dict[str, bytes]()
    if passphrase is None:
        passphrase = new_passphrase()
        files[storage.ROOT_PASSPHRASE] = f"{passphrase}\n".encode()
    check_passphrase(passphrase)
    files[storage.ROOT_CERTIFICATE] = certificate_pem(root.certificate)
    files[storage.ROOT_KEY] = key_pem(root.key, passphrase)
    storage.write_new(ca_dir, files, _signed(_planned(names, ()), root, now))


def ensure(ca_dir: Path, names: CategoryNames, now: datetime, passphrase: str | None = None) -> bool:
    """What a start does: make the CA if there is none, else renew it if that needs nobody. Whether it was made."""
    if not storage.exists(ca_dir):
        create(ca_dir, names, now, passphrase)
        return True
    to_do = plan(ca_dir, names, now, AT_A_START)
    if not to_do.issued or root_key.look(ca_dir).is_usable_by_itself:
        renew(ca_dir, names, now, terms=AT_A_START)
        return False
    without = [name for issue in to_do.issued for name in issue.names]
    raise CaError(
        f"No lasting intermediate covers {_some(without)}: no page there, or soon none.",
        "Issue what lacks: `schoolgate ca renew`.",
    )


def _some(names: Sequence[HostName]) -> str:
    return names[0] if len(names) == 1 else f"{len(names)} names ({names[0]} is one)"


# Renewing


def plan(ca_dir: Path, names: CategoryNames, now: datetime, terms: Terms = ONCE_A_YEAR) -> Renewal:
    """What ``renew`` would do. Raises CaError where the CA cannot be read, or the time is not the root's."""
    root = storage.read_root(ca_dir)
    check_time(root, now)
    return _plan(names, storage.read_intermediates(ca_dir, root), now, terms)


def renew(  # noqa: PLR0913 -- the CA, what it is to cover, and where its key is
    ca_dir: Path,
    names: CategoryNames,
    now: datetime,
    *,
    terms: Terms = ONCE_A_YEAR,
    key_file: Path | None = None,
    passphrase: str | None = None,
) -> Renewal:
    """Issue intermediates for the names that lack one by these terms, then remove those that nothing needs.

    The root's key is looked at only if there is something to sign. Raises CaError, then nothing is changed.
    """
    with storage.locked(ca_dir):
        certificate = storage.read_root(ca_dir)
        check_time(certificate, now)
        to_do = _plan(names, storage.read_intermediates(ca_dir, certificate), now, terms)
        added: Mapping[str, Signer] = {}
        if to_do.issued:
            root = root_key.read_signer(ca_dir, certificate, key_file, passphrase)
            added = _signed(to_do.issued, root, now)
        if added or to_do.removed:
            storage.change_intermediates(ca_dir, added, to_do.removed)
        return to_do


def _plan(names: CategoryNames, present: Sequence[Intermediate], now: datetime, terms: Terms) -> Renewal:
    wanted = frozenset(chain.from_iterable(names.values()))
    kept = [i for i in present if terms.allow(i, wanted, now)]
    issued = tuple(_planned(uncovered(names, kept), present))
    covering = by_name(kept)
    needed = {found[1].title for name in wanted if (found := covering.find(name))}
    return Renewal(issued, tuple(i.title for i in present if i.title not in needed))


def uncovered(names: CategoryNames, covered_by: Iterable[Intermediate]) -> dict[str, list[HostName]]:
    """Category -> names that none of the intermediates covers."""
    covering = by_name(covered_by)
    found = {category: [n for n in domains if not covering.find(n)] for category, domains in names.items()}
    return {category: domains for category, domains in found.items() if domains}


def by_name(intermediates: Iterable[Intermediate]) -> HostIndex[Intermediate]:
    """Name -> the intermediate for it that lasts longest."""
    in_order = sorted(intermediates, key=lambda i: i.certificate.not_valid_after_utc)
    return HostIndex({name: intermediate for intermediate in in_order for name in intermediate.names})


def lasts(certificate: x509.Certificate, until: datetime) -> bool:
    return certificate.not_valid_after_utc > until


def _planned(names: CategoryNames, present: Sequence[Intermediate]) -> Iterator[Issue]:
    taken = {intermediate.title for intermediate in present}
    for category, domains in names.items():
        number = 1
        for chunk in batched(_outermost(domains), NAMES_EACH, strict=False):
            while (title := f"{category}-{number}") in taken:
                number += 1
            taken.add(title)
            yield Issue(title, chunk)


def _outermost(names: Iterable[HostName]) -> list[HostName]:
    """Sorted, without those that lie below another: a permitted domain covers what is below it."""
    every = set(names)
    return sorted(name for name in every if not any(above in every for above in _above(name)))


def _above(name: HostName) -> Iterator[HostName]:
    rest: str = name
    while rest := rest.partition(".")[2]:
        yield HostName(rest)


def _signed(issues: Iterable[Issue], root: Signer, now: datetime) -> dict[str, Signer]:
    return {issue.title: issue_intermediate(issue.title, issue.names, root, now) for issue in issues}


def check_time(root: x509.Certificate, now: datetime) -> None:
    """Raises CaError outside the root's own time."""
    if now < root.not_valid_before_utc:
        raise CaError(
            f"The clock says {now:%Y-%m-%d %H:%M}Z, which is before this CA was made "
            f"({root.not_valid_before_utc:%Y-%m-%d %H:%M}Z).",
            "Set the clock (`timedatectl`); pages are shown again once it is right.",
        )
    if now >= root.not_valid_after_utc:
        raise CaError(
            f"The CA's root expired on {root.not_valid_after_utc:%Y-%m-%d}.",
            "Move its directory away, make a new one with `schoolgate ca init`, and give every device the new root.",
        )
