"""What SLT decide: authorisations, requests for them, and changes that wait. Decided once, by somebody else.

A subject or target is kept as kind and name, as it was granted: the record says what was said.
"""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column, relationship

from policies.authorisation import RequestState, SubjectKind, TargetKind
from proxy.store.base import Base, Number, OfSnapshot, PersonId, Site, word
from proxy.store.models.people import Person


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


class WaitingChange(Base):
    """What a technician asked for and only SLT may let happen, because it would widen access. Decided once.

    ``act`` names the act; ``body`` holds, as canonical JSON, its arguments, what it would open, and what it was asked
    about as that was then: approving does exactly what was asked, to the same.
    """

    __tablename__ = "waiting_changes"
    __table_args__ = (
        CheckConstraint("act <> ''", "named"),
        CheckConstraint("(state = 'pending') = (decided_at IS NULL)", "decided_once"),
        CheckConstraint("(decided_at IS NULL) = (decided_by_id IS NULL)", "decided_by_someone"),
        CheckConstraint("state <> 'approved' OR decided_by_id <> asked_by_id", "not_by_oneself"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[Number]
    site: Mapped[Site]
    act: Mapped[str]
    body: Mapped[str]
    asked_by_id: Mapped[PersonId] = mapped_column(index=True)
    asked_at: Mapped[datetime]
    state: Mapped[RequestState] = mapped_column(word(RequestState, "state"), default=RequestState.PENDING)
    decided_at: Mapped[datetime | None]
    decided_by_id: Mapped[PersonId | None] = mapped_column()
    decision_reason: Mapped[str | None]

    asked_by: Mapped[Person] = relationship(foreign_keys=[asked_by_id])
    decided_by: Mapped[Person | None] = relationship(foreign_keys=[decided_by_id])
