"""Lessons by the clock on the wall: half-open, in terms, out of holidays, on the days the clock changes too."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from policies.timetable import DAYS, Timetable

LONDON = ZoneInfo("Europe/London")
SPRING = date(2026, 3, 29)  # 01:00 GMT becomes 02:00 BST
AUTUMN = date(2026, 10, 25)  # 02:00 BST becomes 01:00 GMT


def timetable(*intervals, **fields) -> Timetable:
    written = [{"from": start, "to": end, **({"days": days} if days else {})} for start, end, *days in intervals]
    return Timetable.model_validate({"periods": {"lessons": written}, **fields})


def utc(day: date, hour: int, minute: int = 0, second: int = 0) -> datetime:
    return datetime(day.year, day.month, day.day, hour, minute, second, tzinfo=UTC)


def changes(table: Timetable, start: datetime, end: datetime) -> list[datetime]:
    found, moment = [], table.next_change(start)
    while moment is not None and moment < end:
        found.append(moment)
        moment = table.next_change(moment)
    return found


MONDAY = date(2026, 11, 23)


@pytest.mark.parametrize(
    ("moment", "inside"),
    [
        (utc(MONDAY, 8, 59, 59), False),
        (utc(MONDAY, 9), True),
        (utc(MONDAY, 9, 59, 59), True),
        (utc(MONDAY, 10), False),
        (utc(date(2026, 11, 28), 9, 30), False),
        (utc(date(2026, 7, 6), 8), True),
        (utc(date(2026, 7, 6), 9), False),
    ],
)
def test_half_open_on_the_wall(moment, inside):
    """From the first second to the last; weekdays; at the same wall-clock time in summer and winter."""
    assert timetable(("09:00", "10:00")).contains("lessons", moment) is inside


def test_terms_and_holidays():
    """In a term and out of its holidays, both ends included."""
    table = timetable(
        ("09:00", "10:00"),
        terms=[{"name": "Autumn", "first": "2026-09-02", "last": "2026-12-18"}],
        holidays=[{"name": "Half-term", "first": "2026-10-26", "last": "2026-10-30"}],
    )
    inside = {day: table.contains("lessons", utc(date.fromisoformat(day), 9, 30)) for day in (
        "2026-09-01", "2026-10-26", "2026-10-30", "2026-11-02", "2026-12-18", "2026-12-21",
    )}  # fmt: skip
    assert [day for day, held in inside.items() if held] == ["2026-11-02", "2026-12-18"]
    assert table.contains("lessons", utc(date(2026, 9, 2), 8, 30))


def test_next_change_skips_holidays_and_nights():
    """From a Friday's last bell to the first one after the holiday."""
    table = timetable(("09:00", "10:00"), holidays=[{"name": "Half-term", "first": "2026-10-26", "last": "2026-10-30"}])
    assert table.next_change(utc(date(2026, 10, 23), 9)) == utc(date(2026, 11, 2), 9)
    assert table.next_change(utc(MONDAY, 9)) == utc(MONDAY, 10)
    assert table.next_change(utc(MONDAY, 8, 59, 59)) == utc(MONDAY, 9)


def test_lessons_that_touch_have_no_bell_between_them():
    """Nothing changes where one interval begins as another ends."""
    table = timetable(("09:00", "10:00"), ("10:00", "11:00"))
    assert table.next_change(utc(MONDAY, 9)) == utc(MONDAY, 11)


def test_nothing_ahead_is_none():
    """No periods, or terms that are over: there is no next change."""
    assert Timetable().next_change(utc(MONDAY, 9)) is None
    over = timetable(("09:00", "10:00"), terms=[{"name": "Old", "first": "2020-01-01", "last": "2020-12-31"}])
    assert over.next_change(utc(MONDAY, 9)) is None


def test_repeated_hour_counts_in_both_passes():
    """In October 01:30 is on the wall twice, and the hour between is not."""
    table = timetable(("01:30", "01:45", "sun"))
    assert changes(table, utc(AUTUMN, 0), utc(AUTUMN, 3)) == [
        utc(AUTUMN, 0, 30), utc(AUTUMN, 0, 45), utc(AUTUMN, 1, 30), utc(AUTUMN, 1, 45),
    ]  # fmt: skip


