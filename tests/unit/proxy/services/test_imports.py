"""Importing tables: each line's fate, all or nothing, the same again changes nothing, what widens waits."""

import csv
import io
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from policies.vocabulary import Role
from proxy.services import accounts, changes, devices, grants, imports
from proxy.services.errors import BadInput, NotPermitted
from proxy.services.imports import Fate, ImportRefused
from proxy.store.models import LedgerRow
from tests.unit.proxy.services.conftest import actor

PEOPLE = """name,display_name,role,groups,enabled
j.smith,Jo Smith,staff,governors;staff-room,yes
a.jones,"Jones, Al",staff,,
new.tech,New Tech,technician,,yes
"""
DEVICES = """name,addresses,groups,owner
office-3,10.20.0.10;10.20.0.11,office,j.smith
suite-1,10.20.4.0/26,suites,
"""


@pytest.fixture
def load(school, now, policy):
    """Import a text: planned in a unit that reads, carried out in one that writes, or is undone (``rehearsed``).

    ``meanwhile`` is done between the two.
    """

    def load(kind, text, by="tech", *, rehearsed=False, meanwhile=lambda: None):
        plan = {"people": imports.plan_people, "devices": imports.plan_devices}[kind]
        raw = text if isinstance(text, bytes) else text.encode()
        with school.read() as session:
            table = plan(session, actor(by), io.BytesIO(raw))
        meanwhile()
        if not table.changes:
            return table.fates(table.errors, {})
        with school.rehearse() if rehearsed else school.write() as session:
            return imports.carry_out(session, actor(by), table, now=now, policy=policy)

    return load


@pytest.fixture
def grant(school, now, policy, catalogue):
    def grant(who, by="head"):
        window = {"starts_at": now, "ends_at": now + timedelta(hours=1), "reason": "open day posts", "now": now}
        with school.write() as session:
            grants.grant(session, actor(by), who=who, target="all", policy=policy, catalogue=catalogue, **window)

    return grant


def fates(lines) -> list[tuple[int, str, str]]:
    return [(line.line, line.name, line.fate) for line in lines]


def refused(load, kind, text, **options):
    with pytest.raises(ImportRefused) as caught:
        load(kind, text, **options)
    return {line.line: line.what for line in caught.value.lines if line.fate is Fate.ERROR}


def state(school):
    with school.read() as session:
        rows = session.scalars(select(func.count()).select_from(LedgerRow)).one()
        return accounts.list_people(session, actor("head")), devices.list_devices(session, actor("head")), rows


def test_people(school, load):
    """Who is not there is added, who is otherwise is changed; nobody gets a password."""
    lines = load("people", PEOPLE)
    assert fates(lines) == [(2, "j.smith", "change"), (3, "a.jones", "add"), (4, "new.tech", "add")]
    assert [line.what for line in lines] == [
        "display name J.Smith → Jo Smith, joins governors and staff-room",
        "display name Jones, Al, role staff",
        "display name New Tech, role technician",
    ]
    people = {view.name: view for view in state(school)[0]}
    assert people["j.smith"].groups == ("governors", "staff-room")
    assert (people["a.jones"].display_name, people["a.jones"].has_password) == ("Jones, Al", False)
    assert people["new.tech"].role is Role.TECHNICIAN
    assert len(people) == 7


def test_devices(school, load):
    """Likewise."""
    assert fates(load("devices", DEVICES)) == [(2, "office-3", "add"), (3, "suite-1", "add")]
    changed = DEVICES.replace("10.20.0.11", "10.20.0.12").replace(",office,j.smith", ",,netops")
    assert [line.what for line in load("devices", changed)] == [
        "addresses 10.20.0.10 and 10.20.0.11 → 10.20.0.10 and 10.20.0.12, owner j.smith → netops, leaves office",
        "",
    ]
    [office, _] = state(school)[1]
    assert office == devices.DeviceView(
        name="office-3", addresses=("10.20.0.10", "10.20.0.12"), groups=(), owner="netops"
    )


@pytest.mark.parametrize(("kind", "text"), [("people", PEOPLE), ("devices", DEVICES)])
def test_again(school, load, kind, text):
    """The same file again changes nothing and writes nothing, whatever its encoding and delimiter."""
    load(kind, text)
    before = state(school)
    rows = list(csv.reader(io.StringIO(text)))
    excel = io.StringIO()
    csv.writer(excel, delimiter=";").writerows(rows)
    for again in (text, text.encode("utf-16"), excel.getvalue().encode("utf-8-sig")):
        assert {line.fate for line in load(kind, again)} == {Fate.SAME}
    assert state(school) == before


