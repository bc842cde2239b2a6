"""The keeper's figures: what happened to authorisations, read from two states."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from prometheus_client import CollectorRegistry

from policies.authorisation import Authorisation, Subject, Target
from proxy.figures import count_changes
from proxy.metrics import KeeperMetrics
from proxy.store.queries import SnapshotParts

NOW = datetime(2025, 11, 24, 10, 0, tzinfo=UTC)
GRANT = Authorisation(
    id=7,
    subject=Subject.parse("10.20.0.10"),
    target=Target.parse("facebook"),
    starts_at=NOW,
    ends_at=NOW + timedelta(hours=1),
)
REVOKED = replace(GRANT, revoked_at=NOW)
EXTENDED = replace(GRANT, ends_at=NOW + timedelta(hours=2))
ENDED = replace(GRANT, lapsed_at=NOW)


def parts(*authorisations: Authorisation) -> SnapshotParts:
    return SnapshotParts(authorisations=authorisations, devices=(), members={})


@pytest.mark.parametrize(
    ("before", "after", "events"),
    [
        ((), (GRANT,), {"granted"}),
        ((GRANT,), (GRANT,), set()),
        ((GRANT,), (REVOKED,), {"revoked"}),
        ((REVOKED,), (REVOKED,), set()),
        ((GRANT,), (EXTENDED,), {"extended"}),
        ((GRANT,), (ENDED,), {"ended"}),
        ((ENDED,), (ENDED,), set()),
        ((), (REVOKED,), {"granted", "revoked"}),
        ((), (ENDED,), {"granted", "ended"}),
        ((GRANT,), (), set()),
    ],
)
def test_changes_between_states(
    before: tuple[Authorisation, ...], after: tuple[Authorisation, ...], events: set[str]
) -> None:
    """Each event once, however much of it the keeper missed between two looks."""
    metrics = KeeperMetrics(CollectorRegistry())
    count_changes(parts(*before), parts(*after), metrics)
    names = ("granted", "revoked", "extended", "ended")
    sample = metrics.registry.get_sample_value
    counted = {name: sample("schoolgate_authorisations_total", {"event": name}) for name in names}
    assert {name for name, value in counted.items() if value == 1} == events
    assert sum(value or 0 for value in counted.values()) == len(events)


def test_the_first_state_is_where_counting_starts() -> None:
    """A keeper without a snapshot to go on from takes nothing that it finds for news."""
    metrics = KeeperMetrics(CollectorRegistry())
    count_changes(None, parts(GRANT), metrics)
    assert metrics.registry.get_sample_value("schoolgate_authorisations_total", {"event": "granted"}) == 0