def test_an_interval_over_the_repeated_hour_is_left_and_entered_again():
    """01:30 to 03:00: when the clock goes back to 01:00 the interval is over until 01:30 comes again."""
    table = timetable(("01:30", "03:00", "sun"))
    assert changes(table, utc(AUTUMN, 0), utc(AUTUMN, 4)) == [
        utc(AUTUMN, 0, 30), utc(AUTUMN, 1), utc(AUTUMN, 1, 30), utc(AUTUMN, 3),
    ]  # fmt: skip


def test_skipped_hour_is_never_on_the_wall():
    """In March an interval inside the skipped hour does not happen, and one across it begins at the jump."""
    assert changes(timetable(("01:15", "01:45", "sun")), utc(SPRING, 0), utc(SPRING, 4)) == []
    across = timetable(("01:30", "03:00", "sun"))
    assert changes(across, utc(SPRING, 0), utc(SPRING, 4)) == [utc(SPRING, 1), utc(SPRING, 2)]


def test_a_period_may_last_to_the_end_of_the_day():
    """24:00 is the first moment of the next day, not in the period any more; it is published as it is written."""
    table = timetable(("21:00", "24:00"))
    assert table.contains("lessons", utc(MONDAY, 23, 59, 59) + timedelta(microseconds=999_999))
    midnight = utc(MONDAY + timedelta(days=1), 0)
    assert not table.contains("lessons", midnight)
    assert table.next_change(utc(MONDAY, 22)) == midnight
    assert Timetable.model_validate(table.model_dump(mode="json", by_alias=True)) == table
    assert Timetable.model_validate(table.model_dump(by_alias=True)) == table


def test_a_night_of_two_intervals_has_no_bell_at_midnight():
    """Monday to 24:00 and Tuesday from 00:00 are one night; a whole day ends where a holiday begins."""
    night = timetable(("21:00", "24:00", "mon"), ("00:00", "06:00", "tue"))
    assert night.next_change(utc(MONDAY, 22)) == utc(MONDAY + timedelta(days=1), 6)
    half_term = {"name": "Half-term", "first": "2026-11-24", "last": "2026-11-27"}
    assert timetable(("00:00", "24:00"), holidays=[half_term]).next_change(utc(MONDAY, 9)) == utc(date(2026, 11, 24), 0)


def test_the_end_of_a_day_that_the_clock_changes():
    """A day of 23 hours and one of 25 end at their own midnight, and a midnight that comes twice counts once."""
    sundays = timetable(("00:00", "24:00", "sun"))
    assert changes(sundays, utc(SPRING, 12), utc(SPRING, 23, 59)) == [utc(SPRING, 23)]
    assert changes(sundays, utc(AUTUMN, 12), utc(AUTUMN + timedelta(days=1), 1)) == [utc(AUTUMN + timedelta(days=1), 0)]
    cairo = timetable(("22:00", "24:00", "thu"), time_zone="Africa/Cairo")  # on 29 October 24:00 becomes 23:00
    assert changes(cairo, utc(date(2026, 10, 29), 12), utc(date(2026, 10, 30), 12)) == [
        utc(date(2026, 10, 29), 19), utc(date(2026, 10, 29), 22),
    ]  # fmt: skip


def test_a_zone_that_jumps_at_midnight():
    """Where the clock skips the first hour of a day, an interval in it begins when the day does."""
    table = timetable(("00:30", "02:00"), ("00:30", "02:00", "sun"), time_zone="Asia/Beirut")
    jump = datetime(2026, 3, 28, 22, tzinfo=UTC)  # 00:00 becomes 01:00
    assert table.contains("lessons", jump)
    assert not table.contains("lessons", jump - timedelta(seconds=1))
    assert table.next_change(jump - timedelta(hours=1)) == jump