@pytest.mark.parametrize(("kind", "text"), [("people", PEOPLE), ("devices", DEVICES)])
def test_a_rehearsal_tells_the_same_and_does_nothing(school, load, kind, text):
    """What a dry run says is what then happens; not even a snapshot is published for it."""
    before, generation = state(school), school.generation()
    rehearsed = load(kind, text, rehearsed=True)
    assert state(school) == before
    assert school.generation() == generation
    assert load(kind, text) == rehearsed
    assert state(school) != before


def test_a_column_that_is_not_there_changes_nothing(school, load):
    """Groups, owners and whether an account is enabled stay as they are unless the table speaks of them."""
    load("people", PEOPLE)
    load("devices", DEVICES)
    before = state(school)
    load("people", "name,display_name,role\nj.smith,Jo Smith,staff\n")
    load("devices", "name,addresses\noffice-3,10.20.0.10;10.20.0.11\n")
    assert state(school) == before


def test_disabling_and_enabling(school, load):
    """A column of yes and no; an empty cell says nothing."""
    table = "name,display_name,role,enabled\nj.smith,Jo Smith,staff,{}\n"
    for cell, enabled in (("no", False), ("", False), ("TRUE", True), ("0", False), ("Yes", True)):
        load("people", table.format(cell))
        assert [view.enabled for view in state(school)[0] if view.name == "j.smith"] == [enabled]


def test_what_changes_between_planning_and_doing(school, load, now):
    """Is seen: what is done, and told, is what the store then asks for."""

    def rename():
        with school.write() as session:
            accounts.set_display_name(session, actor("tech"), name="j.smith", display_name="Jo Smith", now=now)
            accounts.add_person(
                session, actor("tech"), name="a.jones", display_name="Al", role=Role.STAFF, password=None, now=now
            )

    table = "name,display_name,role\nj.smith,Jo Smith,staff\na.jones,Al Jones,staff\n"
    assert fates(load("people", table, meanwhile=rename)) == [(2, "j.smith", "same"), (3, "a.jones", "change")]


@pytest.mark.parametrize("wrong", [1, imports.BATCH, 2 * imports.BATCH - 1])
def test_one_wrong_line_among_many(school, load, wrong):
    """Is the only one that is told as wrong, wherever it is; nothing is imported."""
    before = state(school)
    rows = [
        f"pc-{n},10.30.{n // 250}.{n % 250},{'nobody.here' if n == wrong else ''}" for n in range(2 * imports.BATCH)
    ]
    assert set(refused(load, "devices", "\n".join(["name,addresses,owner", *rows]))) == {wrong + 2}
    assert state(school) == before


def test_everything_wrong_is_told_at_once(school, load):
    """Each line with its number; nothing is imported, not even what is right."""
    before = state(school)
    errors = refused(
        load,
        "people",
        "name,display_name,role,groups,enabled\n"
        "good.one,Good One,staff,,\n"
        "no spaces,X,staff,,\n"
        "a.king,A King,king,,\n"
        "good.one,Good One,staff,,\n"
        "j.sm\u0456th,X,staff,,\n"
        "formula,=cmd|' /C calc'!A0,staff,,\n"
        "bidi,Jo \u202ehtimS,staff,,\n"
        ",X,staff,,\n"
        "empty.name,,staff,,\n"
        "maybe,X,staff,,perhaps\n"
        "off,X,staff,,no\n"
        "grouped,X,staff,../etc,\n"
        "new.head,X,slt,,\n"
        "head,Another,slt,,\n"
        "many,X,staff,,,extra\n",
    )
    assert set(errors) == set(range(3, 17))
    for line, said in {
        3: "'no spaces' cannot be the name of a person",
        4: "'king' is no role. Write one of slt, technician, network, staff.",
        5: "good.one is on line 2 already",
        6: "character 5 is U+0456 CYRILLIC SMALL LETTER BYELORUSSIAN-UKRAINIAN I",
        7: "a spreadsheet would run it",
        8: "character 4 is U+202E RIGHT-TO-LEFT OVERRIDE",
        9: "cannot be the name of a person",
        10: "1 to 100 characters, and this has 0",
        11: "'perhaps' in the column enabled is neither yes nor no",
        12: "off is new, and would be disabled",
        13: "'../etc' cannot be the name of a group",
        14: "Only the senior leadership team may",
        15: "Only the senior leadership team may",
        16: "there are 6 cells, and the heading has 5",
    }.items():
        assert said in errors[line], line
    assert state(school) == before


def test_wrong_devices(school, load):
    """Addresses that are none, or taken, also by another line; owners who are not there."""
    load("devices", DEVICES)
    before = state(school)
    errors = refused(
        load,
        "devices",
        "name,addresses,owner\n"
        "one,10.20.0.300,\n"
        "two,,\n"
        "three,10.20.0.10,\n"
        "four,10.20.9.9,\n"
        "five,10.20.9.9,\n"
        "six,10.20.9.6,nobody.here\n"
        f"seven,{';'.join(f'10.21.0.{n}' for n in range(65))},\n",
    )
    assert set(errors) == {2, 3, 4, 6, 7, 8}
    assert "10.20.9.9 is the address of four" in errors[6]
    assert state(school) == before


