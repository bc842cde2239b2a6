"""Times as people type them, in the school's zone."""

import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.cli import times
from proxy.cli.errors import WrongUse

LONDON = ZoneInfo("Europe/London")
SUMMER = datetime(2026, 7, 1, 12, 0, tzinfo=UTC)  # 13:00 on the wall


def _utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("15:30", _utc(2026, 7, 1, 14, 30)),
        ("9:05", _utc(2026, 7, 1, 8, 5)),
        ("tomorrow 09:00", _utc(2026, 7, 2, 8, 0)),
        ("Tomorrow 09:00", _utc(2026, 7, 2, 8, 0)),
        ("yesterday 09:00", _utc(2026, 6, 30, 8, 0)),
        ("today 09:00", _utc(2026, 7, 1, 8, 0)),
        ("now", SUMMER),
        ("2026-09-01", _utc(2026, 8, 31, 23, 0)),
        ("2026-09-01T09:00", _utc(2026, 9, 1, 8, 0)),
        ("2026-09-01 09:00", _utc(2026, 9, 1, 8, 0)),
        ("2026-12-01T09:00", _utc(2026, 12, 1, 9, 0)),
        ("2026-09-01T09:00Z", _utc(2026, 9, 1, 9, 0)),
        ("2026-09-01T09:00+02:00", _utc(2026, 9, 1, 7, 0)),
        ("2026-10-25T01:30", _utc(2026, 10, 25, 0, 30)),  # the first of the two passes
    ],
)
def test_what_is_typed_is_on_the_schools_clock(typed, meant):
    """Bare times are on the wall of the school; an offset says otherwise."""
    assert times.moment(typed, SUMMER, LONDON) == meant


@pytest.mark.parametrize(
    "typed", ["", "25:00", "soon", "someday 09:00", "2026-13-01", "15", "0001-01-01T00:00+23:59", "9" * 100_000]
)
def test_what_is_no_time_is_refused(typed):
    """With a sentence that does not repeat a flood."""
    with pytest.raises(WrongUse) as error:
        times.moment(typed, SUMMER, LONDON)
    assert "no time" in str(error.value)
    assert len(str(error.value)) < 100


def test_a_time_that_the_clocks_skip_is_refused():
    """At 01:00 on 29 March 2026 London's clocks go forward."""
    with pytest.raises(WrongUse, match="clocks go forward"):
        times.moment("2026-03-29T01:30", SUMMER, LONDON)


@given(st.text(max_size=60))
def test_any_text_is_a_time_or_wrong_use(typed):
    """Nothing typed raises anything else."""
    with suppress(WrongUse):
        assert times.moment(typed, SUMMER, LONDON).tzinfo is not None


@pytest.mark.parametrize(("typed", "meant"), [("2h", 7200), ("1h30m", 5400), ("45s", 45), ("90m", 5400)])
def test_spans(typed, meant):
    """Durations as the policy writes them."""
    assert times.span(typed) == timedelta(seconds=meant)


@pytest.mark.parametrize("typed", ["", "0h", "-2h", "two hours", "2", "9" * 100_000 + "h", "999999d" * 10])
def test_no_spans(typed):
    """Nothing, less than nothing, and more than there is."""
    with pytest.raises(WrongUse):
        times.span(typed)


def test_a_window_needs_one_end():
    """``--for`` or ``--until``, never both, never neither."""
    for until, length in ((None, None), ("15:30", "2h")):
        with pytest.raises(WrongUse, match="either --for or --until"):
            times.window(None, until, length, now=SUMMER, zone=LONDON)


def test_a_window_from_now_or_later():
    """``--for`` counts from ``--from``, else from now."""
    assert times.window(None, None, "2h", now=SUMMER, zone=LONDON) == (SUMMER, SUMMER + timedelta(hours=2))
    start, end = times.window("tomorrow 09:00", None, "2h", now=SUMMER, zone=LONDON)
    assert (start, end) == (_utc(2026, 7, 2, 8, 0), _utc(2026, 7, 2, 10, 0))
    start, end = times.window("14:00", "15:30", None, now=SUMMER, zone=LONDON)
    assert (start, end) == (_utc(2026, 7, 1, 13, 0), _utc(2026, 7, 1, 14, 30))


def test_a_window_past_the_calendar_is_refused():
    """The year 9999 is the last."""
    with pytest.raises(WrongUse, match="last year"):
        times.window("9999-12-31T12:00", None, "48h", now=SUMMER, zone=LONDON)


@pytest.mark.parametrize(
    ("at", "shown"),
    [
        (_utc(2026, 7, 1, 14, 30, 20), "15:30"),
        (_utc(2026, 7, 1, 12, 0, 4), "13:00:04"),
        (_utc(2026, 7, 7, 14, 30), "Tue 7 Jul 15:30"),
        (_utc(2027, 1, 7, 14, 30), "7 Jan 2027 14:30"),
    ],
)
def test_times_are_spoken_as_people_do(at, shown):
    """Today without its date, near moments with their seconds, in the school's zone."""
    assert times.spoken(at, SUMMER, LONDON) == shown


def test_json_times_have_an_offset():
    """RFC 3339, in the school's zone; none stays none."""
    assert times.iso(SUMMER, LONDON) == "2026-07-01T13:00:00+01:00"
    assert times.iso(None, LONDON) is None


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0 s"),
        (59, "59 s"),
        (60, "1 min"),
        (3599, "59 min"),
        (3600, "1 h"),
        (7140, "1 h 59 min"),
        (47 * 3600, "47 h"),
        (49 * 3600, "2 days"),
    ],
)
def test_what_is_left(seconds, said):
    """As much as one wants to know of a time to wait."""
    assert times.left(timedelta(seconds=seconds)) == said


def test_a_clock_that_shows_another_time_is_told_so(monkeypatch):
    """A gateway in UTC lists the school's times, in summer an hour on."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    try:
        assert times.zone_note(SUMMER, LONDON) == "Times are those of Europe/London."
        assert times.zone_note(_utc(2026, 1, 1), LONDON) is None
    finally:
        monkeypatch.undo()
        time.tzset()
