"""Times and durations as people type and read them: in the policy's zone; inside they are aware, in UTC.

``15:30`` is today's, on the wall. An hour that the clocks repeat means its first pass; one that they skip is an error.
"""

import re
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from proxy.cli.errors import WrongUse

EXPECTED = "Write one such as 15:30, tomorrow 09:00, or 2026-09-01T09:00"
LONGEST = 40  # characters that a time can need
CLOSE = timedelta(minutes=5)  # within this, seconds are told

_DAYS = {"yesterday": -1, "today": 0, "tomorrow": 1}
_SPOKEN = re.compile(r"(?:(?P<day>[a-z]+)\s+)?(?P<clock>\d{1,2}:\d{2})", re.IGNORECASE)


def moment(text: str, now: datetime, zone: ZoneInfo) -> datetime:
    """The moment that ``text`` names, in UTC. Raises WrongUse with what was expected."""
    text = text.strip()
    if len(text) > LONGEST:
        raise WrongUse(f"That is no time ({len(text)} characters long).", hint=EXPECTED)
    try:
        if text.lower() == "now":
            return now
        if spoken := _SPOKEN.fullmatch(text):
            return _on_the_wall(_day(spoken["day"], now, zone), time.fromisoformat(spoken["clock"].zfill(5)), zone)
        return _iso(text, zone)
    except (ValueError, OverflowError) as error:
        detail = str(error) if isinstance(error, _NotOnTheWall) else f"{text!r} is no time."
        raise WrongUse(detail, hint=f"{EXPECTED} (times are {zone.key}).") from None


def span(text: str) -> timedelta:
    """``2h``, ``90m``, ``1h30m`` -> timedelta, more than nothing. Raises WrongUse."""
    from policies.model import duration

    try:
        length = duration(text[:LONGEST])
    except (ValueError, OverflowError):
        raise WrongUse(f"{text[:LONGEST]!r} is no duration.", hint="Write one such as 30m, 2h or 1h30m.") from None
    if not length:
        raise WrongUse(f"{text!r} is no time at all.", hint="Write one such as 30m, 2h or 1h30m.")
    return length


def window(
    start: str | None, until: str | None, length: str | None, *, now: datetime, zone: ZoneInfo
) -> tuple[datetime, datetime]:
    """``--from``, ``--until`` and ``--for`` -> (starts_at, ends_at): one of the last two, never both."""
    if (until is None) == (length is None):
        raise WrongUse("Say how long: either --for or --until.", hint="Such as --for 2h, or --until 15:30.")
    starts_at = moment(start, now, zone) if start is not None else now
    if until is not None:
        return starts_at, moment(until, now, zone)
    try:
        return starts_at, starts_at + span(length or "")
    except OverflowError:
        raise WrongUse(f"--for {length} ends after the last year there is.", hint="Write one such as 2h.") from None


def iso(at: datetime | None, zone: ZoneInfo) -> str | None:
    """RFC 3339 with the zone's offset, to the second; None stays None."""
    return at.astimezone(zone).isoformat(timespec="seconds") if at is not None else None


def spoken(at: datetime, now: datetime, zone: ZoneInfo) -> str:
    """``15:30`` today, ``Tue 3 Mar 15:30`` this year, ``3 Mar 2027 15:30`` else; seconds where they matter."""
    local, today = at.astimezone(zone), now.astimezone(zone)
    clock = f"{local:%H:%M:%S}" if local.second and abs(at - now) < CLOSE else f"{local:%H:%M}"
    if local.date() == today.date():
        return clock
    if local.year == today.year:
        return f"{local:%a} {local.day} {local:%b} {clock}"
    return f"{local.day} {local:%b} {local.year} {clock}"


def left(length: timedelta) -> str:
    """``3 days``, ``1 h 59 min``, ``12 min``, ``45 s``: as much as one wants to know of a time to wait."""
    minutes, seconds = divmod(int(length.total_seconds()), 60)
    hours, minutes = divmod(minutes, 60)
    if hours >= 48:  # noqa: PLR2004 -- two days
        return f"{hours // 24} days"
    if hours:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    return f"{minutes} min" if minutes else f"{seconds} s"


def zone_note(now: datetime, zone: ZoneInfo) -> str | None:
    """A sentence for those whose own clock shows another time than the school's."""
    if now.astimezone().utcoffset() == now.astimezone(zone).utcoffset():
        return None
    return f"Times are those of {zone.key}."


class _NotOnTheWall(ValueError):
    """A wall-clock time that the change to summer time skips."""


def _day(word: str | None, now: datetime, zone: ZoneInfo) -> date:
    try:
        return now.astimezone(zone).date() + timedelta(days=_DAYS[(word or "today").lower()])
    except KeyError:
        raise ValueError(f"{word!r} is no day") from None


def _iso(text: str, zone: ZoneInfo) -> datetime:
    parsed = datetime.fromisoformat(text)
    if parsed.tzinfo is None:
        return _on_the_wall(parsed.date(), parsed.time(), zone)
    return parsed.astimezone(UTC)


def _on_the_wall(day: date, clock: time, zone: ZoneInfo) -> datetime:
    local = datetime.combine(day, clock, zone)
    at = local.astimezone(UTC)
    if at.astimezone(zone).replace(tzinfo=None) != local.replace(tzinfo=None):
        raise _NotOnTheWall(f"{clock:%H:%M} is not on the clock on {day.isoformat()}: the clocks go forward.")
    return at
