"""The record: attempts as the journals told of them, and the ledger of what administrators do."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from policies.vocabulary import Verdict
from proxy.store.base import Base, BigInt, Number, Site, word


class AttemptRow(Base):
    """What is recorded of attempts: one row for repeats within a minute, found by ``reference``.

    Names are kept as they were, without foreign keys: the record outlives what it names.
    """

    __tablename__ = "attempts"
    __table_args__ = (
        UniqueConstraint("reference"),
        CheckConstraint("count >= 1", "counted"),
        CheckConstraint("last_at >= first_at", "last_after_first"),
        CheckConstraint("bytes_up >= 0 AND bytes_down >= 0 AND seconds >= 0", "measured"),
        Index(None, "last_at"),
        Index(None, "person", "last_at"),
        Index(None, "device", "last_at"),
    )

    id: Mapped[Number]
    site: Mapped[Site]
    reference: Mapped[str]
    verdict: Mapped[Verdict] = mapped_column(word(Verdict, "verdict"))
    reason: Mapped[str]
    would_be: Mapped[str | None]
    rule: Mapped[str | None]
    clause: Mapped[str | None]
    service: Mapped[str | None]
    category: Mapped[str | None]
    host: Mapped[str | None]
    port: Mapped[int]
    protocol: Mapped[str]
    kind: Mapped[str]
    outcome: Mapped[str | None]
    address: Mapped[str]
    device: Mapped[str | None]
    person: Mapped[str | None]
    network: Mapped[str | None]
    authorisation: Mapped[int | None]
    policy: Mapped[str]
    count: Mapped[int] = mapped_column(default=1)
    first_at: Mapped[datetime]
    last_at: Mapped[datetime]
    bytes_up: Mapped[int] = mapped_column(default=0)
    bytes_down: Mapped[int] = mapped_column(default=0)
    seconds: Mapped[float] = mapped_column(default=0.0)


class OpenAttempt(Base):
    """An attempt that may still be classified or ended, and the row that counts it."""

    __tablename__ = "open_attempts"

    attempt: Mapped[str] = mapped_column(Text, primary_key=True)
    reference: Mapped[str]
    journal: Mapped[str] = mapped_column(index=True)
    at: Mapped[datetime]


class JournalPosition(Base):
    """How far a journal segment has been recorded; it moves with the rows, in one transaction."""

    __tablename__ = "journal_positions"
    __table_args__ = (CheckConstraint('"offset" >= 0', "forward"),)

    segment: Mapped[str] = mapped_column(Text, primary_key=True)
    offset: Mapped[int]


class LedgerRow(Base):
    """One administrative act, chained to the one before. ``body`` and ``commitments`` are canonical JSON."""

    __tablename__ = "ledger"
    __table_args__ = (UniqueConstraint("hash"), CheckConstraint("seq >= 1", "from_one"))

    seq: Mapped[int] = mapped_column(BigInt, primary_key=True, autoincrement=False)
    at: Mapped[datetime]
    act: Mapped[str]
    body: Mapped[str]
    commitments: Mapped[str]
    previous: Mapped[str]
    hash: Mapped[str]

    personal: Mapped[list["LedgerPersonal"]] = relationship(order_by="LedgerPersonal.field")


class LedgerPersonal(Base):
    """The clear text of one personal field of an act, and the salt of its commitment. Erasure deletes the row."""

    __tablename__ = "ledger_personal"

    seq: Mapped[int] = mapped_column(BigInt, ForeignKey("ledger.seq"), primary_key=True, autoincrement=False)
    field: Mapped[str] = mapped_column(Text, primary_key=True)
    salt: Mapped[str]
    value: Mapped[str] = mapped_column(index=True)
