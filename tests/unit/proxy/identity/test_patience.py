"""What one device may try: little, and to nobody else's harm."""

import pytest

from proxy.identity import patience
from proxy.identity.patience import AT_ONCE, EVERY, Patience
from proxy.services.back_off import FREE, MEMORY

HERE, THERE = "10.20.0.10", "10.20.0.11"
NOW = 1000.0


@pytest.fixture
def few() -> Patience:
    """A memory in which j.smith failed at HERE as often as anybody may."""
    memory = Patience()
    for _ in range(FREE):
        memory.failed(HERE, "j.smith", NOW)
    return memory


def test_a_few_failures_are_anybodys(few: Patience) -> None:
    """The next is the one that has to wait."""
    assert not few.waits(HERE, "j.smith", NOW)
    few.failed(HERE, "j.smith", NOW)
    assert few.waits(HERE, "j.smith", NOW)
    assert not few.waits(HERE, "j.smith", NOW + 15)


def test_each_further_failure_waits_twice_as_long(few: Patience) -> None:
    """Up to a quarter of an hour."""
    waits = []
    now = NOW
    for _ in range(9):
        few.failed(HERE, "j.smith", now)
        waits.append(next(s for s in range(2000) if not few.waits(HERE, "j.smith", now + s)))
        now += waits[-1]
    assert waits == [15, 30, 60, 120, 240, 480, 900, 900, 900]


def test_one_device_makes_nobody_wait_elsewhere(few: Patience) -> None:
    """Its failures count towards the name only while they are few: less than makes a name wait."""
    memory = Patience()
    counted = [memory.failed(HERE, "j.smith", NOW + n * 1000) for n in range(50)]
    assert counted == [True] * FREE + [False] * (50 - FREE)
    assert not memory.waits(THERE, "j.smith", NOW)
    assert not few.waits(HERE, "head", NOW)


def test_the_right_password_clears_it(few: Patience) -> None:
    """For that name at that device."""
    few.succeeded(HERE, "j.smith")
    assert [few.failed(HERE, "j.smith", NOW) for _ in range(FREE + 1)] == [True] * FREE + [False]


def test_failures_are_forgotten_after_a_day(few: Patience) -> None:
    """As those of names are."""
    later = NOW + MEMORY.total_seconds() + 1
    assert few.failed(HERE, "j.smith", later)
    assert not few.waits(HERE, "j.smith", later)


def test_one_device_tries_few_names() -> None:
    """So many at a stretch, whoever they are; then one now and then. Another device is not touched."""
    memory = Patience()
    tried = 0
    while not memory.waits(HERE, f"name-{tried}", NOW):
        memory.failed(HERE, f"name-{tried}", NOW)
        tried += 1
    assert tried == AT_ONCE
    assert memory.waits(HERE, "somebody-else", NOW + EVERY - 1)
    assert not memory.waits(HERE, "somebody-else", NOW + EVERY)
    assert not memory.waits(THERE, "somebody-else", NOW)
    memory.failed(HERE, "name", NOW + EVERY)
    assert memory.waits(HERE, "somebody-else", NOW + EVERY)
    assert not memory.waits(HERE, "somebody-else", NOW + 10 * EVERY)


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is forgotten is the oldest."""
    monkeypatch.setattr(patience, "MOST", 3)
    memory = Patience()
    for n in range(9):
        for _ in range(FREE + 1):
            memory.failed(f"10.0.0.{n}", "j.smith", NOW)
    assert [memory.waits(f"10.0.0.{n}", "j.smith", NOW) for n in range(9)] == [False] * 6 + [True] * 3
