"""Browsing credentials, who set a password, and changes that wait for SLT.

Four empty columns on ``people`` and one new table. SQLite copies the few hundred rows of ``people`` for the new checks;
PostgreSQL locks that table for the moment of adding them. Nothing that is there changes its meaning: who set a password
before this is not known, and it counts as its owner's.

Revises: 0001
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    with op.batch_alter_table("people") as people:
        people.add_column(sa.Column("browsing_hash", sa.Text()))
        people.add_column(sa.Column("browsing_id", sa.Text()))
        people.create_check_constraint(
            op.f("ck_people_browsing_whole"), "(browsing_hash IS NULL) = (browsing_id IS NULL)"
        )
        for which in ("password", "browsing"):
            setter = f"{which}_set_by_id"
            people.add_column(sa.Column(setter, BIG))
            people.create_foreign_key(op.f(f"fk_people_{setter}_people"), "people", [setter], ["id"])
            people.create_check_constraint(
                op.f(f"ck_people_{which}_set"), f"{which}_hash IS NOT NULL OR {setter} IS NULL"
            )
    op.create_table(
        "waiting_changes",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("site", sa.Text(), server_default="main", nullable=False),
        sa.Column("act", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("asked_by_id", BIG, nullable=False),
        sa.Column("asked_at", MOMENT, nullable=False),
        sa.Column("state", _state(), nullable=False),
        sa.Column("decided_at", MOMENT),
        sa.Column("decided_by_id", BIG),
        sa.Column("decision_reason", sa.Text()),
        sa.CheckConstraint("act <> ''", name=op.f("ck_waiting_changes_named")),
        sa.CheckConstraint("(state = 'pending') = (decided_at IS NULL)", name=op.f("ck_waiting_changes_decided_once")),
        sa.CheckConstraint(
            "(decided_at IS NULL) = (decided_by_id IS NULL)", name=op.f("ck_waiting_changes_decided_by_someone")
        ),
        sa.CheckConstraint(
            "state <> 'approved' OR decided_by_id <> asked_by_id", name=op.f("ck_waiting_changes_not_by_oneself")
        ),
        sa.ForeignKeyConstraint(["asked_by_id"], ["people.id"], name=op.f("fk_waiting_changes_asked_by_id_people")),
        sa.ForeignKeyConstraint(["decided_by_id"], ["people.id"], name=op.f("fk_waiting_changes_decided_by_id_people")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_waiting_changes")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_waiting_changes_asked_by_id"), "waiting_changes", ["asked_by_id"])


def downgrade() -> None:
    raise NotImplementedError("Schemas go forward: put the backup back in its place.")


def _state() -> sa.Enum:
    words = ("pending", "approved", "refused", "withdrawn")
    return sa.Enum(*words, name="state", native_enum=False, create_constraint=True, length=32)
