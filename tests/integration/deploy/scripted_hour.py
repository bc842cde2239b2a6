"""An hour at school as ``/metrics`` would tell it: each scrape is the next minute."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from wsgiref.simple_server import WSGIRequestHandler, make_server
from wsgiref.types import StartResponse, WSGIEnvironment

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from policies.vocabulary import Reason, Verdict
from proxy.metrics import KeeperMetrics, Metrics

MINUTES = 60


class Hour:
    """The figures of keeper and answerer, moved on by ``minute()``."""

    def __init__(self) -> None:
        self.minutes = 0
        self.enforcing = Metrics(CollectorRegistry())
        self.keeping = KeeperMetrics(CollectorRegistry())
        self.keeping.policy.info({"version": "4f2a91c0"})

    def minute(self) -> bytes:
        """One minute passes; the exposition after it."""
        self.minutes += 1
        self._attempts()
        self._processes()
        self._keeper()
        return generate_latest(self.enforcing.registry) + self._without_repeats()

    def _attempts(self) -> None:
        figures, minute = self.enforcing, self.minutes
        figures.attempts.labels(Verdict.ALLOW, Reason.UNLISTED, "").inc(40)
        figures.attempts.labels(Verdict.DENY, Reason.NOT_AUTHORISED, "social-network").inc(3)
        figures.attempts.labels(Verdict.ALLOW, Reason.AUTHORISED, "video-sharing").inc(minute % 3)
        figures.refusals.labels("page").inc(2)
        figures.refusals.labels("alert").inc()
        figures.relayed_bytes.labels("up").inc(1_000)
        figures.relayed_bytes.labels("down").inc(100_000)
        for step in range(1, 10):
            figures.decision_seconds.observe(step * 1e-5)
        figures.cut.labels("ended").inc()
        figures.cut_lag_seconds.observe(0.02 * (minute % 4))

    def _processes(self) -> None:
        figures, minute = self.enforcing, self.minutes
        figures.connections_live.labels("answerer").set(10 + minute % 7)
        figures.snapshot_age_seconds.labels("answerer").set(0.1 + minute % 2)
        figures.loop_lag_seconds.labels("answerer").set(0.001)
        if minute > MINUTES / 2:
            figures.internal_errors.labels("request").inc(0 if minute % 10 else 1)

    def _keeper(self) -> None:
        figures, minute = self.keeping, self.minutes
        figures.store_up.set(1)
        figures.authorisations_live.set(minute % 3)
        figures.authorisations.labels("granted").inc()
        figures.journal_bytes.set(4096 * (minute % 5))
        figures.attempts_recorded.inc(3)
        figures.catalogue_names.set(900)
        figures.catalogue_age_seconds.set(minute * 60)
        figures.ca_expires_seconds.set(300 * 24 * 3600 - minute * 60)

    def _without_repeats(self) -> bytes:
        """The keeper's own families; those that both have are shown once, as the merged endpoint does."""
        shared = (b"schoolgate_snapshot_age_seconds", b"schoolgate_internal_errors")
        lines = generate_latest(self.keeping.registry).splitlines(keepends=True)
        return b"".join(line for line in lines if not any(name in line for name in shared))


class _Quiet(WSGIRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing of each scrape."""


@contextmanager
def served(hour: Hour) -> Iterator[str]:
    """``host:port`` with the hour's ``/metrics`` for as long as the block lasts."""

    def metrics(_environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
        start_response("200 OK", [("Content-Type", CONTENT_TYPE_LATEST)])
        return [hour.minute()]

    server = make_server("127.0.0.1", 0, metrics, handler_class=_Quiet)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
