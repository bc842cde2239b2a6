"""What happens without a packet: new snapshots, ends, bells, deadlines, and the books.

Time means now (law 4): every live connection is judged again when the snapshot changes, at each moment at which time
alone may change a decision, and once a second besides, because clocks step and machines sleep. One long timer would
miss both.
"""

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from time import monotonic
from typing import Any

from mitmproxy.addons.proxyserver import Proxyserver

from policies.decision import Decision, next_change
from policies.snapshot import Snapshot
from proxy.clients import Client, Clients, cut
from proxy.desk import Desk
from proxy.judging import Judge, Ticket, utc_now
from proxy.metrics import Metrics, write_figures
from proxy.record.journal import JournalWriter
from proxy.snapshot import SnapshotReader

logger = logging.getLogger(__name__)

TICK = 0.05  # seconds
JUDGED_EVERY = 1.0  # seconds, at the least
FIGURES_EVERY = 0.5  # seconds
SYNCED_EVERY = 1.0  # seconds
SLICE = 100  # connections judged again before others get their turn
HELLO_WITHIN = 10.0  # seconds from the first byte to a whole hello or request head


class Sweeper:
    """Ticks for as long as the process enforces."""

    def __init__(  # noqa: PLR0913 -- the parts it keeps in step, named
        self,
        *,
        process: str,
        reader: SnapshotReader,
        judge: Judge,
        desk: Desk,
        clients: Clients,
        journal: JournalWriter,
        metrics: Metrics,
        figures: Path,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._process, self._reader, self._judge, self._desk = process, reader, judge, desk
        self._clients, self._journal, self._metrics, self._figures = clients, journal, metrics, figures
        self._clock = clock
        self._next_change: datetime | None = None
        self._judged = self._written = self._synced = 0.0

    async def run(self, proxyserver: Proxyserver) -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(self._count_unawaited)
        while True:
            due = loop.time() + TICK
            await asyncio.sleep(TICK)
            self._metrics.loop_lag_seconds.labels(self._process).set(max(0.0, loop.time() - due))
            with self._guarded("snapshot"):
                await self._keep_in_step(proxyserver)
            with self._guarded("deadlines"):
                self._enforce_deadlines(proxyserver)
            with self._guarded("books"):
                await self._keep_books()

    def _count_unawaited(self, loop: asyncio.AbstractEventLoop, about: dict[str, Any]) -> None:
        """A fault in something that nobody waits for opens nothing; it is counted like any other."""
        error = about.get("exception")
        if error is None:
            loop.default_exception_handler(about)
        elif not isinstance(error, OSError):  # a peer that went away
            self._desk.fault("loop", error)

    def look(self) -> bool:
        """Take over a new snapshot, if there is one; whether decisions may differ from those before."""
        return self._reader.poll(self._clock(), monotonic())

    # Live connections

    async def _keep_in_step(self, proxyserver: Proxyserver) -> None:
        changed = self.look()
        reached = self._next_change is not None and self._clock() >= self._next_change
        if changed or reached or monotonic() - self._judged >= JUDGED_EVERY:
            self._judged = monotonic()
            await self._judge_all_again(proxyserver)
            snapshot = self._reader.current
            self._next_change = next_change(snapshot, self._clock()) if snapshot else None

    async def _judge_all_again(self, proxyserver: Proxyserver) -> None:
        for number, client in enumerate(self._clients, start=1):
            if number % SLICE == 0:
                await asyncio.sleep(0)
            try:
                self._judge_again(client, proxyserver)
            except Exception as error:  # noqa: BLE001 -- law 1: what cannot be judged again does not go on
                self._desk.fault("judge_again", error)
                cut(client, proxyserver)

    def _judge_again(self, client: Client, proxyserver: Proxyserver) -> None:
        for ticket in list(client.live) if not client.cut else ():
            fresh = self._judge.judge_again(ticket)
            if fresh.allowed == ticket.decision.allowed:
                ticket.decision = fresh if fresh.allowed else ticket.decision
            elif ticket.decision.allowed:
                self._cut(client, ticket, fresh, proxyserver)
            elif client.shown is ticket:  # opened meanwhile: the browser must connect anew to get through
                cut(client, proxyserver)

    def _cut(self, client: Client, ticket: Ticket, fresh: Decision, proxyserver: Proxyserver) -> None:
        cut(client, proxyserver)
        self._metrics.cut.labels(fresh.reason).inc()
        lost_at = _lost_at(ticket.decision, self._reader.current)
        if lost_at is not None:
            self._metrics.cut_lag_seconds.observe(max(0.0, (self._clock() - lost_at).total_seconds()))

    def _enforce_deadlines(self, proxyserver: Proxyserver) -> None:
        now = monotonic()
        for client in self._clients:
            if client.gone and not client.is_sending:
                self._desk.finish(client)
            elif client.cut:
                continue
            elif client.close_by is not None and now >= client.close_by:
                cut(client, proxyserver)
            elif client.current is None and now - client.since >= (HELLO_WITHIN if client.heard else client.patience):
                if client.heard and client.asked is None:
                    self._desk.malformed(client.connection)
                cut(client, proxyserver)

    # The books

    async def _keep_books(self) -> None:
        now = monotonic()
        if now - self._synced >= SYNCED_EVERY:
            self._synced = now
            await asyncio.to_thread(self._journal.sync)
        if now - self._written >= FIGURES_EVERY:
            self._written = now
            self.write_figures()

    def write_figures(self) -> None:
        self._metrics.connections_live.labels(self._process).set(len(self._clients))
        if (snapshot := self._reader.current) is not None:
            age = (self._clock() - snapshot.confirmed_at).total_seconds()
            self._metrics.snapshot_age_seconds.labels(self._process).set(max(0.0, age))
        write_figures(self._figures, self._metrics.registry, self._clock())

    @contextmanager
    def _guarded(self, where: str) -> Iterator[None]:
        """A step that fails is counted and logged; the next tick tries again."""
        try:
            yield
        except Exception as error:  # noqa: BLE001 -- the sweeper outlives every fault of a step
            self._desk.fault(where, error)


def _lost_at(decision: Decision, snapshot: Snapshot | None) -> datetime | None:
    """When the authorisation that a connection rested on stopped holding."""
    if snapshot is None or decision.authorisation is None:
        return None
    authorisation = next((a for a in snapshot.authorisations if a.id == decision.authorisation), None)
    return (authorisation.revoked_at or authorisation.ends_at) if authorisation else None
