"""What the keeper knows, as figures."""

from datetime import datetime, timedelta

from policies.authorisation import State
from proxy.ca import status
from proxy.ca.errors import CaError
from proxy.metrics import SUFFIX, KeeperMetrics, write_figures
from proxy.policy_files import PolicyFiles
from proxy.publishing import Publisher
from proxy.settings import Settings
from proxy.store.queries import SnapshotParts

PROCESS = "keeper"
CA_EVERY = timedelta(minutes=1)


def count_changes(before: SnapshotParts | None, after: SnapshotParts, metrics: KeeperMetrics) -> None:
    """Count what happened to authorisations between two states; the first ever seen is where counting starts."""
    if before is None:
        return
    known = {a.id: a for a in before.authorisations}
    for now in after.authorisations:
        was = known.get(now.id)
        happened = {
            "granted": was is None,
            "extended": was is not None and now.ends_at > was.ends_at,
            "revoked": now.revoked_at is not None and (was is None or was.revoked_at is None),
            "ended": now.lapsed_at is not None and (was is None or was.lapsed_at is None),
        }
        for event in (name for name, true in happened.items() if true):
            metrics.authorisations.labels(event).inc()


class KeeperFigures:
    """Sets and writes the keeper's figures."""

    def __init__(self, settings: Settings, metrics: KeeperMetrics) -> None:
        self._settings, self._metrics = settings, metrics
        self._ca_read_at: datetime | None = None
        self._ca_expires_at: datetime | None = None

    def write(self, now: datetime, files: PolicyFiles, publisher: Publisher) -> None:
        """Write everything as it is ``now``. Raises OSError."""
        metrics = self._metrics
        metrics.policy.info({"version": files.policy.version})
        metrics.catalogue_names.set(len(files.catalogue.trie))
        metrics.catalogue_age_seconds.set(max(0.0, now.timestamp() - files.catalogue_changed_at))
        authorisations = publisher.current.authorisations if publisher.current else ()
        metrics.authorisations_live.set(sum(a.state(now) is State.LIVE for a in authorisations))
        age = (now - publisher.confirmed_at).total_seconds()
        metrics.snapshot_age_seconds.labels(PROCESS).set(max(0.0, age))
        if (expires_at := self._ca_expires(now)) is not None:
            metrics.ca_expires_seconds.set((expires_at - now).total_seconds())
        write_figures(self._settings.process_dir / f"{PROCESS}{SUFFIX}", metrics.registry, now)

    def _ca_expires(self, now: datetime) -> datetime | None:
        """When the CA expires, read once a minute; None where there is no CA to read."""
        if self._ca_read_at is None or abs(now - self._ca_read_at) >= CA_EVERY:
            self._ca_read_at = now
            try:
                self._ca_expires_at = status.expires_at(self._settings.ca_dir)
            except CaError:
                self._ca_expires_at = None
        return self._ca_expires_at