ZONES = ("Europe/London", "America/St_Johns", "America/Havana", "Australia/Lord_Howe", "Africa/Cairo", "Asia/Beirut")
clocks = st.integers(0, 24 * 60 - 1).map(lambda minute: f"{minute // 60:02}:{minute % 60:02}")
intervals = st.builds(
    lambda a, b, days: {"from": min(a, b), "to": max(a, b) if a != b else "24:00", "days": days},
    clocks,
    clocks | st.just("24:00"),
    st.lists(st.sampled_from(DAYS), min_size=1, unique=True),
)
around_the_clock_changes = st.one_of(
    st.datetimes(datetime(2026, 3, 27), datetime(2026, 3, 30)),  # noqa: DTZ001 -- hypothesis adds the zone
    st.datetimes(datetime(2026, 10, 23), datetime(2026, 10, 26)),  # noqa: DTZ001
    st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31)),  # noqa: DTZ001
)


@given(
    st.lists(intervals, min_size=1, max_size=4),
    around_the_clock_changes.map(lambda moment: moment.replace(tzinfo=UTC)),
    st.sampled_from(ZONES),
    st.floats(0, 0.999),
)
def test_constant_between_changes(written, now, zone, part):
    """Between two changes nothing changes; at a change something does; where there is none, it holds the whole week."""
    table = Timetable.model_validate({"periods": {"lessons": written}, "time_zone": zone})
    change = table.next_change(now)
    if change is None:
        assert all(table.contains("lessons", now + timedelta(hours=hour)) for hour in range(7 * 24))
        return
    assert change > now
    before = table.contains("lessons", now)
    assert table.contains("lessons", now + (change - now) * part) is before
    assert table.contains("lessons", change - timedelta(microseconds=1)) is before
    assert table.contains("lessons", change) is not before


def test_matches_during_and_outside():
    """In one of these and none of those; no `during` means any time."""
    table = Timetable.model_validate(
        {"periods": {"lessons": [{"from": "09:00", "to": "12:00"}], "break": [{"from": "10:00", "to": "10:20"}]}}
    )
    lesson, pause, evening = (utc(MONDAY, *clock) for clock in ((9, 30), (10, 10), (18, 0)))
    assert table.matches(("lessons",), ("break",), lesson)
    assert not table.matches(("lessons",), ("break",), pause)
    assert table.matches((), ("lessons",), evening)
    assert table.matches((), (), evening)
    assert not table.matches(("lessons", "break"), (), evening)


@pytest.mark.parametrize(
    ("interval", "expected"),
    [
        ({"from": "22:00", "to": "06:00"}, "crosses midnight"),
        ({"from": "09:00", "to": "09:00"}, "empty or crosses midnight"),
        ({"from": "9:00", "to": "10:00"}, "write one such as 08:50"),
        ({"from": 900, "to": "10:00"}, "write one such as 08:50"),
        ({"from": "24:00", "to": "24:00"}, "write one such as 08:50"),
        ({"from": "09:00", "to": "24:01"}, "write one such as 08:50"),
        ({"from": "22:00", "to": "00:00"}, "the end of a day as 24:00"),
        ({"from": "09:00+01:00", "to": "10:00"}, "write one such as 08:50"),
        ({"from": "09:00", "to": "10:00", "days": ["monday"]}, "'mon'"),
        ({"from": "09:00", "to": "10:00", "days": []}, "at least 1"),
    ],
)
def test_wrong_intervals_say_what_to_write(interval, expected):
    """An interval lies in one day and is written as HH:MM."""
    with pytest.raises(ValidationError, match=expected):
        Timetable.model_validate({"periods": {"lessons": [interval]}})


@pytest.mark.parametrize("zone", ["", "Europe/Horringer", "../etc/passwd", "Europe", "/etc/localtime"])
def test_wrong_zone(zone):
    """A zone that does not exist is an error, whatever it is."""
    with pytest.raises(ValidationError, match="no time zone"):
        Timetable.model_validate({"time_zone": zone})


def test_a_range_ends_after_it_begins():
    """A term with its dates swapped is an error."""
    with pytest.raises(ValidationError, match="is before the first"):
        Timetable.model_validate({"terms": [{"name": "Autumn", "first": "2026-12-18", "last": "2026-09-02"}]})
