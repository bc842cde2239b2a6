"""Guessing passwords is slowed down: after a few failures a name waits, twice as long each time.

Names that nobody has are counted alike, so that waiting tells nothing. Counts are forgotten after a day.
"""

from datetime import datetime, timedelta

from sqlalchemy import delete
from sqlalchemy.orm import Session

from proxy.services.errors import NotPermitted
from proxy.store.models import FailedSignIn

FREE = 4  # failures that anybody's fingers make
FIRST_WAIT = timedelta(seconds=15)
LONGEST_WAIT = timedelta(minutes=15)
MOST_DOUBLINGS = 10  # the longest wait is reached long before
MEMORY = timedelta(days=1)
LONGEST_NAME = 80  # longer ones are nobody's, and not worth a row


def demand_patience(session: Session, name: str, now: datetime) -> None:
    """Raise NotPermitted, saying how long to wait, while ``name`` has to."""
    row = session.get(FailedSignIn, name[:LONGEST_NAME])
    if row is None or now >= row.again_at or now < row.last_at:
        return
    seconds = -(-(row.again_at - now) // timedelta(seconds=1))
    wait = f"{seconds} seconds" if seconds < 100 else f"{-(-seconds // 60)} minutes"  # noqa: PLR2004 -- as people say it
    raise NotPermitted(
        "too_many_failures", f"Too many wrong passwords for {name[:LONGEST_NAME]}.", f"Try again in {wait}."
    )


def has_failed(session: Session, name: str) -> bool:
    """Whether there is anything to forget."""
    return session.get(FailedSignIn, name[:LONGEST_NAME]) is not None


def count_failure(session: Session, name: str, now: datetime) -> None:
    session.execute(delete(FailedSignIn).where(FailedSignIn.last_at < now - MEMORY))
    row = session.get(FailedSignIn, name[:LONGEST_NAME])
    if row is None:
        row = FailedSignIn(name=name[:LONGEST_NAME], failures=0)
        session.add(row)
    row.failures += 1
    row.last_at = now
    row.again_at = now + wait_after(row.failures)
    session.flush()


def forget(session: Session, name: str) -> None:
    session.execute(delete(FailedSignIn).where(FailedSignIn.name == name[:LONGEST_NAME]))


def wait_after(failures: int) -> timedelta:
    """How long to wait after so many."""
    if failures <= FREE:
        return timedelta()
    doublings: int = min(failures - FREE - 1, MOST_DOUBLINGS)
    return min(FIRST_WAIT * (1 << doublings), LONGEST_WAIT)
