"""What one device may try: little, and to nobody else's harm."""

import pytest

from proxy.identity import patience
from proxy.identity.patience import AT_ONCE, EVERY, KNOWN_FOR, MOST_KNOWN, Patience
from proxy.services.back_off import FREE, MEMORY

HERE, THERE, ELSEWHERE = "10.20.0.10", "10.20.0.11", "10.20.1.10"
NEIGHBOURS = {
    "IPv4": [f"10.20.0.{number}" for number in range(20, 40)],
    "IPv6": [f"fd00:0:0:1:{number:x}::1" for number in range(20, 40)],
}
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
    assert not memory.waits(THERE, "j.smith", NOW + 49_000)
    assert not memory.waits(ELSEWHERE, "j.smith", NOW)
    assert not few.waits(HERE, "head", NOW)


@pytest.mark.parametrize("addresses", NEIGHBOURS.values(), ids=NEIGHBOURS.keys())
def test_neighbours_count_as_one(addresses: list[str]) -> None:
    """One laptop takes many addresses of its network: together they add to a name what one device may."""
    memory = Patience()
    counted = [memory.failed(address, "j.smith", NOW + n * 1000) for n, address in enumerate(addresses)]
    assert counted == [True] * FREE + [False] * (len(addresses) - FREE)


def test_neighbours_who_fail_wait_together(few: Patience) -> None:
    """One device makes none of them wait; a second one does, until the time is up; nobody waits elsewhere."""
    for _ in range(FREE):
        few.failed(HERE, "j.smith", NOW)
    assert not few.waits(THERE, "j.smith", NOW)
    few.failed(THERE, "j.smith", NOW)
    assert few.waits("10.20.0.99", "j.smith", NOW)
    assert not few.waits("10.20.0.99", "head", NOW)
    assert not few.waits(ELSEWHERE, "j.smith", NOW)
    assert not few.waits("10.20.0.99", "j.smith", NOW + 15)


def test_who_signed_in_there_lately_waits_for_nobody_elses_failures() -> None:
    """Their own count all the same, at that device as at any other."""
    memory = Patience()
    memory.succeeded(HERE, "j.smith", NOW)
    assert memory.knows(HERE, "j.smith", NOW)
    for address in NEIGHBOURS["IPv4"]:
        memory.failed(address, "j.smith", NOW)
    assert memory.waits(THERE, "j.smith", NOW)
    assert not memory.waits(HERE, "j.smith", NOW)
    for _ in range(FREE + 1):
        memory.failed(HERE, "j.smith", NOW)
    assert memory.waits(HERE, "j.smith", NOW)


def test_a_device_is_known_for_a_while_and_for_that_name_only() -> None:
    """Not its neighbours, nor anybody else at it; a few devices for each name, the latest."""
    memory = Patience()
    memory.succeeded(HERE, "j.smith", NOW)
    assert not memory.knows(THERE, "j.smith", NOW)
    assert not memory.knows(HERE, "head", NOW)
    assert not memory.knows(HERE, "j.smith", NOW + KNOWN_FOR)
    for number in range(MOST_KNOWN):
        memory.succeeded(f"10.30.0.{number}", "j.smith", NOW)
    assert not memory.knows(HERE, "j.smith", NOW)
    assert memory.knows("10.30.0.0", "j.smith", NOW)


def test_the_right_password_clears_it(few: Patience) -> None:
    """For that name at that device."""
    few.succeeded(HERE, "j.smith", NOW)
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
    monkeypatch.setattr(patience, "MOST", 6)
    memory = Patience()
    for n in range(9):
        for _ in range(FREE + 1):
            memory.failed(f"10.0.{n}.1", "j.smith", NOW)
    assert [memory.waits(f"10.0.{n}.1", "j.smith", NOW) for n in range(9)] == [False] * 6 + [True] * 3