def test_addresses_that_move_on(school, load):
    """A device takes an address that another line frees, in whatever order they stand."""
    load("devices", "name,addresses\na,10.20.0.1\nb,10.20.0.2\nc,10.20.0.3\n")
    load("devices", "name,addresses\na,10.20.0.2\nb,10.20.0.3\nc,10.20.0.4\n")
    assert [view.addresses[0][-1] for view in state(school)[1]] == ["2", "3", "4"]


@pytest.mark.parametrize("kind", ["people", "devices"])
@pytest.mark.parametrize("by", ["netops", "j.smith"])
def test_who_imports(load, kind, by):
    """SLT and technicians."""
    with pytest.raises(NotPermitted):
        load(kind, {"people": PEOPLE, "devices": DEVICES}[kind], by)


def test_what_is_no_table(load):
    """Is one error, not one for each line."""
    with pytest.raises(BadInput, match="the column display_name is missing"):
        load("people", "name,role\nx,y\n")


class TestWidening:
    def test_lines_that_widen_wait(self, school, load, grant):
        """A technician's other lines are done; those that join what is granted wait, one change each."""
        load("people", PEOPLE)
        grant("group:governors")
        table = (
            "name,display_name,role,groups\n"
            "a.jones,Al Jones,staff,governors\n"
            "b.brown,Bo Brown,staff,others\n"
            "c.clark,Cy Clark,staff,governors\n"
        )
        lines = load("people", table)
        assert fates(lines) == [(2, "a.jones", "wait"), (3, "b.brown", "add"), (4, "c.clark", "wait")]
        assert lines[2].what.startswith("for SLT: somebody under authorisation 1; display name")
        people = {view.name: view.groups for view in state(school)[0]}
        assert people["a.jones"] == ()
        assert people["b.brown"] == ("others",)
        assert "c.clark" not in people
        with school.read() as session:
            waiting = changes.list_changes(session, actor("head"), include_decided=False)
        assert [view.what for view in waiting] == [
            "change the person a.jones: display name Al Jones, join governors",
            "add the person c.clark: display name Cy Clark, groups governors, role staff",
        ]

    def test_importing_again_asks_for_nothing_twice(self, school, load, grant, now, policy):
        """And once they are approved, all is the same."""
        load("people", PEOPLE)
        grant("group:governors")
        table = "name,display_name,role,groups\nc.clark,Cy Clark,staff,governors\n"
        for _ in range(2):
            assert [line.fate for line in load("people", table)] == [Fate.WAIT]
        with school.write() as session:
            [view] = changes.list_changes(session, actor("head"), include_decided=False)
            changes.approve(session, actor("head"), view.id, now, policy)
        assert [line.fate for line in load("people", table)] == [Fate.SAME]

    def test_devices_wait_likewise(self, school, load, grant):
        """By group, and by a place that falls to a granted range."""
        load("devices", DEVICES + "desk,10.20.4.9,,\n")
        grant("group:suites")
        lines = load("devices", "name,addresses,groups\nnew,10.20.7.7,suites\ndesk,10.20.8.8,\nok,10.20.9.9,\n")
        assert [line.fate for line in lines] == [Fate.WAIT, Fate.WAIT, Fate.ADD]

    def test_slt_import_at_once_and_not_for_themselves(self, school, load, grant):
        """A line by which whoever imports would gain is an error of that line."""
        load("devices", DEVICES)
        grant("group:suites")
        assert [line.fate for line in load("devices", "name,addresses,groups\nnew,10.20.7.7,suites\n", "head")] == [
            "add"
        ]
        table = "name,addresses,groups,owner\nok,10.20.9.9,,\nmine,10.20.7.8,suites,head\n"
        assert refused(load, "devices", table, by="head") == {
            3: "device:mine under authorisation 1: nobody authorises themselves"
        }
        assert [line.fate for line in load("devices", table, "deputy")] == ["add", "add"]


def test_a_whole_school(school, load, now, policy, grant):
    """Many lines with a grant in force are worked out as a whole, and again without the one that widens."""
    load("devices", DEVICES)
    grant("group:suites")
    rows = "".join(f"pc-{n},10.30.{n // 250}.{n % 250},{'suites' if n == 7 else 'pcs'}\n" for n in range(60))
    lines = load("devices", f"name,addresses,groups\n{rows}")
    assert [line.name for line in lines if line.fate is Fate.WAIT] == ["pc-7"]
    assert len(state(school)[1]) == 2 + 59
