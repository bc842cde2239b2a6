"""What `schoolgate policy check` finds: names the catalogue does not have, openings too wide, examples that fail."""

from datetime import UTC, datetime

import pytest

from policies.loading import check


def test_the_shipped_policy_is_fine(shipped_policy, shipped_catalogue):
    """The school's policy agrees with the catalogue and with its own examples, of which there are enough."""
    assert check(shipped_policy, shipped_catalogue) == ()
    assert len(shipped_policy.examples) >= 12


def test_the_shipped_timetable_covers_three_years(shipped_policy):
    """Bells ring in each of the school years, and none in their holidays."""
    years = {term.first.year for term in shipped_policy.timetable.terms}
    assert {2025, 2026, 2027, 2028} <= years
    assert shipped_policy.timetable.contains("lessons", datetime(2028, 7, 21, 9, tzinfo=UTC))
    assert not shipped_policy.timetable.contains("lessons", datetime(2026, 12, 25, 9, 30, tzinfo=UTC))


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        (
            {"locked": [{"name": "A", "clause": "2", "categories": ["vpn"]}]},
            "locked 'A': the catalogue has no category 'vpn'",
        ),
        (
            {"exempt": [{"because": "B", "clause": "2", "services": ["skratch"]}]},
            "exempt 'B': the catalogue has no service",
        ),
        (
            {"rules": [{"name": "C", "clause": "3", "verdict": "deny", "services": ["vk"]}]},
            "rule 'C': the catalogue has no service 'vk'",
        ),
        (
            {"teaching": [{"service": "scratch", "allow": a, "clause": "3", "because": "x"} for a in (True, False)]},
            "teaching: scratch is chosen twice",
        ),
        (
            {"exempt": [{"because": "D", "clause": "2", "domains": ["facebook.com"]}]},
            "exempt 'D': facebook.com also opens Facebook; name the hosts below it",
        ),
        ({"internal": {"suffixes": ["example"]}}, "internal.suffixes: example also opens Player"),
    ],
)
def test_disagreements(make_policy, catalogue, changes, problem):
    """One sentence each, with the entry it is about."""
    assert any(said.startswith(problem) for said in check(make_policy(**changes), catalogue))


@pytest.mark.parametrize(
    ("example", "problem"),
    [
        ({"from": "estate", "host": "facebook.com", "verdict": "deny", "reason": "not_authorised"}, None),
        (
            {"from": "10.1.2.3", "host": "facebook.com", "verdict": "allow", "reason": "unlisted"},
            "expected allow, unlisted",
        ),
        (
            {"from": "guest", "host": "facebook.com", "verdict": "allow", "reason": "outside_lessons"},
            "facebook.com from guest: deny, in_lesson on Thu 2026-01-01 09:00; expected allow, outside_lessons",
        ),
        (
            {
                "from": "guest",
                "host": "facebook.com",
                "at": "2026-07-06 09:00",
                "verdict": "deny",
                "reason": "in_lesson",
            },
            None,
        ),
        (
            {
                "from": "guest",
                "host": "facebook.com",
                "at": "2026-07-06T09:00Z",
                "verdict": "deny",
                "reason": "in_lesson",
            },
            "allow, outside_lessons on Mon 2026-07-06 10:00",
        ),
        ({"from": "nowhere", "host": "facebook.com", "verdict": "deny", "reason": "locked"}, "neither an address nor"),
    ],
)
def test_examples(make_policy, catalogue, example, problem):
    """An example holds at its time, on the school's wall; without one, at every bell."""
    problems = check(make_policy(examples=[example]), catalogue)
    assert problems == () if problem is None else problem in problems[0]
