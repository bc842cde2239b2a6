"""Several changes of one person: all of them, or none."""

import pytest
from sqlalchemy import select

from policies.vocabulary import Role
from proxy.services import accounts, people
from proxy.services.errors import Conflict, NotPermitted, ServiceError
from proxy.store.models import LedgerRow


def test_all_at_once(school, head, now):
    """Each change has its row in the ledger; what is so already has none."""
    said = {"display_name": "Jo Smith", "role": Role.TECHNICIAN, "enabled": True, "join": ["choir"]}
    with school.write() as session:
        view = people.change_person(session, head, name="j.smith", now=now, **said)
        acts = session.scalars(select(LedgerRow.act).order_by(LedgerRow.seq)).all()
    assert (view.display_name, view.role, view.groups) == ("Jo Smith", Role.TECHNICIAN, ("choir",))
    assert acts == ["set_display_name", "change_groups", "set_role"]


def test_nothing(school, tech, now):
    """What is so already is said to be so."""
    with school.write() as session, pytest.raises(Conflict) as caught:
        people.change_person(session, tech, name="j.smith", role=Role.STAFF, enabled=True, now=now)
    assert caught.value.code == "nothing_to_do"


@pytest.mark.parametrize(
    "said",
    [
        {"name": "j.smith", "display_name": "Jo", "role": Role.SLT},
        {"name": "head", "display_name": "Jo"},
        {"name": "head", "join": ["choir"]},
        {"name": "deputy", "enabled": False},
    ],
)
def test_a_technician_changes_no_slt(school, tech, head, now, said):
    """Nor makes anybody one; what comes before in the same change is undone with it."""
    with pytest.raises(NotPermitted), school.write() as session:
        people.change_person(session, tech, now=now, **said)
    with school.read() as session:
        names = {view.name: view.display_name for view in accounts.list_people(session, head)}
        assert names["j.smith"] == "J.Smith"


@pytest.mark.parametrize("shown", ["", "x" * 101, "Jo\u202e", "=1+1"])
def test_a_name_that_cannot_be_shown(school, tech, now, shown):
    """Is refused like that of a new person."""
    with school.write() as session, pytest.raises(ServiceError) as caught:
        accounts.set_display_name(session, tech, name="j.smith", display_name=shown, now=now)
    assert caught.value.code == "bad_display_name"


def test_the_same_name(school, tech, now):
    """Is no change."""
    with school.write() as session, pytest.raises(Conflict):
        accounts.set_display_name(session, tech, name="j.smith", display_name="J.Smith", now=now)
