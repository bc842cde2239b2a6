"""The figures, under the fixed names of DESIGN section 7, and how one process's figures reach ``/metrics``.

No person, device, address or host is ever a label. Every process has a registry of its own and writes its exposition
to ``processes/NAME.prom``; the keeper merges the files: counters and histograms are summed over the processes, gauges
are kept as they are (those that several processes set say which in ``process``). An attribute is named as its metric,
without ``schoolgate_`` and ``_total``.
"""

import logging
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from proxy.files import nanoseconds, private_directory, replace_file

logger = logging.getLogger(__name__)

SUFFIX = ".prom"
SUMMED = frozenset({"counter", "histogram"})
DECISION_BUCKETS = (1e-6, 2e-6, 5e-6, 1e-5, 2e-5, 5e-5, 1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 1e-2)
CUT_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0)


type Series = tuple[str, tuple[tuple[str, str], ...]]  # the sample's name and labels


class Metrics:
    """What every enforcing process counts."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        self.attempts = Counter(
            "schoolgate_attempts",
            "Attempts, by what was decided.",
            ("verdict", "reason", "category"),
            registry=registry,
        )
        self.decision_seconds = Histogram(
            "schoolgate_decision_seconds", "Time one decision took.", buckets=DECISION_BUCKETS, registry=registry
        )
        self.connections_live = Gauge(
            "schoolgate_connections_live", "Connections open now.", ("process",), registry=registry
        )
        self.relayed_bytes = Counter(
            "schoolgate_relayed_bytes", "Bytes relayed; up is from the client.", ("direction",), registry=registry
        )
        self.refusals = Counter(
            "schoolgate_refusals", "Refusals, by how the client was told.", ("form",), registry=registry
        )
        self.cut = Counter("schoolgate_cut", "Live connections cut, by what changed.", ("why",), registry=registry)
        self.cut_lag_seconds = Histogram(
            "schoolgate_cut_lag_seconds",
            "Time from the moment a connection lost its basis until it was cut.",
            buckets=CUT_BUCKETS,
            registry=registry,
        )
        self.snapshot_age_seconds = Gauge(
            "schoolgate_snapshot_age_seconds",
            "Time since the keeper last vouched for the snapshot in force.",
            ("process",),
            registry=registry,
        )
        self.loop_lag_seconds = Gauge(
            "schoolgate_loop_lag_seconds", "How late the process runs what was due.", ("process",), registry=registry
        )
        self.attempts_lost = attempts_lost(registry)
        self.internal_errors = internal_errors(registry)


class KeeperMetrics:
    """What the keeper alone knows: the store, the record, the grants, the policy, the CA."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        self.authorisations_live = Gauge(
            "schoolgate_authorisations_live", "Authorisations in force now.", registry=registry
        )
        self.authorisations = Counter(
            "schoolgate_authorisations", "What happened to authorisations.", ("event",), registry=registry
        )
        self.store_up = Gauge("schoolgate_store_up", "1 while the store answers.", registry=registry)
        self.journal_bytes = Gauge(
            "schoolgate_journal_bytes", "Bytes in the journals that are not in the store yet.", registry=registry
        )
        self.attempts_recorded = Counter(
            "schoolgate_attempts_recorded", "Attempts put into the record.", registry=registry
        )
        self.attempts_lost = attempts_lost(registry)
        self.catalogue_names = Gauge("schoolgate_catalogue_names", "Names in the catalogue.", registry=registry)
        self.catalogue_age_seconds = Gauge(
            "schoolgate_catalogue_age_seconds", "Time since the catalogue was last changed.", registry=registry
        )
        self.policy = Info("schoolgate_policy", "The policy in force.", registry=registry)
        self.policy_reload_failures = Counter(
            "schoolgate_policy_reload_failures", "Changed policies that were refused as invalid.", registry=registry
        )
        self.ca_expires_seconds = Gauge(
            "schoolgate_ca_expires_seconds", "Time until the first certificate of the CA expires.", registry=registry
        )
        self.snapshot_age_seconds = Gauge(
            "schoolgate_snapshot_age_seconds",
            "Time since the keeper last vouched for the snapshot in force.",
            ("process",),
            registry=registry,
        )
        self.internal_errors = internal_errors(registry)
        for event in ("granted", "revoked", "extended", "ended"):
            self.authorisations.labels(event)


def attempts_lost(registry: CollectorRegistry) -> Counter:
    return Counter(
        "schoolgate_attempts_lost", "Attempts that could not be journalled, or not be read back.", registry=registry
    )


def internal_errors(registry: CollectorRegistry) -> Counter:
    return Counter(
        "schoolgate_internal_errors",
        "Faults that were caught; what they touched was refused.",
        ("where",),
        registry=registry,
    )


def write_figures(path: Path, registry: CollectorRegistry, now: datetime) -> None:
    """Write a process's figures, dated ``now``. Raises OSError."""
    private_directory(path.parent)
    replace_file(path, generate_latest(registry), modified_ns=nanoseconds(now.timestamp()), durable=False)


class Merged(Collector):
    """All processes' figures as one: made anew from their files at each scrape."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def collect(self) -> Iterable[Metric]:
        merged: dict[str, dict[Series, float]] = {}
        shapes: dict[str, Metric] = {}
        for family in (family for path in sorted(self._directory.glob(f"*{SUFFIX}")) for family in read_figures(path)):
            shapes.setdefault(family.name, Metric(family.name, family.documentation, family.type))
            values = merged.setdefault(family.name, {})
            for sample in family.samples:
                series = (sample.name, tuple(sorted(sample.labels.items())))
                before = values.get(series, 0.0) if family.type in SUMMED else 0.0
                values[series] = before + sample.value
        for name, metric in shapes.items():
            for (sample_name, labels), value in merged[name].items():
                metric.add_sample(sample_name, dict(labels), value)
        return shapes.values()


def read_figures(path: Path) -> list[Metric]:
    """The metric families in one process's file; none if it has gone or is damaged.

    ``…_created`` is left out: the moments at which several processes began cannot be summed.
    """
    try:
        families = list(text_string_to_metric_families(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return []
    except (OSError, ValueError) as error:
        logger.warning("%s: figures left out: %s", path, error)
        return []
    return [family for family in families if not family.name.endswith("_created")]
