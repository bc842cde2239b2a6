"""When lessons and structured sessions are: half-open wall-clock intervals in the school's own zone.

A period is a named set of such intervals on weekdays, in terms, out of holidays. The clock on the wall decides, so a
lesson at 09:00 is at 09:00 on both sides of a change to summer time; in the hour that a clock repeats, both passes
count; a time that a clock skips is never on the wall. An interval lies in one day and may last to its end, ``24:00``.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    WithJsonSchema,
    model_validator,
)

type Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]

DAYS: tuple[Day, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
HORIZON = timedelta(days=400)  # how far ahead a change is looked for: over the longest holiday, and then some
MIDNIGHT = time.min  # as an end: of the day that the interval began on

_CLOCK = r"([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?"


def _clock(value: object) -> time:
    if isinstance(value, time) and value.tzinfo is None:
        return value
    if not isinstance(value, str) or not re.fullmatch(_CLOCK, value):
        raise ValueError(f"{value!r} is no time of day: write one such as 08:50 (24 hours, two digits each)")
    return time.fromisoformat(value)


def _end(value: object) -> time:
    if value in ("24:00", "24:00:00", MIDNIGHT):
        return MIDNIGHT
    if (end := _clock(value)) == MIDNIGHT:
        raise ValueError(f"nothing ends at {value}: write the end of a day as 24:00")
    return end


def _written_end(end: time) -> str:
    return "24:00" if end == MIDNIGHT else end.isoformat()


def zone_name(value: str) -> str:
    """A time zone that exists, such as Europe/London. Raises ValueError."""
    try:
        return ZoneInfo(value).key
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"{value!r} is no time zone: write one such as Europe/London") from None


type Clock = Annotated[time, BeforeValidator(_clock), WithJsonSchema({"type": "string", "pattern": f"^{_CLOCK}$"})]
type EndOnClock = Annotated[
    time,
    BeforeValidator(_end),
    PlainSerializer(_written_end, when_used="json"),
    WithJsonSchema({"type": "string", "pattern": f"^({_CLOCK}|24:00(:00)?)$"}),
]
type ZoneName = Annotated[str, AfterValidator(zone_name)]


class Interval(BaseModel):
    """``[start, end)`` on the given days."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    days: tuple[Day, ...] = Field(default=("mon", "tue", "wed", "thu", "fri"), min_length=1)
    start: Clock = Field(alias="from")
    end: EndOnClock = Field(alias="to")

    @model_validator(mode="after")
    def _within_one_day(self) -> Self:
        if MIDNIGHT != self.end <= self.start:
            raise ValueError(
                f"from {self.start:%H:%M} to {self.end:%H:%M} is empty or crosses midnight: "
                "`to` is later than `from`, on the same day; write a night as two intervals, to 24:00 and from 00:00"
            )
        return self

    def holds(self, day: Day, wall: time) -> bool:
        return day in self.days and self.start <= wall and (wall < self.end or self.end == MIDNIGHT)


class DateRange(BaseModel):
    """Days from ``first`` to ``last``, both included."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1)
    first: date
    last: date

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.first > self.last:
            raise ValueError(f"{self.name}: the last day, {self.last}, is before the first, {self.first}")
        return self

    def __contains__(self, day: date) -> bool:
        return self.first <= day <= self.last


class Timetable(BaseModel):
    """``periods``: name -> intervals. Terms limit them to dates; holidays take days out; no terms means all year."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    time_zone: ZoneName = "Europe/London"
    periods: Mapping[str, Annotated[tuple[Interval, ...], Field(min_length=1)]] = Field(default_factory=dict)
    terms: tuple[DateRange, ...] = ()
    holidays: tuple[DateRange, ...] = ()

    @cached_property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)

    def contains(self, period: str, now: datetime) -> bool:
        """Whether the aware moment ``now`` lies in ``period``."""
        local = now.astimezone(self.zone)
        wall, day = local.time(), DAYS[local.weekday()]
        return any(i.holds(day, wall) for i in self.periods[period]) and self._is_school_day(local.date())

    def matches(self, during: tuple[str, ...], outside: tuple[str, ...], now: datetime) -> bool:
        """Whether ``now`` is in one of ``during`` (none: any time) and in none of ``outside``."""
        if during and not any(self.contains(period, now) for period in during):
            return False
        return not any(self.contains(period, now) for period in outside)

    def next_change(self, now: datetime) -> datetime | None:
        """The next moment after ``now`` at which any period begins or ends, within 400 days."""
        before = self._running(now)
        for moment in self._bells(now):
            if (after := self._running(moment)) != before:
                return moment
            before = after
        return None

    def _is_school_day(self, day: date) -> bool:
        if self.terms and not any(day in term for term in self.terms):
            return False
        return not any(day in holiday for holiday in self.holidays)

    def _running(self, now: datetime) -> frozenset[str]:
        return frozenset(period for period in self.periods if self.contains(period, now))

    def _bells(self, now: datetime) -> Iterator[datetime]:
        """Every moment after ``now`` at which a period may begin or end, in order, in UTC."""
        today = now.astimezone(self.zone).date()
        for day in (today + timedelta(days=ahead) for ahead in range(HORIZON.days if self.periods else 0)):
            walls = self._walls_by_day[DAYS[day.weekday()]]
            if walls and self._is_school_day(day):
                yield from (moment for moment in self._moments(day, walls) if moment > now)

    @cached_property
    def _walls_by_day(self) -> Mapping[Day, frozenset[time]]:
        intervals = [interval for period in self.periods.values() for interval in period]
        return {day: frozenset(w for i in intervals if day in i.days for w in (i.start, i.end)) for day in DAYS}

    def _moments(self, day: date, walls: frozenset[time]) -> list[datetime]:
        """When the clock shows these times (twice, in a repeated hour), and when it jumps, if it does on this day."""
        first = self._moment(day, time.min)
        last = self._moment(day + timedelta(days=1), time.min)
        shown = {first, last, *(self._moment(day, wall.replace(fold=fold)) for wall in walls for fold in (0, 1))}
        if self._offset(first) != self._offset(last):
            shown.add(self._jump(first, last))
        return sorted(shown)

    def _moment(self, day: date, wall: time) -> datetime:
        return datetime.combine(day, wall, self.zone).astimezone(UTC)

    def _jump(self, first: datetime, last: datetime) -> datetime:
        """The second at which the zone's offset changes, between two moments of different offset."""
        while last - first > timedelta(seconds=1):
            middle = first + timedelta(seconds=(last - first) // timedelta(seconds=2))
            first, last = (middle, last) if self._offset(middle) == self._offset(first) else (first, middle)
        return last

    def _offset(self, moment: datetime) -> timedelta | None:
        return moment.astimezone(self.zone).utcoffset()
