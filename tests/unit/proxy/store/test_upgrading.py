"""Each step of the schema, from a store with rows in every table: nothing that was there is lost or means another."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic import command
from sqlalchemy import MetaData, insert, select

from proxy.store import schema
from proxy.store.connection import Place, engine_for, writers
from proxy.store.engine import Store
from proxy.store.errors import StoreOlder
from proxy.store.models import Person

AT = datetime(2026, 3, 2, 10, tzinfo=UTC)
LATER = datetime(2026, 3, 2, 11, tzinfo=UTC)
NUMBER = 9  # of the generation

type Row = Mapping[str, object]

# A store of revision 0001: whom rows name comes before those that name them.
HEAD = {"id": 1, "name": "head", "display_name": "Head", "role": "slt", "enabled": True, "password_hash": "hash"}
SMITH = {**HEAD, "id": 2, "name": "j.smith", "display_name": "J Smith", "role": "staff", "enabled": False}
GRANT = {
    "id": 7,
    "subject_kind": "person",
    "subject_name": "j.smith",
    "target_kind": "all",
    "target_name": "",
    "starts_at": AT,
    "ends_at": LATER,
    "reason": "a lesson",
    "granted_by_id": 1,
    "granted_at": AT,
}
REQUEST = {
    "id": 3,
    "requester_id": 2,
    "target_kind": "all",
    "target_name": "",
    "seconds": 60,
    "reason": "a lesson",
    "asked_at": AT,
    "state": "approved",
    "decided_at": AT,
    "decided_by_id": 1,
    "authorisation_id": 7,
}
ATTEMPT = {
    "id": 1,
    "reference": "AAAA",
    "verdict": "allow",
    "reason": "authorised",
    "port": 443,
    "protocol": "tls",
    "kind": "unknown",
    "address": "10.20.0.10",
    "person": "j.smith",
    "authorisation": 7,
    "policy": "p",
    "count": 2,
    "first_at": AT,
    "last_at": LATER,
    "bytes_up": 1,
    "bytes_down": 2,
    "seconds": 0.5,
}
OLD: Mapping[str, Sequence[Row]] = {
    "people": [{**HEAD, "added_at": AT}, {**SMITH, "password_hash": None, "added_at": AT}],
    "groups": [{"id": 1, "name": "governors"}],
    "devices": [{"id": 1, "name": "office-3", "owner_id": 2, "added_at": AT}],
    "device_addresses": [{"id": 1, "device_id": 1, "network": "10.20.0.10/32"}],
    "memberships": [
        {"id": 1, "group_id": 1, "person_id": 2, "device_id": None},
        {"id": 2, "group_id": 1, "person_id": None, "device_id": 1},
    ],
    "authorisations": [GRANT],
    "access_requests": [REQUEST],
    "attempts": [ATTEMPT],
    "open_attempts": [{"attempt": "a", "reference": "AAAA", "journal": "j", "at": AT}],
    "journal_positions": [{"segment": "s", "offset": 17}],
    "ledger": [{"seq": 1, "at": AT, "act": "grant", "body": "{}", "commitments": "{}", "previous": "", "hash": "h"}],
    "ledger_personal": [{"seq": 1, "field": "who", "salt": "s", "value": "person:j.smith"}],
    "sign_ins": [{"id": 1, "token_hash": "t", "person_id": 1, "started_at": AT, "seen_at": AT, "expires_at": LATER}],
    "failed_sign_ins": [{"name": "j.smith", "failures": 5, "last_at": AT, "again_at": LATER}],
}


@pytest.fixture
def old_url(empty_url: str, backend: str) -> str:
    """A store of revision 0001, with rows."""
    if backend == "sqlite":
        Path(empty_url.removeprefix("sqlite:///")).touch()
    engine, tables = engine_for(Place.parse(empty_url)), MetaData()
    with writers(engine).begin() as connection:
        command.upgrade(schema.configuration(connection), "0001")
        tables.reflect(connection)
        for name, rows in OLD.items():
            connection.execute(insert(tables.tables[name]), list(rows))
        connection.execute(tables.tables["generation"].update().values(number=NUMBER))
    engine.dispose()
    return empty_url


def content(url: str) -> dict[str, list[Row]]:
    """Every row of every table."""
    engine, tables = engine_for(Place.parse(url)), MetaData()
    with engine.connect() as connection:
        tables.reflect(connection)
        tables.remove(tables.tables["alembic_version"])
        found = {name: connection.execute(select(t).order_by(*t.columns)) for name, t in tables.tables.items()}
        rows: dict[str, list[Row]] = {name: [dict(row) for row in found[name].mappings()] for name in found}
    engine.dispose()
    return rows


def test_every_table_of_old_has_rows(old_url: str) -> None:
    """A table without rows would prove nothing."""
    assert all(content(old_url).values())


def test_an_old_store_is_not_touched_in_passing(old_url: str) -> None:
    """It says which command moves it on."""
    with pytest.raises(StoreOlder) as caught:
        Store.open(old_url, create=True)
    assert "schoolgate store upgrade" in caught.value.hint
    assert schema.status(old_url).revision == "0001"


def test_everything_is_kept(old_url: str) -> None:
    """Every row of every table, column by column; what is new is empty."""
    before = content(old_url)
    assert schema.upgrade(old_url).state is schema.SchemaState.CURRENT
    after = content(old_url)
    for table, rows in before.items():
        assert [{name: row[name] for name in rows[0]} for row in after[table]] == rows
        assert not [row for row in after[table] for name in row.keys() - rows[0].keys() if row[name] is not None]
    assert not [table for table in after.keys() - before.keys() if after[table]]


def test_it_is_a_store_like_any_other(old_url: str) -> None:
    """People who were there get a browsing password, and the change is noticed."""
    schema.upgrade(old_url)
    store = Store.open(old_url)
    with store.write() as session:
        smith = session.get_one(Person, 2)
        smith.browsing_hash, smith.browsing_id = "hash", "id"
    with store.read() as session:
        assert [m.group.name for m in session.get_one(Person, 2).memberships] == ["governors"]
    assert store.generation() == NUMBER + 1
    store.close()
