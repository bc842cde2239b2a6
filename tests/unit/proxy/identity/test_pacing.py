"""A device that shows nobody waits, the longer the more often it comes; others do not."""

from ipaddress import ip_address

import pytest

from proxy.identity import pacing
from proxy.identity.pacing import AT_ONCE, EVERY, LONGEST, Pace

HERE, THERE = ip_address("10.20.0.10"), ip_address("10.20.0.11")
NOW = 1000.0


@pytest.fixture
def busy() -> Pace:
    """HERE has used up what it may do at once."""
    pace = Pace()
    assert [pace.delay(HERE, NOW) for _ in range(AT_ONCE)] == [0.0] * AT_ONCE
    return pace


def test_so_many_at_once_then_one_after_the_other(busy: Pace) -> None:
    """Each waits its turn; nobody else does."""
    assert [busy.delay(HERE, NOW) for _ in range(3)] == pytest.approx([EVERY, 2 * EVERY, 3 * EVERY])
    assert busy.delay(THERE, NOW) == 0.0


def test_who_has_rested_may_again(busy: Pace) -> None:
    """As often as it rested for, and no more than at first."""
    assert [busy.delay(HERE, NOW + 2 * EVERY) for _ in range(3)] == pytest.approx([0.0, 0.0, EVERY])
    assert [busy.delay(HERE, NOW + 10_000) for _ in range(AT_ONCE + 1)] == pytest.approx([0.0] * AT_ONCE + [EVERY])


def test_nobody_waits_for_ever(busy: Pace) -> None:
    """However many came and went before."""
    assert max(busy.delay(HERE, NOW) for _ in range(100_000)) == pytest.approx(LONGEST)
    assert busy.delay(HERE, NOW + LONGEST + AT_ONCE * EVERY) == 0.0


def test_a_device_with_a_whole_network_is_one_device() -> None:
    """It takes another of its IPv6 addresses for each connection, if it likes."""
    pace = Pace()
    delays = [pace.delay(ip_address(f"fd00:0:0:1::{number:x}"), NOW) for number in range(AT_ONCE + 1)]
    assert delays[-1] == pytest.approx(EVERY)
    assert pace.delay(ip_address("fd00:0:0:2::1"), NOW) == 0.0


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is forgotten is the oldest."""
    monkeypatch.setattr(pacing, "MOST", 3)
    pace = Pace()
    for number in range(5):
        for _ in range(AT_ONCE):
            pace.delay(ip_address(f"10.0.0.{number}"), NOW)
    assert [pace.delay(ip_address(f"10.0.0.{number}"), NOW) > 0 for number in (4, 3, 2)] == [True] * 3
    assert pace.delay(ip_address("10.0.0.0"), NOW) == 0.0
