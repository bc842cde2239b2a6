"""What is to be done about the CA, each with the command that does it. Nothing found means that all is well."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path

from cryptography import x509

from proxy.ca import root_key, storage
from proxy.ca.errors import CaError
from proxy.ca.issuing import check_time, lasts

ROOT_AMBER = timedelta(days=365)  # a new root has to reach every device before
AMBER = timedelta(days=60)  # holidays included


class Level(StrEnum):
    AMBER = "amber"  # soon, or not as it should be
    RED = "red"  # pages fail now


@dataclass(frozen=True, slots=True)
class Finding:
    """Something to do: what is, and the way to mend it."""

    level: Level
    message: str
    remedy: str


def of_time(root: x509.Certificate, ends_at: datetime, now: datetime, renewal: str) -> Iterator[Finding]:
    try:
        check_time(root, now)
    except CaError as error:
        yield Finding(Level.RED, str(error), error.hint)
        return
    if not lasts(root, now + ROOT_AMBER):
        told = f"The root ends in {_days(root.not_valid_after_utc - now)}, and every device needs a new one before."
        yield Finding(Level.AMBER, told, "Change to a new CA: docs/ca.md, When the root ends.")
    if now < ends_at <= now + AMBER:
        yield Finding(Level.AMBER, f"The first names lose their page in {_days(ends_at - now)}.", renewal)


def of_names(lacking: int, surplus: int, renewal: str) -> Iterator[Finding]:
    if lacking:
        told = f"{lacking} of the refused domains {'has' if lacking == 1 else 'have'} no page."
        yield Finding(Level.RED, told, renewal)
    if surplus:
        told = f"The CA can still speak for {surplus} domain{'s' * (surplus != 1)} no longer refused."
        yield Finding(Level.AMBER, told, renewal)


def of_key(ca_dir: Path) -> Iterator[Finding]:
    """With the key elsewhere there is nothing to say: that is the best place for it. Raises CaError."""
    key = root_key.look(ca_dir)
    if key.passphrase_left:
        told = f"The passphrase of the root's key lies open in {ca_dir / storage.ROOT_PASSPHRASE}."
        yield Finding(Level.AMBER, told, "schoolgate ca passphrase")
    elif key.present and not key.encrypted:
        yield Finding(Level.AMBER, "The root's key is not encrypted.", "schoolgate ca passphrase")


def _days(span: timedelta) -> str:
    return "one day" if span.days == 1 else f"{span.days} days"
