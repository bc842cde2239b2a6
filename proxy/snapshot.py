"""The seam between keeper and enforcement: one immutable state, in one file, replaced whole and numbered upward.

The file is a header (magic, format, number, length, SHA-256) and a JSON payload; the catalogue's names lie beside it,
``catalogue-VERSION.trie``, memory-mapped by all. The file's modification time is when the keeper last vouched for it
(``confirm``), so that a reader's poll is one ``stat``. A reader keeps what it has when the file is damaged, foreign or
newer than itself: the last good state goes on being enforced, and its grants lapse by its own age.
"""

import hashlib
import json
import logging
import os
import struct
import tempfile
from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from policies.authorisation import Authorisation, Subject, SubjectKind, Target, TargetKind
from policies.index import NameTrie
from policies.loading import catalogue_from_json, catalogue_to_json, policy_from_json, policy_to_json
from policies.model import Catalogue
from policies.snapshot import Device, Member, Snapshot
from proxy.files import nanoseconds, replace_file, sync_directory

if TYPE_CHECKING:
    from proxy.metrics import Metrics

logger = logging.getLogger(__name__)

HEADER = struct.Struct("<8sHQQ32s")
MAGIC = b"schoolgt"
FORMAT = 1
NEVER = datetime.max.replace(tzinfo=UTC)
AT_ONCE = datetime.min.replace(tzinfo=UTC)
KEPT_TRIES = 2  # the one in force, and the one that a reader may be about to open


class SnapshotError(Exception):
    """There is no usable snapshot in the file; the message says why."""


@dataclass(frozen=True, slots=True)
class Header:
    """What tells one published state from another."""

    number: int
    length: int
    digest: bytes

    @classmethod
    def read(cls, file: BinaryIO) -> "Header":
        raw = file.read(HEADER.size)
        if len(raw) < HEADER.size or not raw.startswith(MAGIC):
            raise SnapshotError("it is not a snapshot")
        _, version, number, length, digest = HEADER.unpack(raw)
        if version != FORMAT:
            raise SnapshotError(f"it has format {version}, this schoolgate reads {FORMAT}: run one version everywhere")
        return cls(number, length, digest)

    def pack(self) -> bytes:
        return HEADER.pack(MAGIC, FORMAT, self.number, self.length, self.digest)


def _digest(number: int, payload: bytes) -> bytes:
    return hashlib.sha256(number.to_bytes(8) + payload).digest()


# Publishing


def publish(path: Path, snapshot: Snapshot, previous: str | None = None) -> None:
    """Put ``snapshot`` in force. ``previous``: the catalogue's version whose names this process wrote before.

    Raises OSError; then the snapshot before is still in force.
    """
    names = names_file(path, snapshot.catalogue.version)
    if snapshot.catalogue.version != previous:
        _save_names(snapshot.catalogue, names)
    content = {**to_json(snapshot), "names": _digest_of(names)}
    payload = json.dumps(content, separators=(",", ":"), ensure_ascii=False).encode()
    header = Header(snapshot.number, len(payload), _digest(snapshot.number, payload))
    replace_file(path, header.pack() + payload, modified_ns=nanoseconds(snapshot.confirmed_at.timestamp()))
    _remove_old_names(path)


def confirm(path: Path, now: datetime) -> None:
    """Vouch that the published state still holds. Raises OSError."""
    modified = nanoseconds(now.timestamp())
    os.utime(path, ns=(modified, modified))


def last_number(path: Path) -> int:
    """The number of the published state, 0 where there is none to go on from."""
    try:
        with path.open("rb") as file:
            return Header.read(file).number
    except (OSError, SnapshotError):
        return 0


def names_file(path: Path, version: str) -> Path:
    return path.with_name(f"catalogue-{version}.trie")


def _save_names(catalogue: Catalogue, target: Path) -> None:
    descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=".catalogue-")
    temporary = Path(name)
    try:
        catalogue.trie.save(temporary)
        os.fsync(descriptor)
        temporary.replace(target)
    finally:
        os.close(descriptor)
        temporary.unlink(missing_ok=True)
    sync_directory(target.parent)


def _remove_old_names(path: Path) -> None:
    tries = sorted(path.parent.glob("catalogue-*.trie"), key=lambda p: p.stat().st_mtime_ns)
    for old in tries[:-KEPT_TRIES]:
        old.unlink(missing_ok=True)


def _digest_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


# The payload


def to_json(snapshot: Snapshot) -> dict[str, object]:
    return {
        "policy": policy_to_json(snapshot.policy),
        "catalogue": catalogue_to_json(snapshot.catalogue),
        "authorisations": [_authorisation_to_json(a) for a in snapshot.authorisations],
        "devices": [
            {"name": d.name, "addresses": [str(a) for a in d.addresses], "groups": sorted(d.groups)}
            for d in snapshot.devices
        ],
        "members": {
            name: {"role": m.role, "groups": sorted(m.groups), "browsing": m.browsing}
            for name, m in snapshot.members.items()
        },
    }


def _authorisation_to_json(authorisation: Authorisation) -> dict[str, object]:
    moments = ("starts_at", "ends_at", "revoked_at", "lapsed_at")
    return {
        "id": authorisation.id,
        "subject": [authorisation.subject.kind, authorisation.subject.name],
        "target": [authorisation.target.kind, authorisation.target.name],
        **{name: moment.isoformat() for name in moments if (moment := getattr(authorisation, name)) is not None},
    }


