"""The first schema: people, devices, authorisations, the record, the ledger, sign-ins.

It only creates; the one row of ``generation`` is there from the start, so that moving it is always an update.

Revises: nothing
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")  # SQLite numbers rows only through INTEGER
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    _people()
    _authorisations()
    _record()
    _ledger()
    _sign_ins()


def downgrade() -> None:
    raise NotImplementedError("Schemas go forward: put the backup back in its place.")


def _number() -> sa.Column[int]:
    return sa.Column("id", BIG, autoincrement=True, nullable=False)


def _site() -> sa.Column[str]:
    return sa.Column("site", sa.Text(), server_default="main", nullable=False)


def _word(name: str, *words: str) -> sa.Enum:
    return sa.Enum(*words, name=name, native_enum=False, create_constraint=True, length=32)


def _people() -> None:
    op.create_table(
        "people",
        _number(),
        _site(),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("display_name", sa.Text(), nullable=False),
        sa.Column("role", _word("role", "slt", "technician", "network", "staff"), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("password_hash", sa.Text()),
        sa.Column("added_at", MOMENT, nullable=False),
        sa.CheckConstraint("name <> ''", name=op.f("ck_people_named")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_people")),
        sa.UniqueConstraint("site", "name", name=op.f("uq_people_site_name")),
    )
    op.create_table(
        "groups",
        _number(),
        _site(),
        sa.Column("name", sa.Text(), nullable=False),
        sa.CheckConstraint("name <> ''", name=op.f("ck_groups_named")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_groups")),
        sa.UniqueConstraint("site", "name", name=op.f("uq_groups_site_name")),
    )
    op.create_table(
        "devices",
        _number(),
        _site(),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("owner_id", BIG),
        sa.Column("added_at", MOMENT, nullable=False),
        sa.CheckConstraint("name <> ''", name=op.f("ck_devices_named")),
        sa.ForeignKeyConstraint(["owner_id"], ["people.id"], name=op.f("fk_devices_owner_id_people")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_devices")),
        sa.UniqueConstraint("site", "name", name=op.f("uq_devices_site_name")),
    )
    op.create_index(op.f("ix_devices_owner_id"), "devices", ["owner_id"])
    op.create_table(
        "device_addresses",
        _number(),
        _site(),
        sa.Column("device_id", BIG, nullable=False),
        sa.Column("network", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["device_id"], ["devices.id"], name=op.f("fk_device_addresses_device_id_devices")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_device_addresses")),
        sa.UniqueConstraint("site", "network", name=op.f("uq_device_addresses_site_network")),
    )
    op.create_index(op.f("ix_device_addresses_device_id"), "device_addresses", ["device_id"])
    op.create_table(
        "memberships",
        _number(),
        sa.Column("group_id", BIG, nullable=False),
        sa.Column("person_id", BIG),
        sa.Column("device_id", BIG),
        sa.CheckConstraint("(person_id IS NULL) <> (device_id IS NULL)", name=op.f("ck_memberships_one_member")),
        sa.ForeignKeyConstraint(["device_id"], ["devices.id"], name=op.f("fk_memberships_device_id_devices")),
        sa.ForeignKeyConstraint(["group_id"], ["groups.id"], name=op.f("fk_memberships_group_id_groups")),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_memberships_person_id_people")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_memberships")),
        sa.UniqueConstraint("group_id", "device_id", name=op.f("uq_memberships_group_id_device_id")),
        sa.UniqueConstraint("group_id", "person_id", name=op.f("uq_memberships_group_id_person_id")),
    )
    op.create_index(op.f("ix_memberships_device_id"), "memberships", ["device_id"])
    op.create_index(op.f("ix_memberships_person_id"), "memberships", ["person_id"])


def _authorisations() -> None:
    op.create_table(
        "authorisations",
        _number(),
        _site(),
        sa.Column(
            "subject_kind", _word("subject_kind", "person", "device", "address", "network", "group"), nullable=False
        ),
        sa.Column("subject_name", sa.Text(), nullable=False),
        sa.Column("target_kind", _word("target_kind", "service", "category", "domain", "all"), nullable=False),
        sa.Column("target_name", sa.Text(), nullable=False),
        sa.Column("starts_at", MOMENT, nullable=False),
        sa.Column("ends_at", MOMENT, nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("granted_by_id", BIG, nullable=False),
        sa.Column("granted_at", MOMENT, nullable=False),
        sa.Column("revoked_at", MOMENT),
        sa.Column("revoked_by_id", BIG),
        sa.Column("revoked_reason", sa.Text()),
        sa.Column("lapsed_at", MOMENT),
        sa.CheckConstraint("(target_name = '') = (target_kind = 'all')", name=op.f("ck_authorisations_target_named")),
        sa.CheckConstraint("reason <> ''", name=op.f("ck_authorisations_reasoned")),
        sa.CheckConstraint("subject_name <> ''", name=op.f("ck_authorisations_subject_named")),
        sa.CheckConstraint(
            "(revoked_at IS NULL) = (revoked_by_id IS NULL) AND (revoked_at IS NULL) = (revoked_reason IS NULL)",
            name=op.f("ck_authorisations_revoked_by_someone"),
        ),
        sa.CheckConstraint("ends_at > starts_at", name=op.f("ck_authorisations_ends_after_start")),
        sa.ForeignKeyConstraint(["granted_by_id"], ["people.id"], name=op.f("fk_authorisations_granted_by_id_people")),
        sa.ForeignKeyConstraint(["revoked_by_id"], ["people.id"], name=op.f("fk_authorisations_revoked_by_id_people")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_authorisations")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_authorisations_ends_at"), "authorisations", ["ends_at"])
    op.create_index(
        op.f("ix_authorisations_subject_kind_subject_name"), "authorisations", ["subject_kind", "subject_name"]
    )
    op.create_table(
        "access_requests",
        _number(),
        _site(),
        sa.Column("requester_id", BIG, nullable=False),
        sa.Column("target_kind", _word("target_kind", "service", "category", "domain", "all"), nullable=False),
        sa.Column("target_name", sa.Text(), nullable=False),
        sa.Column("seconds", BIG, nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("asked_at", MOMENT, nullable=False),
        sa.Column("state", _word("state", "pending", "approved", "refused", "withdrawn"), nullable=False),
        sa.Column("decided_at", MOMENT),
        sa.Column("decided_by_id", BIG),
        sa.Column("decision_reason", sa.Text()),
        sa.Column("authorisation_id", BIG),
        sa.CheckConstraint("(state = 'pending') = (decided_at IS NULL)", name=op.f("ck_access_requests_decided_once")),
        sa.CheckConstraint("(target_name = '') = (target_kind = 'all')", name=op.f("ck_access_requests_target_named")),
        sa.CheckConstraint(
            "authorisation_id IS NULL OR state = 'approved'", name=op.f("ck_access_requests_granted_if_approved")
        ),
        sa.CheckConstraint(
            "state <> 'approved' OR decided_by_id <> requester_id", name=op.f("ck_access_requests_not_by_oneself")
        ),
        sa.CheckConstraint(
            "(decided_at IS NULL) = (decided_by_id IS NULL)", name=op.f("ck_access_requests_decided_by_someone")
        ),
        sa.CheckConstraint("seconds > 0", name=op.f("ck_access_requests_wants_time")),
        sa.ForeignKeyConstraint(
            ["authorisation_id"], ["authorisations.id"], name=op.f("fk_access_requests_authorisation_id_authorisations")
        ),
        sa.ForeignKeyConstraint(["decided_by_id"], ["people.id"], name=op.f("fk_access_requests_decided_by_id_people")),
        sa.ForeignKeyConstraint(["requester_id"], ["people.id"], name=op.f("fk_access_requests_requester_id_people")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_access_requests")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_access_requests_requester_id"), "access_requests", ["requester_id"])


def _record() -> None:
    op.create_table(
        "attempts",
        _number(),
        _site(),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("verdict", _word("verdict", "allow", "deny"), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("would_be", sa.Text()),
        sa.Column("rule", sa.Text()),
        sa.Column("clause", sa.Text()),
        sa.Column("service", sa.Text()),
        sa.Column("category", sa.Text()),
        sa.Column("host", sa.Text()),
        sa.Column("port", BIG, nullable=False),
        sa.Column("protocol", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text()),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("device", sa.Text()),
        sa.Column("person", sa.Text()),
        sa.Column("network", sa.Text()),
        sa.Column("authorisation", BIG),
        sa.Column("policy", sa.Text(), nullable=False),
        sa.Column("count", BIG, nullable=False),
        sa.Column("first_at", MOMENT, nullable=False),
        sa.Column("last_at", MOMENT, nullable=False),
        sa.Column("bytes_up", BIG, nullable=False),
        sa.Column("bytes_down", BIG, nullable=False),
        sa.Column("seconds", sa.Double(), nullable=False),
        sa.CheckConstraint("bytes_up >= 0 AND bytes_down >= 0 AND seconds >= 0", name=op.f("ck_attempts_measured")),
        sa.CheckConstraint("count >= 1", name=op.f("ck_attempts_counted")),
        sa.CheckConstraint("last_at >= first_at", name=op.f("ck_attempts_last_after_first")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attempts")),
        sa.UniqueConstraint("reference", name=op.f("uq_attempts_reference")),
    )
    op.create_index(op.f("ix_attempts_device_last_at"), "attempts", ["device", "last_at"])
    op.create_index(op.f("ix_attempts_last_at"), "attempts", ["last_at"])
    op.create_index(op.f("ix_attempts_person_last_at"), "attempts", ["person", "last_at"])
    op.create_table(
        "open_attempts",
        sa.Column("attempt", sa.Text(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("journal", sa.Text(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("attempt", name=op.f("pk_open_attempts")),
    )
    op.create_index(op.f("ix_open_attempts_journal"), "open_attempts", ["journal"])
    op.create_table(
        "journal_positions",
        sa.Column("segment", sa.Text(), nullable=False),
        sa.Column("offset", BIG, nullable=False),
        sa.CheckConstraint('"offset" >= 0', name=op.f("ck_journal_positions_forward")),
        sa.PrimaryKeyConstraint("segment", name=op.f("pk_journal_positions")),
    )


def _ledger() -> None:
    op.create_table(
        "ledger",
        sa.Column("seq", BIG, autoincrement=False, nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("act", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("commitments", sa.Text(), nullable=False),
        sa.Column("previous", sa.Text(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.CheckConstraint("seq >= 1", name=op.f("ck_ledger_from_one")),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_ledger")),
        sa.UniqueConstraint("hash", name=op.f("uq_ledger_hash")),
    )
    op.create_table(
        "ledger_personal",
        sa.Column("seq", BIG, autoincrement=False, nullable=False),
        sa.Column("field", sa.Text(), nullable=False),
        sa.Column("salt", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["seq"], ["ledger.seq"], name=op.f("fk_ledger_personal_seq_ledger")),
        sa.PrimaryKeyConstraint("seq", "field", name=op.f("pk_ledger_personal")),
    )
    op.create_index(op.f("ix_ledger_personal_value"), "ledger_personal", ["value"])
    op.create_table(
        "generation",
        sa.Column("id", BIG, autoincrement=False, nullable=False),
        sa.Column("number", BIG, nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_generation_one_row")),
        sa.CheckConstraint("number >= 0", name=op.f("ck_generation_forward")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_generation")),
    )
    op.execute("INSERT INTO generation (id, number) VALUES (1, 0)")


def _sign_ins() -> None:
    op.create_table(
        "sign_ins",
        _number(),
        sa.Column("token_hash", sa.Text(), nullable=False),
        sa.Column("person_id", BIG, nullable=False),
        sa.Column("started_at", MOMENT, nullable=False),
        sa.Column("seen_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.CheckConstraint("expires_at > started_at", name=op.f("ck_sign_ins_expires")),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_sign_ins_person_id_people")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sign_ins")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_sign_ins_token_hash")),
    )
    op.create_index(op.f("ix_sign_ins_person_id"), "sign_ins", ["person_id"])
    op.create_table(
        "failed_sign_ins",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("failures", BIG, nullable=False),
        sa.Column("last_at", MOMENT, nullable=False),
        sa.Column("again_at", MOMENT, nullable=False),
        sa.CheckConstraint("failures >= 1", name=op.f("ck_failed_sign_ins_counted")),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_failed_sign_ins")),
    )
