"""What the keeper wants in force, kept in the snapshot file: published when it changes, vouched for while it holds."""

import logging
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from policies.model import Catalogue, Policy
from policies.snapshot import Snapshot
from proxy.snapshot import SnapshotReader, confirm, last_number, publish
from proxy.store.queries import SnapshotParts

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Wanted:
    """The parts of a state, from the files and from the store."""

    policy: Policy
    catalogue: Catalogue
    parts: SnapshotParts

    def numbered(self, number: int, confirmed_at: datetime) -> Snapshot:
        return Snapshot(
            number=number,
            confirmed_at=confirmed_at,
            policy=self.policy,
            catalogue=self.catalogue,
            authorisations=self.parts.authorisations,
            devices=self.parts.devices,
            members=self.parts.members,
        )


class Publisher:
    """The one writer of the snapshot file. ``current`` is what the file says, as far as this process knows."""

    def __init__(self, path: Path, now: datetime, monotonic: float) -> None:
        reader = SnapshotReader(path)
        reader.poll(now, monotonic)
        self._path = path
        self._number = last_number(path)
        self._names: str | None = None  # the catalogue whose names this process wrote
        self._confirmed_at = reader.current.confirmed_at if reader.current else now
        self.current: Snapshot | None = reader.current

    @property
    def parts(self) -> SnapshotParts | None:
        """What the file says of the store: the last good state, should the store be away."""
        if (current := self.current) is None:
            return None
        return SnapshotParts(authorisations=current.authorisations, devices=current.devices, members=current.members)

    @property
    def confirmed_at(self) -> datetime:
        return self._confirmed_at

    def publish(self, wanted: Wanted, confirmed_at: datetime | None) -> None:
        """Put ``wanted`` in force; ``confirmed_at`` None: the store is away, and its parts grow no younger.

        Raises OSError; then the state before is still in force.
        """
        snapshot = wanted.numbered(self._number + 1, confirmed_at or self._confirmed_at)
        try:
            publish(self._path, snapshot, self._names)
        except OSError:
            self._names = None  # whatever is missing is written anew the next time
            raise
        self.current, self._number = snapshot, snapshot.number
        self._names, self._confirmed_at = snapshot.catalogue.version, snapshot.confirmed_at
        logger.debug("snapshot %d is in force", snapshot.number)

    def confirm(self, now: datetime) -> bool:
        """Vouch that what is published still holds. False if the file is not ours any more. Raises OSError."""
        if self.current is None or last_number(self._path) != self._number:
            return False
        confirm(self._path, now)
        self._confirmed_at = now
        return True
