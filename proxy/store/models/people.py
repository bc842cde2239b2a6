"""People, groups and devices; signing in."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from policies.vocabulary import Role
from proxy.store.base import Base, Number, OfSnapshot, PersonId, Site, word


class Person(OfSnapshot, Base):
    """Somebody with an account of their own. ``password_hash`` None: cannot sign in yet.

    ``browsing_hash`` is of the password for the proxy, which grants nothing; ``browsing_id`` names that credential,
    so that a new one is told from the one before. ``password_set_by`` and ``browsing_set_by`` are whoever set each last
    and knows it; None: its owner, or nobody.
    """

    __tablename__ = "people"
    __table_args__ = (
        UniqueConstraint("site", "name"),
        CheckConstraint("name <> ''", "named"),
        CheckConstraint("(browsing_hash IS NULL) = (browsing_id IS NULL)", "browsing_whole"),
        CheckConstraint("password_hash IS NOT NULL OR password_set_by_id IS NULL", "password_set"),
        CheckConstraint("browsing_hash IS NOT NULL OR browsing_set_by_id IS NULL", "browsing_set"),
    )

    id: Mapped[Number]
    site: Mapped[Site]
    name: Mapped[str]
    display_name: Mapped[str]
    role: Mapped[Role] = mapped_column(word(Role, "role"))
    enabled: Mapped[bool] = mapped_column(default=True)
    password_hash: Mapped[str | None]
    browsing_hash: Mapped[str | None]
    browsing_id: Mapped[str | None]
    password_set_by_id: Mapped[PersonId | None] = mapped_column()
    browsing_set_by_id: Mapped[PersonId | None] = mapped_column()
    added_at: Mapped[datetime]

    password_set_by: Mapped["Person | None"] = relationship(foreign_keys=[password_set_by_id], remote_side="Person.id")
    browsing_set_by: Mapped["Person | None"] = relationship(foreign_keys=[browsing_set_by_id], remote_side="Person.id")
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
