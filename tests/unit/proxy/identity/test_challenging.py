"""Whom to challenge: once, there, and not again unless they wish it."""

from ipaddress import ip_address

from policies.names import HostName
from proxy.identity.challenging import EXPECTED_FOR, MOST_EXPECTED, MOST_TIMES, RESTS_FOR, Challenges

HERE, THERE = ip_address("10.20.0.10"), ip_address("10.20.0.11")
INSTAGRAM, FACEBOOK = HostName("www.instagram.com"), HostName("www.facebook.com")


def test_who_is_expected_is_challenged_once():
    """There, for that host; nobody else."""
    challenges = Challenges()
    assert challenges.expect(HERE, INSTAGRAM, 0.0)
    assert not challenges.take(THERE, INSTAGRAM, 1.0)
    assert not challenges.take(HERE, FACEBOOK, 1.0)
    assert challenges.take(HERE, INSTAGRAM, 1.0)
    assert not challenges.take(HERE, INSTAGRAM, 1.0)


def test_who_does_not_come_back_is_not_expected_for_ever():
    """Up to the moment, and not at it."""
    challenges = Challenges()
    challenges.expect(HERE, INSTAGRAM, 0.0)
    assert not challenges.take(HERE, INSTAGRAM, EXPECTED_FOR)


def test_who_was_challenged_rests_unless_they_wish_it():
    """Somebody who cancelled is not asked at each page."""
    challenges = Challenges()
    challenges.expect(HERE, INSTAGRAM, 0.0)
    challenges.take(HERE, INSTAGRAM, 1.0)
    assert not challenges.expect(HERE, INSTAGRAM, 2.0)
    assert challenges.expect(HERE, FACEBOOK, 2.0)
    assert challenges.expect(HERE, INSTAGRAM, 3.0, wished=True)
    assert challenges.take(HERE, INSTAGRAM, 4.0)
    assert challenges.expect(HERE, INSTAGRAM, 4.0 + RESTS_FOR)


def test_who_has_answered_may_be_asked_again_when_they_come_without_it():
    """A browser that was closed, or the next person at the machine."""
    challenges = Challenges()
    challenges.expect(HERE, INSTAGRAM, 0.0)
    challenges.take(HERE, INSTAGRAM, 1.0)
    challenges.answered(HERE, INSTAGRAM)
    assert challenges.expect(HERE, INSTAGRAM, 2.0)


def test_nobody_is_sent_round_for_ever():
    """Not even by wishing."""
    challenges = Challenges()
    assert [challenges.expect(HERE, INSTAGRAM, 0.0, wished=True) for _ in range(MOST_TIMES + 2)] == [
        *[True] * MOST_TIMES,
        *[False] * 2,
    ]
    assert challenges.take(HERE, INSTAGRAM, 1.0)


def test_memory_is_bounded():
    """The oldest is forgotten first: it costs them a click."""
    challenges = Challenges()
    for number in range(MOST_EXPECTED + 10):
        challenges.expect(HERE, HostName(f"{number}.example"), 0.0)
    assert len(challenges) == MOST_EXPECTED
    assert not challenges.take(HERE, HostName("0.example"), 1.0)
    assert challenges.take(HERE, HostName(f"{MOST_EXPECTED + 9}.example"), 1.0)