def _authorisation(fields: Mapping[str, Any]) -> Authorisation:
    subject, target = fields["subject"], fields["target"]
    moments = {name: datetime.fromisoformat(value) for name, value in fields.items() if name.endswith("_at")}
    return Authorisation(
        id=fields["id"],
        subject=Subject(SubjectKind(subject[0]), subject[1]),
        target=Target(TargetKind(target[0]), target[1]),
        **moments,
    )


def _device(fields: Mapping[str, Any]) -> Device:
    return Device(fields["name"], tuple(map(ip_network, fields["addresses"])), frozenset(fields["groups"]))


def _member(fields: Mapping[str, Any]) -> Member:
    """A file of the version before has no ``browsing``: nobody had such a credential then."""
    return Member(fields["role"], frozenset(fields["groups"]), fields.get("browsing"))


# Reading


class SnapshotReader:
    """One process's view of the published state: ``poll`` often, decide upon ``current``.

    Two things it keeps for itself, against a clock that steps back: an authorisation that it ever saw at its end stays
    ended (``latched``; an extension is another end), and time since the last confirmation is measured monotonically.
    """

    def __init__(self, path: Path, metrics: "Metrics | None" = None) -> None:
        self._path = path
        self._metrics = metrics
        self._stat: tuple[int, int, int] | None = None
        self._header: Header | None = None
        self._complaint: str | None = None
        self._content: dict[str, Any] = {}
        self._vouched = AT_ONCE
        self._vouched_monotonic = 0.0
        self._ended: set[tuple[int, datetime]] = set()
        self._next_end = NEVER
        self.current: Snapshot | None = None

    def poll(self, now: datetime, monotonic: float) -> bool:
        """Look for a new state. True if decisions may differ: another state, or an end that was just latched."""
        changed = self._look(monotonic)
        return self._renew(now, monotonic) or changed

    def _look(self, monotonic: float) -> bool:
        try:
            stat = self._path.stat()
        except OSError:
            return False
        if (seen := (stat.st_ino, stat.st_mtime_ns, stat.st_size)) == self._stat:
            return False
        self._stat = seen
        try:
            changed = self._read(monotonic)
        except (SnapshotError, OSError) as error:
            self._complain(f"{self._path}: kept the state before: {error}")
            return False
        self._complaint = None
        return changed

    def _read(self, monotonic: float) -> bool:
        with self._path.open("rb") as file:
            header = Header.read(file)
            stat = os.fstat(file.fileno())
            if header.length != stat.st_size - HEADER.size:
                raise SnapshotError("it is damaged")
            if changed := header != self._header:
                self.current = self._load(header, file.read())
                self._header, self._next_end = header, AT_ONCE
        if (vouched := datetime.fromtimestamp(stat.st_mtime, UTC)) != self._vouched:
            self._vouched, self._vouched_monotonic = vouched, monotonic
        return changed

    def _load(self, header: Header, payload: bytes) -> Snapshot:
        if len(payload) != header.length or _digest(header.number, payload) != header.digest:
            raise SnapshotError("it is damaged")
        try:
            content = json.loads(payload)
            snapshot = Snapshot(
                number=header.number,
                confirmed_at=self._vouched,
                policy=policy_from_json(content["policy"]),
                catalogue=self._catalogue(content),
                authorisations=tuple(map(_authorisation, content["authorisations"])),
                devices=tuple(map(_device, content["devices"])),
                members={name: _member(m) for name, m in content["members"].items()},
            )
        except (ValueError, TypeError, KeyError, IndexError, AttributeError, RuntimeError) as error:
            raise SnapshotError(f"it cannot be understood: {error}") from error
        self._content = content
        return snapshot

    def _catalogue(self, content: Mapping[str, Any]) -> Catalogue:
        """The catalogue, the one in memory where it is the same; its names only as they were published."""
        before = self._content
        if self.current and all(content[part] == before[part] for part in ("catalogue", "names")):
            return self.current.catalogue
        names = names_file(self._path, content["catalogue"]["version"])
        if _digest_of(names) != content["names"]:
            raise SnapshotError(f"{names.name} is not the one that belongs to it")
        return catalogue_from_json(content["catalogue"], NameTrie.open(names))

    def _renew(self, now: datetime, monotonic: float) -> bool:
        """Move ``current`` on in time: the age of its confirmation, and the ends that were reached."""
        if self.current is None:
            return False
        confirmed_at = min(self._vouched, now - timedelta(seconds=monotonic - self._vouched_monotonic))
        latched = self.current.latched if now < self._next_end else self._latch(self.current, now)
        changed = latched != self.current.latched
        if changed or confirmed_at != self.current.confirmed_at:
            self.current = _renewed(self.current, confirmed_at=confirmed_at, latched=latched)
        return changed

    def _latch(self, snapshot: Snapshot, now: datetime) -> frozenset[int]:
        """The authorisations that were seen, now or before, at the end they have today."""
        ends = {(a.id, a.ends_at) for a in snapshot.authorisations}
        self._ended.update((number, end) for number, end in ends if now >= end)
        self._next_end = min((end for _, end in ends - self._ended), default=NEVER)
        return frozenset(number for number, _ in ends & self._ended)

    def _complain(self, message: str) -> None:
        if message == self._complaint:
            return
        self._complaint = message
        logger.error(message)
        if self._metrics:
            self._metrics.internal_errors.labels("snapshot").inc()


def _renewed(snapshot: Snapshot, *, confirmed_at: datetime, latched: frozenset[int]) -> Snapshot:
    """The same state at another moment. Unlike ``dataclasses.replace`` it keeps what was computed of it (coverage)."""
    renewed = copy(snapshot)
    vars(renewed).update(confirmed_at=confirmed_at, latched=latched)
    return renewed
