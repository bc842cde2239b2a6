"""What every table is made of: one naming convention, UTC times, words stored as their values."""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, ClassVar

from sqlalchemy import BigInteger, DateTime, Dialect, Enum, ForeignKey, Integer, MetaData, Text
from sqlalchemy.orm import DeclarativeBase, mapped_column
from sqlalchemy.types import TypeDecorator, TypeEngine

SITE = "main"

# Every constraint has a name, so that a migration can speak of it on every database.
CONVENTION = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}

# SQLite numbers rows only through INTEGER; it holds 64 bits there.
BigInt = BigInteger().with_variant(Integer(), "sqlite")


class UtcDateTime(TypeDecorator[datetime]):
    """An aware moment, stored in UTC and read back aware. A naive one is refused: it says no moment."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 -- the base class's signature
        if value is None:
            return None
        if value.tzinfo is None:
            raise TypeError(f"{value!r} has no time zone: the store takes aware times only")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 -- likewise
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def word(words: type[StrEnum], name: str) -> Enum:
    """A column that holds one of ``words``: the value in the row, and a check constraint of this name."""
    return Enum(
        words,
        native_enum=False,
        create_constraint=True,
        validate_strings=True,
        values_callable=lambda cls: [member.value for member in cls],
        length=32,
        name=name,
    )


class Base(DeclarativeBase):
    metadata = MetaData(naming_convention=CONVENTION)
    type_annotation_map: ClassVar[dict[Any, TypeEngine[Any]]] = {str: Text(), int: BigInt, datetime: UtcDateTime()}


class OfSnapshot:
    """Marks the tables that a snapshot is made of: a committed change to one of them moves the generation."""


type Number = Annotated[int, mapped_column(BigInt, primary_key=True, autoincrement=True)]
type Site = Annotated[str, mapped_column(Text, default=SITE, server_default=SITE)]
type PersonId = Annotated[int, mapped_column(BigInt, ForeignKey("people.id"))]
