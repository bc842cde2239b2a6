"""The ledger of administrative acts: each row is chained to the one before by its hash, from the first row.

What enters the chain is the row's canonical form: JSON with sorted keys, no floats. Who acted, and every other
personal field, enters it only as a commitment, ``sha256(salt || canonical value)``; the clear text and its salt lie
beside, and can be erased without breaking the chain. One writer at a time: a write unit of the store is alone.
"""

import hashlib
import hmac
import json
import secrets
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import cast

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from proxy.store.models import LedgerPersonal, LedgerRow

type Value = str | int | bool | list[Value] | Mapping[str, Value] | None

BEGINNING = "0" * 64  # what the first row is chained to
ACTOR = "actor"
SALT_LENGTH = 32  # hexadecimal digits
BATCH = 500
_APPENDED = "the last row of the ledger that this unit appended"


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerReport:
    """What ``verify`` found. ``head`` is the last good hash: noted elsewhere, it proves that no end was cut off."""

    rows: int
    head: str
    broken: int | None = None  # the first row that is not as it was written
    problem: str | None = None

    @property
    def intact(self) -> bool:
        return self.broken is None


def append(  # noqa: PLR0913 -- each names one part of the row
    session: Session,
    *,
    at: datetime,
    act: str,
    actor: str,
    body: Mapping[str, Value],
    personal: Mapping[str, Value] | None = None,
) -> int:
    """Add one act, in the caller's write unit, and return its number. ``body`` holds nothing personal."""
    fields: dict[str, Value] = {**(personal or {}), ACTOR: actor}
    clear = [_committed(field, value) for field, value in fields.items()]
    last = _last(session)
    row = LedgerRow(
        seq=last.seq + 1 if last else 1,
        at=at.astimezone(UTC),
        act=act,
        body=canonical(body),
        commitments=canonical({c.field: _commitment(c.salt, c.value) for c in clear}),
        previous=last.hash if last else BEGINNING,
        personal=clear,
    )
    row.hash = _hash(row)
    session.add(row)
    session.info[_APPENDED] = session.get_transaction(), row
    return row.seq


def _last(session: Session) -> LedgerRow | None:
    """The end of the chain: what this unit appended itself, for it is alone, unless that was undone; else the store's.

    Many acts in one unit are written together for it, and nobody else waits for as many questions.
    """
    transaction, row = session.info.get(_APPENDED, (None, None))
    if row is not None and transaction is session.get_transaction() and row in session:
        return cast("LedgerRow", row)
    return session.scalars(select(LedgerRow).order_by(LedgerRow.seq.desc()).limit(1)).first()


def verify(session: Session) -> LedgerReport:
    """Walk the chain from its first row; stop at the first that is not as it was written."""
    rows, head = 0, BEGINNING
    query = select(LedgerRow).options(selectinload(LedgerRow.personal)).order_by(LedgerRow.seq)
    with closing(session.scalars(query.execution_options(yield_per=BATCH))) as chain:
        for row in chain:
            if problem := _problem(row, rows + 1, head):
                return LedgerReport(rows=rows, head=head, broken=row.seq, problem=problem)
            rows, head = row.seq, row.hash
    return LedgerReport(rows=rows, head=head)


def canonical(value: Value) -> str:
    """The one way to write a value. Raises TypeError for a float or anything JSON has no exact form for."""
    _refuse_inexact(value)
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def _refuse_inexact(value: object) -> None:
    match value:
        case None | str() | int():
            return
        case list():
            for item in value:
                _refuse_inexact(item)
        case dict():
            for key, item in value.items():
                if not isinstance(key, str):
                    raise TypeError(f"{key!r} is no field's name in the ledger")
                _refuse_inexact(item)
        case _:
            raise TypeError(f"{value!r} has no exact form in the ledger")


def _committed(field: str, value: Value) -> LedgerPersonal:
    return LedgerPersonal(field=field, salt=secrets.token_hex(SALT_LENGTH // 2), value=canonical(value))


def _commitment(salt: str, value: str) -> str:
    return hashlib.sha256((salt + value).encode()).hexdigest()


def _hash(row: LedgerRow) -> str:
    form = canonical(
        {
            "seq": row.seq,
            "at": row.at.astimezone(UTC).isoformat(timespec="microseconds"),
            "act": row.act,
            "body": row.body,
            "commitments": row.commitments,
        }
    )
    return hashlib.sha256(bytes.fromhex(row.previous) + form.encode()).hexdigest()


def _problem(row: LedgerRow, seq: int, head: str) -> str | None:
    """What is wrong with a row that should be number ``seq``, after a row with the hash ``head``."""
    if row.seq != seq:
        return f"row {seq} is missing"
    if not hmac.compare_digest(row.previous, head):
        return f"row {seq} is not chained to the row before it"
    if not hmac.compare_digest(row.hash, _hash(row)):
        return f"row {seq} was altered"
    commitments = json.loads(row.commitments)
    for clear in row.personal:
        written = len(clear.salt) == SALT_LENGTH and _commitment(clear.salt, clear.value)
        if not written or commitments.get(clear.field) != written:
            return f"the {clear.field} beside row {seq} is not what was written"
    return None
