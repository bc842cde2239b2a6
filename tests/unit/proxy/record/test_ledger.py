"""The ledger: chained from its first row, exact, erasable without breaking the proof."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import delete, select, text, update
from sqlalchemy.orm import Session

from proxy.record import ledger
from proxy.store.engine import Store
from proxy.store.models import LedgerPersonal, LedgerRow

NOW = datetime(2026, 3, 2, 10, 0, 0, 1, tzinfo=UTC)

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


def append(session: Session, act: str = "grant", **personal: ledger.Value) -> int:
    body = {"authorisation": 7, "target": "facebook"}
    return ledger.append(session, at=NOW, act=act, actor="head", body=body, personal=personal)


@pytest.fixture
def written(store: Store) -> Store:
    """A ledger of five acts."""
    with store.write() as session:
        for number in range(5):
            assert append(session, who=f"person:p{number}") == number + 1
    return store


def verify(store: Store) -> ledger.LedgerReport:
    with store.read() as session:
        return ledger.verify(session)


def test_an_empty_ledger_is_intact(store: Store) -> None:
    """Nothing happened, and nothing is wrong."""
    assert verify(store) == ledger.LedgerReport(rows=0, head=ledger.BEGINNING)


def test_a_chain(written: Store) -> None:
    """Each row is chained to the one before, the first to the beginning."""
    with written.read() as session:
        rows = session.scalars(select(LedgerRow).order_by(LedgerRow.seq)).all()
        assert [row.previous for row in rows] == [ledger.BEGINNING, *(row.hash for row in rows[:-1])]
        assert len({row.hash for row in rows}) == 5
    assert verify(written) == ledger.LedgerReport(rows=5, head=rows[-1].hash)


class Undo(Exception):
    """So that what was done is undone."""


def test_what_was_undone_is_no_link(store: Store) -> None:
    """A unit goes on from its own last row, unless that was undone with a part of the unit."""
    with store.write() as session:
        assert append(session) == 1
        with suppress(Undo), session.begin_nested():
            assert [append(session), append(session)] == [2, 3]
            raise Undo
        assert [append(session), append(session)] == [2, 3]
    assert (verify(store).rows, verify(store).intact) == (3, True)


def test_what_others_wrote_after_a_commit_is_a_link(store: Store) -> None:
    """A unit that commits midway is not alone any more: it looks at the store again."""
    with store.write() as session:
        assert append(session) == 1
        session.commit()
        with store.write() as other:
            assert append(other) == 2
        assert append(session) == 3
    assert (verify(store).rows, verify(store).intact) == (3, True)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("at", NOW + timedelta(microseconds=1)),
        ("act", "revoke"),
        ("body", '{"authorisation":8,"target":"facebook"}'),
        ("commitments", "{}"),
        ("previous", "f" * 64),
        ("previous", "not hexadecimal"),
        ("hash", "f" * 64),
        ("seq", 9),
    ],
)
def test_an_altered_row_is_found(written: Store, column: str, value: object) -> None:
    """Whatever of a row is altered, the row is named."""
    with written.write() as session:
        session.execute(delete(LedgerPersonal).where(LedgerPersonal.seq == 3))
        session.execute(update(LedgerRow).where(LedgerRow.seq == 3).values({column: value}))
    report = verify(written)
    assert not report.intact
    assert report.rows == 2
    assert report.broken in (3, 4)
    assert "3" in str(report.problem)


def test_a_removed_row_is_found(written: Store) -> None:
    """A row that is not there any more is missed."""
    with written.write() as session:
        for table in (LedgerPersonal, LedgerRow):
            session.execute(delete(table).where(table.seq == 2))
    assert verify(written).problem == "row 2 is missing"


def test_a_cut_end_changes_the_head(written: Store) -> None:
    """A head noted elsewhere shows that the last rows were cut off."""
    head = verify(written).head
    with written.write() as session:
        for table in (LedgerPersonal, LedgerRow):
            session.execute(delete(table).where(table.seq == 5))
    report = verify(written)
    assert report.intact
    assert report.head != head


def test_erasure_keeps_the_proof(written: Store) -> None:
    """Erasing who it was leaves the chain whole, and the name nowhere."""
    with written.write() as session:
        session.execute(delete(LedgerPersonal).where(LedgerPersonal.value == '"person:p2"'))
    assert verify(written).intact
    with written.read() as session:
        for row in session.scalars(select(LedgerRow)):
            assert "p2" not in row.body + row.commitments


def test_altered_clear_text_is_found(written: Store) -> None:
    """Another name beside a row is not the one that was committed to."""
    with written.write() as session:
        named = LedgerPersonal.seq == 4, LedgerPersonal.field == "actor"
        session.execute(update(LedgerPersonal).where(*named).values(value='"somebody"'))
    assert verify(written).problem == "the actor beside row 4 is not what was written"


def test_salt_and_value_do_not_run_together(written: Store) -> None:
    """What is moved from the salt's end to the value's start is not the value that was committed to."""
    with written.write() as session:
        row = session.scalars(select(LedgerPersonal).where(LedgerPersonal.seq == 1)).first()
        assert row is not None
        row.salt, row.value = row.salt[:-2], row.salt[-2:] + row.value
    assert not verify(written).intact


def test_equal_names_are_not_recognised(written: Store) -> None:
    """Commitments to the same name differ, so that an erased one cannot be told by another."""
    with written.read() as session:
        assert len(set(session.scalars(select(LedgerRow.commitments)))) == 5


def test_another_zone_is_the_same_moment(store: Store) -> None:
    """A time is chained in UTC, and read back the same."""
    with store.write() as session:
        at = NOW.astimezone(timezone(timedelta(hours=-7)))
        ledger.append(session, at=at, act="x", actor="head", body={})
    assert verify(store).intact


def test_an_act_that_is_undone_leaves_no_row(written: Store) -> None:
    """The ledger's row belongs to the act's own unit of work."""
    with pytest.raises(KeyError, match="anything"), written.write() as session:
        raise KeyError(append(session) and "anything")
    assert verify(written).rows == 5


@pytest.mark.parametrize("value", [1.5, {"a": [1.0]}, {1: "a"}, b"a", NOW])
def test_inexact_values_are_refused(store: Store, value: object) -> None:
    """What has no exact form has no place in a proof."""
    with store.write() as session, pytest.raises(TypeError):
        ledger.append(session, at=NOW, act="x", actor="head", body={"value": value})
    assert verify(store).rows == 0


@given(st.dictionaries(st.text(), json_values))
def test_one_way_to_write_a_value(value: dict[str, ledger.Value]) -> None:
    """Whatever order fields come in, the canonical form is one."""
    backwards = dict(reversed(list(value.items())))
    assert ledger.canonical(value) == ledger.canonical(backwards)


def test_clear_text_is_found_by_value(written: Store) -> None:
    """Acts that concern somebody are found through an index, for subject access."""
    with written.read() as session:
        query = text("SELECT seq FROM ledger_personal WHERE value = :value")
        assert session.execute(query, {"value": ledger.canonical("person:p3")}).scalars().all() == [4]
