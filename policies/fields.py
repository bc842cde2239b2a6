"""The kinds of field that the files have, read from what a person writes, and what to write where that is wrong."""

import re
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from importlib.resources import files
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer

from policies.names import HostName, InvalidName, host_name, is_public_suffix

_PART = re.compile(r"([0-9]{1,9})\s*([smhd])")
_DURATION = re.compile(rf"(?:{_PART.pattern}\s*){{1,4}}")
_UNITS = {"s": 1, "m": 60, "h": 60 * 60, "d": 24 * 60 * 60}  # in seconds
LONGEST_DURATION = timedelta(days=3660)
LAST_YEAR = 2100
LANGUAGES = files("policies") / "languages"


def duration(value: object) -> timedelta:
    """``90m``, ``2h``, ``1h30m``, ``30d``, ``45s`` -> timedelta. Raises ValueError with what was expected."""
    if isinstance(value, timedelta):
        return value
    text = str(value).strip().lower()
    if not _DURATION.fullmatch(text):
        raise ValueError(f"{value!r} is no duration: write one such as 45s, 30m, 2h, 1h30m or 7d")
    total = sum(int(amount) * _UNITS[unit] for amount, unit in _PART.findall(text))
    if not 0 < total <= LONGEST_DURATION // timedelta(seconds=1):
        raise ValueError(f"{value!r} is out of range: write a duration from 1s to {LONGEST_DURATION.days}d")
    return timedelta(seconds=total)


def _seconds(value: timedelta) -> str:
    return f"{value // timedelta(seconds=1)}s"


def _suffix(value: object) -> HostName:
    try:
        return host_name(str(value))
    except InvalidName as error:
        raise ValueError(f"{value!r} is not a host name: {error}") from error


def _domain(value: object) -> HostName:
    name = _suffix(value)
    if is_public_suffix(name):
        raise ValueError(f"{value!r} is everybody's: name the domains below it that are meant")
    return name


def _network(value: object) -> IPv4Network | IPv6Network:
    try:
        return ip_network(str(value))
    except ValueError:
        raise ValueError(f"{value!r} is no network: write one such as 10.20.0.0/16 or 2001:db8::/32") from None


def _moment(value: object) -> object:
    """A date and a time on the wall, or with an offset; the zone is the school's, where none is said."""
    if not isinstance(value, str):
        return value
    try:
        return datetime.fromisoformat(value) if len(value) > len("2026-11-23") else date.fromisoformat(value)
    except ValueError:
        raise ValueError(f"{value!r} is no date and time: write one such as 2026-12-18 16:00") from None


def _end(value: object) -> object:
    """A day alone means until it is over."""
    moment = _moment(value)
    if isinstance(moment, date) and moment.year > LAST_YEAR:
        raise ValueError(f"{value} is no end: write a date before {LAST_YEAR}")
    if isinstance(moment, date) and not isinstance(moment, datetime):
        return datetime.combine(moment + timedelta(days=1), time.min)
    return moment


def _key(value: str) -> str:
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,62}", value):
        raise ValueError(f"{value!r} is no key: lower-case letters, digits and hyphens, 63 at the most")
    return value


def _language(value: str) -> str:
    """A language of the refusal page: each is a file in ``languages``."""
    known = sorted(name.removesuffix(".yaml") for file in LANGUAGES.iterdir() if (name := file.name).endswith(".yaml"))
    if value not in known:
        raise ValueError(f"{value!r} is no language of the page: write one of {', '.join(known)}")
    return value


type Duration = Annotated[timedelta, BeforeValidator(duration), PlainSerializer(_seconds, when_used="json")]
type Suffix = Annotated[HostName, BeforeValidator(_suffix)]
type Domain = Annotated[HostName, BeforeValidator(_domain)]
type Addresses = Annotated[IPv4Network | IPv6Network, BeforeValidator(_network)]
type Moment = Annotated[datetime, BeforeValidator(_moment)]
type End = Annotated[datetime, BeforeValidator(_end)]
type Key = Annotated[str, AfterValidator(_key)]
type LanguageKey = Annotated[str, AfterValidator(_language)]
type Port = Annotated[int, Field(ge=1, le=65535)]


class Frozen(BaseModel):
    """A value read from a file: strict about unknown fields, so that a typing slip is an error and not a silence."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def field_of(values: object, name: str) -> object:
    return values.get(name) if isinstance(values, Mapping) else None


def with_names(values: object, field: str, key: str, **common: object) -> object:
    """Give each entry of a mapping its own name as a field: it is written once, as the heading."""
    entries = field_of(values, field)
    if not isinstance(values, Mapping) or not isinstance(entries, Mapping):
        return values
    for name, entry in entries.items():
        if (said := field_of(entry, key)) not in (None, name):
            raise ValueError(f"{field}.{name}: leave out {key} ({said!r}); the heading says it")
    named = {n: {**common, **entry, key: n} if isinstance(entry, Mapping) else entry for n, entry in entries.items()}
    return {**values, field: named}
