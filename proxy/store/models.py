"""The store's tables. The rules they can hold themselves are constraints, so that no code above can break them.

A subject or target is kept as kind and name, as it was granted: the record says what was said.
"""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from policies.authorisation import RequestState, SubjectKind, TargetKind
from policies.vocabulary import Role, Verdict
from proxy.store.base import Base, BigInt, Number, OfSnapshot, PersonId, Site, word


class Person(OfSnapshot, Base):
    """Somebody with an account of their own. ``password_hash`` None: cannot sign in yet."""

    __tablename__ = "people"
    __table_args__ = (UniqueConstraint("site", "name"), CheckConstraint("name <> ''", "named"))

    id: Mapped[Number]
    site: Mapped[Site]
    name: Mapped[str]
    display_name: Mapped[str]
    role: Mapped[Role] = mapped_column(word(Role, "role"))
    enabled: Mapped[bool] = mapped_column(default=True)
    password_hash: Mapped[str | None]
    added_at: Mapped[datetime]

    memberships: Mapped[list["Membership"]] = relationship(back_populates="person")


class Group(OfSnapshot, Base):
    __tablename__ = "groups"
    __table_args__ = (UniqueConstraint("site", "name"), CheckConstraint("name <> ''", "named"))

    id: Mapped[Number]
    site: Mapped[Site]
    name: Mapped[str]

    memberships: Mapped[list["Membership"]] = relationship(back_populates="group")


class Device(OfSnapshot, Base):
    """A device of the school, known by its addresses."""

    __tablename__ = "devices"
    __table_args__ = (UniqueConstraint("site", "name"), CheckConstraint("name <> ''", "named"))

    id: Mapped[Number]
    site: Mapped[Site]
    name: Mapped[str]
    owner_id: Mapped[PersonId | None] = mapped_column(index=True)
    added_at: Mapped[datetime]

    owner: Mapped[Person | None] = relationship()
    addresses: Mapped[list["DeviceAddress"]] = relationship(back_populates="device", order_by="DeviceAddress.network")
    memberships: Mapped[list["Membership"]] = relationship(back_populates="device")


class DeviceAddress(OfSnapshot, Base):
    """One address, or a range set apart, in CIDR notation; it belongs to one device."""

    __tablename__ = "device_addresses"
    __table_args__ = (UniqueConstraint("site", "network"),)

    id: Mapped[Number]
    site: Mapped[Site]
    device_id: Mapped[int] = mapped_column(ForeignKey("devices.id"), index=True)
    network: Mapped[str]

    device: Mapped[Device] = relationship(back_populates="addresses")


class Membership(OfSnapshot, Base):
    """A person or a device in a group."""

    __tablename__ = "memberships"
    __table_args__ = (
        UniqueConstraint("group_id", "person_id"),
        UniqueConstraint("group_id", "device_id"),
        CheckConstraint("(person_id IS NULL) <> (device_id IS NULL)", "one_member"),
    )

    id: Mapped[Number]
    group_id: Mapped[int] = mapped_column(ForeignKey("groups.id"))
    person_id: Mapped[PersonId | None] = mapped_column(index=True)
    device_id: Mapped[int | None] = mapped_column(ForeignKey("devices.id"), index=True)

    group: Mapped[Group] = relationship(back_populates="memberships")
    person: Mapped[Person | None] = relationship(back_populates="memberships")
    device: Mapped[Device | None] = relationship(back_populates="memberships")


