"""The CA as the answerer has it: a context for each host that an intermediate covers, cached, and the leaf in it.

One leaf key for all, never written anywhere, and never a key of the CA. A renewal on the disk is taken over by whoever
answers next, without a restart.
"""

import logging
import os
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Self

from OpenSSL import SSL

from policies.names import HostName
from proxy.ca import storage
from proxy.ca.certificates import issue_leaf, new_key
from proxy.ca.contexts import server_context
from proxy.ca.errors import CaError
from proxy.ca.issuing import by_name, check_time
from proxy.ca.storage import Intermediate

logger = logging.getLogger(__name__)

LEAF_SHOWN_FOR = 0.9  # of its life; then a new one is made
LARGEST_CACHE = 1000  # contexts of 30 KB each
LOOKED_AT_EVERY = timedelta(seconds=1)
READ_EVERY = timedelta(hours=1)  # changed or not: certificates begin and end
TRIED_EVERY = timedelta(seconds=10)  # while there is none to use: a clock may be set, a disk mounted


@dataclass(frozen=True, slots=True)
class _Answer:
    """A context, and the half-open time in which its leaf is good to show."""

    context: SSL.Context
    good_from: datetime
    good_until: datetime


class Authority:
    """Contexts for the hosts that the intermediates cover.

    For one event loop: nothing here waits, and nothing is shared between threads.
    """

    def __init__(self, intermediates: Iterable[Intermediate], now: datetime) -> None:
        self._by_name = by_name(i for i in intermediates if _is_valid(i, now))
        self._leaf_key = new_key()
        self._answers: OrderedDict[HostName, _Answer] = OrderedDict()

    @classmethod
    def open(cls, ca_dir: Path, now: datetime) -> Self:
        """Read root certificate and intermediates; the root's key is not looked at. Raises CaError."""
        root = storage.read_root(ca_dir)
        check_time(root, now)
        authority = cls(storage.read_intermediates(ca_dir, root), now)
        if len(authority._by_name) == 0:
            raise CaError(
                f"{ca_dir}: no intermediate of this CA is valid at {now:%Y-%m-%d %H:%M}Z.",
                "Issue new ones: `schoolgate ca renew`.",
            )
        return authority

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


class CertificateSource:
    """The authority in a directory, whatever becomes of it: renewed, replaced, broken, mended."""

    def __init__(self, ca_dir: Path, now: datetime) -> None:
        self._ca_dir = ca_dir
        self._authority: Authority | None = None
        self._seen: object = None
        self._read_at = now
        self._trouble: str | None = None
        self._look(now)

    def context_for(self, host: HostName, now: datetime) -> SSL.Context | None:
        """A server context for ``host``; None where no valid intermediate covers the name."""
        if abs(now - self._looked_at) >= (LOOKED_AT_EVERY if self._authority else TRIED_EVERY):
            self._look(now)
        return self._authority.context_for(host, now) if self._authority else None

    def _look(self, now: datetime) -> None:
        """Read the directory again if it changed. One that cannot be read is said once, and what was read stays."""
        self._looked_at = now
        seen = _as_it_stands(self._ca_dir)
        if self._authority is not None and seen == self._seen and abs(now - self._read_at) < READ_EVERY:
            return
        try:
            self._authority = Authority.open(self._ca_dir, now)
            self._seen, self._read_at, self._trouble = seen, now, None
        except CaError as error:
            if str(error) != self._trouble:
                self._trouble = str(error)
                what = "The CA is used as it was" if self._authority else "Refusals are shown as alerts, not pages"
                logger.error("%s: %s %s", what, error, error.hint)  # noqa: TRY400 -- told, not a fault in code


def _as_it_stands(ca_dir: Path) -> object:
    """Something that differs when root or intermediates do, for the price of two looks at a directory."""
    try:
        about = [(ca_dir / part).stat() for part in (storage.ROOT_CERTIFICATE, storage.INTERMEDIATES)]
        titles = sorted(os.listdir(ca_dir / storage.INTERMEDIATES))  # noqa: PTH208 -- names alone, no paths
    except OSError as error:
        return error.errno
    return [(one.st_ino, one.st_mtime_ns) for one in about], titles


def _is_valid(intermediate: Intermediate, now: datetime) -> bool:
    certificate = intermediate.certificate
    return certificate.not_valid_before_utc <= now < certificate.not_valid_after_utc
