"""The figures: the fixed names, no person in any label, and one exposition for all processes."""

import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from proxy.metrics import KeeperMetrics, Merged, Metrics, read_figures, write_figures
from tests.needs import require, tool

NOW = datetime(2025, 11, 24, 10, 0, tzinfo=UTC)
FIXED = {
    "schoolgate_attempts_total": ("verdict", "reason", "category"),
    "schoolgate_decision_seconds": (),
    "schoolgate_connections_live": ("process",),
    "schoolgate_relayed_bytes_total": ("direction",),
    "schoolgate_refusals_total": ("form",),
    "schoolgate_authorisations_live": (),
    "schoolgate_authorisations_total": ("event",),
    "schoolgate_cut_total": ("why",),
    "schoolgate_cut_lag_seconds": (),
    "schoolgate_snapshot_age_seconds": ("process",),
    "schoolgate_store_up": (),
    "schoolgate_journal_bytes": (),
    "schoolgate_attempts_recorded_total": (),
    "schoolgate_attempts_lost_total": (),
    "schoolgate_catalogue_names": (),
    "schoolgate_catalogue_age_seconds": (),
    "schoolgate_policy_info": ("version",),
    "schoolgate_policy_reload_failures_total": (),
    "schoolgate_ca_expires_seconds": (),
    "schoolgate_loop_lag_seconds": ("process",),
    "schoolgate_internal_errors_total": ("where",),
}


def enforcing(process: str = "answerer") -> Metrics:
    """Every figure of an enforcing process, used once."""
    metrics = Metrics(CollectorRegistry())
    metrics.attempts.labels("deny", "not_authorised", "social-network").inc(2)
    metrics.decision_seconds.observe(3e-6)
    metrics.connections_live.labels(process).set(4)
    metrics.relayed_bytes.labels("up").inc(100)
    metrics.refusals.labels("page").inc()
    metrics.cut.labels("revoked").inc()
    metrics.cut_lag_seconds.observe(0.03)
    metrics.snapshot_age_seconds.labels(process).set(1.5)
    metrics.loop_lag_seconds.labels(process).set(0.001)
    metrics.internal_errors.labels("hook").inc()
    return metrics


def keeping() -> KeeperMetrics:
    metrics = KeeperMetrics(CollectorRegistry())
    metrics.store_up.set(1)
    metrics.policy.info({"version": "3f2a"})
    metrics.snapshot_age_seconds.labels("keeper").set(0)
    metrics.internal_errors.labels("drain").inc()
    return metrics


def merged(directory: Path) -> CollectorRegistry:
    registry = CollectorRegistry()
    registry.register(Merged(directory))
    return registry


@pytest.fixture
def processes(tmp_path: Path) -> Path:
    write_figures(tmp_path / "answerer.prom", enforcing().registry, NOW)
    write_figures(tmp_path / "lane-1.prom", enforcing("lane-1").registry, NOW)
    write_figures(tmp_path / "keeper.prom", keeping().registry, NOW)
    return tmp_path


def labels_by_name(directory: Path) -> dict[str, set[tuple[str, ...]]]:
    found: dict[str, set[tuple[str, ...]]] = {}
    for family in merged(directory).collect():
        for sample in family.samples:
            name = sample.name.removesuffix("_bucket").removesuffix("_sum").removesuffix("_count")
            found.setdefault(name, set()).add(tuple(sorted(label for label in sample.labels if label != "le")))
    return found


def test_exactly_the_fixed_names_and_labels(processes: Path) -> None:
    """Dashboards rely on these names and labels; there are no others, so no person, device, address or host."""
    assert labels_by_name(processes) == {name: {tuple(sorted(labels))} for name, labels in FIXED.items()}


def test_counters_and_histograms_are_summed(processes: Path) -> None:
    """What two processes counted is one figure."""
    registry = merged(processes)
    labels = {"verdict": "deny", "reason": "not_authorised", "category": "social-network"}
    assert registry.get_sample_value("schoolgate_attempts_total", labels) == 4
    assert registry.get_sample_value("schoolgate_decision_seconds_count") == 2
    assert registry.get_sample_value("schoolgate_decision_seconds_bucket", {"le": "5e-06"}) == 2
    assert registry.get_sample_value("schoolgate_internal_errors_total", {"where": "hook"}) == 2


def test_gauges_are_kept_per_process(processes: Path) -> None:
    """A gauge says whose it is; one that the keeper alone sets is not touched by the others."""
    registry = merged(processes)
    assert registry.get_sample_value("schoolgate_connections_live", {"process": "lane-1"}) == 4
    assert registry.get_sample_value("schoolgate_connections_live", {"process": "answerer"}) == 4
    assert registry.get_sample_value("schoolgate_store_up") == 1


def test_each_sample_appears_once(processes: Path) -> None:
    """An exposition with a sample twice would be refused by Prometheus as a whole."""
    lines = [line for line in generate_latest(merged(processes)).decode().splitlines() if not line.startswith("#")]
    series = [line.rpartition(" ")[0] for line in lines]
    assert len(series) == len(set(series))


def test_a_damaged_file_is_left_out(processes: Path) -> None:
    """The other processes' figures are still shown."""
    (processes / "lane-1.prom").write_text('schoolgate_attempts_total{verdict="x" nonsense')
    assert read_figures(processes / "lane-1.prom") == []
    assert merged(processes).get_sample_value("schoolgate_refusals_total", {"form": "page"}) == 1


def test_figures_are_private_and_dated(tmp_path: Path) -> None:
    """The file is the process's sign of life, so its date is the given moment; it is its owner's alone."""
    write_figures(tmp_path / "answerer.prom", enforcing().registry, NOW)
    stat = (tmp_path / "answerer.prom").stat()
    assert stat.st_mtime == NOW.timestamp()
    assert stat.st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["answerer.prom"]


def test_promtool_accepts_the_exposition(processes: Path) -> None:
    """Prometheus' own linter has nothing to say of names, units and help."""
    require("promtool")
    checked = subprocess.run(
        [str(tool("promtool")), "check", "metrics"],
        input=generate_latest(merged(processes)),
        capture_output=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stderr.decode() + checked.stdout.decode()
