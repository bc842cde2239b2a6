"""The keeper: the one process that opens the store. Policy, catalogue, store in, snapshot out; journals in, rows out.
Whose a browsing password is, it tells the other processes when they ask.

It works in steps, each guarded: one that fails is counted, logged once and tried again, and the others go on. It
vouches for the snapshot only while the store answers. With the store away, enforcement lives on the last snapshot, a
changed policy still takes effect, and the grants lapse by the snapshot's age.
"""

import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime
from threading import Event

from prometheus_client import CollectorRegistry

from policies.loading import PolicyError
from proxy.figures import KeeperFigures, count_changes
from proxy.files import lock_file, private_directory
from proxy.identity.verifying import Verifier, VerifyingServer
from proxy.metrics import KeeperMetrics
from proxy.policy_files import PolicyFiles
from proxy.publishing import Publisher, Wanted
from proxy.record.draining import Draining
from proxy.record.reference import reference_key
from proxy.settings import Settings
from proxy.status import Status, StatusServer
from proxy.steps import Step
from proxy.store.engine import Store
from proxy.store.errors import StoreError
from proxy.store.queries import latch_ended, snapshot_parts

logger = logging.getLogger(__name__)

TICK = 0.05  # seconds
CONFIRM_EVERY = 2.0
POLICY_EVERY = 0.2
FIGURES_EVERY = 1.0
LAST_TURNS = 100  # of draining, when told to stop
RECONNECT_FIRST, RECONNECT_LAST = 0.1, 5.0


class Keeper:
    """One life of the keeper. ``run`` is all of it."""

    def __init__(
        self,
        settings: Settings,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings, self._clock, self._monotonic = settings, clock, monotonic
        self._metrics = KeeperMetrics(CollectorRegistry())
        self._store: Store | None = None
        self._generation: int | None = None  # of the parts; None: they are not from this store as it is now
        self._away: str | None = None  # why, while the store is away
        self._reconnect_at, self._reconnect_after = 0.0, RECONNECT_FIRST

    def run(self, stop: Event) -> None:
        """Keep until told to stop. Nothing that goes wrong later ends it; what is wrong at the start does.

        Raises AlreadyRunning, PolicyError, ReferenceKeyError, StatusError, OSError, and StoreError where there is no
        snapshot to enforce meanwhile.
        """
        with lock_file(self._settings.state_dir / "keeper.lock", "a keeper"):
            steps = self._begin()
            with StatusServer(self._settings.status, Status(self._settings.process_dir, self._clock)), self._identity():
                self._tick(steps)
                while not stop.wait(TICK):
                    self._tick(steps)
            self._finish()

    def _begin(self) -> list[Step]:
        for directory in (self._settings.journal_dir, self._settings.process_dir):
            private_directory(directory)
        self._files = PolicyFiles(self._settings.policy)
        self._draining = Draining(self._settings.journal_dir, reference_key(self._settings), self._metrics)
        self._publisher = Publisher(self._settings.snapshot_file, self._clock(), self._monotonic())
        self._figures = KeeperFigures(self._settings, self._metrics)
        self._parts = self._publisher.parts
        self._outdated = True
        try:
            self._store = Store.open(self._settings.store_url)
        except StoreError as error:
            if self._parts is None:
                raise
            self._lose_store(error)
        return [
            Step("store", self._follow_store, 0.0),
            Step("policy", self._follow_files, POLICY_EVERY),
            Step("latch", self._latch, 0.0),
            Step("publish", self._publish, 0.0),
            Step("confirm", self._confirm, CONFIRM_EVERY),
            Step("drain", self._drain, 0.0),
            Step("figures", self._write_figures, FIGURES_EVERY),
        ]

    def _identity(self) -> VerifyingServer:
        verifier = Verifier(lambda: self._store, self._clock, self._monotonic)
        path = self._settings.identity_socket
        return VerifyingServer(path, verifier.answer, self._metrics.internal_errors)

    def _tick(self, steps: list[Step]) -> None:
        for step in steps:
            step.run(self._monotonic(), self._metrics.internal_errors)

    def _finish(self) -> None:
        """What is in the journals goes into the record, as far as that can be done now."""
        if self._store is None:
            return
        try:
            for _ in range(LAST_TURNS):
                if not self._draining.turn(self._store, self._clock()):
                    break
        except (StoreError, OSError) as error:
            logger.warning("What is left in the journal is recorded the next time: %s", error)
        self._store.close()

    # The steps

    def _follow_store(self) -> None:
        """Take over what changed in the store; find it again when it is away."""
        try:
            store = self._connected()
            if store is None:
                return
            generation = store.generation()
            if generation != self._generation:
                with store.read() as session:
                    parts = snapshot_parts(session, self._clock())
                count_changes(self._parts, parts, self._metrics)
                self._parts, self._generation, self._outdated = parts, generation, True
            self._found_store()
        except StoreError as error:
            self._lose_store(error)
        except Exception:
            self._generation = None  # whatever it was, the store did not answer
            raise

    def _follow_files(self) -> None:
        try:
            if self._files.poll():
                self._outdated = True
        except PolicyError as error:
            self._metrics.policy_reload_failures.inc()
            logger.error("The changed policy is not taken over; the one before stays in force:\n%s", error)  # noqa: TRY400 -- the file is wrong, not the code

    def _latch(self) -> None:
        """Note in the store, for good, which grants have ended: a clock that steps back reopens nothing."""
        now = self._clock()
        parts = self._parts.authorisations if self._parts else ()
        ended = any(a.ends_at <= now and a.lapsed_at is None and a.revoked_at is None for a in parts)
        if ended and self._store is not None and self._generation is not None:
            with self._store.write() as session:
                latch_ended(session, now)

    def _publish(self) -> None:
        if not self._outdated or self._parts is None:
            return
        wanted = Wanted(self._files.policy, self._files.catalogue, self._parts)
        self._publisher.publish(wanted, self._clock() if self._answers else None)
        self._outdated = False

    def _confirm(self) -> None:
        """Vouch for the published state while the store says the same, and put it back should it be gone."""
        if self._outdated or not self._answers:
            return
        self._outdated = not self._publisher.confirm(self._clock())

    def _drain(self) -> None:
        if self._store is not None:
            self._draining.turn(self._store, self._clock())

    def _write_figures(self) -> None:
        self._metrics.store_up.set(self._answers)
        self._metrics.journal_bytes.set(self._draining.waiting())
        self._figures.write(self._clock(), self._files, self._publisher)

    # The store's coming and going

    @property
    def _answers(self) -> bool:
        """Whether the parts are what the store says now."""
        return self._generation is not None

    def _connected(self) -> Store | None:
        """The store; None until it is time to try again. Raises StoreError."""
        if self._store is None and self._monotonic() >= self._reconnect_at:
            self._store = Store.open(self._settings.store_url)
        return self._store

    def _lose_store(self, error: StoreError) -> None:
        if str(error) != self._away:
            logger.error("Enforcement goes on by the last snapshot, without the store: %s %s", error, error.hint)
        self._away = str(error)
        if self._store is not None:
            self._store.close()
        self._store, self._generation = None, None
        self._reconnect_at = self._monotonic() + self._reconnect_after
        self._reconnect_after = min(2 * self._reconnect_after, RECONNECT_LAST)

    def _found_store(self) -> None:
        if self._away is not None:
            logger.warning("The store is back.")
        self._away, self._reconnect_after = None, RECONNECT_FIRST