class AuthorisationRow(OfSnapshot, Base):
    """A grant: its window, and what became of it. Live or ended is a function of time, and not stored."""

    __tablename__ = "authorisations"
    __table_args__ = (
        CheckConstraint("ends_at > starts_at", "ends_after_start"),
        CheckConstraint("reason <> ''", "reasoned"),
        CheckConstraint("subject_name <> ''", "subject_named"),
        CheckConstraint("(target_name = '') = (target_kind = 'all')", "target_named"),
        CheckConstraint(
            "(revoked_at IS NULL) = (revoked_by_id IS NULL) AND (revoked_at IS NULL) = (revoked_reason IS NULL)",
            "revoked_by_someone",
        ),
        Index(None, "ends_at"),
        Index(None, "subject_kind", "subject_name"),
        {"sqlite_autoincrement": True},  # an id names one grant for ever
    )

    id: Mapped[Number]
    site: Mapped[Site]
    subject_kind: Mapped[SubjectKind] = mapped_column(word(SubjectKind, "subject_kind"))
    subject_name: Mapped[str]
    target_kind: Mapped[TargetKind] = mapped_column(word(TargetKind, "target_kind"))
    target_name: Mapped[str]
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    reason: Mapped[str]
    granted_by_id: Mapped[PersonId] = mapped_column()
    granted_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]
    revoked_by_id: Mapped[PersonId | None] = mapped_column()
    revoked_reason: Mapped[str | None]
    lapsed_at: Mapped[datetime | None]

    granted_by: Mapped[Person] = relationship(foreign_keys=[granted_by_id])
    revoked_by: Mapped[Person | None] = relationship(foreign_keys=[revoked_by_id])


class AccessRequestRow(Base):
    """Somebody asks for an authorisation; once decided it is final."""

    __tablename__ = "access_requests"
    __table_args__ = (
        CheckConstraint("seconds > 0", "wants_time"),
        CheckConstraint("(target_name = '') = (target_kind = 'all')", "target_named"),
        CheckConstraint("(state = 'pending') = (decided_at IS NULL)", "decided_once"),
        CheckConstraint("(decided_at IS NULL) = (decided_by_id IS NULL)", "decided_by_someone"),
        CheckConstraint("authorisation_id IS NULL OR state = 'approved'", "granted_if_approved"),
        CheckConstraint("state <> 'approved' OR decided_by_id <> requester_id", "not_by_oneself"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[Number]
    site: Mapped[Site]
    requester_id: Mapped[PersonId] = mapped_column(index=True)
    target_kind: Mapped[TargetKind] = mapped_column(word(TargetKind, "target_kind"))
    target_name: Mapped[str]
    seconds: Mapped[int]
    reason: Mapped[str]
    asked_at: Mapped[datetime]
    state: Mapped[RequestState] = mapped_column(word(RequestState, "state"), default=RequestState.PENDING)
    decided_at: Mapped[datetime | None]
    decided_by_id: Mapped[PersonId | None]
    decision_reason: Mapped[str | None]
    authorisation_id: Mapped[int | None] = mapped_column(ForeignKey("authorisations.id"))


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


class Generation(Base):
    """One row: a number that moves with every committed change to what a snapshot is made of."""

    __tablename__ = "generation"
    __table_args__ = (CheckConstraint("id = 1", "one_row"), CheckConstraint("number >= 0", "forward"))

    id: Mapped[int] = mapped_column(BigInt, primary_key=True, autoincrement=False, default=1)
    number: Mapped[int]


class SignIn(Base):
    """A session that ``login`` keeps: the hash of its token, never the token."""

    __tablename__ = "sign_ins"
    __table_args__ = (UniqueConstraint("token_hash"), CheckConstraint("expires_at > started_at", "expires"))

    id: Mapped[Number]
    token_hash: Mapped[str]
    person_id: Mapped[PersonId] = mapped_column(index=True)
    started_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    expires_at: Mapped[datetime]

    person: Mapped[Person] = relationship()


class FailedSignIn(Base):
    """How often a name, known or not, failed to sign in, and when it may try again."""

    __tablename__ = "failed_sign_ins"
    __table_args__ = (CheckConstraint("failures >= 1", "counted"),)

    name: Mapped[str] = mapped_column(Text, primary_key=True)
    failures: Mapped[int]
    last_at: Mapped[datetime]
    again_at: Mapped[datetime]


METADATA = Base.metadata  # complete once this module is imported
