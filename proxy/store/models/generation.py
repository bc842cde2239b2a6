"""The number that tells the keeper that there is something new."""

from sqlalchemy import CheckConstraint
from sqlalchemy.orm import Mapped, mapped_column

from proxy.store.base import Base, BigInt


class Generation(Base):
    """One row: a number that moves with every committed change to what a snapshot is made of."""

    __tablename__ = "generation"
    __table_args__ = (CheckConstraint("id = 1", "one_row"), CheckConstraint("number >= 0", "forward"))

    id: Mapped[int] = mapped_column(BigInt, primary_key=True, autoincrement=False, default=1)
    number: Mapped[int]
